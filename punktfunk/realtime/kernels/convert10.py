"""Pictures of ten bits for each colour into planes of ten bits: 4:2:0 planar, P010, 4:4:4.

Twin of ``realtime.reference.convert10``. Pixels are words 0b2:10:10:10 of x, red, green, blue. Samples lie in
16 bits; ``shift`` moves them up: 0 for FFmpeg's yuv420p10le and yuv444p10le, 6 for p010le and yuv444p16le,
which keep the ten bits at the top. Odd sizes are made even by repeating the last column and row.
"""

import numpy as np
from numba import types
from numpy.typing import NDArray

from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.kernels.weigh import four_weigher, move_up, pixel_weigher

U16 = NDArray[np.uint16]
U32 = NDArray[np.uint32]
I32 = NDArray[np.int32]

_WEIGHT_COUNT = 12
_PIXELS = types.Array(types.uint32, 2, "C", readonly=True)
_PLANE, _WEIGHTS = types.uint16[:, ::1], types.int32[::1]
_weigh = pixel_weigher(10)
_weigh_four = four_weigher(10)


@kernel(types.int64(_PIXELS, types.int64, _PLANE, _PLANE, _PLANE, _WEIGHTS, types.int64))
def convert_420_10(pixels: U32, width: int, luma: U16, blue: U16, red: U16, weights: I32, shift: int) -> int:
    """Convert into three planes, chroma of half size; 0, or BAD_SIZE, which leaves them alone.

    pixels      (height, >= width)   2:10:10:10 words; rows may be longer than the picture
    width       of the picture
    luma        (>= height made even, >= width made even)
    blue, red   (>= half of that, >= half of that)   Cb and Cr
    weights     (12,)   see ``realtime.colour.fixed_point``, of ten bits
    shift       0 to 6
    """
    height = int64(pixels.shape[0])
    wide, half_width, half_height = (width + 1) & ~1, (width + 1) >> 1, (height + 1) >> 1
    if width < 1 or width > pixels.shape[1] or height < 1 or weights.size != _WEIGHT_COUNT:
        return BAD_SIZE
    if luma.shape[0] < 2 * half_height or luma.shape[1] < wide or shift < 0 or shift > 6:
        return BAD_SIZE
    if min(blue.shape[0], red.shape[0]) < half_height or min(blue.shape[1], red.shape[1]) < half_width:
        return BAD_SIZE
    y0, y1, y2, y3 = weights[0], weights[1], weights[2], weights[3]
    a0, a1, a2, a3 = weights[4], weights[5], weights[6], weights[7]
    b0, b1, b2, b3 = weights[8], weights[9], weights[10], weights[11]
    up = np.uint16(shift)
    for y in range(half_height):
        top, low = 2 * y, min(2 * y + 1, height - 1)
        for x in range(width):
            luma[top, x] = move_up(_weigh(pixels[top, x], y0, y1, y2, y3), up)
        for x in range(width):
            luma[top + 1, x] = move_up(_weigh(pixels[low, x], y0, y1, y2, y3), up)
        luma[top, wide - 1] = luma[top, width - 1]
        luma[top + 1, wide - 1] = luma[top + 1, width - 1]
        for x in range(width >> 1):
            p, q = pixels[top, 2 * x], pixels[top, 2 * x + 1]
            r, s = pixels[low, 2 * x], pixels[low, 2 * x + 1]
            blue[y, x] = move_up(_weigh_four(p, q, r, s, a0, a1, a2, a3), up)
            red[y, x] = move_up(_weigh_four(p, q, r, s, b0, b1, b2, b3), up)
        if width & 1:
            p, r = pixels[top, width - 1], pixels[low, width - 1]
            blue[y, half_width - 1] = move_up(_weigh_four(p, p, r, r, a0, a1, a2, a3), up)
            red[y, half_width - 1] = move_up(_weigh_four(p, p, r, r, b0, b1, b2, b3), up)
    return 0


