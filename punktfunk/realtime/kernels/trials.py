"""The two ends of every ring and wake-up, as bodies of threads: for benchmarks, and for tests of millions.

Each answers how many items were wrong, so a benchmark checks what it times. Run ``produce_`` and ``consume_``
on two threads; neither holds the GIL.
"""

import numpy as np
from numba import types
from numpy.typing import NDArray

from punktfunk.realtime.kernels import ring, slots
from punktfunk.realtime.kernels.atomics import relax
from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    EMPTY,
    FULL,
    RECORD_SEQUENCE,
    SLOT_WORD_COUNT,
)
from punktfunk.realtime.kernels.system import (
    add_to_eventfd,
    drain_eventfd,
    monotonic_ns,
    sleep_to_ns,
    wait_fd,
)
from punktfunk.realtime.kernels.udp import GROUP_BYTES_MAX, GROUP_MAX, send_rows

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]

TRIAL_STARTED_NS = 0
TRIAL_ENDED_NS = 1
TRIAL_RECEIVED = 2
TRIAL_WRONG = 3
TRIAL_WORD_COUNT = 4

_READABLE = 1
_PATIENCE_NS = 1_000_000_000  # a consumer that hears nothing for this long ends
_PATIENCE_MS = 1000
_BACK_OFF_COUNT = 32
_YIELD_TURN = 64
_sched_yield = types.ExternalFunction("sched_yield", types.int32())
_WORDS = types.int64[::1]
_READ_ONLY = types.Array(types.uint8, 1, "C", readonly=True)


@kernel("int64(int64)")
def _back_off(turn: int) -> int:
    """Give the other end time for more than one item; the next turn.

    Ends that look at each other's word all the time pass its cache line to and fro for every item: half the
    speed, and less. And they may be on one CPU, where only giving it away helps.
    """
    for _ in range(_BACK_OFF_COUNT):
        relax()
    if turn >= _YIELD_TURN:
        _sched_yield()
        return int64(0)
    return turn + 1


@kernel("int64(int64[::1], int64[::1], int64[::1], int64, int64)")
def produce_slots(words: I64, storage: I64, item: I64, count: int, newest: int) -> int:
    """Put ``count`` numbered items into a slot ring as fast as they go; 0 or BAD_SIZE.

    words, storage, item   as in ``slots.put``; the item is overwritten
    count    items: number i has the words i, i + 1, ... i + 7
    newest   0 puts each item until it is in, 1 drops the oldest when the ring is full
    """
    for number in range(count):
        for i in range(SLOT_WORD_COUNT):
            item[i] = number + i
        if newest:
            code = slots.put_newest(words, storage, item)
        else:
            code = slots.put(words, storage, item)
            turn = int64(0)
            while code == FULL:
                turn = _back_off(turn)
                code = slots.put(words, storage, item)
        if code < 0:
            return code
    return 0


@kernel("int64(int64[::1], int64[::1], int64[::1], int64, int64[::1])")
def consume_slots(words: I64, storage: I64, item: I64, count: int, results: I64) -> int:
    """Take what ``produce_slots`` puts until its last item came; how many were wrong, or BAD_SIZE.

    words, storage, item   as in ``slots.take``
    count     the producer's
    results   (TRIAL_WORD_COUNT,)   start and end in ns, received, wrong
    """
    last, received, wrong, turn = int64(-1), int64(0), int64(0), int64(0)
    results[TRIAL_STARTED_NS] = monotonic_ns()
    while last < count - 1:
        code = slots.take(words, storage, item)
        if code == BAD_SIZE:
            return BAD_SIZE
        if code == EMPTY:
            turn = _back_off(turn)
            continue
        number = item[0]
        bad = number <= last or number != code
        for i in range(1, SLOT_WORD_COUNT):
            bad |= item[i] != number + i
        wrong += int64(bad)
        last = code
        received += 1
    results[TRIAL_ENDED_NS] = monotonic_ns()
    results[TRIAL_RECEIVED], results[TRIAL_WRONG] = received, wrong
    return wrong


@kernel(types.int64(_WORDS, _WORDS, _WORDS, _READ_ONLY, types.int64))
def produce_records(words: I64, storage: I64, header: I64, payload: U8, count: int) -> int:
    """Push ``count`` numbered records into a record ring; 0 or BAD_SIZE.

    words, storage, header   as in ``ring.push``
    payload   (>= 256,)   byte i is i modulo 256; record n has n * 7 modulo (size - 255) bytes of it, from
              n modulo 256 on
    count     records
    """
    for number in range(count):
        size, start = int64(number * 7 % (payload.size - 255)), int64(number & 255)
        header[RECORD_SEQUENCE] = number
        code = ring.push(words, storage, header, payload[start : start + size])
        if code < 0:
            return code
    return 0


