"""BGRx pixels into an encoder's planes, by kernel."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import as_strided

from punktfunk.errors import PipelineFailed
from punktfunk.plan import ColourSpace
from punktfunk.realtime.capture.cursor import Patch
from punktfunk.realtime.colour import fixed_point
from punktfunk.realtime.encode.picture import Picture
from punktfunk.realtime.kernels.convert import convert_i420, convert_nv12

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Converter:
    """Conversion with one set of weights. The kernels hold no GIL, so pf-encode goes on meanwhile."""

    def __init__(self, colour_space: ColourSpace, *, full_range: bool) -> None:
        self._weights = fixed_point(colour_space, full_range=full_range)

    def convert(self, pixels: "NDArray[np.uint32]", picture: Picture) -> None:
        """Convert (height, width) BGRx into I420 or NV12, whichever the picture is.

        Rows may be longer than the picture; other gaps make a copy. PipelineFailed if the picture is too
        small.
        """
        if not self._fill(pixels, picture.planes):
            height, width = pixels.shape
            size = f"{picture.width_px}x{picture.height_px}"
            raise PipelineFailed(f"a picture of {width}x{height} does not fit an encoder's of {size}")

    def lay(self, patch: Patch, picture: Picture) -> None:
        """Lay a patch over a picture that was converted: what is around it stays."""
        height, width = ((side + 1) & ~1 for side in patch.pixels.shape)
        planar = len(picture.planes) == 3
        chroma = (height // 2, width // 2) if planar else (height // 2, width)
        shapes = [(height, width), *[chroma] * (len(picture.planes) - 1)]
        planes = [np.empty(shape, np.uint8) for shape in shapes]
        self._fill(patch.pixels, planes)
        for index, (plane, target) in enumerate(zip(planes, picture.planes, strict=True)):
            y = patch.y_px // 2 if index else patch.y_px
            x = patch.x_px // 2 if index and planar else patch.x_px
            target[y : y + plane.shape[0], x : x + plane.shape[1]] = plane

    def _fill(self, pixels: "NDArray[np.uint32]", planes: "Sequence[NDArray[np.uint8]]") -> bool:
        width = pixels.shape[1]
        pixels = whole_rows(pixels)
        if len(planes) == 3:
            luma, blue, red = planes
            return convert_i420(pixels, width, luma, blue, red, self._weights) == 0
        luma, chroma = planes
        return convert_nv12(pixels, width, luma, chroma, self._weights) == 0


def whole_rows(pixels: "NDArray[np.uint32]") -> "NDArray[np.uint32]":
    """View pixels with what lies between their rows, so that nothing is copied; else make a copy."""
    row_bytes, step_bytes = pixels.strides
    if step_bytes != 4 or row_bytes % 4 or row_bytes < pixels.shape[1] * 4:
        return np.ascontiguousarray(pixels)
    # The last row may end before its gap does: kernels read no further than the width that they are told.
    shape = pixels.shape[0], row_bytes // 4
    return as_strided(pixels, shape, (row_bytes, 4), writeable=False)