@kernel(types.int64(_PIXELS, types.int64, _PLANE, _PLANE, _WEIGHTS, types.int64))
def convert_p010(pixels: U32, width: int, luma: U16, chroma: U16, weights: I32, shift: int) -> int:
    """Convert into two planes, Cb and Cr in turn in the second; 0, or BAD_SIZE, which leaves them alone.

    pixels   (height, >= width)   2:10:10:10 words; rows may be longer than the picture
    width    of the picture
    luma     (>= height made even, >= width made even)
    chroma   (>= half the height, >= width made even)
    weights  (12,)   see ``realtime.colour.fixed_point``, of ten bits
    shift    0 to 6
    """
    height = int64(pixels.shape[0])
    wide, half_height = (width + 1) & ~1, (height + 1) >> 1
    if width < 1 or width > pixels.shape[1] or height < 1 or weights.size != _WEIGHT_COUNT:
        return BAD_SIZE
    if luma.shape[0] < 2 * half_height or luma.shape[1] < wide or shift < 0 or shift > 6:
        return BAD_SIZE
    if chroma.shape[0] < half_height or chroma.shape[1] < wide:
        return BAD_SIZE
    y0, y1, y2, y3 = weights[0], weights[1], weights[2], weights[3]
    a0, a1, a2, a3 = weights[4], weights[5], weights[6], weights[7]
    b0, b1, b2, b3 = weights[8], weights[9], weights[10], weights[11]
    up = np.uint16(shift)
    for y in range(half_height):
        top, low = 2 * y, min(2 * y + 1, height - 1)
        for x in range(width):
            luma[top, x] = move_up(_weigh(pixels[top, x], y0, y1, y2, y3), up)
        for x in range(width):
            luma[top + 1, x] = move_up(_weigh(pixels[low, x], y0, y1, y2, y3), up)
        luma[top, wide - 1] = luma[top, width - 1]
        luma[top + 1, wide - 1] = luma[top + 1, width - 1]
        for x in range(width >> 1):
            p, q = pixels[top, 2 * x], pixels[top, 2 * x + 1]
            r, s = pixels[low, 2 * x], pixels[low, 2 * x + 1]
            chroma[y, 2 * x] = move_up(_weigh_four(p, q, r, s, a0, a1, a2, a3), up)
            chroma[y, 2 * x + 1] = move_up(_weigh_four(p, q, r, s, b0, b1, b2, b3), up)
        if width & 1:
            p, r = pixels[top, width - 1], pixels[low, width - 1]
            chroma[y, width - 1] = move_up(_weigh_four(p, p, r, r, a0, a1, a2, a3), up)
            chroma[y, width] = move_up(_weigh_four(p, p, r, r, b0, b1, b2, b3), up)
    return 0


@kernel(types.int64(_PIXELS, types.int64, _PLANE, _PLANE, _PLANE, _WEIGHTS, types.int64))
def convert_444_10(pixels: U32, width: int, luma: U16, blue: U16, red: U16, weights: I32, shift: int) -> int:
    """Convert into three planes of full size; 0, or BAD_SIZE, which leaves them alone.

    pixels            (height, >= width)   2:10:10:10 words; rows may be longer than the picture
    width             of the picture
    luma, blue, red   (>= height made even, >= width made even)   Y, Cb and Cr
    weights           (12,)   see ``realtime.colour.fixed_point``, of ten bits
    shift             0 to 6
    """
    height = int64(pixels.shape[0])
    wide, high = width + (width & 1), height + (height & 1)
    if width < 1 or width > pixels.shape[1] or height < 1 or weights.size != _WEIGHT_COUNT:
        return BAD_SIZE
    if min(luma.shape[0], blue.shape[0], red.shape[0]) < high or shift < 0 or shift > 6:
        return BAD_SIZE
    if min(luma.shape[1], blue.shape[1], red.shape[1]) < wide:
        return BAD_SIZE
    y0, y1, y2, y3 = weights[0], weights[1], weights[2], weights[3]
    a0, a1, a2, a3 = weights[4], weights[5], weights[6], weights[7]
    b0, b1, b2, b3 = weights[8], weights[9], weights[10], weights[11]
    up = np.uint16(shift)
    for y in range(high):
        row = min(y, height - 1)
        for x in range(width):
            pixel = pixels[row, x]
            luma[y, x] = move_up(_weigh(pixel, y0, y1, y2, y3), up)
            blue[y, x] = move_up(_weigh(pixel, a0, a1, a2, a3), up)
            red[y, x] = move_up(_weigh(pixel, b0, b1, b2, b3), up)
        luma[y, wide - 1] = luma[y, width - 1]
        blue[y, wide - 1] = blue[y, width - 1]
        red[y, wide - 1] = red[y, width - 1]
    return 0
