"""BGRx pictures into the planes of an encoder: I420 and NV12, 8 bit, chroma at half the size both ways.

Twin of ``realtime.reference.convert``. A chroma sample is the mean of its four pixels. Odd sizes are made
even by repeating the last column and row. Weights are arguments, see ``realtime.colour.fixed_point``.

Two rows of pixels are read for luma and then, from the fastest cache, for chroma: reading the whole picture
twice took a third longer.
"""

import numpy as np
from numba import types
from numpy.typing import NDArray

from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.kernels.weigh import four_weigher, pixel_weigher

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
I32 = NDArray[np.int32]

_WEIGHT_COUNT = 12
_PIXELS = types.Array(types.uint32, 2, "C", readonly=True)  # a compositor's memory may be mapped so
_PLANE, _WEIGHTS = types.uint8[:, ::1], types.int32[::1]
_weigh = pixel_weigher(8)
_weigh_four = four_weigher(8)


@kernel(types.int64(_PIXELS, types.int64, _PLANE, _PLANE, _PLANE, _WEIGHTS))
def convert_i420(pixels: U32, width: int, luma: U8, blue: U8, red: U8, weights: I32) -> int:
    """Convert into three planes; 0, or BAD_SIZE, which leaves them alone.

    pixels      (height, >= width)   BGRx as little-endian words; rows may be longer than the picture
    width       of the picture
    luma        (>= height made even, >= width made even)
    blue, red   (>= half of that, >= half of that)   Cb and Cr
    weights     (12,)   see ``realtime.colour.fixed_point``
    """
    height = int64(pixels.shape[0])
    wide, half_width, half_height = (width + 1) & ~1, (width + 1) >> 1, (height + 1) >> 1
    if width < 1 or width > pixels.shape[1] or height < 1 or weights.size != _WEIGHT_COUNT:
        return BAD_SIZE
    if luma.shape[0] < 2 * half_height or luma.shape[1] < wide:
        return BAD_SIZE
    if min(blue.shape[0], red.shape[0]) < half_height or min(blue.shape[1], red.shape[1]) < half_width:
        return BAD_SIZE
    y0, y1, y2, y3 = weights[0], weights[1], weights[2], weights[3]
    a0, a1, a2, a3 = weights[4], weights[5], weights[6], weights[7]
    b0, b1, b2, b3 = weights[8], weights[9], weights[10], weights[11]
    for y in range(half_height):
        top, low = 2 * y, min(2 * y + 1, height - 1)
        for x in range(width):
            luma[top, x] = _weigh(pixels[top, x], y0, y1, y2, y3)
        for x in range(width):
            luma[top + 1, x] = _weigh(pixels[low, x], y0, y1, y2, y3)
        luma[top, wide - 1] = luma[top, width - 1]
        luma[top + 1, wide - 1] = luma[top + 1, width - 1]
        for x in range(width >> 1):
            p, q = pixels[top, 2 * x], pixels[top, 2 * x + 1]
            r, s = pixels[low, 2 * x], pixels[low, 2 * x + 1]
            blue[y, x] = _weigh_four(p, q, r, s, a0, a1, a2, a3)
            red[y, x] = _weigh_four(p, q, r, s, b0, b1, b2, b3)
        if width & 1:
            p, r = pixels[top, width - 1], pixels[low, width - 1]
            blue[y, half_width - 1] = _weigh_four(p, p, r, r, a0, a1, a2, a3)
            red[y, half_width - 1] = _weigh_four(p, p, r, r, b0, b1, b2, b3)
    return 0


@kernel(types.int64(_PIXELS, types.int64, _PLANE, _PLANE, _WEIGHTS))
def convert_nv12(pixels: U32, width: int, luma: U8, chroma: U8, weights: I32) -> int:
    """Convert into two planes, Cb and Cr in turn in the second; 0, or BAD_SIZE, which leaves them alone.

    pixels   (height, >= width)   BGRx as little-endian words; rows may be longer than the picture
    width    of the picture
    luma     (>= height made even, >= width made even)
    chroma   (>= half the height, >= width made even)
    weights  (12,)   see ``realtime.colour.fixed_point``
    """
    height = int64(pixels.shape[0])
    wide, half_height = (width + 1) & ~1, (height + 1) >> 1
    if width < 1 or width > pixels.shape[1] or height < 1 or weights.size != _WEIGHT_COUNT:
        return BAD_SIZE
    if luma.shape[0] < 2 * half_height or luma.shape[1] < wide:
        return BAD_SIZE
    if chroma.shape[0] < half_height or chroma.shape[1] < wide:
        return BAD_SIZE
    y0, y1, y2, y3 = weights[0], weights[1], weights[2], weights[3]
    a0, a1, a2, a3 = weights[4], weights[5], weights[6], weights[7]
    b0, b1, b2, b3 = weights[8], weights[9], weights[10], weights[11]
    for y in range(half_height):
        top, low = 2 * y, min(2 * y + 1, height - 1)
        for x in range(width):
            luma[top, x] = _weigh(pixels[top, x], y0, y1, y2, y3)
        for x in range(width):
            luma[top + 1, x] = _weigh(pixels[low, x], y0, y1, y2, y3)
        luma[top, wide - 1] = luma[top, width - 1]
        luma[top + 1, wide - 1] = luma[top + 1, width - 1]
        for x in range(width >> 1):
            p, q = pixels[top, 2 * x], pixels[top, 2 * x + 1]
            r, s = pixels[low, 2 * x], pixels[low, 2 * x + 1]
            chroma[y, 2 * x] = _weigh_four(p, q, r, s, a0, a1, a2, a3)
            chroma[y, 2 * x + 1] = _weigh_four(p, q, r, s, b0, b1, b2, b3)
        if width & 1:
            p, r = pixels[top, width - 1], pixels[low, width - 1]
            chroma[y, width - 1] = _weigh_four(p, p, r, r, a0, a1, a2, a3)
            chroma[y, width] = _weigh_four(p, p, r, r, b0, b1, b2, b3)
    return 0
