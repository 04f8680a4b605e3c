"""Rows and words at addresses, as arrays: what the twins of entries read and write. Nothing is checked."""

import ctypes

import numpy as np
from numpy.typing import NDArray


def bytes_at(address: int, count: int) -> NDArray[np.uint8]:
    """View ``count`` bytes."""
    return np.ctypeslib.as_array((ctypes.c_uint8 * count).from_address(address))


def words_at(address: int, count: int) -> NDArray[np.int64]:
    """View ``count`` int64 words."""
    return np.ctypeslib.as_array((ctypes.c_int64 * count).from_address(address))


def rows_at(address: int, stride: int, count: int, row_bytes: int) -> list[NDArray[np.uint8]]:
    """View the first ``row_bytes`` of each of ``count`` rows."""
    return [bytes_at(address + i * stride, row_bytes) for i in range(count)]
