"""BGRx pictures into another size: bilinear between pixels, after halving where they shrink much.

Twin of ``realtime.reference.scale``. Two channels are weighed at once in one 32-bit word: a channel of 8 bits
times a weight of 0 to 256 stays in its 16 bits.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from punktfunk.realtime.kernels.jit import int64, intrinsic, kernel
from punktfunk.realtime.kernels.layout import BAD_SIZE

U32 = NDArray[np.uint32]
I32 = NDArray[np.int32]

_I32 = ir.IntType(32)
_EVEN, _ODD = 0x00FF00FF, 0xFF00FF00
_PIXELS = types.Array(types.uint32, 2, "C", readonly=True)  # a compositor's memory may be mapped so
_ROW, _TARGET = types.uint32[::1], types.uint32[:, ::1]


@intrinsic
def blend(_typing: Any, _one: Any, _other: Any, _part: Any) -> Any:
    """Mix two pixels: (256 - part) of one and part of the other, over 256. In Numba it would take 64 bits."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        one, other, part = arguments
        rest = builder.sub(_I32(256), part)
        even, odd = _I32(_EVEN), _I32(_ODD)
        low = builder.add(
            builder.mul(builder.and_(one, even), rest), builder.mul(builder.and_(other, even), part)
        )
        upper = [builder.and_(builder.lshr(pixel, _I32(8)), even) for pixel in (one, other)]
        high = builder.add(builder.mul(upper[0], rest), builder.mul(upper[1], part))
        return builder.or_(builder.and_(builder.lshr(low, _I32(8)), even), builder.and_(high, odd))

    return types.uint32(types.uint32, types.uint32, types.uint32), generate


@intrinsic
def mean_of_four(_typing: Any, _p: Any, _q: Any, _r: Any, _s: Any) -> Any:
    """Return the mean of four pixels, channel by channel, rounded down."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        even = _I32(_EVEN)
        low, high = _I32(0), _I32(0)
        for pixel in arguments:
            low = builder.add(low, builder.and_(pixel, even))
            high = builder.add(high, builder.and_(builder.lshr(pixel, _I32(8)), even))
        low = builder.and_(builder.lshr(low, _I32(2)), even)
        high = builder.shl(builder.and_(builder.lshr(high, _I32(2)), even), _I32(8))
        return builder.or_(low, high)

    return types.uint32(*[types.uint32] * 4), generate


@kernel(types.int64(_PIXELS, _TARGET))
def halve(source: U32, target: U32) -> int:
    """Fill the target with means of four; 0, or BAD_SIZE. An odd last row or column is left out.

    source   (>= 2 * height, >= 2 * width)   BGRx
    target   (height, width)
    """
    height, width = int64(target.shape[0]), int64(target.shape[1])
    if source.shape[0] < 2 * height or source.shape[1] < 2 * width:
        return BAD_SIZE
    for y in range(height):
        for x in range(width):
            target[y, x] = mean_of_four(
                source[2 * y, 2 * x],
                source[2 * y, 2 * x + 1],
                source[2 * y + 1, 2 * x],
                source[2 * y + 1, 2 * x + 1],
            )
    return 0


@kernel(types.int64(_PIXELS, types.int64, types.int32[::1], types.int32[::1], _ROW, _TARGET, types.int64))
def stretch(source: U32, width: int, columns: I32, rows: I32, mixed: U32, target: U32, left: int) -> int:
    """Fill a part of the target bilinearly; 0, or BAD_SIZE.

    source    (height, >= width)   BGRx; rows may be longer than the picture
    width     of the picture
    columns   (any,)   place of each column in the source, in 1/256 pixel
    rows      (>= height of the target,)   likewise for rows; both at least 0, and inside the source
    mixed     (>= width,)   for one row of the source
    target    (any, >= left + columns)
    left      where the first column goes
    """
    height, count = int64(source.shape[0]), int64(columns.size)
    if source.shape[1] < width or mixed.size < width:
        return BAD_SIZE
    if target.shape[1] < left + count or left < 0 or rows.size < target.shape[0]:
        return BAD_SIZE
    for y in range(target.shape[0]):
        top = min(int64(rows[y]) >> 8, height - 1)
        low, part = min(top + 1, height - 1), np.uint32(rows[y] & 255)
        for x in range(width):
            mixed[x] = blend(source[top, x], source[low, x], part)
        for x in range(count):
            first = min(int64(columns[x]) >> 8, width - 1)
            second = min(first + 1, width - 1)
            target[y, left + x] = blend(mixed[first], mixed[second], np.uint32(columns[x] & 255))
    return 0
