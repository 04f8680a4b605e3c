"""The mouse pointer beside the pictures: where it is and what it looks like, told to control."""

import os
import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

from punktfunk.realtime.capture.video_meta import CursorBitmap, CursorMeta

NO_BITMAP: Final = CursorBitmap(0, 0, 0, 0, b"")
MAXIMUM_NOTES: Final = 16


@dataclass(frozen=True, slots=True)
class PointerState:
    """Where the pointer's hotspot is in pixels of the output, and what is drawn there.

    serial  changes with the picture; 0 before the first
    """

    x_px: int
    y_px: int
    serial: int
    bitmap: CursorBitmap

    @property
    def visible(self) -> bool:
        """Whether there is anything to see."""
        return self.bitmap.width_px > 0


class Pointer:
    """Moved by pf-capture; ``state`` may be read by any thread, the two settings be set by control.

    is_drawn  False leaves the pointer to the client: pictures come without it
    """

    def __init__(self) -> None:
        self.is_drawn = True
        self._bell_fd = -1
        self._state = PointerState(0, 0, 0, NO_BITMAP)
        self._moved = False
        self._lock = threading.Lock()

    @property
    def state(self) -> PointerState:
        """The newest state."""
        with self._lock:
            return self._state

    def move(self, told: CursorMeta | None) -> None:
        """Take what a node told of the pointer; None is nothing."""
        if told is None:
            return
        before = self._state
        bitmap, serial = before.bitmap, before.serial
        if told.bitmap is not None and told.bitmap != bitmap:
            bitmap, serial = told.bitmap, serial + 1
        state = PointerState(told.x_px, told.y_px, serial, bitmap)
        if state == before:
            return
        self._moved |= state.visible or before.visible
        with self._lock:
            self._state = state
        self.ring()

    def listen(self, bell_fd: int) -> None:
        """Ring this eventfd when something changed; -1: none. The old one may be closed afterwards."""
        with self._lock:
            self._bell_fd = bell_fd

    def ring(self) -> None:
        """Have control look at the state."""
        with self._lock:  # so that nobody rings a number which belongs to another file by now
            if self._bell_fd >= 0:
                os.eventfd_write(self._bell_fd, 1)

    def take_moved(self) -> bool:
        """Tell pf-capture, once, whether anything that can be seen changed since the last call."""
        moved, self._moved = self._moved, False
        return moved


class Beside:
    """What a capture tells beside its pictures. It lives as long as the session, whatever it captures."""

    def __init__(self) -> None:
        self.pointer = Pointer()
        self._notes: deque[str] = deque(maxlen=MAXIMUM_NOTES)

    def note(self, sentence: str) -> None:
        """Pf-capture: tell the user something of the way that pictures take."""
        self._notes.append(sentence)

    def take_notes(self) -> list[str]:
        """Control: what was noted since the last call."""
        notes = []
        while self._notes:
            notes.append(self._notes.popleft())
        return notes