@kernel("int64(int64[::1], int64[::1], int64[::1], uint8[::1], int64, int64, int64[::1])")
def consume_records(
    words: I64, storage: I64, header: I64, target: U8, modulus: int, count: int, results: I64
) -> int:
    """Pop what ``produce_records`` pushes until its last record came; how many were wrong, or BAD_SIZE.

    words, storage, header, target   as in ``ring.pop``
    modulus   size of the producer's payload less 255
    count     the producer's
    results   as in ``consume_slots``
    """
    last, received, wrong, turn = int64(-1), int64(0), int64(0), int64(0)
    results[TRIAL_STARTED_NS] = monotonic_ns()
    while last < count - 1:
        size = ring.pop(words, storage, header, target, 0)
        if size == BAD_SIZE:
            return BAD_SIZE
        if size == EMPTY:
            turn = _back_off(turn)
            continue
        number = header[RECORD_SEQUENCE]
        bad = number <= last or size != number * 7 % modulus
        for i in range(size):
            bad |= target[i] != (number + i) & 255
        wrong += int64(bad)
        last = number
        received += 1
    results[TRIAL_ENDED_NS] = monotonic_ns()
    results[TRIAL_RECEIVED], results[TRIAL_WRONG] = received, wrong
    return wrong


@kernel("int64(int64[::1], int64[::1], int64[::1], int64, int64, int64)")
def produce_wakes(words: I64, storage: I64, item: I64, count: int, interval_ns: int, doorbell: int) -> int:
    """Put a time stamp into a slot ring every ``interval_ns`` and wake the consumer; 0, FULL or BAD_SIZE.

    words, storage, item   as in ``slots.put``
    count         time stamps
    interval_ns   between two: long enough for the consumer to be asleep again
    doorbell      an eventfd, or -1 to wake by futex
    """
    due_ns = monotonic_ns()
    for _ in range(count):
        due_ns += interval_ns
        sleep_to_ns(due_ns)
        item[0] = monotonic_ns()
        code = slots.put(words, storage, item)
        if code < 0:
            return code
        if doorbell < 0:
            slots.wake(words)
        else:
            add_to_eventfd(doorbell)
    return 0


@kernel("int64(int64[::1], int64[::1], int64[::1], int64, int64, int64[::1])")
def consume_wakes(
    words: I64, storage: I64, item: I64, spin_count: int, doorbell: int, latencies_ns: I64
) -> int:
    """Sleep for each time stamp of ``produce_wakes``, and note how old it is: how many came, or BAD_SIZE.

    words, storage, item   as in ``slots.take``
    spin_count     how often to look before sleeping by futex
    doorbell       the producer's
    latencies_ns   (count,)   written
    """
    for i in range(latencies_ns.size):
        while True:
            code = slots.take(words, storage, item)
            if code != EMPTY:
                break
            if doorbell < 0:
                if slots.wait(words, spin_count, monotonic_ns() + _PATIENCE_NS) == EMPTY:
                    return i
            else:
                if wait_fd(doorbell, _READABLE, _PATIENCE_MS) == 0:
                    return i
                drain_eventfd(doorbell)
        if code < 0:
            return code
        latencies_ns[i] = monotonic_ns() - item[0]
    return int64(latencies_ns.size)


@kernel("int64(int64[::1], uint8[:, ::1], int64[::1], int64[::1], int64[::1], int64)")
def send_many(
    words: I64, packets: U8, address: I64, messages: I64, counters: I64, datagram_count: int
) -> int:
    """Send rows again and again, in groups as large as they may be; how many went out, or an error.

    words, packets, address, messages, counters   as in ``udp.send_rows``
    datagram_count   rounded up to whole groups
    """
    group = min(int64(GROUP_MAX), GROUP_BYTES_MAX // int64(packets.shape[1]), int64(packets.shape[0]))
    sent, tried = int64(0), int64(0)
    while tried < datagram_count:
        code = send_rows(words, packets, 0, group, address, messages, counters, 0)
        if code < 0:
            return code
        sent += code
        tried += group
    return sent
