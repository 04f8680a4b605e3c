"""All input of a session: who gets what, touch and pen without devices, and everything released by any end."""

from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.input import choice
from punktfunk.control.input.base import DESK_AND_TOUCH, DESK_EVENTS
from punktfunk.control.input.choice import open_desk_input, ways
from punktfunk.control.input.contacts import PLANE, ContactsAsMouse
from punktfunk.control.input.session import InputMeans, open_session_input
from punktfunk.control.pads.hub import PadMeans
from punktfunk.control.pads.kinds import Nodes
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode, TestcardSource, WaylandSource
from punktfunk.wire.input import (
    ContactEvent,
    Key,
    Modifiers,
    MouseButton,
    MouseClick,
    MouseMove,
    MouseMoveAbsolute,
    PadState,
    Pen,
    PenTool,
    Touch,
    Wheel,
)

MODE = Mode(1280, 720, 60_000)
PAD = PadState(0, 1, 0, 0, 0, 0, 0, 0, 0)


class Desk:
    def __init__(self, handles=None):
        self.injected, self.unsupported = Counter(), Counter()
        self.events, self.released = [], 0
        if handles is not None:
            self.handles = handles

    def inject(self, event):
        self.events.append(event)
        self.injected[type(event).__name__] += 1

    def release_all(self):
        self.released += 1


def output(desk=None, problem="", kind="compositor", source=None):
    @asynccontextmanager
    async def open_input():
        await trio.lowlevel.checkpoint()
        if problem:
            raise EnvironmentProblem(problem)
        yield desk

    source = source or WaylandSource("/nowhere", "HEADLESS-1", MODE)
    made = VirtualOutput("HEADLESS-1", MODE, source, "gnome", input_kind=kind)
    return replace(made, open_input=open_input) if desk or problem else made


def means(**changes):
    pads = PadMeans(look=lambda: Nodes(uinput=False, uhid=False))
    return InputMeans(pads=pads, **changes)


def touch(what, finger=0, x=0.5, y=0.5):
    return Touch(what, finger, x, y, 1.0, 0.0, 0.0, None)


def pen(what, buttons=0):
    return Pen(what, PenTool.PEN, buttons, 0.25, 0.5, 0.5, 0.0, 0.0, None, None)


@pytest.mark.trio
async def test_everyone_gets_theirs():
    desk = Desk(DESK_AND_TOUCH)
    async with open_session_input(output(desk), means(), "phone", lambda *_: None) as joined:
        for event in (MouseMove(1, 2), touch(ContactEvent.DOWN), PAD):
            joined.inject(event)
        assert desk.events == [MouseMove(1, 2), touch(ContactEvent.DOWN)]
        assert joined.unsupported == {"PadState": 1}
        joined.inject(pen(ContactEvent.HOVER))
        assert desk.events[-1] == MouseMoveAbsolute(round(PLANE / 4), round(PLANE / 2), PLANE, PLANE)
        assert joined.injected["Pen"] == 1
    assert desk.released == 1


@pytest.mark.trio
async def test_release_by_a_failure():
    desk = Desk(DESK_EVENTS)

    async def fail():
        async with open_session_input(output(desk), means(), "phone", lambda *_: None) as joined:
            joined.inject(touch(ContactEvent.DOWN))
            raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):
        await fail()
    assert desk.events[-1] == MouseClick(MouseButton.LEFT, pressed=False)
    assert desk.released == 1


@pytest.mark.trio
async def test_scancodes_are_places():
    desk = Desk()
    key = Key(0x5A, pressed=True, modifiers=Modifiers.CTRL, normalised=False)
    async with open_session_input(output(desk), means(keyboard="scancode"), "x", lambda *_: None) as joined:
        joined.inject(key)
    async with open_session_input(output(desk), means(), "x", lambda *_: None) as joined:
        joined.inject(key)
    assert desk.events == [Key(0x5A, pressed=True), key]


@pytest.mark.trio
async def test_the_first_way_that_opens_is_taken():
    lines, desk = [], Desk()
    async with open_desk_input(output(desk, kind="eis"), "auto", lines.append) as injector:
        assert injector is desk
    assert lines == ["input: by EIS"]
    with pytest.raises(EnvironmentProblem, match="no input into HEADLESS-1: EIS: the bus is gone"):
        async with open_desk_input(output(problem="the bus is gone", kind="eis"), "eis", lines.append):
            pass
    with pytest.raises(EnvironmentProblem, match="gnome has no eis"):
        async with open_desk_input(output(desk), "eis", lines.append):
            pass


@pytest.mark.trio
async def test_a_screen_is_shown_though_no_way_opens(monkeypatch):
    monkeypatch.setattr(choice, "_all_ways", lambda output: [choice.Way("eis", "EIS", output.open_input)])
    lines = []
    async with open_desk_input(output(problem="no libei", kind="eis"), "auto", lines.append) as injector:
        injector.inject(MouseMove(1, 1))
    assert injector.unsupported == {"MouseMove": 1}
    assert lines == [
        "input: EIS: no libei",
        "input: none into HEADLESS-1; the screen is shown, but takes no keys and no mouse",
    ]


