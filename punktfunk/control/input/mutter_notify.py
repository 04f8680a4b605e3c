"""The injector for Mutter where EIS cannot be had (before GNOME 46, or no libei): Notify* calls over D-Bus.

Calls are sent in order by one task and nobody waits for answers. Positions are in logical pixels from the
output's corner. Source: mutter, src/backends/meta-remote-desktop-session.c.
"""

from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import trio
from jeepney import DBusAddress, Message, new_method_call

from punktfunk.control.displays.base import Region
from punktfunk.control.displays.mutter.cast import REMOTE, Cast
from punktfunk.control.input.base import DESK_AND_TOUCH
from punktfunk.control.input.held_keys import HeldKeys
from punktfunk.control.system.serving import serving_nursery
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
UNITS_PER_CLICK: Final = 10.0
WHEEL: Final = 2
"""Flag of NotifyPointerAxis: the motion is a wheel's."""
VERTICAL, HORIZONTAL = 0, 1
SLOTS: Final = 16
BACKLOG: Final = 512
"""Calls that may wait for a D-Bus that does not take them; then events are dropped, motion at once."""
RELEASE_S: Final = 1.0
HARMLESS_KEY: Final = 240
"""KEY_UNKNOWN: no keymap has anything on it."""
NOWHERE: Final = -100_000.0
"""A coordinate that is on no monitor."""


