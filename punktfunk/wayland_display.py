"""A pywayland display whose objects live until it is disconnected.

pywayland knows a display's objects weakly, and each is a reference cycle, as it holds a cffi handle of
itself. One that nobody refers to waits for Python's cycle collector, which runs in any thread, and lets go of
the GIL while it destroys such objects: a display that is disconnected meanwhile frees what the next one still
points to. On GNOME, where the keymap is looked for again and again, one session in a hundred killed the host
(SIGSEGV).
"""

from typing import Any, Final

from pywayland.client import Display

LOOK_AFTER: Final = 64


class Kept(set[Any]):
    """Objects of a display; those that were destroyed are forgotten from time to time."""

    def __init__(self) -> None:
        super().__init__()
        self._look_at = LOOK_AFTER

    def add(self, proxy: Any) -> None:
        """Keep one, which is not made to its end yet: pywayland adds it first."""
        if len(self) >= self._look_at:
            self.difference_update([known for known in self if known.destroyed])
            self._look_at = 2 * len(self) + LOOK_AFTER
        super().add(proxy)


def open_display(fd: int) -> Any:
    """Return a display on a connected socket, which is its own from now on. ValueError if that fails."""
    display: Any = Display(fd)
    display._children = Kept()  # noqa: SLF001 - there is no other way to it
    display.connect()
    return display
