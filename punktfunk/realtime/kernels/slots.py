"""A ring of 64-byte slots from one kernel to another: short messages, tens of millions a second.

The producer either refuses an item (``put``) or forgets the oldest for it (``put_newest``). Each end
remembers where it last saw the other, so that a cache line travels only when the ring looks full or empty.
The consumer copies a slot first and takes it by compare-and-swap: if the producer forgot it meanwhile, the
swap fails and the torn copy is thrown away. Moves words only: a model test is its twin.
"""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import compare_swap, fence, load_acquire, relax, store_release
from punktfunk.realtime.kernels.futex import wait_word, wake_word
from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    EMPTY,
    FULL,
    SLOT_DROPPED,
    SLOT_HEAD,
    SLOT_HEAD_SEEN,
    SLOT_REFUSED,
    SLOT_RING_WORD_COUNT,
    SLOT_SLEEPING,
    SLOT_TAIL,
    SLOT_TAIL_SEEN,
    SLOT_WORD_COUNT,
)
from punktfunk.realtime.kernels.system import monotonic_ns

I64 = NDArray[np.int64]


@kernel("int64(int64[::1], int64[::1], int64[::1])")
def _slot_count(words: I64, storage: I64, item: I64) -> int:
    """Slots of the ring, or BAD_SIZE: masked positions stay inside a power of two and nothing else."""
    size = int64(storage.size)
    if size < SLOT_WORD_COUNT or size & (size - 1) or item.size < SLOT_WORD_COUNT:
        return BAD_SIZE
    return size >> 3 if words.size >= SLOT_RING_WORD_COUNT else int64(BAD_SIZE)


@kernel("void(int64[::1], int64[::1], int64[::1], int64, int64)")
def _write(words: I64, storage: I64, item: I64, head: int, mask: int) -> None:
    start = (head & mask) * SLOT_WORD_COUNT
    for i in range(SLOT_WORD_COUNT):
        storage[start + i] = item[i]
    store_release(words, SLOT_HEAD, head + 1)


@kernel("int64(int64[::1], int64[::1], int64[::1])")
def put(words: I64, storage: I64, item: I64) -> int:
    """Put one item in, 0; or FULL, counted, and the item is not in; or BAD_SIZE. Producer.

    words     (SLOT_RING_WORD_COUNT,)   see ``layout``
    storage   (8 * slots,)   slots a power of two; 64-byte aligned to be fast
    item      (8,)
    """
    count = _slot_count(words, storage, item)
    if count < 0:
        return count
    head = words[SLOT_HEAD]
    if head - words[SLOT_TAIL_SEEN] >= count:
        words[SLOT_TAIL_SEEN] = load_acquire(words, SLOT_TAIL)
        if head - words[SLOT_TAIL_SEEN] >= count:
            words[SLOT_REFUSED] += 1
            return FULL
    _write(words, storage, item, head, count - 1)
    return 0


@kernel("int64(int64[::1], int64[::1], int64[::1])")
def put_newest(words: I64, storage: I64, item: I64) -> int:
    """Put one item in, whatever it takes: how many of the oldest were dropped for it, or BAD_SIZE. Producer.

    words, storage, item   as in ``put``
    """
    count = _slot_count(words, storage, item)
    if count < 0:
        return count
    head, dropped = words[SLOT_HEAD], int64(0)
    while head - words[SLOT_TAIL_SEEN] >= count:
        tail = load_acquire(words, SLOT_TAIL)
        if head - tail >= count and compare_swap(words, SLOT_TAIL, tail, tail + 1):
            dropped += 1
            tail += 1
        words[SLOT_TAIL_SEEN] = tail
    if dropped:
        words[SLOT_DROPPED] += dropped
        fence()  # on ARM a later store may otherwise be seen before the swap that made it safe
    _write(words, storage, item, head, count - 1)
    return dropped


@kernel("int64(int64[::1], int64[::1], int64[::1])")
def take(words: I64, storage: I64, item: I64) -> int:
    """Take the oldest item: its number, counted from 0 (a gap is a drop); EMPTY or BAD_SIZE. Consumer.

    words, storage   as in ``put``
    item             (8,)   written
    """
    count = _slot_count(words, storage, item)
    if count < 0:
        return count
    while True:
        tail = load_acquire(words, SLOT_TAIL)
        if words[SLOT_HEAD_SEEN] <= tail:
            words[SLOT_HEAD_SEEN] = load_acquire(words, SLOT_HEAD)
            if words[SLOT_HEAD_SEEN] <= tail:
                return EMPTY
        start = (tail & (count - 1)) * SLOT_WORD_COUNT
        for i in range(SLOT_WORD_COUNT):
            item[i] = load_acquire(storage, start + i)
        if compare_swap(words, SLOT_TAIL, tail, tail + 1):
            return int64(tail)


@kernel("int64(int64[::1])")
def wake(words: I64) -> int:
    """Wake the consumer if it sleeps, 1; else 0, which costs one fence. After puts; also for anyone.

    words   (SLOT_RING_WORD_COUNT,)
    """
    fence()
    if load_acquire(words, SLOT_SLEEPING) and compare_swap(words, SLOT_SLEEPING, 1, 0):
        wake_word(words, SLOT_SLEEPING, 1)
        return 1
    return 0


@kernel("int64(int64[::1], int64, int64)")
def wait(words: I64, spin_count: int, deadline_ns: int) -> int:
    """Wait until there is an item, 1; EMPTY after the deadline or when woken without one. Consumer.

    words         (SLOT_RING_WORD_COUNT,)
    spin_count    how often to look before going to sleep
    deadline_ns   CLOCK_MONOTONIC
    """
    for _ in range(spin_count):
        if load_acquire(words, SLOT_HEAD) > load_acquire(words, SLOT_TAIL):
            return 1
        relax()
    store_release(words, SLOT_SLEEPING, 1)
    fence()  # the producer writes the head, then looks at this word; we the other way round
    while load_acquire(words, SLOT_SLEEPING):
        if load_acquire(words, SLOT_HEAD) > load_acquire(words, SLOT_TAIL) or monotonic_ns() >= deadline_ns:
            store_release(words, SLOT_SLEEPING, 0)
        else:
            wait_word(words, SLOT_SLEEPING, 1, deadline_ns)
    return 1 if load_acquire(words, SLOT_HEAD) > load_acquire(words, SLOT_TAIL) else int64(EMPTY)