class NotifyInjector:
    """See :class:`punktfunk.control.input.base.Injector`. :meth:`run` must run meanwhile."""

    handles = DESK_AND_TOUCH

    def __init__(self, cast: Cast, region: Callable[[], Region | None]) -> None:
        self.injected: Counter[str] = Counter()
        self.unsupported: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self._cast = cast
        self._region = region
        self._address = DBusAddress(cast.remote_path, bus_name=REMOTE, interface=f"{REMOTE}.Session")
        self._keys = HeldKeys(self._send_key)
        self._buttons: set[MouseButton] = set()
        self._slots: dict[int, int] = {}  # the client's pointer id -> slot
        self._waiting: deque[Message] = deque()
        self._something = trio.Event()
        self._sending = trio.Lock()
        self._lost = False

    def inject(self, event: InputEvent) -> None:
        """Make one event real, or count why not."""
        if len(self._waiting) >= BACKLOG:
            self.dropped[type(event).__name__] += 1
            # What is held is only let go of once that can be sent: a release may be among what is lost.
            self._lost = self._lost or not isinstance(event, MouseMove | MouseMoveAbsolute)
            return
        done = not self._cast.link.closed.is_set() and self._dispatch(event)
        (self.injected if done else self.unsupported)[type(event).__name__] += 1

    def _dispatch(self, event: InputEvent) -> bool:
        match event:
            case Key():
                return self._keys.key(event)
            case Text():
                self._keys.text(event.text)
            case MouseMove():
                self._call("NotifyPointerMotionRelative", "dd", float(event.dx), float(event.dy))
            case MouseMoveAbsolute():
                return self._move_absolute(event)
            case MouseClick():
                self._click(event)
            case Wheel():
                self._wheel(event)
            case Touch():
                return self._touch(event)
            case _:
                return False
        return True

    def _send_key(self, code: int, pressed: bool) -> None:  # noqa: FBT001 - HeldKeys' callback
        self._call("NotifyKeyboardKeycode", "ub", code, pressed)

    def _place(self, x: float, y: float) -> tuple[float, float] | None:
        region = self._region()
        if region is None:
            return None
        return (
            min(max(x, 0.0) * region.width, region.width - 1),
            min(max(y, 0.0) * region.height, region.height - 1),
        )

    def _move_absolute(self, event: MouseMoveAbsolute) -> bool:
        place = self._place(event.x / max(1, event.width), event.y / max(1, event.height))
        if place is None:
            return False
        self._call("NotifyPointerMotionAbsolute", "sdd", self._cast.stream_path, *place)
        return True

    def _click(self, event: MouseClick) -> None:
        if event.pressed != (event.button in self._buttons):
            self._buttons.symmetric_difference_update({event.button})
            self._call("NotifyPointerButton", "ib", MOUSE_BUTTONS[event.button], event.pressed)

    def _wheel(self, event: Wheel) -> None:
        """Scroll: whole clicks as clicks, the rest smoothly. Mutter's vertical axis points down."""
        right, down = event.horizontal, -event.vertical
        if right % CLICK == 0 and down % CLICK == 0:
            for axis, amount in ((VERTICAL, down), (HORIZONTAL, right)):
                if amount:
                    self._call("NotifyPointerAxisDiscrete", "ui", axis, amount // CLICK)
            return
        unit = UNITS_PER_CLICK / CLICK
        self._call("NotifyPointerAxis", "ddu", right * unit, down * unit, WHEEL)

    def _touch(self, event: Touch) -> bool:
        place = self._place(event.x, event.y)
        slot = self._slots.get(event.pointer_id)
        match event.event:
            case ContactEvent.DOWN:
                self._lift(event.pointer_id)
                free = min(set(range(SLOTS)) - set(self._slots.values()), default=None)
                if free is None or place is None:
                    return False
                self._slots[event.pointer_id] = free
                self._call("NotifyTouchDown", "sudd", self._cast.stream_path, free, *place)
            case ContactEvent.MOVE if slot is not None and place is not None:
                self._call("NotifyTouchMotion", "sudd", self._cast.stream_path, slot, *place)
            case ContactEvent.UP | ContactEvent.CANCEL:
                self._lift(event.pointer_id)
            case ContactEvent.CANCEL_ALL:
                for pointer_id in list(self._slots):
                    self._lift(pointer_id)
            case _:
                return False
        return True

    def _lift(self, pointer_id: int) -> None:
        slot = self._slots.pop(pointer_id, None)
        if slot is not None:
            self._call("NotifyTouchUp", "u", slot)

    def _call(self, method: str, signature: str, *values: Any) -> None:
        self._waiting.append(new_method_call(self._address, method, signature, values))
        self._something.set()

    def release_all(self) -> None:
        """Release every key and button, and lift every finger."""
        self._keys.release_all()
        for button in sorted(self._buttons):
            self._click(MouseClick(button, pressed=False))
        for pointer_id in list(self._slots):
            self._lift(pointer_id)

    def use_keymap(self, keymap: "Keymap") -> None:
        """Type by this keymap from now on: it is the desktop's own."""
        self._keys.keymap = keymap

    def wake(self) -> None:
        """Make the virtual devices exist, as programs miss the event that brings them."""
        for pressed in (True, False):
            self._send_key(HARMLESS_KEY, pressed)
        self._call("NotifyPointerMotionRelative", "dd", 0.0, 0.0)
        self._call("NotifyTouchDown", "sudd", self._cast.stream_path, 0, NOWHERE, NOWHERE)
        self._call("NotifyTouchUp", "u", 0)

    async def run(self) -> None:
        """Send what waits, in order, until cancelled."""
        while True:
            await self._something.wait()
            self._something = trio.Event()
            await self.flush()

    async def flush(self) -> None:
        """Send what waits now."""
        async with self._sending:
            while self._waiting or self._lost:
                if self._waiting:
                    await self._cast.link.tell(self._waiting[0])
                    self._waiting.popleft()
                else:
                    self._lost = False
                    self.release_all()


@asynccontextmanager
async def open_notify_injector(
    cast: Cast, region: Callable[[], Region | None]
) -> AsyncGenerator[NotifyInjector]:
    """Send input to a cast's session; at the end release what is held.

    ``region`` says where the output lies at the moment.
    """
    async with serving_nursery() as nursery:
        injector = NotifyInjector(cast, region)
        nursery.start_soon(injector.run)
        try:
            injector.wake()
            yield injector
        finally:
            injector.release_all()
            with trio.move_on_after(RELEASE_S, shield=True):
                await injector.flush()
