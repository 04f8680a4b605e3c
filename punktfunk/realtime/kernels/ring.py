"""A ring of variable-sized records between two threads. The newest wins: a full ring drops its oldest record.

Both ends move ``RING_TAIL`` by compare-and-swap. The consumer copies a record out first and takes it
afterwards: when the producer dropped that record meanwhile the swap fails, and the torn copy is thrown away.
So the producer never waits, and never writes where a *successful* consumer was reading. Moves bytes only: a
model test is its twin.
"""

import numpy as np
from numba import types
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import (
    address_of,
    compare_swap,
    copy_bytes,
    fence,
    load_acquire,
    store_release,
)
from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    EMPTY,
    RECORD_HEADER_WORD_COUNT,
    RECORD_PAYLOAD_BYTES,
    RECORD_WORDS,
    RING_DROPPED,
    RING_HEAD,
    RING_TAIL,
)
from punktfunk.realtime.kernels.system import add_to_eventfd

I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]

_WORDS = types.int64[::1]
_READ_ONLY = types.Array(types.uint8, 1, "C", readonly=True)


@kernel(types.int64(_WORDS, _WORDS, _WORDS, _READ_ONLY))
def push(words: I64, storage: I64, header: I64, payload: U8) -> int:
    """Put one record in; answer how many old ones had to go, or BAD_SIZE for a payload that never fits.

    words     (RING_WORD_COUNT,)   the producer's end and the shared tail
    storage   (power of two,)      int64 words
    header    (RECORD_HEADER_WORD_COUNT,)   the first two words are filled in here
    payload   (bytes,)             may be read-only
    """
    capacity = int64(storage.size)
    size = RECORD_HEADER_WORD_COUNT + ((payload.size + 63) >> 6) * 8
    if size > capacity or header.size < RECORD_HEADER_WORD_COUNT:
        return BAD_SIZE
    mask = capacity - 1
    head = words[RING_HEAD]
    dropped = int64(0)
    tail = load_acquire(words, RING_TAIL)
    while head + size - tail > capacity:
        oldest = storage[(tail & mask) + RECORD_WORDS]
        if compare_swap(words, RING_TAIL, tail, tail + oldest):
            dropped += 1
        tail = load_acquire(words, RING_TAIL)
    if dropped:
        fence()  # on ARM a later store may otherwise be seen before the swap that made it safe
    header[RECORD_WORDS] = size
    header[RECORD_PAYLOAD_BYTES] = payload.size
    start = head & mask
    for i in range(RECORD_HEADER_WORD_COUNT):
        storage[start + i] = header[i]
    start = (start + RECORD_HEADER_WORD_COUNT) & mask
    first = min(int64(payload.size), (capacity - start) * 8)
    copy_bytes(address_of(storage) + start * 8, address_of(payload), first)
    copy_bytes(address_of(storage), address_of(payload) + first, payload.size - first)
    words[RING_DROPPED] += dropped
    store_release(words, RING_HEAD, head + size)
    return dropped


@kernel(types.int64(_WORDS, _WORDS, _WORDS, _READ_ONLY, types.int64))
def deliver(words: I64, storage: I64, header: I64, payload: U8, doorbell: int) -> int:
    """Put one record in and ring the consumer's doorbell; answer as ``push`` does.

    words, storage, header, payload   as in ``push``
    doorbell                          an eventfd

    One call, because a caller from Python gives the GIL away in each, and must have it back before the next.
    """
    dropped = push(words, storage, header, payload)
    add_to_eventfd(doorbell)
    return dropped


@kernel("int64(int64[::1], int64[::1], int64[::1], uint8[::1], int64)")
def pop(words: I64, storage: I64, header: I64, target: U8, offset_bytes: int) -> int:
    """Take the oldest record out; answer its payload's bytes, EMPTY, or BAD_SIZE (the record is then gone).

    words, storage   as in ``push``
    header           (RECORD_HEADER_WORD_COUNT,)   written
    target           (bytes,)   the payload is written from ``offset_bytes`` on
    offset_bytes     scalar
    """
    capacity = int64(storage.size)
    mask = capacity - 1
    while True:
        tail = load_acquire(words, RING_TAIL)
        if load_acquire(words, RING_HEAD) == tail:
            return EMPTY
        start = tail & mask
        for i in range(RECORD_HEADER_WORD_COUNT):
            header[i] = load_acquire(storage, start + i)
        if load_acquire(words, RING_TAIL) != tail:
            continue  # the header may be torn
        count = header[RECORD_PAYLOAD_BYTES]
        fits = offset_bytes >= 0 and offset_bytes + count <= target.size
        if fits:
            start = (start + RECORD_HEADER_WORD_COUNT) & mask
            first = min(count, (capacity - start) * 8)
            to = address_of(target) + offset_bytes
            copy_bytes(to, address_of(storage) + start * 8, first)
            copy_bytes(to + first, address_of(storage), count - first)
        if compare_swap(words, RING_TAIL, tail, tail + header[RECORD_WORDS]):
            return count if fits else BAD_SIZE
