"""BGRx pictures into three planes of full size: YCbCr 4:4:4, 8 bit.

Twin of ``realtime.reference.convert444``. Odd sizes are made even by repeating the last column and row, as
encoders of 4:2:0 need it and all pictures of a session have one size.
"""

import numpy as np
from numba import types
from numpy.typing import NDArray

from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.kernels.weigh import pixel_weigher

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
I32 = NDArray[np.int32]

_WEIGHT_COUNT = 12
_PIXELS = types.Array(types.uint32, 2, "C", readonly=True)  # a compositor's memory may be mapped so
_PLANE, _WEIGHTS = types.uint8[:, ::1], types.int32[::1]
_weigh = pixel_weigher(8)


@kernel(types.int64(_PIXELS, types.int64, _PLANE, _PLANE, _PLANE, _WEIGHTS))
def convert_444(pixels: U32, width: int, luma: U8, blue: U8, red: U8, weights: I32) -> int:
    """Convert into three planes; 0, or BAD_SIZE, which leaves them alone.

    pixels            (height, >= width)   BGRx as little-endian words; rows may be longer than the picture
    width             of the picture
    luma, blue, red   (>= height made even, >= width made even)   Y, Cb and Cr
    weights           (12,)   see ``realtime.colour.fixed_point``
    """
    height = int64(pixels.shape[0])
    wide, high = width + (width & 1), height + (height & 1)
    if width < 1 or width > pixels.shape[1] or height < 1 or weights.size != _WEIGHT_COUNT:
        return BAD_SIZE
    if min(luma.shape[0], blue.shape[0], red.shape[0]) < high:
        return BAD_SIZE
    if min(luma.shape[1], blue.shape[1], red.shape[1]) < wide:
        return BAD_SIZE
    y0, y1, y2, y3 = weights[0], weights[1], weights[2], weights[3]
    a0, a1, a2, a3 = weights[4], weights[5], weights[6], weights[7]
    b0, b1, b2, b3 = weights[8], weights[9], weights[10], weights[11]
    for y in range(high):
        row = min(y, height - 1)
        for x in range(width):
            pixel = pixels[row, x]
            luma[y, x] = _weigh(pixel, y0, y1, y2, y3)
            blue[y, x] = _weigh(pixel, a0, a1, a2, a3)
            red[y, x] = _weigh(pixel, b0, b1, b2, b3)
        luma[y, wide - 1] = luma[y, width - 1]
        blue[y, wide - 1] = blue[y, width - 1]
        red[y, wide - 1] = red[y, width - 1]
    return 0
