"""The injector of last resort, against files instead of devices."""

import os

import pytest

from punktfunk.control.displays.sway_ipc import parse_inputs
from punktfunk.control.input.host_layout import LayoutNames
from punktfunk.control.input.keymap import compile_names
from punktfunk.control.input.uinput.injector import DEVICES, UinputInjector
from punktfunk.control.input.uinput.sway_map import sway_name
from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.evdev import desk
from punktfunk.wire.evdev.codes import Abs, Button, Rel, Type
from punktfunk.wire.evdev.uinput import parse_events
from punktfunk.wire.input import BatteryState as Battery
from punktfunk.wire.input import (
    ContactEvent,
    Key,
    MouseButton,
    MouseClick,
    MouseMove,
    MouseMoveAbsolute,
    PadBattery,
    Pen,
    PenTool,
    Text,
    Touch,
    Wheel,
)

SYN = (Type.SYN, 0, 0)


@pytest.fixture
def devices():
    """What was written to each device, by its name."""
    pipes = {spec.name: os.pipe() for spec in DEVICES}
    for reading, _writing in pipes.values():
        os.set_blocking(reading, False)

    def read(spec):
        try:
            return parse_events(os.read(pipes[spec.name][0], 1 << 16))
        except BlockingIOError:
            return []

    read.handles = {name: writing for name, (_reading, writing) in pipes.items()}
    yield read
    for ends in pipes.values():
        for end in ends:
            os.close(end)


def test_mouse_and_keys(devices):
    injector = UinputInjector(devices.handles)
    for event in (
        MouseMove(3, -4),
        MouseClick(MouseButton.X2, pressed=True),
        MouseClick(MouseButton.X2, pressed=True),
        Wheel(vertical=-120),
        MouseMoveAbsolute(640, 720, 1280, 720),
        Key(0x41, pressed=True),
        Key(0xE2, pressed=True),
        PadBattery(0, Battery.FULL, 100),
    ):
        injector.inject(event)
    assert devices(desk.MOUSE) == [
        *((Type.REL, Rel.X, 3), (Type.REL, Rel.Y, -4), SYN),
        *((Type.KEY, Button.EXTRA, 1), SYN),
        *((Type.REL, Rel.WHEEL_HI_RES, -120), (Type.REL, Rel.WHEEL, -1), SYN),
    ]
    assert devices(desk.POINTER) == [(Type.ABS, Abs.X, 16384), (Type.ABS, Abs.Y, 32767), SYN]
    assert devices(desk.KEYBOARD) == [(Type.KEY, 30, 1), SYN, (Type.KEY, 86, 1), SYN]
    assert injector.unsupported == {"PadBattery": 1}
    injector.inject(Touch(ContactEvent.DOWN, 1, 0.5, 0.5, 1.0, 0, 0, None))
    injector.inject(Pen(ContactEvent.DOWN, PenTool.PEN, 1, 0.5, 0.5, 1.0, 0, 0, None, None))
    devices(desk.TOUCHSCREEN), devices(desk.TABLET)
    injector.release_all()
    assert devices(desk.KEYBOARD) == [(Type.KEY, 30, 0), SYN, (Type.KEY, 86, 0), SYN]
    assert devices(desk.MOUSE) == [(Type.KEY, Button.EXTRA, 0), SYN]
    assert (Type.KEY, Button.TOUCH, 0) in devices(desk.TOUCHSCREEN)
    assert (Type.KEY, Button.TOOL_PEN, 0) in devices(desk.TABLET)
    injector.release_all()
    assert devices(desk.KEYBOARD) == []


def test_text_by_the_host_s_layout_or_by_number(devices):
    injector = UinputInjector(devices.handles)
    injector.use_keymap(compile_names(LayoutNames(layout="de")))
    injector.inject(Text("z"))
    assert devices(desk.KEYBOARD) == [(Type.KEY, 21, 1), SYN, (Type.KEY, 21, 0), SYN]
    injector.inject(Text("日"))
    pressed = [code for kind, code, value in devices(desk.KEYBOARD) if kind == Type.KEY and value]
    assert pressed == [29, 42, 22, 7, 6, 18, 6, 57], "Ctrl+Shift+U 65e5 Space"


def test_a_desk_with_contacts_alone(devices):
    injector = UinputInjector({desk.TABLET.name: devices.handles[desk.TABLET.name]})
    injector.inject(MouseMove(1, 1))
    injector.inject(Pen(ContactEvent.HOVER, PenTool.PEN, 0, 0.5, 0.5, 1.0, 0, 0, None, None))
    assert injector.unsupported == {"MouseMove": 1}
    assert injector.injected == {"Pen": 1}


def test_names_as_sway_has_them():
    assert sway_name(desk.TABLET) == "28774:5:punktfunk_pen"
    assert parse_inputs(b'[{"identifier": "28774:5:punktfunk_pen"}, {"x": 1}, 3]') == {
        "28774:5:punktfunk_pen"
    }
    with pytest.raises(RemoteProtocolError):
        parse_inputs(b"{}")
