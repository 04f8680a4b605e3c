"""What is written over the picture: the overlay, a message while there is none, and notices that go away."""

from collections.abc import Callable
from typing import Final

from punktfunk.control.client.window.canvas import Canvas
from punktfunk.control.client.window.overlay import Figures, lines
from punktfunk.control.client.window.text import SIZES_PX, cell_px, panel, wrap

OVERLAY_NS: Final = 500_000_000
NOTICE_NS: Final = 6_000_000_000
NOTICES: Final = 3
LARGE_FROM_PX: Final = 1300
"""Windows at least so high, in pixels, get the large face: they are on dense displays."""

MARGIN_COLUMNS: Final = 8
MESSAGE_COLUMNS: Final = 72


class Panels:
    """For the main thread."""

    def __init__(self, canvas: Canvas, *, overlay: bool) -> None:
        self._canvas = canvas
        self._overlay = overlay
        self._overlay_ns = 0
        self._message = ""
        self._until_picture = False
        self._notices: list[tuple[str, int]] = []  # and when they go away

    def say(self, text: str, *, until_picture: bool = False) -> None:
        """Write a message in the middle, until the next one or a picture."""
        self._message = text
        self._until_picture = until_picture
        self._write("message", text, large=True)

    def picture_came(self, *, live: bool) -> None:
        """Take the message away that waited for a picture."""
        if self._message and self._until_picture and live:
            self._message = ""
            self._write("message", "", large=True)

    def notice(self, text: str, now_ns: int) -> None:
        """Write a line at the bottom for a few seconds, below those that are there."""
        kept = [notice for notice in self._notices if notice[0] != text]
        self._notices = [*kept, (text, now_ns + NOTICE_NS)][-NOTICES:]
        self._write_notices()

    def toggle_overlay(self) -> None:
        """Show the statistics, or hide them."""
        self._overlay = not self._overlay
        self._overlay_ns = 0
        if not self._overlay:
            self._canvas.set_panel("overlay", None)

    def redraw(self) -> None:
        """Make everything anew: the window has another size, or the renderer lost its textures."""
        self._write("message", self._message, large=True)
        self._write_notices()
        self._overlay_ns = 0

    def deadline_ns(self) -> int | None:
        """When ``tick`` has something to do; None if nothing is written that changes."""
        due_ns = [self._overlay_ns] if self._overlay else []
        return min([*due_ns, *(until_ns for _, until_ns in self._notices)], default=None)

    def tick(self, now_ns: int, figures: Callable[[], Figures]) -> bool:
        """Bring the overlay up to date and take old notices away; whether anything changed."""
        changed = False
        left = [notice for notice in self._notices if now_ns < notice[1]]
        if left != self._notices:
            self._notices = left
            self._write_notices()
            changed = True
        if self._overlay and now_ns >= self._overlay_ns:
            self._overlay_ns = now_ns + OVERLAY_NS
            self._canvas.set_panel("overlay", panel(lines(figures()), self._size_px(large=False)))
            changed = True
        return changed

    def _size_px(self, *, large: bool) -> int:
        """Size of the face: messages are large unless the window is small, statistics on dense displays."""
        height_px = self._canvas.size_px[1]
        return SIZES_PX[1] if height_px >= (LARGE_FROM_PX // 3 if large else LARGE_FROM_PX) else SIZES_PX[0]

    def _write_notices(self) -> None:
        self._write("notice", "\n".join(text for text, _ in self._notices), large=False)

    def _write(self, name: str, text: str, *, large: bool) -> None:
        if not text:
            self._canvas.set_panel(name, None)
            return
        size_px = self._size_px(large=large)
        columns = self._canvas.size_px[0] // cell_px(size_px)[0] - MARGIN_COLUMNS
        written = wrap(text, max(20, min(columns, MESSAGE_COLUMNS)))
        self._canvas.set_panel(name, panel(written, size_px))
