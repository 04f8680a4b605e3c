"""BGRx pixels into an encoder's planes, by kernel."""

from typing import TYPE_CHECKING

import numpy as np

from punktfunk.errors import PipelineFailed
from punktfunk.plan import ColourSpace
from punktfunk.realtime.colour import fixed_point
from punktfunk.realtime.encode.picture import Picture
from punktfunk.realtime.kernels.convert import convert_i420, convert_nv12

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Converter:
    """Conversion with one set of weights. The kernels hold no GIL, so pf-encode goes on meanwhile."""

    def __init__(self, colour_space: ColourSpace, *, full_range: bool) -> None:
        self._weights = fixed_point(colour_space, full_range=full_range)

    def convert(self, pixels: "NDArray[np.uint32]", picture: Picture) -> None:
        """Convert (height, width) BGRx into I420 or NV12, whichever the picture is.

        Contiguous pixels are read in place, others copied first. PipelineFailed if the picture is too small.
        """
        height, width = pixels.shape
        pixels = np.ascontiguousarray(pixels)
        if len(picture.planes) == 3:
            luma, blue, red = picture.planes
            code = convert_i420(pixels, width, luma, blue, red, self._weights)
        else:
            luma, chroma = picture.planes
            code = convert_nv12(pixels, width, luma, chroma, self._weights)
        if code < 0:
            size = f"{picture.width_px}x{picture.height_px}"
            raise PipelineFailed(f"a picture of {width}x{height} does not fit an encoder's of {size}")
