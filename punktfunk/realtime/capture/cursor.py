"""The mouse pointer beside the pictures: where it is, what it looks like, and how the host draws it."""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from punktfunk.realtime.capture.video_meta import CursorBitmap, CursorMeta

if TYPE_CHECKING:
    from numpy.typing import NDArray

NO_BITMAP: Final = CursorBitmap(0, 0, 0, 0, b"")


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


@dataclass(frozen=True, slots=True)
class Patch:
    """Pixels that replace those of a picture: even position and even size, inside the picture."""

    x_px: int
    y_px: int
    pixels: "NDArray[np.uint32]"


class Pointer:
    """Written by pf-capture; ``state`` and ``is_drawn`` may be read, and ``is_drawn`` set, by any thread.

    ``is_drawn`` False leaves the pointer to the client: pictures come without it.
    """

    def __init__(self) -> None:
        self.is_drawn = True
        self._state = PointerState(0, 0, 0, NO_BITMAP)
        self._moved = False
        self._lock = threading.Lock()
        self._image: NDArray[np.uint32] = np.zeros((0, 0), np.uint32)

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
            shape = bitmap.height_px, bitmap.width_px
            self._image = np.frombuffer(bitmap.pixels, np.uint32).reshape(shape)
        state = PointerState(told.x_px, told.y_px, serial, bitmap)
        self._moved |= state != before
        with self._lock:
            self._state = state

    def take_moved(self) -> bool:
        """Tell, once, whether anything changed since the last call."""
        moved, self._moved = self._moved, False
        return moved

    def patch(self, pixels: "NDArray[np.uint32]") -> Patch | None:
        """Draw the pointer over a copy of what is under it; None where there is nothing to draw.

        pixels  (height, width) BGRx, the whole picture
        """
        state = self._state
        if not self.is_drawn or not state.visible:
            return None
        height, width = pixels.shape
        left, top = state.x_px - state.bitmap.hot_x_px, state.y_px - state.bitmap.hot_y_px
        x0, y0 = max(left, 0) & ~1, max(top, 0) & ~1
        x1 = min(left + state.bitmap.width_px + 1, width + (width & 1)) & ~1
        y1 = min(top + state.bitmap.height_px + 1, height + (height & 1)) & ~1
        if x1 <= x0 or y1 <= y0:
            return None
        under = pixels[y0 : min(y1, height), x0 : min(x1, width)].copy()
        inside_x, inside_y = max(left, 0), max(top, 0)
        over = self._image[inside_y - top :, inside_x - left :]
        rows = min(over.shape[0], under.shape[0] - (inside_y - y0))
        columns = min(over.shape[1], under.shape[1] - (inside_x - x0))
        target = under[inside_y - y0 : inside_y - y0 + rows, inside_x - x0 : inside_x - x0 + columns]
        target[:] = blend(over[:rows, :columns], target)
        return Patch(x0, y0, under)


def blend(over: "NDArray[np.uint32]", under: "NDArray[np.uint32]") -> "NDArray[np.uint32]":
    """Lay premultiplied BGRA over BGRx of the same shape."""
    keep = 255 - (over >> np.uint32(24))
    mixed = np.zeros_like(under)
    for shift in (0, 8, 16):
        below = under >> np.uint32(shift) & np.uint32(255)
        above = over >> np.uint32(shift) & np.uint32(255)
        channel = np.minimum(above + (below * keep + 127) // 255, 255).astype(np.uint32)
        mixed |= channel << np.uint32(shift)
    return mixed
