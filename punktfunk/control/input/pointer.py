"""A virtual pointer (wlr-virtual-pointer-unstable-v1), mapped to one output."""

from typing import Any

from punktfunk.control.input.keyboard import now_ms
from punktfunk.wire.evdev.desk import MOUSE_BUTTONS
from punktfunk.wire.input import MouseButton, MouseClick, MouseMove, MouseMoveAbsolute, Wheel

VERTICAL, HORIZONTAL = 0, 1
WHEEL_SOURCE = 0
CLICK = 120
UNITS_PER_CLICK = 15.0
"""What one click of a wheel is in wl_pointer.axis (libinput's 15 degrees, wayland.xml)."""


class Pointer:
    """Motion, buttons and wheel for one output. Requests are queued; the caller flushes."""

    def __init__(self, manager: Any, seat: Any, output: Any) -> None:
        self._device = manager.create_virtual_pointer_with_output(seat, output)
        self._held: set[MouseButton] = set()
        self._rests = [0, 0]

    def move(self, event: MouseMove) -> None:
        """Move by pixels."""
        self._device.motion(now_ms(), float(event.dx), float(event.dy))
        self._device.frame()

    def move_absolute(self, event: MouseMoveAbsolute) -> None:
        """Move to a place on the output; places off the plane go to its edge."""
        width, height = max(1, event.width), max(1, event.height)
        x, y = min(max(event.x, 0), width), min(max(event.y, 0), height)
        self._device.motion_absolute(now_ms(), x, y, width, height)
        self._device.frame()

    def click(self, event: MouseClick) -> None:
        """Press or release a button; saying it twice changes nothing."""
        if event.pressed == (event.button in self._held):
            return
        self._held.symmetric_difference_update({event.button})
        self._device.button(now_ms(), MOUSE_BUTTONS[event.button], int(event.pressed))
        self._device.frame()

    def wheel(self, event: Wheel) -> None:
        """Scroll: every 1/120 click moves the axis, and whole clicks are counted beside it.

        Wayland's vertical axis points down, GameStream's up.
        """
        moved = self._axis(VERTICAL, -event.vertical) + self._axis(HORIZONTAL, event.horizontal)
        if moved:
            self._device.frame()

    def _axis(self, axis: int, amount: int) -> int:
        if amount == 0:
            return 0
        if self._rests[axis] * amount < 0:
            self._rests[axis] = 0  # turning back starts a new click
        total = self._rests[axis] + amount
        clicks = int(total / CLICK)
        self._rests[axis] = total - clicks * CLICK
        value = amount * UNITS_PER_CLICK / CLICK
        self._device.axis_source(WHEEL_SOURCE)
        if clicks:
            self._device.axis_discrete(now_ms(), axis, value, clicks)
        else:
            self._device.axis(now_ms(), axis, value)
        return 1

    def release_all(self) -> None:
        """Release every held button."""
        for button in sorted(self._held):
            self.click(MouseClick(button, pressed=False))

    def destroy(self) -> None:
        """Take the pointer away."""
        self.release_all()
        self._device.destroy()
