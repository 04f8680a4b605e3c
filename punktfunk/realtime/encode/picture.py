"""A picture in the encoder's own memory: pf-capture converts straight into its planes."""

from typing import TYPE_CHECKING, Any

import av
import numpy as np

from punktfunk.realtime.encode.layouts import LAYOUTS
from punktfunk.realtime.encode.settings import coded_size

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Picture:
    """One AVFrame, reused for many pictures.

    planes       (rows, line samples) arrays, uint8 or, of ten bits, uint16; see ``layout``. Rows are longer
                 than the picture: they include FFmpeg's alignment, and what lies behind it is never shown.
    captured_ns  CLOCK_MONOTONIC of the source's picture
    """

    def __init__(self, width_px: int, height_px: int, pixel_format: str) -> None:
        self.width_px, self.height_px = coded_size(width_px, height_px)
        self.layout = LAYOUTS[pixel_format]
        self.frame: Any = av.VideoFrame(self.width_px, self.height_px, pixel_format)
        kind = np.dtype(np.uint8 if self.layout.bits == 8 else np.uint16)
        self.planes: tuple[NDArray[Any], ...] = tuple(
            np.frombuffer(plane, kind).reshape(plane.height, plane.line_size // kind.itemsize)
            for plane in self.frame.planes
        )
        self.captured_ns = 0
        self.fill_black()

    def fill_black(self) -> None:
        """Luma 16, chroma 128 (of 8 bits): black in limited range, and dark grey in full."""
        up = self.layout.bits - 8 + self.layout.shift
        self.planes[0][:] = 16 << up
        for plane in self.planes[1:]:
            plane[:] = 128 << up
