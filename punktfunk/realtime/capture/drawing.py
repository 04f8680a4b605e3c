"""Drawing the pointer where the host does it: a patch for the converted picture, never the node's own memory.

The compositor redraws in its buffers only what changed, so what somebody else drew there would stay.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from punktfunk.realtime.capture.cursor import PointerState
    from punktfunk.realtime.capture.video_meta import CursorBitmap


@dataclass(frozen=True, slots=True)
class Patch:
    """Pixels that replace those of a picture: at an even position, inside the picture."""

    x_px: int
    y_px: int
    pixels: "NDArray[np.uint32]"


def draw_pointer(state: "PointerState", pixels: "NDArray[np.uint32]") -> Patch | None:
    """Draw the pointer over a copy of what is under it; None where nothing of it is inside the picture.

    pixels  (height, width) BGRx, the whole picture

    The patch is of even size too, unless the picture ends before: chroma is shared by four pixels.
    """
    bitmap = state.bitmap
    height, width = pixels.shape
    left, top = state.x_px - bitmap.hot_x_px, state.y_px - bitmap.hot_y_px
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + bitmap.width_px, width), min(top + bitmap.height_px, height)
    if x1 <= x0 or y1 <= y0:
        return None
    even_x, even_y = x0 & ~1, y0 & ~1
    patch = pixels[even_y : (y1 + 1) & ~1, even_x : (x1 + 1) & ~1].copy()
    image = np.frombuffer(bitmap.pixels, np.uint32).reshape(bitmap.height_px, bitmap.width_px)
    target = patch[y0 - even_y : y1 - even_y, x0 - even_x : x1 - even_x]
    target[:] = blend(image[y0 - top : y1 - top, x0 - left : x1 - left], target)
    return Patch(even_x, even_y, patch)


def pointer_picture(bitmap: "CursorBitmap", side_max_px: int) -> tuple[int, int, int, int, bytes]:
    """Make a pointer's picture for a client: width, height, hotspot x and y, straight-alpha RGBA.

    Larger ones are scaled down to ``side_max_px``, by a whole number, each pixel the mean of those it covers.
    """
    height, width = bitmap.height_px, bitmap.width_px
    image = np.frombuffer(bitmap.pixels, np.uint8).reshape(height, width, 4).astype(np.float32)
    step = -(-max(width, height) // side_max_px)
    if step > 1:
        image = np.pad(image, ((0, -height % step), (0, -width % step), (0, 0)))
        rows, columns = image.shape[0] // step, image.shape[1] // step
        image = image.reshape(rows, step, columns, step, 4).mean(axis=(1, 3))
    alpha = image[..., 3:]
    straight = np.where(alpha > 0, image[..., :3] * 255 / np.maximum(alpha, 1e-6), 0)
    rgba = np.concatenate([straight[..., ::-1], alpha], axis=2).clip(0, 255).round().astype(np.uint8)
    hot_x, hot_y = bitmap.hot_x_px // step, bitmap.hot_y_px // step
    return rgba.shape[1], rgba.shape[0], hot_x, hot_y, rgba.tobytes()


def blend(over: "NDArray[np.uint32]", under: "NDArray[np.uint32]") -> "NDArray[np.uint32]":
    """Lay premultiplied BGRA over BGRx of the same shape."""
    keep = np.uint32(255) - (over >> np.uint32(24))
    mixed = np.zeros_like(under)
    for shift in (0, 8, 16):
        below = under >> np.uint32(shift) & np.uint32(255)
        above = over >> np.uint32(shift) & np.uint32(255)
        channel = np.minimum(above + (below * keep + np.uint32(127)) // np.uint32(255), np.uint32(255))
        mixed |= channel << np.uint32(shift)
    return mixed