@pytest.mark.trio
async def test_a_test_card_takes_no_input():
    card = output(source=TestcardSource(MODE))
    async with open_desk_input(card, "auto", lambda _line: None) as injector:
        injector.inject(MouseMove(1, 1))
    assert injector.unsupported == {"MouseMove": 1}


@pytest.mark.trio
async def test_touch_and_pen_get_devices_where_the_compositor_sees_them(monkeypatch):
    desk, devices, seen = Desk(DESK_EVENTS), Desk(), True

    @asynccontextmanager
    async def open_devices(_specs):
        await trio.lowlevel.checkpoint()
        yield devices

    async def map_devices(_output, _specs):
        await trio.lowlevel.checkpoint()
        return seen

    monkeypatch.setattr("punktfunk.control.input.uinput.injector.open_devices", open_devices)
    monkeypatch.setattr("punktfunk.control.input.uinput.sway_map.map_devices", map_devices)
    down, up = touch(ContactEvent.DOWN), touch(ContactEvent.UP)
    attached = replace(output(desk), backend="attach", ipc_socket_path="/run/sway.sock")
    async with open_session_input(attached, means(), "phone", lambda *_: None) as joined:
        joined.inject(down)  # too early for the compositor: it is the mouse
        await wait_all_tasks_blocked()
        assert desk.events[-1] == MouseClick(MouseButton.LEFT, pressed=False)
        joined.inject(down)
        joined.inject(up)
        assert devices.events == [down, up]
    assert devices.released >= 1
    seen = False
    async with open_session_input(attached, means(), "phone", lambda *_: None) as joined:
        await wait_all_tasks_blocked()
        joined.inject(down)
        assert desk.events[-1] == MouseClick(MouseButton.LEFT, pressed=True)
    assert len(devices.events) == 2


def test_ways_of_a_setting():
    assert [way.kind for way in ways(output(Desk(), kind="eis"), "auto")] == ["eis", "uinput"]
    assert [way.kind for way in ways(output(), "auto")] == ["compositor", "uinput"]
    assert [way.kind for way in ways(output(), "uinput")] == ["uinput"]
    assert ways(output(), "eis") == []


def as_mouse(*events):
    said = []
    mouse = ContactsAsMouse(said.append)
    for event in events:
        (mouse.touch if isinstance(event, Touch) else mouse.pen)(event)
    return said


def test_a_tap_is_a_click():
    down, up = touch(ContactEvent.DOWN), touch(ContactEvent.UP)
    assert as_mouse(down, touch(ContactEvent.MOVE, x=1.0), up) == [
        MouseMoveAbsolute(round(PLANE / 2), round(PLANE / 2), PLANE, PLANE),
        MouseClick(MouseButton.LEFT, pressed=True),
        MouseMoveAbsolute(PLANE, round(PLANE / 2), PLANE, PLANE),
        MouseClick(MouseButton.LEFT, pressed=False),
    ]


def test_two_fingers_turn_the_wheel():
    said = as_mouse(
        touch(ContactEvent.DOWN, 0),
        touch(ContactEvent.DOWN, 1),
        touch(ContactEvent.MOVE, 0, 0.5, 0.6),
        touch(ContactEvent.MOVE, 1, 0.4, 0.6),
        touch(ContactEvent.UP, 0),
        touch(ContactEvent.MOVE, 1, 0.1, 0.1),
        touch(ContactEvent.UP, 1),
    )
    assert said[2] == MouseClick(MouseButton.LEFT, pressed=False), "a second finger ends the drag"
    wheels = [event for event in said if isinstance(event, Wheel)]
    assert sum(wheel.vertical for wheel in wheels) == pytest.approx(480, abs=2)
    assert sum(wheel.horizontal for wheel in wheels) == pytest.approx(240, abs=2)
    assert said[-1] == wheels[-1], "what is left of two fingers does not click"


def test_a_pen_draws_and_its_button_is_the_right_one():
    said = as_mouse(pen(ContactEvent.HOVER), pen(ContactEvent.DOWN, 1), pen(ContactEvent.HOVER_LEAVE))
    clicks = [(event.button, event.pressed) for event in said if isinstance(event, MouseClick)]
    assert clicks == [
        (MouseButton.LEFT, True),
        (MouseButton.RIGHT, True),
        (MouseButton.LEFT, False),
        (MouseButton.RIGHT, False),
    ]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(ContactEvent), st.integers(0, 3)), max_size=40))
def test_no_button_stays_down(steps):
    said = []
    mouse = ContactsAsMouse(said.append)
    for is_touch, what, number in steps:
        if is_touch:
            mouse.touch(touch(what, number))
        else:
            mouse.pen(pen(what, number))
    mouse.release()
    down = set()
    for event in said:
        if isinstance(event, MouseClick):
            (down.add if event.pressed else down.remove)(event.button)
    assert not down
