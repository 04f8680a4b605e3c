"""Keyboard, mouse, wheel, touch and text of the window, as input events of punktfunk/1.

Pure: what happened comes in as numbers, events go out. What the host did not announce is said in an older
way or left out; what is held when the window loses the keyboard, or the session ends, is released.
Source: punktfunk-1 §2.10.
"""

from dataclasses import dataclass
from typing import Final

from punktfunk.control.client.window.geometry import Box, into_picture
from punktfunk.control.client.window.keys import virtual_key
from punktfunk.wire.input import MouseButton
from punktfunk.wire.native.capabilities import Grant, HostCap, HostCap2
from punktfunk.wire.native.input import (
    Axis,
    ButtonEdge,
    KeyEdge,
    NativeInput,
    PointerMove,
    PointerPosition,
    ScrollPhase,
    ScrollSource,
    ScrollStep,
    TextScalar,
    TouchPhase,
    TouchPoint,
    WheelTurn,
)
from punktfunk.wire.native.input_kinds import SCROLL_SCALE

CLICK: Final = 120
MOST_TYPED: Final = 4096
"""Characters of one clipboard that are typed; more is a mistake."""


NO_HOST_CAPS: Final = HostCap(0)
NO_HOST_CAPS2: Final = HostCap2(0)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the host takes from this client."""

    caps: HostCap = NO_HOST_CAPS
    caps2: HostCap2 = NO_HOST_CAPS2
    grants: Grant = Grant.ALL


class Capture:
    """What is held down, and how to say what happens. For the main thread."""

    def __init__(self) -> None:
        self.host = Abilities()
        self.picture = (1, 1)
        self.box = Box(0, 0, 1, 1)
        self._keys: dict[int, int] = {}
        self._buttons: set[MouseButton] = set()
        self._touches: dict[int, tuple[int, int]] = {}
        self._scraps = [0.0, 0.0]  # of wheel steps too small to send yet

    def key(self, scancode: int, *, pressed: bool) -> list[NativeInput]:
        """Press or release a key. Repetitions are the host's business and must not come here."""
        code = virtual_key(scancode)
        if code is None or not self.host.grants & Grant.KEYBOARD:
            return []
        if pressed:
            if scancode in self._keys:
                return []
            self._keys[scancode] = code
        elif self._keys.pop(scancode, None) is None:
            return []  # pressed before the window had the keyboard, or a command
        return [KeyEdge(code, pressed=pressed)]

    def text(self, typed: str) -> list[NativeInput]:
        """Type characters that no key press stands for: an input method's, or the clipboard's."""
        if not (self.host.caps & HostCap.TEXT and self.host.grants & Grant.KEYBOARD):
            return []
        scalars = [ord(character) for character in typed.replace("\r\n", "\n")[:MOST_TYPED]]
        return [TextScalar(scalar) for scalar in scalars if scalar and not 0xD800 <= scalar <= 0xDFFF]

    def moved(self, dx: int, dy: int) -> list[NativeInput]:
        """Move the grabbed pointer by so many pixels."""
        if not (dx or dy) or not self.host.grants & Grant.POINTER:
            return []
        return [PointerMove(dx, dy)]

    def pointed(self, x: float, y: float) -> list[NativeInput]:
        """Put the pointer at a position of the window, in pixels."""
        if not self.host.grants & Grant.POINTER:
            return []
        return [PointerPosition(*into_picture(x, y, self.box, self.picture), *self.picture)]

    def button(self, button: MouseButton, *, pressed: bool) -> list[NativeInput]:
        """Press or release a mouse button."""
        if not self.host.grants & Grant.POINTER or pressed == (button in self._buttons):
            return []
        (self._buttons.add if pressed else self._buttons.discard)(button)
        return [ButtonEdge(button, pressed=pressed)]

    def wheel(self, right: float, up: float) -> list[NativeInput]:
        """Turn the wheel by clicks, fractions included; up and right are positive."""
        if not self.host.grants & Grant.POINTER:
            return []
        events: list[NativeInput] = []
        for axis, clicks in ((Axis.VERTICAL, up), (Axis.HORIZONTAL, right)):
            if self.host.caps2 & HostCap2.SCROLL:
                distance_q8 = round(clicks * CLICK * SCROLL_SCALE)
                if distance_q8:
                    events.append(ScrollStep(axis, distance_q8, ScrollSource.WHEEL, ScrollPhase.NONE))
                continue
            self._scraps[axis] += clicks * CLICK
            amount = int(self._scraps[axis])
            self._scraps[axis] -= amount
            if amount:
                events.append(WheelTurn(axis, amount))
        return events

    def finger(self, finger: int, phase: TouchPhase, x: float, y: float) -> list[NativeInput]:
        """Touch the window at a position in pixels. Hosts without touch get a pointer and its left button."""
        if not self.host.grants & Grant.POINTER:
            return []
        place = into_picture(x, y, self.box, self.picture)
        if phase is TouchPhase.DOWN:
            self._touches[finger] = place
        elif finger not in self._touches:
            return []
        first = next(iter(self._touches)) == finger
        if phase is TouchPhase.UP:
            del self._touches[finger]
        else:
            self._touches[finger] = place
        if self.host.caps2 & HostCap2.TOUCH:
            return [TouchPoint(phase, finger & 0x7FFFFFFF, *place, *self.picture)]
        if not first:
            return []
        events: list[NativeInput] = [PointerPosition(*place, *self.picture)]
        if phase is not TouchPhase.MOVE:
            events += self.button(MouseButton.LEFT, pressed=phase is TouchPhase.DOWN)
        return events

    def release_all(self) -> list[NativeInput]:
        """Let go of everything: the window lost the keyboard, was released, or the session ends."""
        events: list[NativeInput] = [KeyEdge(code, pressed=False) for code in self._keys.values()]
        if self.host.caps2 & HostCap2.TOUCH:
            touches = self._touches.items()
            events += [
                TouchPoint(TouchPhase.UP, finger & 0x7FFFFFFF, *at, *self.picture) for finger, at in touches
            ]
        events += [ButtonEdge(button, pressed=False) for button in sorted(self._buttons)]
        self.forget()
        return events

    def forget(self) -> None:
        """Drop what is held without a word: the session that knew of it is gone."""
        self._keys.clear()
        self._buttons.clear()
        self._touches.clear()
        self._scraps = [0.0, 0.0]


def merged(events: list[NativeInput]) -> list[NativeInput]:
    """Join runs of pointer motion: a mouse of 1000 Hz must not cost a datagram a millisecond."""
    joined: list[NativeInput] = []
    for event in events:
        last = joined[-1] if joined else None
        if isinstance(event, PointerMove) and isinstance(last, PointerMove):
            joined[-1] = PointerMove(last.dx + event.dx, last.dy + event.dy)
        elif isinstance(event, PointerPosition) and isinstance(last, PointerPosition):
            joined[-1] = event
        else:
            joined.append(event)
    return joined
