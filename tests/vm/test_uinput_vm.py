"""Keyboard, mouse, touch and pen of uinput in a real kernel, and everything released when the session ends."""

import pytest
import trio
from input_nodes import Node, appears

from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.input.uinput.injector import open_uinput_injector
from punktfunk.plan import Mode, TestcardSource
from punktfunk.wire.evdev import desk
from punktfunk.wire.evdev.codes import Abs, Button, Rel, Type
from punktfunk.wire.input import (
    ContactEvent,
    Key,
    MouseButton,
    MouseClick,
    MouseMove,
    MouseMoveAbsolute,
    Pen,
    PenTool,
    Text,
    Touch,
    Wheel,
)

pytestmark = [pytest.mark.vm, pytest.mark.trio]
MODE = Mode(1280, 720, 60_000)
OUTPUT = VirtualOutput("none", MODE, TestcardSource(MODE), "kwin")


async def test_a_desk_of_devices(monkeypatch):
    monkeypatch.setenv("XKB_DEFAULT_LAYOUT", "us")
    specs = (desk.KEYBOARD, desk.MOUSE, desk.POINTER, desk.TOUCHSCREEN, desk.TABLET)
    async with open_uinput_injector(OUTPUT) as injector:
        paths = [(await appears(spec.name))[0] for spec in specs]
        with Node(paths[0]) as keys, Node(paths[1]) as mouse, Node(paths[2]) as pointer:
            for event in (
                Key(0xE2, pressed=True),
                Text("A"),
                MouseMove(5, -3),
                MouseClick(MouseButton.LEFT, pressed=True),
                Wheel(vertical=-30),
                MouseMoveAbsolute(1280, 0, 1280, 720),
            ):
                injector.inject(event)
            await keys.until({(Type.KEY, 86): 1, (Type.KEY, 30): 0, (Type.KEY, 42): 0})
            await mouse.until({(Type.KEY, Button.LEFT): 1, (Type.REL, Rel.WHEEL_HI_RES): -30})
            assert (Type.REL, Rel.X, 5) in mouse.events
            await pointer.until({(Type.ABS, Abs.X): desk.PLANE})
            with Node(paths[3]) as touchscreen, Node(paths[4]) as tablet:
                injector.inject(Touch(ContactEvent.DOWN, 3, 0.5, 1.0, 1.0, 0, 0, None))
                injector.inject(Pen(ContactEvent.DOWN, PenTool.PEN, 1, 0.5, 0.5, 1.0, 0, 0, 0, 30))
                await touchscreen.until(
                    {(Type.KEY, Button.TOUCH): 1, (Type.ABS, Abs.MT_POSITION_Y): desk.PLANE}
                )
                await tablet.until(
                    {
                        (Type.KEY, Button.TOOL_PEN): 1,
                        (Type.KEY, Button.STYLUS): 1,
                        (Type.ABS, Abs.PRESSURE): desk.PRESSURE_MAX,
                        (Type.ABS, Abs.TILT_Y): 30,
                    }
                )
                injector.release_all()
                await touchscreen.until({(Type.KEY, Button.TOUCH): 0})
                await tablet.until({(Type.KEY, Button.TOOL_PEN): 0})
            await keys.until({(Type.KEY, 86): 0})
            await mouse.until({(Type.KEY, Button.LEFT): 0})
    for spec in specs:
        await appears(spec.name, 0)
    await trio.lowlevel.checkpoint()
