"""The slot between pf-capture and pf-encode: the newest picture wins, the loser is counted.

Three pictures go round: one being drawn, one waiting, one with the encoder. Two deques hold those that are
not in anyone's hands; their ends are popped and appended atomically, so nobody locks.
"""

import os
import select
from collections import deque
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

Picture = TypeVar("Picture")

PICTURE_COUNT: Final = 3


class LatestFrame(Generic[Picture]):
    """One drawer, one taker. ``dropped_count`` is written by the drawer only."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        assert len(pictures) >= PICTURE_COUNT
        self._free = deque(pictures)
        self._waiting: deque[Picture] = deque()
        self._bell_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._bell_fd, select.POLLIN)
        self.dropped_count = 0

    def writable(self) -> Picture:
        """Drawer: a picture to draw into, if need be the one that waits."""
        while True:
            if (picture := _pop(self._free)) is not None:
                return picture
            if (picture := _pop(self._waiting)) is not None:
                self.dropped_count += 1
                return picture

    def put(self, picture: Picture) -> None:
        """Drawer: offer a picture; one still waiting gives way."""
        stale = _pop(self._waiting)
        self._waiting.append(picture)
        if stale is not None:
            self.dropped_count += 1
            self._free.append(stale)
        self.nudge()

    def nudge(self) -> None:
        """Anyone: wake the taker, though there may be no picture."""
        os.eventfd_write(self._bell_fd, 1)

    def take(self, timeout_ns: int) -> Picture | None:
        """Taker: the newest picture; None after the timeout or a nudge. Negative timeouts wait for ever."""
        if (picture := _pop(self._waiting)) is not None:
            return picture
        # Rounded up: a taker that wakes a fraction early would only ask again.
        self._poll.poll(-1 if timeout_ns < 0 else -(-timeout_ns // 1_000_000))
        try:
            os.eventfd_read(self._bell_fd)
        except BlockingIOError:
            return _pop(self._waiting)
        return _pop(self._waiting)

    def give_back(self, picture: Picture) -> None:
        """Taker: done with a picture."""
        self._free.append(picture)

    def close(self) -> None:
        """Close the doorbell, after both threads ended."""
        if self._bell_fd >= 0:
            os.close(self._bell_fd)
            self._bell_fd = -1


def _pop(pictures: deque[Picture]) -> Picture | None:
    try:
        return pictures.popleft()
    except IndexError:
        return None
