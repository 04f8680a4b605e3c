"""BGRx pictures into another size, in whole arrays: the judge of ``kernels.scale``."""

import numpy as np
from numpy.typing import NDArray

U32 = NDArray[np.uint32]
I32 = NDArray[np.int32]


def _channels(pixels: U32) -> NDArray[np.int64]:
    """(rows, columns, 4) of the bytes of every word."""
    return np.stack([pixels >> shift & 255 for shift in (0, 8, 16, 24)], axis=-1).astype(np.int64)


def _words(channels: NDArray[np.int64]) -> U32:
    words: NDArray[np.int64] = (channels << np.array([0, 8, 16, 24])).sum(axis=-1)
    return words.astype(np.uint32)


def halve(source: U32, target: U32) -> int:
    """Average four by four."""
    height, width = target.shape
    seen = _channels(source[: 2 * height, : 2 * width])
    total = seen[::2, ::2] + seen[::2, 1::2] + seen[1::2, ::2] + seen[1::2, 1::2]
    target[:] = _words(total // 4)
    return 0


def stretch(source: U32, width: int, columns: I32, rows: I32, _mixed: U32, target: U32, left: int) -> int:
    """Mix rows, then columns, each rounded down."""
    seen = _channels(source[:, :width])
    for axis, places in ((0, rows[: target.shape[0]]), (1, columns)):
        last = seen.shape[axis] - 1
        first = np.minimum(places >> 8, last)
        parts = (places & 255).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        one, other = seen.take(first, axis), seen.take(np.minimum(first + 1, last), axis)
        seen = (one * (256 - parts) + other * parts) // 256
    target[:, left : left + columns.size] = _words(seen)
    return 0
