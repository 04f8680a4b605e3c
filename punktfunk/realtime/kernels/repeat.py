"""The same call many times in a row, for benchmarks: what is timed is the entry, not Python's way to it.

A call from Python to a kernel of eight arguments costs about as much as the parity of a small block. Both
sides of a comparison go through here, memcpy too, so both have the same loop around them.
"""

import numpy as np
from numba import types
from numpy.typing import NDArray

from punktfunk.realtime.kernels.calls import call_address
from punktfunk.realtime.kernels.jit import entry, int64, kernel
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    RECORD_CAPTURED_NS,
    RECORD_ENCODED_NS,
    RECORD_HEADER_WORD_COUNT,
    RECORD_SEQUENCE,
)
from punktfunk.realtime.kernels.ring import deliver
from punktfunk.realtime.kernels.system import monotonic_ns, sleep_to_ns
from punktfunk.realtime.kernels.views import words_at

I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
_WORDS = types.int64[::1]
_READ_ONLY = types.Array(types.uint8, 1, "C", readonly=True)


@kernel("int64(int64, int64[::1], int64)")
def repeat_entry(address: int, words: I64, times: int) -> int:
    """Call an entry ``times`` times with the same arguments; its last result, or the first below zero.

    address   of an entry, or of a C function of as many 64-bit arguments
    words     (3,), (5,), (8,), (9,) or (10,)   the arguments; BAD_SIZE for any other count
    times     how often; none at all answers 0

    The caller vouches for every address in ``words``. Nothing is hoisted out of the loop, as the compiler
    knows nothing of a function behind an address.
    """
    if words.size not in (3, 5, 8, 9, 10):
        return BAD_SIZE
    result: int = int64(0)
    for _ in range(times):
        a, b, c = words[0], words[1], words[2]
        if words.size == 3:
            result = call_address(address, (a, b, c))
        elif words.size == 5:
            result = call_address(address, (a, b, c, words[3], words[4]))
        else:
            d, e, f, g, h = words[3], words[4], words[5], words[6], words[7]
            if words.size == 8:
                result = call_address(address, (a, b, c, d, e, f, g, h))
            elif words.size == 9:
                result = call_address(address, (a, b, c, d, e, f, g, h, words[8]))
            else:
                result = call_address(address, (a, b, c, d, e, f, g, h, words[8], words[9]))
        if result < 0:
            break
    return result


@kernel(types.int64(_WORDS, _WORDS, _WORDS, _READ_ONLY, types.int64, types.int64, types.int64))
def feed_frames(
    ring_words: I64, ring: I64, header: I64, frame: U8, doorbell: int, interval_ns: int, count: int
) -> int:
    """Be the encoder: push a frame and ring the doorbell at every tick; how many old ones were dropped.

    ring_words, ring   of the sender
    header         (RECORD_HEADER_WORD_COUNT,)   of the frame before the first, whose sequence goes on
    frame          (bytes,)   the same every time
    doorbell       eventfd of the sender
    interval_ns    between two ticks, the first of which is one from now
    count          frames

    The log will say that a frame was captured at its tick and encoded when its push began. BAD_SIZE for a
    header or a frame that does not fit.
    """
    if header.size < RECORD_HEADER_WORD_COUNT:
        return BAD_SIZE
    dropped = int64(0)
    tick_ns = monotonic_ns()
    for _ in range(count):
        tick_ns += interval_ns
        sleep_to_ns(tick_ns)
        header[RECORD_SEQUENCE] += 1
        header[RECORD_CAPTURED_NS], header[RECORD_ENCODED_NS] = tick_ns, monotonic_ns()
        code = deliver(ring_words, ring, header, frame, doorbell)
        if code < 0:
            return code
        dropped += code
    return dropped


@kernel("int64(int64[:, ::1], int64, int64)")
def loop_at_ticks(times: I64, interval_ns: int, read_count: int) -> int:
    """Read the clock so often at every tick and do nothing else: what a frame is compared to.

    times          (ticks, 3)   receives each tick, when its loop began and when it ended, CLOCK_MONOTONIC
    interval_ns    between two ticks, the first of which is one from now
    read_count     how often the clock is read at a tick; none at all ends the loop as it begins

    The count is what is fixed, not the end, so that time which is taken from the thread comes on top, as it
    does of a frame. BAD_SIZE for other than three columns.
    """
    if times.shape[1] != 3:
        return BAD_SIZE
    tick_ns = monotonic_ns()
    for tick in range(times.shape[0]):
        tick_ns += interval_ns
        sleep_to_ns(tick_ns)
        now_ns = monotonic_ns()
        times[tick, 0], times[tick, 1] = tick_ns, now_ns
        for _ in range(read_count):
            now_ns = monotonic_ns()
        times[tick, 2] = now_ns
    return 0


@entry("int64(int64, int64, int64, int64, int64)")
def choose_always(
    context: int, _data_count: int, _parity_count: int, _missing_count: int, _shard_bytes: int
) -> int:
    """Choose one decoder whatever is missing: the word at ``context``.

    _data_count, _parity_count, _missing_count, _shard_bytes   are what other choosers look at
    """
    return int64(words_at(context)[0])
