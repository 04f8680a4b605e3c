"""A picture in the encoder's own memory: pf-capture converts straight into its planes."""

from typing import TYPE_CHECKING, Any

import av
import numpy as np

from punktfunk.realtime.encode.settings import coded_size

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Picture:
    """One AVFrame, reused for many pictures.

    planes       I420: three (rows, line_bytes) uint8 arrays; NV12: two. Rows are longer than the picture:
                 line_bytes includes FFmpeg's alignment, and what lies behind the picture is never shown.
    captured_ns  CLOCK_MONOTONIC of the source's picture
    """

    def __init__(self, width_px: int, height_px: int, pixel_format: str) -> None:
        self.width_px, self.height_px = coded_size(width_px, height_px)
        self.frame: Any = av.VideoFrame(self.width_px, self.height_px, pixel_format)
        self.planes: tuple[NDArray[np.uint8], ...] = tuple(
            np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
            for plane in self.frame.planes
        )
        self.captured_ns = 0
        self.fill_black()

    def fill_black(self) -> None:
        """Luma 16, chroma 128: black in limited range, and dark grey in full."""
        self.planes[0][:] = 16
        for plane in self.planes[1:]:
            plane[:] = 128
