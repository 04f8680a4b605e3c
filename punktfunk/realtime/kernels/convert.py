"""BGRx pictures into the planes of an encoder: I420 and NV12, 8 bit, chroma at half the size both ways.

Twin of ``realtime.reference.convert``. A chroma sample is the mean of its four pixels. Odd sizes are made
even by repeating the last column and row. Weights are arguments, see ``realtime.colour.fixed_point``.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from punktfunk.realtime.kernels.jit import int64, intrinsic, kernel
from punktfunk.realtime.kernels.layout import BAD_SIZE

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
I32 = NDArray[np.int32]

_WEIGHT_COUNT = 12
_FRACTION_BITS = 15
_I8, _I32 = ir.IntType(8), ir.IntType(32)
_PIXELS = types.Array(types.uint32, 2, "C", readonly=True)  # a compositor's memory may be mapped so
_PLANE, _WEIGHTS = types.uint8[:, ::1], types.int32[::1]


def _channel(builder: Any, pixel: Any, shift: int) -> Any:
    return builder.and_(builder.lshr(pixel, _I32(shift)), _I32(255))


def _weigh(builder: Any, channels: Any, weights: Any, shift: int) -> Any:
    """One sample in 32 bits. Written in Numba it would be 64: every product widens, and vectors hold half."""
    total = weights[3]
    for channel, weight in zip(channels, weights[:3], strict=True):
        total = builder.add(total, builder.mul(channel, weight))
    sample = builder.ashr(total, _I32(shift))
    # Full range puts pure blue and red at 255.5: rounded it would wrap to 0. Nothing comes out below 0.
    top = _I32(255)
    return builder.trunc(builder.select(builder.icmp_signed(">", sample, top), top, sample), _I8)


@intrinsic
def luma_of(_typing: Any, _pixel: Any, _red: Any, _green: Any, _blue: Any, _rest: Any) -> Any:
    """Weigh one BGRx pixel: (red, green, blue) times weights, plus rest, over 2**15."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        channels = [_channel(builder, arguments[0], shift) for shift in (16, 8, 0)]
        return _weigh(builder, channels, arguments[1:], _FRACTION_BITS)

    return types.uint8(types.uint32, *[types.int32] * 4), generate


