"""The injector for wlroots compositors: a virtual pointer on the session's output and virtual keyboards."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import trio
from pywayland.protocol.wayland import WlSeat

from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.displays.topology import focus_output
from punktfunk.control.displays.wayland import WaylandConnection, open_wayland
from punktfunk.control.input.base import DESK_EVENTS, Injector
from punktfunk.control.input.host_layout import read_host_layout
from punktfunk.control.input.keyboard import Keyboard
from punktfunk.control.input.keymap import Keymap, compile_names, compile_text
from punktfunk.control.input.pointer import Pointer
from punktfunk.control.input.wayland_injector import WaylandInjector
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import WaylandSource
from punktfunk.wire.input import InputEvent, Key, MouseClick, MouseMove, MouseMoveAbsolute, Text, Wheel
from punktfunk.wire.wayland.virtual_keyboard_unstable_v1 import ZwpVirtualKeyboardManagerV1
from punktfunk.wire.wayland.wlr_virtual_pointer_unstable_v1 import ZwlrVirtualPointerManagerV1

KEYBOARD_CAPABILITY = 2
MAXIMUM_KEYMAP_BYTES = 1 << 20
RELEASE_S = 1.0


class WlrInjector(WaylandInjector):
    """See :class:`punktfunk.control.input.base.Injector`."""

    handles = DESK_EVENTS

    def __init__(self, connection: WaylandConnection, pointer: Pointer, keyboard: Keyboard) -> None:
        super().__init__(connection)
        self._pointer = pointer
        self._keyboard = keyboard

    def _dispatch(self, event: InputEvent) -> bool:
        match event:
            case Key():
                return self._keyboard.key(event)
            case Text():
                self._keyboard.text(event.text)
            case MouseMove():
                self._pointer.move(event)
            case MouseMoveAbsolute():
                self._pointer.move_absolute(event)
            case MouseClick():
                self._pointer.click(event)
            case Wheel():
                self._pointer.wheel(event)
            case _:
                return False
        return True

    def release_all(self) -> None:
        """Release every key and button that is held."""
        if self._connection.alive:
            self._keyboard.release_all()
            self._pointer.release_all()
            self._connection.flush()


@asynccontextmanager
async def open_wlr_injector(output: VirtualOutput) -> AsyncGenerator[Injector]:
    """Open pointer and keyboard on the output and focus it; at the end release what is held."""
    if not isinstance(output.source, WaylandSource):
        raise EnvironmentProblem(f"{output.name} is no output of a Wayland compositor")
    async with open_wayland(output.source.socket_path) as connection:
        seat = connection.bind(WlSeat)
        keymap = await _host_keymap(connection, seat)
        target = connection.output(output.source.output_name)
        pointer = Pointer(connection.bind(ZwlrVirtualPointerManagerV1), seat, target)
        keyboard = Keyboard(connection.bind(ZwpVirtualKeyboardManagerV1), seat, keymap)
        try:
            await focus_output(output)
            # The pointer may be on another screen of the session; relative motion would stay there.
            pointer.move_absolute(MouseMoveAbsolute(1, 1, 2, 2))
            await connection.roundtrip()
            yield WlrInjector(connection, pointer, keyboard)
        finally:
            if connection.alive:
                keyboard.destroy()
                pointer.destroy()
                # libwayland drops what is unread when a client hangs up: the releases must arrive first.
                with trio.move_on_after(RELEASE_S, shield=True):
                    await connection.roundtrip()


async def _host_keymap(connection: WaylandConnection, seat: Any) -> Keymap:
    """Take the keymap of the session's own keyboard; a headless session has none: then the machine's."""
    capabilities: list[int] = []
    received: list[bytes] = []

    def on_capabilities(_seat: Any, value: int) -> None:
        capabilities.append(int(value))

    def on_keymap(_keyboard: Any, kind: int, handle: int, size: int) -> None:
        if int(kind) == 1 and size <= MAXIMUM_KEYMAP_BYTES:
            received.append(os.pread(handle, size, 0).rstrip(b"\0"))
        os.close(handle)

    seat.dispatcher["capabilities"] = on_capabilities
    await connection.roundtrip()
    if capabilities and capabilities[-1] & KEYBOARD_CAPABILITY:
        keyboard = seat.get_keyboard()
        keyboard.dispatcher["keymap"] = on_keymap
        await connection.roundtrip()
        keyboard.release()
        keymap = compile_text(received[-1]) if received else None
        if keymap is not None and all(keymap.stroke(letter) for letter in "aeinrst"):
            return keymap
    return compile_names(read_host_layout())
