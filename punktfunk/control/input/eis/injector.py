"""The injector for EIS servers: pointer, keyboard and touch on the region of the session's own output."""

from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from punktfunk.control.displays.base import Region
from punktfunk.control.input.base import DESK_AND_TOUCH, Injector
from punktfunk.control.input.eis.sender import EisDevice, EisSender, open_sender, read_keymap
from punktfunk.control.input.held_keys import HeldKeys
from punktfunk.wire.evdev.desk import MOUSE_BUTTONS
from punktfunk.wire.input import (
    ContactEvent,
    InputEvent,
    Key,
    MouseButton,
    MouseClick,
    MouseMove,
    MouseMoveAbsolute,
    Text,
    Touch,
    Wheel,
)

if TYPE_CHECKING:
    from punktfunk.control.input.keymap import Keymap

CLICK: Final = 120
MOST_CONTACTS: Final = 16
"""Fingers at once: servers have so many slots, and mutter dies of an ``up`` without one."""


class Wheels(Enum):
    """How a server takes less than a click of the wheel.

    DISCRETE   as part of a click, which is what the protocol means
    SMOOTH     as smooth motion, ten units a click: mutter drops the rest of a click
               (meta-eis-client.c, handle_scroll_discrete)
    """

    DISCRETE = "discrete"
    SMOOTH = "smooth"


UNITS_PER_CLICK: Final = 10.0


