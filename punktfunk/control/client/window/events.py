"""SDL's events about keyboard, mouse, touch, text and pads, told to ``Capture`` and ``PadBank``.

Two ways to use the mouse. For the desktop the pointer moves over the picture as over a window. For games it
is grabbed: motion is relative, and the keyboard goes to the host whole, with Alt+Tab and Super.
"""

from typing import Any, Final

from punktfunk.control.client.window.canvas import Canvas
from punktfunk.control.client.window.capture import Abilities, Capture, merged
from punktfunk.control.client.window.commands import Command, command_of
from punktfunk.control.client.window.devices import BUTTON_BITS, Controllers, axis_value
from punktfunk.control.client.window.keys import virtual_key
from punktfunk.control.client.window.pads import PadBank, only_last_snapshots
from punktfunk.control.client.window.sdl import sdl
from punktfunk.wire.input import MouseButton
from punktfunk.wire.native.capabilities import Grant
from punktfunk.wire.native.input import NativeInput, TouchPhase
from punktfunk.wire.native.rich_input import RichInput

_BUTTONS: Final = {
    1: MouseButton.LEFT,
    2: MouseButton.MIDDLE,
    3: MouseButton.RIGHT,
    4: MouseButton.X1,
    5: MouseButton.X2,
}
TOUCH_AS_MOUSE: Final = 0xFFFFFFFF
"""SDL's id of a mouse that is really a finger."""


