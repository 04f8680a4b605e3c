"""Waiting inside a kernel until a time; the stop word ends it within milliseconds."""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import load_acquire
from punktfunk.realtime.kernels.jit import kernel
from punktfunk.realtime.kernels.layout import STOPPED, WORD_STOP
from punktfunk.realtime.kernels.system import monotonic_ns, sleep_to_ns

_SLICE_NS = 5_000_000  # how long a stop may go unnoticed


@kernel("int64(int64[::1], int64)")
def sleep_until(words: NDArray[np.int64], deadline_ns: int) -> int:
    """Sleep until ``deadline_ns``; 0 when it has come, STOPPED when the stop word was set first.

    words         sender words; only WORD_STOP is read
    deadline_ns   CLOCK_MONOTONIC; in the past: answers at once
    """
    while True:
        if load_acquire(words, WORD_STOP) != 0:
            return STOPPED
        now_ns = monotonic_ns()
        if now_ns >= deadline_ns:
            return 0
        sleep_to_ns(min(deadline_ns, now_ns + _SLICE_NS))
