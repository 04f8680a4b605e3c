"""The injector for KWin: org_kde_kwin_fake_input, in the global coordinates of the desktop.

KWin follows modifiers itself and releases what a connection held when that ends
(KWin, src/backends/fakeinput/fakeinputbackend.cpp); held keys are released before that all the same. It takes
no pens and no fractions of a wheel's click beside the distance scrolled.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import trio

from punktfunk.control.displays.base import Region
from punktfunk.control.displays.kwin.door import open_kwin
from punktfunk.control.displays.kwin.outputs import following_outputs
from punktfunk.control.displays.wayland import WaylandConnection
from punktfunk.control.input.base import DESK_AND_TOUCH, Injector
from punktfunk.control.input.held_keys import HeldKeys
from punktfunk.control.input.host_keymap import read_session_keymap
from punktfunk.control.input.host_layout import read_host_layout
from punktfunk.control.input.keymap import compile_names, keysym_of
from punktfunk.control.input.pointer import CLICK, HORIZONTAL, UNITS_PER_CLICK, VERTICAL
from punktfunk.control.input.wayland_injector import WaylandInjector
from punktfunk.errors import EnvironmentProblem
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
from punktfunk.wire.wayland.fake_input import OrgKdeKwinFakeInput

if TYPE_CHECKING:
    from punktfunk.control.input.keymap import Keymap

SINCE_KEYSYM: Final = 6
RELEASE_S: Final = 1.0
TOUCHES: Final = 10


class KWinInjector(WaylandInjector):
    """See :class:`punktfunk.control.input.base.Injector`.

    ``region`` tells where the output lies now; None while there is none.
    """

    handles = DESK_AND_TOUCH

    def __init__(
        self,
        connection: WaylandConnection,
        device: Any,
        version: int,
        region: Callable[[], Region | None],
        keymap: "Keymap | None",
    ) -> None:
        super().__init__(connection)
        self._device = device
        self._types_keysyms = version >= SINCE_KEYSYM
        self._region = region
        self._keys = HeldKeys(self._send_key, keymap)
        self._buttons: set[MouseButton] = set()
        self._touches: dict[int, int] = {}  # the client's pointer id -> ours

    def _dispatch(self, event: InputEvent) -> bool:
        match event:
            case Key():
                return self._keys.key(event)
            case Text():
                self._type(event.text)
            case MouseMove():
                self._device.pointer_motion(float(event.dx), float(event.dy))
            case MouseMoveAbsolute():
                return self._move(event.x / max(1, event.width), event.y / max(1, event.height))
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
        self._device.keyboard_key(code, int(pressed))

    def _type(self, text: str) -> None:
        """Type characters by the keys that mean them; others by their meaning alone, where KWin takes that.

        For those KWin changes its keymap for a moment, which some programs dislike.
        """
        keymap = self._keys.keymap
        for character in text:
            keysym = keysym_of(character)
            if self._types_keysyms and keysym and (keymap is None or keymap.stroke(character) is None):
                self._device.keyboard_keysym(keysym, 1)
                self._device.keyboard_keysym(keysym, 0)
            else:
                self._keys.text(character)

    def _place(self, x: float, y: float) -> tuple[float, float] | None:
        region = self._region()
        if region is None:
            return None
        # The last logical pixel still belongs to the output, its far edge to the neighbour.
        right, bottom = max(region.width - 1, 0), max(region.height - 1, 0)
        return (
            region.x + min(max(x, 0.0) * region.width, right),
            region.y + min(max(y, 0.0) * region.height, bottom),
        )

    def _move(self, x: float, y: float) -> bool:
        place = self._place(x, y)
        if place is None:
            return False
        self._device.pointer_motion_absolute(*map(float, place))
        return True

    def _click(self, event: MouseClick) -> None:
        if event.pressed != (event.button in self._buttons):
            self._buttons.symmetric_difference_update({event.button})
            self._device.button(MOUSE_BUTTONS[event.button], int(event.pressed))

    def _wheel(self, event: Wheel) -> None:
        """Scroll; Wayland's vertical axis points down, GameStream's up."""
        for axis, amount in ((VERTICAL, -event.vertical), (HORIZONTAL, event.horizontal)):
            if amount:
                self._device.axis(axis, amount * UNITS_PER_CLICK / CLICK)

    def _touch(self, event: Touch) -> bool:
        place = self._place(event.x, event.y)
        match event.event:
            case ContactEvent.DOWN:
                return place is not None and self._touch_down(event.pointer_id, *place)
            case ContactEvent.MOVE:
                if event.pointer_id not in self._touches or place is None:
                    return False
                self._device.touch_motion(self._touches[event.pointer_id], *map(float, place))
            case ContactEvent.UP:
                if event.pointer_id not in self._touches:
                    return False
                self._device.touch_up(self._touches.pop(event.pointer_id))
            case ContactEvent.CANCEL | ContactEvent.CANCEL_ALL:
                self._cancel_touches()
                return True
            case _:
                return False
        self._device.touch_frame()
        return True

    def _touch_down(self, pointer_id: int, x: float, y: float) -> bool:
        free = min(set(range(TOUCHES)) - set(self._touches.values()), default=None)
        if free is None or pointer_id in self._touches:
            return False
        self._touches[pointer_id] = free
        self._device.touch_down(free, float(x), float(y))
        self._device.touch_frame()
        return True

    def _cancel_touches(self) -> None:
        if self._touches:
            self._touches.clear()
            self._device.touch_cancel()

    def release_all(self) -> None:
        """Release every key, button and finger that is held."""
        if not self._connection.alive:
            return
        self._keys.release_all()
        for button in sorted(self._buttons):
            self._click(MouseClick(button, pressed=False))
        self._cancel_touches()
        self._connection.flush()


@asynccontextmanager
async def open_kwin_injector(
    socket_path: str, output_name: str, environment: Mapping[str, str]
) -> AsyncGenerator[Injector]:
    """Open pointer, keyboard and touch screen of a KWin; at the end release what is held."""
    async with open_kwin(socket_path, environment) as connection, following_outputs(connection) as devices:
        if not connection.offers(OrgKdeKwinFakeInput):
            raise EnvironmentProblem(
                "KWin lets punktfunk send no input", hint="Run `punktfunk plasma install`."
            )

        def region() -> Region | None:
            device = devices.find(output_name)
            return device.region if device is not None else None

        keymap = await read_session_keymap(connection) or compile_names(read_host_layout())
        device = connection.bind(OrgKdeKwinFakeInput)
        device.authenticate("punktfunk", "to play a client's input")
        version = min(connection.globals_of(OrgKdeKwinFakeInput)[0][1], OrgKdeKwinFakeInput.version)
        injector = KWinInjector(connection, device, version, region, keymap)
        await connection.roundtrip()
        try:
            yield injector
        finally:
            injector.release_all()
            if connection.alive:
                # libwayland drops what is unread when a client hangs up: the releases must arrive first.
                with trio.move_on_after(RELEASE_S, shield=True):
                    await connection.roundtrip()
