"""The log of a receiver's newest packets: rows in a circle, written by one thread, copied by another.

A row (8,) has the sequence of the datagram (-1 in clear), CLOCK_MONOTONIC ns of its arrival, the 40 bytes of
the header as they came (five words: ``row[2:7].tobytes()`` for ``wire.native.packet``) and the bytes of
header and shard.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import LocalProtocolError

I64 = NDArray[np.int64]
ROW_WORDS: Final = 8


def new_log(row_count: int) -> I64:
    """Make a log of so many rows, a power of two or none; LocalProtocolError for another count."""
    if row_count < 0 or row_count & (row_count - 1):
        raise LocalProtocolError(f"a log of {row_count} packets: it must be a power of two")
    log = np.zeros((row_count, ROW_WORDS), np.int64)
    log.fill(0)  # touch every page now
    return log


def copy_log(log: I64, since: int, count: Callable[[], int]) -> tuple[I64, int]:
    """Copy the rows from packet number ``since`` on, and say what number comes next.

    ``count`` tells how many packets were logged so far. What was overwritten meanwhile is left out, so fewer
    may come than were logged.
    """
    row_count, end = len(log), count()
    begin = max(since, end - row_count)
    rows = log[np.arange(begin, end) & (row_count - 1)]
    passed = count() + 1 - row_count - begin  # one more may be half written
    return rows[max(passed, 0) :], end
