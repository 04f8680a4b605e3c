"""The injector for any desktop that reads the kernel's input devices: keyboard, mouse, touchscreen and pen.

It needs /dev/uinput and nothing of the compositor. What it cannot know: the desktop's own mouse acceleration
works on relative motion, and a place on the screen is one on all of it unless the compositor maps the device
to the client's output (sway does, see ``sway_map``).
"""

import os
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.input.base import Injector
from punktfunk.control.input.held_keys import HeldKeys
from punktfunk.control.input.host_layout import read_host_layout
from punktfunk.control.input.keymap import Keymap, compile_names
from punktfunk.control.input.uinput.sway_map import map_devices
from punktfunk.control.pads.devices import open_uinput_device
from punktfunk.wire.evdev import desk
from punktfunk.wire.evdev.codes import Abs, Rel, Type
from punktfunk.wire.evdev.uinput import DeviceSpec, build_event
from punktfunk.wire.input import (
    InputEvent,
    Key,
    MouseButton,
    MouseClick,
    MouseMove,
    MouseMoveAbsolute,
    Pen,
    Text,
    Touch,
    Wheel,
)

DEVICES = (desk.KEYBOARD, desk.MOUSE, desk.POINTER, desk.TOUCHSCREEN, desk.TABLET)
CONTACT_DEVICES = (desk.TOUCHSCREEN, desk.TABLET)


class UinputInjector:
    """See :class:`punktfunk.control.input.base.Injector`."""

    def __init__(self, handles: dict[str, int]) -> None:
        self.injected: Counter[str] = Counter()
        self.unsupported: Counter[str] = Counter()
        self._handles = handles
        self._keys = HeldKeys(self._press)
        self._buttons: set[MouseButton] = set()
        self._wheel = desk.WheelEvents()
        self._touches = desk.TouchEvents()
        self._pen = desk.PenEvents()

    def use_keymap(self, keymap: Keymap) -> None:
        """Type text by this keymap."""
        self._keys.keymap = keymap

    def inject(self, event: InputEvent) -> None:
        """Make one event real, or count that no device does it."""
        counter = self.injected if self._dispatch(event) else self.unsupported
        counter[type(event).__name__] += 1

    def release_all(self) -> None:
        """Release keys and buttons, lift fingers and pen."""
        self._keys.release_all()
        for button in sorted(self._buttons):
            self._click(MouseClick(button, pressed=False))
        self._write(desk.TOUCHSCREEN, self._touches.lift_all())
        self._write(desk.TABLET, self._pen.leave())

    def _dispatch(self, event: InputEvent) -> bool:  # noqa: PLR0911 - one line for each kind of event
        match event:
            case Key():
                return self._keys.key(event)
            case Text():
                self._keys.text(event.text)
                return True
            case MouseMove():
                moves = [(Type.REL, Rel.X, event.dx), (Type.REL, Rel.Y, event.dy)]
                return self._write(desk.MOUSE, [*moves, desk.SYN])
            case MouseMoveAbsolute():
                return self._place(event)
            case MouseClick():
                return self._click(event)
            case Wheel():
                return self._write(desk.MOUSE, self._wheel.turn(event))
            case Touch():
                return self._write(desk.TOUCHSCREEN, self._touches.touch(event))
            case Pen():
                return self._write(desk.TABLET, self._pen.pen(event))
            case _:
                return False

    def _press(self, code: int, pressed: bool) -> None:  # noqa: FBT001 - what HeldKeys calls
        self._write(desk.KEYBOARD, [(Type.KEY, code, int(pressed)), desk.SYN])

    def _place(self, event: MouseMoveAbsolute) -> bool:
        x, y = desk.place(event.x / max(1, event.width)), desk.place(event.y / max(1, event.height))
        return self._write(desk.POINTER, [(Type.ABS, Abs.X, x), (Type.ABS, Abs.Y, y), desk.SYN])

    def _click(self, event: MouseClick) -> bool:
        if event.pressed == (event.button in self._buttons):
            return True
        self._buttons.symmetric_difference_update({event.button})
        code = desk.MOUSE_BUTTONS[event.button]
        return self._write(desk.MOUSE, [(Type.KEY, code, int(event.pressed)), desk.SYN])

    def _write(self, device: DeviceSpec, events: Sequence[desk.Event]) -> bool:
        handle = self._handles.get(device.name)
        if handle is None:
            return False
        if events:
            with suppress(OSError):  # never waits: the kernel hands events on at once
                os.write(handle, b"".join(build_event(*event) for event in events))
        return True


@asynccontextmanager
async def open_devices(specs: Sequence[DeviceSpec]) -> AsyncGenerator[UinputInjector]:
    """Make these devices for the length of the block; EnvironmentProblem if they cannot be made."""
    async with AsyncExitStack() as stack:
        handles = {spec.name: await stack.enter_async_context(open_uinput_device(spec)) for spec in specs}
        injector = UinputInjector(handles)
        try:
            yield injector
        finally:
            injector.release_all()


@asynccontextmanager
async def open_uinput_injector(output: VirtualOutput) -> AsyncGenerator[Injector]:
    """Open all devices, on the output where the compositor can be told; EnvironmentProblem without uinput."""
    async with open_devices(DEVICES) as injector:
        injector.use_keymap(compile_names(read_host_layout()))
        await map_devices(output, (desk.POINTER, *CONTACT_DEVICES))
        yield injector
