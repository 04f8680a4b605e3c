"""What SDL hands to a DualSense is what the virtual one at the host reads: both know the same report."""

import pytest

from punktfunk.control.client.window.pad_effects import build_effect
from punktfunk.wire.native.pad_output import MicrophoneLight, PlayerLights, TriggerEffect
from punktfunk.wire.pads.dualsense import parse_output
from punktfunk.wire.pads.wishes import MicLightWish, PlayerLightsWish, TriggersWish

EFFECT = bytes(range(1, 12))


@pytest.mark.parametrize(
    ("order", "wish"),
    [
        (TriggerEffect(0, 0, EFFECT), TriggersWish(EFFECT, None)),
        (TriggerEffect(0, 1, EFFECT), TriggersWish(None, EFFECT)),
        (TriggerEffect(0, 1, b"\x05"), TriggersWish(None, b"\x05" + bytes(10))),
        (PlayerLights(0, 0xFF), PlayerLightsWish(0x1F)),
        (MicrophoneLight(0, 9), MicLightWish(2)),
    ],
)
def test_effects(order, wish):
    effect = build_effect(order)
    assert len(effect) == 47
    assert parse_output(b"\x02" + effect) == [wish]


def test_a_third_trigger():
    assert build_effect(TriggerEffect(0, 2, EFFECT)) is None
