"""When a new size of the window becomes a new mode of the host: one second after the last change.

The host accepts a change at most every 500 ms, and a well-behaved client asks at most once a second
(punktfunk-1 §2.5); a window that is dragged changes its size a hundred times a second.
"""

from typing import Final

QUIET_NS: Final = 1_000_000_000
LEAST_PX: Final = (320, 200)


class SizeWatch:
    """For one thread. Sizes are (width, height) in pixels; times CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self._wanted: tuple[int, int] | None = None
        self._due_ns = 0
        self._asked_ns = -QUIET_NS
        self._live: tuple[int, int] | None = None

    def live(self, size: tuple[int, int]) -> None:
        """Say what size the host's display has now."""
        self._live = size

    def changed(self, size: tuple[int, int], now_ns: int) -> None:
        """Note that the window has this size now."""
        even = max(size[0], LEAST_PX[0]) & ~1, max(size[1], LEAST_PX[1]) & ~1
        self._wanted = even
        self._due_ns = max(now_ns, self._asked_ns) + QUIET_NS

    def deadline_ns(self) -> int | None:
        """When ``due`` may have something to say; None while nothing changed."""
        return self._due_ns if self._wanted is not None else None

    def due(self, now_ns: int) -> tuple[int, int] | None:
        """Give the size to ask for, once."""
        if self._wanted is None or now_ns < self._due_ns:
            return None
        wanted, self._wanted = self._wanted, None
        if wanted == self._live:
            return None
        self._asked_ns = now_ns
        return wanted
