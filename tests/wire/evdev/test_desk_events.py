"""Devices of a desk by uinput: what fingers, pen and wheel come to, and that nothing stays down."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.wire.evdev import desk
from punktfunk.wire.evdev.codes import Abs, Button, Rel, Type
from punktfunk.wire.evdev.uinput import build_axis, build_setup
from punktfunk.wire.input import ContactEvent, Pen, PenTool, Touch, Wheel


def touch(what, finger=1, x=0.5, y=0.25, pressure=1.0):
    return Touch(what, finger, x, y, pressure, 0.0, 0.0, None)


def pen(what, tool=PenTool.PEN, buttons=0, strength=0.5, rotation=None, tilt=None):
    return Pen(what, tool, buttons, 0.5, 0.5, strength, 0.0, 0.0, rotation, tilt)


def only(events, kind, *codes):
    return [(code, value) for k, code, value in events if k == kind and code in codes]


def test_two_fingers():
    fingers = desk.TouchEvents()
    first = fingers.touch(touch(ContactEvent.DOWN, 7))
    assert only(first, Type.ABS, Abs.MT_SLOT, Abs.MT_TRACKING_ID) == [
        (Abs.MT_SLOT, 0),
        (Abs.MT_TRACKING_ID, 1),
    ]
    assert only(first, Type.ABS, Abs.MT_POSITION_X, Abs.MT_POSITION_Y) == [
        (Abs.MT_POSITION_X, 16384),
        (Abs.MT_POSITION_Y, 8192),
    ]
    assert only(first, Type.KEY, Button.TOUCH) == [(Button.TOUCH, 1)]
    second = fingers.touch(touch(ContactEvent.DOWN, 9))
    assert only(second, Type.ABS, Abs.MT_SLOT) == [(Abs.MT_SLOT, 1)]
    assert only(second, Type.KEY, Button.TOUCH) == []
    up = fingers.touch(touch(ContactEvent.UP, 7))
    assert only(up, Type.ABS, Abs.MT_SLOT, Abs.MT_TRACKING_ID) == [(Abs.MT_SLOT, 0), (Abs.MT_TRACKING_ID, -1)]
    assert only(up, Type.KEY, Button.TOUCH) == []
    assert only(fingers.touch(touch(ContactEvent.DOWN, 3)), Type.ABS, Abs.MT_SLOT) == [(Abs.MT_SLOT, 0)]
    assert only(fingers.touch(touch(ContactEvent.CANCEL_ALL)), Type.KEY, Button.TOUCH) == [(Button.TOUCH, 0)]
    assert fingers.touch(touch(ContactEvent.MOVE, 7)) == []


def test_an_eleventh_finger_is_ignored():
    fingers = desk.TouchEvents()
    assert all(fingers.touch(touch(ContactEvent.DOWN, finger)) for finger in range(10))
    assert fingers.touch(touch(ContactEvent.DOWN, 10)) == []


contacts = st.sampled_from(ContactEvent)


@settings(max_examples=40)
@given(st.lists(st.tuples(contacts, st.integers(0, 12)), max_size=60))
def test_fingers_are_all_lifted_at_the_end(steps):
    fingers, down, slot = desk.TouchEvents(), set(), 0
    events = [event for what, finger in steps for event in fingers.touch(touch(what, finger))]
    for kind, code, value in [*events, *fingers.lift_all()]:
        if (kind, code) == (Type.ABS, Abs.MT_SLOT):
            slot = value
        elif (kind, code) == (Type.ABS, Abs.MT_TRACKING_ID):
            (down.discard if value < 0 else down.add)(slot)
        assert len(down) <= desk.FINGERS
    assert not down


def test_a_stroke_of_the_pen():
    tablet = desk.PenEvents()
    hover = tablet.pen(pen(ContactEvent.HOVER, strength=0.5))
    assert only(hover, Type.KEY, Button.TOOL_PEN, Button.TOUCH) == [(Button.TOOL_PEN, 1)]
    assert only(hover, Type.ABS, Abs.PRESSURE, Abs.DISTANCE) == [(Abs.PRESSURE, 0), (Abs.DISTANCE, 512)]
    down = tablet.pen(pen(ContactEvent.DOWN, buttons=1, strength=1.0, rotation=0, tilt=30))
    assert only(down, Type.KEY, Button.TOUCH, Button.STYLUS) == [(Button.TOUCH, 1), (Button.STYLUS, 1)]
    assert only(down, Type.ABS, Abs.PRESSURE, Abs.TILT_X, Abs.TILT_Y) == [
        (Abs.PRESSURE, 4095),
        (Abs.TILT_X, 0),
        (Abs.TILT_Y, 30),
    ]
    assert only(tablet.pen(pen(ContactEvent.BUTTON_ONLY)), Type.KEY, Button.STYLUS) == [(Button.STYLUS, 0)]
    assert only(tablet.pen(pen(ContactEvent.UP)), Type.KEY, Button.TOUCH) == [(Button.TOUCH, 0)]
    turned = tablet.pen(pen(ContactEvent.HOVER, PenTool.ERASER))
    assert only(turned, Type.KEY, Button.TOOL_PEN, Button.TOOL_RUBBER) == [
        (Button.TOOL_PEN, 0),
        (Button.TOOL_RUBBER, 1),
    ]
    assert only(tablet.pen(pen(ContactEvent.HOVER_LEAVE)), Type.KEY, Button.TOOL_RUBBER) == [
        (Button.TOOL_RUBBER, 0)
    ]
    assert tablet.leave() == []


@settings(max_examples=40)
@given(st.lists(st.tuples(contacts, st.sampled_from(PenTool), st.integers(0, 7)), max_size=30))
def test_the_pen_lets_go_of_everything(steps):
    tablet, keys = desk.PenEvents(), set()
    events = [event for what, tool, buttons in steps for event in tablet.pen(pen(what, tool, buttons))]
    for kind, code, value in [*events, *tablet.leave()]:
        if kind == Type.KEY:
            (keys.add if value else keys.discard)(code)
    assert not keys


@pytest.mark.parametrize(
    ("tilt", "rotation", "expected"),
    [(None, None, (0, 0)), (30, 0, (0, 30)), (30, 90, (-30, 0)), (30, 180, (0, -30)), (90, 270, (89, 0))],
)
def test_tilts(tilt, rotation, expected):
    assert desk.tilts(tilt, rotation) == pytest.approx(expected, abs=1)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(-500, 500), st.integers(-500, 500)), max_size=30))
def test_the_wheel_loses_nothing(turns):
    wheel = desk.WheelEvents()
    events = [event for vertical, horizontal in turns for event in wheel.turn(Wheel(vertical, horizontal))]
    fine = {Rel.WHEEL_HI_RES: 0, Rel.HWHEEL_HI_RES: 0}
    for kind, code, value in events:
        if kind == Type.REL and code in fine:
            fine[code] += value
    assert fine[Rel.WHEEL_HI_RES] == sum(vertical for vertical, _ in turns)
    assert fine[Rel.HWHEEL_HI_RES] == sum(horizontal for _, horizontal in turns)


def test_eighths_of_a_click_add_up():
    wheel = desk.WheelEvents()
    events = [event for _ in range(8) for event in wheel.turn(Wheel(vertical=30))]
    assert only(events, Type.REL, Rel.WHEEL) == [(Rel.WHEEL, 1), (Rel.WHEEL, 1)]


@pytest.mark.parametrize("spec", [desk.KEYBOARD, desk.MOUSE, desk.POINTER, desk.TOUCHSCREEN, desk.TABLET])
def test_devices_fit_their_structures(spec):
    assert len(build_setup(spec)) == 92
    assert all(len(build_axis(code, axis)) == 28 for code, axis in spec.axes)
