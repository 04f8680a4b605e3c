"""Memory that ends where it ends: bytes between two pages that nobody may touch.

A variant that reads or writes one byte too far crashes at once, in the child that checks it, instead of
spoiling a neighbour in the host.
"""

import ctypes
import mmap
from typing import Final

import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import EnvironmentProblem

U8 = NDArray[np.uint8]
_NOTHING: Final = 0  # PROT_NONE
_PAGE: Final = mmap.PAGESIZE


def guarded(size: int, *, at_end: bool) -> U8:
    """Allocate ``size`` bytes that begin right after a forbidden page, or end right before one."""
    inside = -(-max(size, 1) // _PAGE) * _PAGE
    area = np.frombuffer(mmap.mmap(-1, inside + 2 * _PAGE), np.uint8)
    _forbid(area.ctypes.data)
    _forbid(area.ctypes.data + _PAGE + inside)
    begin = _PAGE + (inside - size if at_end else 0)
    return area[begin : begin + size]


def rows_of(area: U8, count: int, stride: int, row_bytes: int) -> U8:
    """View ``count`` rows that lie ``stride`` apart; the last has no bytes behind it."""
    return np.lib.stride_tricks.as_strided(area, (count, row_bytes), (stride, 1))


def _forbid(address: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(_PAGE), _NOTHING) != 0:
        raise EnvironmentProblem(
            f"mprotect refused a page (errno {ctypes.get_errno()})",
            hint="Too many mappings? See vm.max_map_count.",
        )
