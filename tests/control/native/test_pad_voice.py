"""What games ask of pads on its way to clients: GameStream's messages, and datagrams that may be lost."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from punktfunk.control.gamestream.pad_feedback import to_feedback
from punktfunk.control.native.pad_voice import LEASE_MS, PadVoice
from punktfunk.wire.gamestream.feedback import (
    AdaptiveTriggers,
    Led,
    MotionReports,
    Rumble,
    TriggerRumble,
    TriggerSide,
    build_feedback,
)
from punktfunk.wire.input import MotionKind
from punktfunk.wire.native import pad_output as native
from punktfunk.wire.native.datagrams import parse_datagram
from punktfunk.wire.pads.wishes import (
    LightWish,
    MicLightWish,
    MotionWish,
    PlayerLightsWish,
    RumbleWish,
    TriggerRumbleWish,
    TriggersWish,
)

EFFECT = bytes(range(11))


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (RumbleWish(1, 2), Rumble(3, 1, 2)),
        (TriggerRumbleWish(1, 2), TriggerRumble(3, 1, 2)),
        (LightWish(1, 2, 3), Led(3, 1, 2, 3)),
        (MotionWish(MotionKind.GYROSCOPE, 250), MotionReports(3, 250, MotionKind.GYROSCOPE)),
        (
            TriggersWish(EFFECT, None),
            AdaptiveTriggers(3, TriggerSide.LEFT, 0, 0, EFFECT[1:], bytes(10)),
        ),
        (PlayerLightsWish(1), None),
        (MicLightWish(1), None),
    ],
)
def test_words_of_gamestream(wish, message):
    assert to_feedback(3, wish) == message
    assert message is None or build_feedback(message)


class Line:
    """A client that notes when what arrived."""

    def __init__(self):
        self.said = []
        self.voice = PadVoice(self.take, lambda: int(trio.current_time() * 1e9))
        self._began = trio.current_time()

    def take(self, data):
        self.said.append((round(trio.current_time() - self._began, 3), parse_datagram(data)))


@pytest.mark.trio
async def test_rumble_is_renewed_until_it_stops_and_stops_are_said_thrice(autojump_clock):
    line = Line()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(line.voice.run)
        await wait_all_tasks_blocked()
        line.voice.tell(2, RumbleWish(100, 200))
        await trio.sleep(0.3)
        line.voice.tell(2, RumbleWish(0, 0))
        await trio.sleep(2)
        nursery.cancel_scope.cancel()
    assert [(at, message.low, message.sequence) for at, message in line.said] == [
        (0, 100, 1),
        (0.12, 100, 2),
        (0.24, 100, 3),
        (0.3, 0, 4),
        (0.36, 0, 5),
        (0.48, 0, 6),
    ]
    assert all(message.lease_ms == LEASE_MS and message.pad == 2 for _, message in line.said)


@pytest.mark.trio
async def test_triggers_and_motors_are_one_level(autojump_clock):
    line = Line()
    line.voice.tell(0, RumbleWish(1, 2))
    line.voice.tell(0, TriggerRumbleWish(3, 4))
    message = line.said[-1][1]
    assert (message.low, message.high, message.left_trigger, message.right_trigger) == (1, 2, 3, 4)


@pytest.mark.trio
async def test_lights_and_effects_are_said_thrice(autojump_clock):
    line = Line()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(line.voice.run)
        line.voice.tell(1, LightWish(9, 8, 7))
        line.voice.tell(1, TriggersWish(EFFECT, bytes(11)))
        line.voice.tell(1, PlayerLightsWish(5))
        line.voice.tell(1, MicLightWish(1))
        line.voice.tell(1, MotionWish(MotionKind.GYROSCOPE, 250))
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    messages = [message for _, message in line.said]
    expected = [
        native.PadLight(1, 9, 8, 7),
        native.TriggerEffect(1, 0, EFFECT),
        native.TriggerEffect(1, 1, bytes(11)),
        native.PlayerLights(1, 5),
        native.MicrophoneLight(1, 1),
    ]
    assert messages == expected * 3