class EisInjector:
    """See :class:`punktfunk.control.input.base.Injector`."""

    handles = DESK_AND_TOUCH

    def __init__(
        self,
        sender: EisSender,
        mapping_id: str,
        wheels: Wheels,
        compile_keymap: "Callable[[bytes], Keymap | None]",
    ) -> None:
        self.injected: Counter[str] = Counter()
        self.unsupported: Counter[str] = Counter()
        self._sender = sender
        self._mapping_id = mapping_id
        self._wheels = wheels
        self._compile_keymap = compile_keymap
        self._keys = HeldKeys(self._send_key)
        self._buttons: dict[MouseButton, EisDevice] = {}
        self._contacts: dict[int, tuple[EisDevice, Any]] = {}
        sender.on_lost, sender.on_resumed = self._lose, self._gain
        keyboard = sender.device("KEYBOARD")
        if keyboard is not None:
            self._gain(keyboard)

    def inject(self, event: InputEvent) -> None:
        """Make one event real, or count why not."""
        done = not self._sender.gone.is_set() and self._dispatch(event)
        (self.injected if done else self.unsupported)[type(event).__name__] += 1

    def _dispatch(self, event: InputEvent) -> bool:  # noqa: PLR0911 - one line for each kind of event
        match event:
            case Key():
                return self._sender.device("KEYBOARD") is not None and self._keys.key(event)
            case Text():
                return self._type(event.text)
            case MouseMove():
                return self._move(event)
            case MouseMoveAbsolute():
                return self._move_absolute(event)
            case MouseClick():
                return self._click(event)
            case Wheel():
                return self._wheel(event)
            case Touch():
                return self._touch(event)
        return False

    def _send_key(self, code: int, pressed: bool) -> None:  # noqa: FBT001 - HeldKeys' callback
        device = self._sender.device("KEYBOARD")
        if device is not None:
            device.handle.keyboard_key(code, pressed).frame()

    def _type(self, text: str) -> bool:
        typist = self._sender.device("TEXT")
        if typist is not None:
            typist.handle.text_utf8(text).frame()
            return True
        if self._sender.device("KEYBOARD") is None:
            return False
        self._keys.text(text)
        return True

    def _move(self, event: MouseMove) -> bool:
        device = self._sender.device("POINTER")
        if device is None:
            return False
        device.handle.pointer_motion(float(event.dx), float(event.dy)).frame()
        return True

    def _move_absolute(self, event: MouseMoveAbsolute) -> bool:
        found = self._sender.region("POINTER_ABSOLUTE", self._mapping_id)
        if found is None:
            return False
        device, region = found
        place = within(region, event.x / max(1, event.width), event.y / max(1, event.height))
        device.handle.pointer_motion_absolute(*place).frame()
        return True

    def _click(self, event: MouseClick) -> bool:
        held = self._buttons.get(event.button)
        if event.pressed == (held is not None):
            return True  # said twice: nothing changes
        device = held or self._sender.device("BUTTON")
        if device is None:
            return False
        device.handle.button(MOUSE_BUTTONS[event.button], event.pressed).frame()
        if event.pressed:
            self._buttons[event.button] = device
        else:
            del self._buttons[event.button]
        return True

    def _wheel(self, event: Wheel) -> bool:
        """Scroll. EIS's vertical axis points down, ours up."""
        device = self._sender.device("SCROLL")
        if device is None:
            return False
        right, down = event.horizontal, -event.vertical
        whole = right % CLICK == 0 and down % CLICK == 0
        if whole or self._wheels is Wheels.DISCRETE:
            device.handle.scroll_discrete(right, down).frame()
        else:
            unit = UNITS_PER_CLICK / CLICK
            device.handle.scroll_delta(right * unit, down * unit).frame()
        return True

    def _touch(self, event: Touch) -> bool:
        match event.event:
            case ContactEvent.DOWN:
                return self._touch_down(event)
            case ContactEvent.MOVE if event.pointer_id in self._contacts:
                device, contact = self._contacts[event.pointer_id]
                region = self._touch_region(device)
                if region is None:
                    return False
                contact.motion(*within(region, event.x, event.y))
                device.handle.frame()
            case ContactEvent.UP | ContactEvent.CANCEL:
                self._lift(event.pointer_id)
            case ContactEvent.CANCEL_ALL:
                for pointer_id in list(self._contacts):
                    self._lift(pointer_id)
            case _:
                return False
        return True

    def _touch_region(self, device: EisDevice) -> Region | None:
        found = self._sender.region("TOUCH", self._mapping_id)
        return found[1] if found is not None and found[0] is device else None

    def _touch_down(self, event: Touch) -> bool:
        found = self._sender.region("TOUCH", self._mapping_id)
        if found is None or len(self._contacts) >= MOST_CONTACTS:
            return False
        self._lift(event.pointer_id)
        device, region = found
        contact = device.handle.touch_new()
        contact.down(*within(region, event.x, event.y))
        device.handle.frame()
        self._contacts[event.pointer_id] = (device, contact)
        return True

    def _lift(self, pointer_id: int) -> None:
        found = self._contacts.pop(pointer_id, None)
        if found is not None:
            device, contact = found
            contact.up()
            device.handle.frame()

    def _gain(self, device: EisDevice) -> None:
        if "KEYBOARD" in device.capabilities:
            text = read_keymap(device)
            self._keys.keymap = self._compile_keymap(text) if text else None

    def _lose(self, device: EisDevice) -> None:
        """Forget what a device held that the server took away: the server has released it."""
        if "KEYBOARD" in device.capabilities:
            self._keys.forget()
        self._buttons = {button: held for button, held in self._buttons.items() if held is not device}
        self._contacts = {
            pointer_id: (held, contact)
            for pointer_id, (held, contact) in self._contacts.items()
            if held is not device
        }

    def release_all(self) -> None:
        """Release every key and button, and lift every finger."""
        if self._sender.gone.is_set():
            return
        self._keys.release_all()
        for button in list(self._buttons):
            self._click(MouseClick(button, pressed=False))
        for pointer_id in list(self._contacts):
            self._lift(pointer_id)


def within(region: Region, x: float, y: float) -> tuple[float, float]:
    """Turn 0..1 into a place inside the region; its right and bottom edges do not belong to it."""
    left = min(max(x, 0.0) * region.width, region.width - 1)
    top = min(max(y, 0.0) * region.height, region.height - 1)
    return region.x + left, region.y + top


@asynccontextmanager
async def open_eis_injector(
    fd: int, mapping_id: str = "", wheels: Wheels = Wheels.DISCRETE
) -> AsyncGenerator[Injector]:
    """Send input over a connected EIS socket, which is ours from now on; at the end release what is held.

    ``mapping_id`` names the region of the session's output; empty where the server has one region only.
    Raises EnvironmentProblem if libei is missing or the server offers nothing.
    """
    from punktfunk.control.input.keymap import compile_text  # late: cffi

    async with open_sender(fd) as sender:
        injector = EisInjector(sender, mapping_id, wheels, compile_text)
        try:
            yield injector
        finally:
            # What is sent is read by the server before it sees that we hang up.
            injector.release_all()
