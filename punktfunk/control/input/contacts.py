"""Touch and pen as a mouse, where a desktop can take no fingers from us: what most people mean by a tap.

one finger    the left button, where the finger is
two fingers   the wheel; content goes with the fingers
pen           the pointer; contact is the left button, the first barrel button the right one
"""

from collections.abc import Callable
from typing import Final

from punktfunk.wire.input import (
    ContactEvent,
    InputEvent,
    MouseButton,
    MouseClick,
    MouseMoveAbsolute,
    Pen,
    Touch,
    Wheel,
)

PLANE: Final = 65535
WHEEL_PER_SCREEN: Final = 120 * 40
"""120ths of a click for a drag across the whole screen: about as far as the content then goes."""
_LIFTS: Final = (ContactEvent.UP, ContactEvent.CANCEL)
_LEAVES: Final = (ContactEvent.HOVER_LEAVE, ContactEvent.CANCEL, ContactEvent.CANCEL_ALL)

Inject = Callable[[InputEvent], None]


class ContactsAsMouse:
    """Turns touches and the pen of one session into mouse events for ``inject``."""

    def __init__(self, inject: Inject) -> None:
        self._inject = inject
        self._fingers: dict[int, tuple[float, float]] = {}
        self._buttons: set[MouseButton] = set()
        self._rests = [0.0, 0.0]

    def touch(self, event: Touch) -> None:
        """Take what a finger does."""
        finger, place = event.pointer_id, (event.x, event.y)
        if event.event is ContactEvent.CANCEL_ALL:
            self.release()
        elif event.event in _LIFTS:
            self._fingers.pop(finger, None)
            if not self._fingers:
                self._hold(MouseButton.LEFT, wanted=False)
        elif event.event is ContactEvent.DOWN:
            self._fingers[finger] = place
            if len(self._fingers) == 1:
                self._move(*place)
                self._hold(MouseButton.LEFT, wanted=True)
            else:
                self._rests = [0.0, 0.0]
                self._hold(MouseButton.LEFT, wanted=False)
        elif event.event is ContactEvent.MOVE and finger in self._fingers:
            self._drag(finger, place)

    def pen(self, event: Pen) -> None:
        """Take what the pen does."""
        if event.event in _LEAVES:
            self.release()
            return
        if event.event is not ContactEvent.BUTTON_ONLY:
            self._move(event.x, event.y)
            down = event.event in (ContactEvent.DOWN, ContactEvent.MOVE)
            self._hold(MouseButton.LEFT, wanted=down)
        self._hold(MouseButton.RIGHT, wanted=bool(event.buttons & 1))

    def release(self) -> None:
        """Lift everything."""
        self._fingers.clear()
        for button in sorted(self._buttons):
            self._hold(button, wanted=False)

    def _drag(self, finger: int, place: tuple[float, float]) -> None:
        before, self._fingers[finger] = self._fingers[finger], place
        if len(self._fingers) == 1 and MouseButton.LEFT in self._buttons:
            self._move(*place)
        elif len(self._fingers) > 1:
            share = WHEEL_PER_SCREEN / len(self._fingers)
            # Fingers that go down pull the content down: the wheel turns up.
            across, up = (-(place[0] - before[0]) * share, (place[1] - before[1]) * share)
            horizontal, vertical = self._whole(0, across), self._whole(1, up)
            if horizontal or vertical:
                self._inject(Wheel(vertical, horizontal))

    def _whole(self, axis: int, amount: float) -> int:
        total = self._rests[axis] + amount
        whole = int(total)
        self._rests[axis] = total - whole
        return whole

    def _move(self, x: float, y: float) -> None:
        self._inject(MouseMoveAbsolute(round(x * PLANE), round(y * PLANE), PLANE, PLANE))

    def _hold(self, button: MouseButton, *, wanted: bool) -> None:
        if wanted != (button in self._buttons):
            self._buttons.symmetric_difference_update({button})
            self._inject(MouseClick(button, pressed=wanted))