class InputDesk:
    """Collects what the user does; ``take`` gives it to be sent. For the main thread."""

    def __init__(self, canvas: Canvas, *, relative: bool) -> None:
        self._canvas = canvas
        self._events: list[NativeInput] = []
        self._last_was_key = False
        self._live = False
        self.capture = Capture()
        self.pads = PadBank()
        self.controllers = Controllers(self.pads)
        self.relative = relative
        self.grabbed = False

    def begin(self, abilities: Abilities, picture: tuple[int, int]) -> None:
        """Begin a session: what is held from now on is held there."""
        self.capture.forget()
        self.capture.host = abilities
        self.resized(picture)
        self._events = list(self.pads.begin(abilities.caps, abilities.grants))
        self._live = True
        if self.relative:
            self.grab(on=True)

    def end(self) -> None:
        """End the session: give mouse and keyboard back."""
        self._live = False
        self._events = []
        self.capture.forget()
        self.grab(on=False)

    def resized(self, picture: tuple[int, int]) -> None:
        """Say how large the host's picture is."""
        self.capture.picture = picture

    def change_grants(self, grants: Grant) -> None:
        """Take over what the host allows from now on; it checks every event itself."""
        host = self.capture.host
        self.capture.host = Abilities(host.caps, host.caps2, grants)
        self.pads.grants = grants

    def grab(self, *, on: bool) -> None:
        """Take mouse and keyboard, or give them back and release what is held."""
        if not on:
            self._events += self.capture.release_all()
        self.grabbed = on
        self._canvas.grab(on=on, relative=self.relative)
        self._show_pointer()

    def set_relative(self, *, on: bool) -> None:
        """Choose between the mouse for games and the one for the desktop."""
        self.relative = on
        self.grab(on=on and self._live)

    def type_clipboard(self) -> None:
        """Type what this machine's clipboard holds."""
        lib = sdl()
        text = lib.SDL_GetClipboardText()
        if text:
            self._events += self.capture.text(text.decode(errors="replace"))

    def take(self, now_ns: int) -> list[NativeInput | RichInput]:
        """Give what is to be sent now, motion joined; nothing while there is no session."""
        self._events += self.pads.tick(now_ns)
        events, self._events = self._events, []
        senses = self.controllers.senses.take()
        if not self._live:
            return []
        felt = senses if self.pads.grants & Grant.GAMEPAD else []
        return [*only_last_snapshots(merged(events)), *felt]

    def handle(self, event: Any) -> Command | None:
        """Take one SDL event; a command for the window, if it was one."""
        lib = sdl()
        kind = event.type
        if kind in {lib.SDL_KEYDOWN, lib.SDL_KEYUP}:
            return self._key(event.key, pressed=kind == lib.SDL_KEYDOWN)
        if kind == lib.SDL_TEXTINPUT:
            self._text(event.text.text.decode(errors="replace"))
        elif kind == lib.SDL_WINDOWEVENT:
            self._window(event.window.event)
        elif kind in {lib.SDL_FINGERDOWN, lib.SDL_FINGERMOTION, lib.SDL_FINGERUP}:
            self._finger(event.tfinger, kind)
        elif lib.SDL_MOUSEMOTION <= kind <= lib.SDL_MOUSEWHEEL:
            self._mouse(event, kind)
        elif lib.SDL_CONTROLLERAXISMOTION <= kind <= lib.SDL_CONTROLLERDEVICEREMOVED:
            self._controller(event, kind)
        elif lib.SDL_CONTROLLERTOUCHPADDOWN <= kind <= lib.SDL_CONTROLLERSENSORUPDATE:
            self.controllers.feel(event, kind)
        return None

    def _key(self, key: Any, *, pressed: bool) -> Command | None:
        lib = sdl()
        scancode, held = key.keysym.scancode, key.keysym.mod
        if pressed and not key.repeat:
            command = command_of(
                scancode,
                ctrl=bool(held & lib.KMOD_CTRL),
                alt=bool(held & lib.KMOD_ALT),
                shift=bool(held & lib.KMOD_SHIFT),
            )
            if command is not None:
                # The modifiers of the command are down at the host: without this they would stay so.
                self._events += self.capture.release_all()
                return command
        self._last_was_key = pressed and virtual_key(scancode) is not None
        if self._live and not key.repeat:
            self._events += self.capture.key(scancode, pressed=pressed)
        return None

    def _text(self, typed: str) -> None:
        """Send only what no key stands for: a key that types comes right before its text."""
        made_by_key, self._last_was_key = self._last_was_key, False
        if self._live and not made_by_key:
            self._events += self.capture.text(typed)

    def _window(self, kind: int) -> None:
        lib = sdl()
        if kind == lib.SDL_WINDOWEVENT_FOCUS_LOST:
            self._events += self.capture.release_all()
            if self.grabbed:
                self.grab(on=False)

    def _finger(self, finger: Any, kind: int) -> None:
        lib = sdl()
        phases = {lib.SDL_FINGERDOWN: TouchPhase.DOWN, lib.SDL_FINGERUP: TouchPhase.UP}
        width_px, height_px = self._canvas.size_px
        self.capture.box = self._canvas.picture_box()
        self._events += self.capture.finger(
            finger.fingerId, phases.get(kind, TouchPhase.MOVE), finger.x * width_px, finger.y * height_px
        )

    def _mouse(self, event: Any, kind: int) -> None:
        lib = sdl()
        if event.motion.which == TOUCH_AS_MOUSE or not self._live:
            return
        if kind == lib.SDL_MOUSEMOTION:
            if self.relative:
                self._events += (
                    self.capture.moved(event.motion.xrel, event.motion.yrel) if self.grabbed else []
                )
            else:
                self._point(event.motion.x, event.motion.y)
        elif kind == lib.SDL_MOUSEWHEEL:
            turned = -1 if event.wheel.direction == lib.SDL_MOUSEWHEEL_FLIPPED else 1
            self._events += self.capture.wheel(event.wheel.preciseX * turned, event.wheel.preciseY * turned)
        elif (button := _BUTTONS.get(event.button.button)) is not None:
            pressed = kind == lib.SDL_MOUSEBUTTONDOWN
            if self.relative and not self.grabbed:
                if pressed:
                    self.grab(on=True)  # this click is for us
                return
            if not self.relative:
                self._point(event.button.x, event.button.y)
            self._events += self.capture.button(button, pressed=pressed)

    def _point(self, x: int, y: int) -> None:
        scale = self._canvas.scale
        self.capture.box = self._canvas.picture_box()
        self._events += self.capture.pointed(x * scale, y * scale)

    def _controller(self, event: Any, kind: int) -> None:
        lib = sdl()
        if kind == lib.SDL_CONTROLLERDEVICEADDED:
            self._events += self.controllers.added(event.cdevice.which)
        elif kind == lib.SDL_CONTROLLERDEVICEREMOVED:
            self._events += self.controllers.removed(event.cdevice.which)
        elif kind == lib.SDL_CONTROLLERAXISMOTION:
            translated = axis_value(event.caxis.axis, event.caxis.value)
            if translated is not None:
                self._events += self.pads.axis(event.caxis.which, *translated)
        elif event.cbutton.button < len(BUTTON_BITS):
            bit = BUTTON_BITS[event.cbutton.button]
            pressed = kind == lib.SDL_CONTROLLERBUTTONDOWN
            self._events += self.pads.button(event.cbutton.which, bit, pressed=pressed)

    def _show_pointer(self) -> None:
        """Hide this machine's pointer over a live picture, which has the host's."""
        lib = sdl()
        hidden = self._live and (self.grabbed or not self.relative)
        lib.SDL_ShowCursor(lib.SDL_DISABLE if hidden else lib.SDL_ENABLE)

    def show_pointer(self) -> None:
        """Do so after a session began or ended."""
        self._show_pointer()
