"""A stream's two ends as threads that hold no GIL: units pushed at ticks, frames taken and compared.

Instruments of ``bench throughput``: an encoder and a decoder that cost as little as they can.
"""

import numpy as np
from numba import types
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import address_of, load_acquire
from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    EMPTY,
    RECORD_CAPTURED_NS,
    RECORD_ENCODED_NS,
    RECORD_HEADER_WORD_COUNT,
    RECORD_SEQUENCE,
    RECORD_TIMESTAMP,
)
from punktfunk.realtime.kernels.ring import deliver, pop
from punktfunk.realtime.kernels.system import drain_eventfd, monotonic_ns, sleep_to_ns, wait_fd

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]

_memcmp = types.ExternalFunction("memcmp", types.int32(types.int64, types.int64, types.int64))

_READABLE = 1
_IDLE_MS = 100
_INDEX = 0xFFFFFFFF


@kernel("int64(int64[::1], int64[::1], int64[::1], uint8[:, ::1], int64, int64, int64[::1])")
def feed_units(
    ring_words: I64, ring: I64, header: I64, units: U8, doorbell: int, interval_ns: int, pushed_ns: I64
) -> int:
    """Push a unit at every tick, one after the other in turns; how many old ones were dropped, or BAD_SIZE.

    ring_words, ring   of the sender
    header         (RECORD_HEADER_WORD_COUNT,)   of the frame before the first, whose sequence goes on
    units          (count, bytes)   unit n goes out as frame n, n + count, ... of the sequence
    doorbell       eventfd of the sender
    interval_ns    between two ticks, the first of which is one from now
    pushed_ns      (frames,)   receives when each push began; also the frame's pts
    """
    if header.size < RECORD_HEADER_WORD_COUNT or units.shape[0] < 1:
        return BAD_SIZE
    dropped, tick_ns = int64(0), monotonic_ns()
    for frame in range(pushed_ns.size):
        tick_ns += interval_ns
        sleep_to_ns(tick_ns)
        pushed_ns[frame] = monotonic_ns()
        header[RECORD_SEQUENCE] += 1
        header[RECORD_CAPTURED_NS] = header[RECORD_TIMESTAMP] = tick_ns
        header[RECORD_ENCODED_NS] = pushed_ns[frame]
        unit = (header[RECORD_SEQUENCE] - 1) % int64(units.shape[0])
        code = deliver(ring_words, ring, header, units[unit], doorbell)
        if code < 0:
            return code
        dropped += code
    return dropped


@kernel("int64(int64[::1], int64[::1], int64[::1], uint8[::1], uint8[:, ::1], int64, int64[::1], int64[::1])")
def check_units(
    ring_words: I64,
    ring: I64,
    header: I64,
    target: U8,
    units: U8,
    doorbell: int,
    complete_ns: I64,
    stop: I64,
) -> int:
    """Take frames until told to stop and nothing is left; how many of their bytes were wrong, or BAD_SIZE.

    ring_words, ring   of the receiver
    header         (RECORD_HEADER_WORD_COUNT,)   room for one
    target         (bytes,)   room for the largest frame
    units          (count, bytes)   frame n must be unit n modulo count
    doorbell       eventfd of the receiver
    complete_ns    (frames,)   receives when each frame was complete; those beyond are only compared
    stop           (1,)   1 once nothing more will come
    """
    if header.size < RECORD_HEADER_WORD_COUNT or units.shape[0] < 1:
        return BAD_SIZE
    wrong = int64(0)
    while True:
        stopping = load_acquire(stop, 0)
        size = pop(ring_words, ring, header, target, 0)
        if size == EMPTY:
            if stopping:
                return wrong
            wait_fd(doorbell, _READABLE, _IDLE_MS)
            drain_eventfd(doorbell)
            continue
        if size < 0:
            return size
        index = header[2] & _INDEX
        if index < complete_ns.size:
            complete_ns[index] = header[5]
        unit = units[index % int64(units.shape[0])]
        same = min(size, int64(unit.size))
        if _memcmp(address_of(target), address_of(unit), same) != 0:
            for i in range(same):
                wrong += int64(target[i] != unit[i])
        wrong += max(size, int64(unit.size)) - same