@intrinsic
def chroma_of(
    _typing: Any, _p0: Any, _p1: Any, _p2: Any, _p3: Any, _red: Any, _green: Any, _blue: Any, _rest: Any
) -> Any:
    """Weigh the mean of four BGRx pixels; ``rest`` is that of one pixel."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        channels = []
        for shift in (16, 8, 0):
            parts = [_channel(builder, pixel, shift) for pixel in arguments[:4]]
            pairs = builder.add(parts[0], parts[1]), builder.add(parts[2], parts[3])
            channels.append(builder.add(*pairs))
        weights = [*arguments[4:7], builder.shl(arguments[7], _I32(2))]
        return _weigh(builder, channels, weights, _FRACTION_BITS + 2)

    return types.uint8(*[types.uint32] * 4, *[types.int32] * 4), generate


@kernel(types.int64(_PIXELS, types.int64, _PLANE, _WEIGHTS))
def fill_luma(pixels: U32, width: int, luma: U8, weights: I32) -> int:
    """Fill the luma plane; 0, or BAD_SIZE.

    pixels    (height, >= width)   BGRx as little-endian words
    width     of the picture
    luma      (>= height made even, >= width made even)
    weights   (12,)   the first four are used
    """
    height = int64(pixels.shape[0])
    wide, high = width + (width & 1), height + (height & 1)
    if width < 1 or width > pixels.shape[1] or height < 1 or weights.size != _WEIGHT_COUNT:
        return BAD_SIZE
    if luma.shape[0] < high or luma.shape[1] < wide:
        return BAD_SIZE
    red, green, blue, rest = weights[0], weights[1], weights[2], weights[3]
    for y in range(high):
        row = min(y, height - 1)
        for x in range(width):
            luma[y, x] = luma_of(pixels[row, x], red, green, blue, rest)
        luma[y, wide - 1] = luma[y, width - 1]
    return 0


@kernel(types.int64(_PIXELS, types.int64, _PLANE, _PLANE, _PLANE, _WEIGHTS))
def convert_i420(pixels: U32, width: int, luma: U8, blue: U8, red: U8, weights: I32) -> int:
    """Convert into three planes; 0, or BAD_SIZE, which leaves chroma alone.

    pixels      (height, >= width)   BGRx as little-endian words; rows may be longer than the picture
    width       of the picture
    luma        (>= height made even, >= width made even)
    blue, red   (>= half of that, >= half of that)   Cb and Cr
    weights     (12,)   see ``realtime.colour.fixed_point``
    """
    height = int64(pixels.shape[0])
    half_width, half_height = (width + 1) >> 1, (height + 1) >> 1
    if min(blue.shape[0], red.shape[0]) < half_height or min(blue.shape[1], red.shape[1]) < half_width:
        return BAD_SIZE
    code = fill_luma(pixels, width, luma, weights)
    if code < 0:
        return code
    a0, a1, a2, a3 = weights[4], weights[5], weights[6], weights[7]
    b0, b1, b2, b3 = weights[8], weights[9], weights[10], weights[11]
    for y in range(half_height):
        top, low = 2 * y, min(2 * y + 1, height - 1)
        for x in range(width >> 1):
            p, q = pixels[top, 2 * x], pixels[top, 2 * x + 1]
            r, s = pixels[low, 2 * x], pixels[low, 2 * x + 1]
            blue[y, x] = chroma_of(p, q, r, s, a0, a1, a2, a3)
            red[y, x] = chroma_of(p, q, r, s, b0, b1, b2, b3)
        if width & 1:
            p, r = pixels[top, width - 1], pixels[low, width - 1]
            blue[y, half_width - 1] = chroma_of(p, p, r, r, a0, a1, a2, a3)
            red[y, half_width - 1] = chroma_of(p, p, r, r, b0, b1, b2, b3)
    return 0


@kernel(types.int64(_PIXELS, types.int64, _PLANE, _PLANE, _WEIGHTS))
def convert_nv12(pixels: U32, width: int, luma: U8, chroma: U8, weights: I32) -> int:
    """Convert into two planes, Cb and Cr in turn in the second; 0, or BAD_SIZE, which leaves chroma alone.

    pixels   (height, >= width)   BGRx as little-endian words; rows may be longer than the picture
    width    of the picture
    luma     (>= height made even, >= width made even)
    chroma   (>= half the height, >= width made even)
    weights  (12,)   see ``realtime.colour.fixed_point``
    """
    height = int64(pixels.shape[0])
    half_width, half_height = (width + 1) >> 1, (height + 1) >> 1
    if chroma.shape[0] < half_height or chroma.shape[1] < 2 * half_width:
        return BAD_SIZE
    code = fill_luma(pixels, width, luma, weights)
    if code < 0:
        return code
    a0, a1, a2, a3 = weights[4], weights[5], weights[6], weights[7]
    b0, b1, b2, b3 = weights[8], weights[9], weights[10], weights[11]
    for y in range(half_height):
        top, low = 2 * y, min(2 * y + 1, height - 1)
        for x in range(width >> 1):
            p, q = pixels[top, 2 * x], pixels[top, 2 * x + 1]
            r, s = pixels[low, 2 * x], pixels[low, 2 * x + 1]
            chroma[y, 2 * x] = chroma_of(p, q, r, s, a0, a1, a2, a3)
            chroma[y, 2 * x + 1] = chroma_of(p, q, r, s, b0, b1, b2, b3)
        if width & 1:
            p, r = pixels[top, width - 1], pixels[low, width - 1]
            chroma[y, width - 1] = chroma_of(p, p, r, r, a0, a1, a2, a3)
            chroma[y, width] = chroma_of(p, p, r, r, b0, b1, b2, b3)
    return 0
