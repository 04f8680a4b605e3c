"""Input by Notify calls: which calls, in which order, and that everything is let go."""

import pytest
import trio

from punktfunk.control.displays.base import Region
from punktfunk.control.displays.mutter.cast import Cast
from punktfunk.control.input.mutter_notify import BACKLOG, HARMLESS_KEY, NOWHERE, SLOTS, open_notify_injector
from punktfunk.wire.input import (
    ContactEvent,
    HapticsEnable,
    Key,
    MouseButton,
    MouseClick,
    MouseMove,
    MouseMoveAbsolute,
    Touch,
    Wheel,
)

pytestmark = pytest.mark.trio

STREAM = "/stream/u1"


class Link:
    """A D-Bus that takes everything; ``calls`` are method and values."""

    def __init__(self):
        self.closed = trio.Event()
        self.calls = []

    async def tell(self, message):
        await trio.lowlevel.checkpoint()
        fields = {field.name: value for field, value in message.header.fields.items()}
        self.calls.append((fields["member"], *message.body))


PLACE = Region(100, 50, 1280, 720)


def opened(region=PLACE):
    link = Link()
    return link, open_notify_injector(Cast(link, "/session/u1", STREAM, 42, ""), lambda: region)


def touch(event, pointer_id, x=0.5, y=0.5):
    return Touch(event, pointer_id, x, y, 1.0, 0, 0, None)


WAKE = [
    ("NotifyKeyboardKeycode", HARMLESS_KEY, True),
    ("NotifyKeyboardKeycode", HARMLESS_KEY, False),
    ("NotifyPointerMotionRelative", 0.0, 0.0),
    ("NotifyTouchDown", STREAM, 0, NOWHERE, NOWHERE),
    ("NotifyTouchUp", 0),
]


async def test_pointer_and_keys(autojump_clock):
    link, opening = opened()
    async with opening as injector:
        for event in (
            MouseMove(3, -4),
            MouseMoveAbsolute(640, 360, 1280, 720),
            MouseMoveAbsolute(9999, -5, 1280, 720),
            MouseClick(MouseButton.LEFT, pressed=True),
            MouseClick(MouseButton.LEFT, pressed=True),
            Wheel(vertical=240),
            Wheel(vertical=-60, horizontal=30),
            Key(0x41, pressed=True),
        ):
            injector.inject(event)
        injector.inject(HapticsEnable(enabled=True))
        assert injector.unsupported == {"HapticsEnable": 1}
    assert link.calls == [
        *WAKE,
        ("NotifyPointerMotionRelative", 3.0, -4.0),
        ("NotifyPointerMotionAbsolute", STREAM, 640.0, 360.0),
        ("NotifyPointerMotionAbsolute", STREAM, 1279, 0.0),
        ("NotifyPointerButton", 0x110, True),
        ("NotifyPointerAxisDiscrete", 0, -2),
        ("NotifyPointerAxis", 2.5, 5.0, 2),
        ("NotifyKeyboardKeycode", 30, True),
        # and at the end
        ("NotifyKeyboardKeycode", 30, False),
        ("NotifyPointerButton", 0x110, False),
    ]


async def test_fingers_have_slots_and_are_lifted(autojump_clock):
    link, opening = opened()
    async with opening as injector:
        injector.inject(touch(ContactEvent.DOWN, 77))
        injector.inject(touch(ContactEvent.DOWN, 5, 0.0, 1.0))
        injector.inject(touch(ContactEvent.MOVE, 77, 0.25))
        injector.inject(touch(ContactEvent.UP, 77))
        injector.inject(touch(ContactEvent.UP, 99))
        injector.inject(touch(ContactEvent.DOWN, 6))
    assert link.calls[len(WAKE) :] == [
        ("NotifyTouchDown", STREAM, 0, 640.0, 360.0),
        ("NotifyTouchDown", STREAM, 1, 0.0, 719),
        ("NotifyTouchMotion", STREAM, 0, 320.0, 360.0),
        ("NotifyTouchUp", 0),
        ("NotifyTouchDown", STREAM, 0, 640.0, 360.0),
        ("NotifyTouchUp", 1),
        ("NotifyTouchUp", 0),
    ]


async def test_more_fingers_than_slots_are_counted(autojump_clock):
    _link, opening = opened()
    async with opening as injector:
        for pointer_id in range(SLOTS + 2):
            injector.inject(touch(ContactEvent.DOWN, pointer_id))
        assert injector.unsupported == {"Touch": 2}


async def test_without_a_place_nothing_is_sent_there(autojump_clock):
    link, opening = opened(region=None)
    async with opening as injector:
        injector.inject(MouseMoveAbsolute(1, 1, 2, 2))
        assert injector.unsupported == {"MouseMoveAbsolute": 1}
    assert link.calls == WAKE


async def test_a_flood_ends_with_everything_released(autojump_clock):
    link, opening = opened()
    async with opening as injector:
        injector.inject(Key(0x41, pressed=True))
        for _ in range(BACKLOG * 2):
            injector.inject(MouseMove(1, 0))
        injector.inject(Key(0x41, pressed=False))  # lost in the flood
        await trio.testing.wait_all_tasks_blocked()
        assert len(link.calls) <= BACKLOG + len(WAKE) + 2
        assert injector.dropped["Key"] == 1
        assert link.calls[-1] == ("NotifyKeyboardKeycode", 30, False)


async def test_a_cancelled_session_still_lets_go(autojump_clock):
    link, opening = opened()
    with trio.CancelScope() as scope:
        async with opening as injector:
            injector.inject(Key(0x41, pressed=True))
            scope.cancel()
            await trio.lowlevel.checkpoint()
    assert link.calls[-1] == ("NotifyKeyboardKeycode", 30, False)
