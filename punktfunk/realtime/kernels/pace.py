"""When datagrams may leave, and waiting until then; the stop word ends a wait within milliseconds."""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import load_acquire, words_at
from punktfunk.realtime.kernels.jit import entry, int64, kernel
from punktfunk.realtime.kernels.layout import (
    PACE_BURST_COUNT,
    PACE_STEP_NS,
    PACE_WORD_COUNT,
    STOPPED,
    WORD_STOP,
)
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


@entry("int64(int64, int64, int64, int64, int64)")
def deadline(_context: int, start_ns: int, window_ns: int, first: int, total: int) -> int:
    """When the group that begins with datagram ``first`` may leave: datagrams spread evenly over the window.

    _context       not used by this one
    start_ns       CLOCK_MONOTONIC time at which the frame was begun
    window_ns      time that the frame may take
    first, total   datagrams of the frame that went before, and all that it has
    """
    return start_ns + window_ns * first // total


@entry("int64(int64, int64, int64, int64, int64)")
def capped_deadline(context: int, start_ns: int, _window_ns: int, first: int, _total: int) -> int:
    """When the group that begins with datagram ``first`` may leave: a burst at once, the rest at a rate.

    context       address of the PACE_* words
    start_ns      CLOCK_MONOTONIC time at which the frame was begun
    _window_ns    not used: the caller bounds what comes out by it
    first         datagrams of the frame that went before
    _total        not used
    """
    words = words_at(context, PACE_WORD_COUNT)
    late_count = max(first - words[PACE_BURST_COUNT], int64(0))
    return int64(start_ns + late_count * words[PACE_STEP_NS])
