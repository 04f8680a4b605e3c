"""ring.push and ring.pop against a queue, and between two threads that never hold the interpreter's lock."""

import os
import threading
from collections import deque

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError
from punktfunk.realtime.kernels import ring
from punktfunk.realtime.kernels.atomics import load_acquire, store_release
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    EMPTY,
    RECORD_HEADER_WORD_COUNT,
    RECORD_SEQUENCE,
    RING_WORD_COUNT,
)
from punktfunk.realtime.rings import ByteRing

ITEM_COUNT = 1_000_000
FINISHED = RING_WORD_COUNT - 1


def header(sequence: int) -> np.ndarray:
    words = np.zeros(RECORD_HEADER_WORD_COUNT, np.int64)
    words[RECORD_SEQUENCE] = sequence
    return words


@given(st.lists(st.integers(0, 700) | st.none(), max_size=60))
def test_a_ring_is_a_queue_that_forgets_its_oldest(steps: list[int | None]) -> None:
    """A number pushes a record of that size; None pops one."""
    records, model, used, dropped_count = ByteRing(2048), deque[bytes](), 0, 0
    target = np.zeros(700, np.uint8)

    def room(size: int) -> int:
        return 64 + (size + 63) // 64 * 64

    for sequence, size in enumerate(steps):
        if size is None:
            taken = records.pop(target)
            if not model:
                assert taken is None
                continue
            payload = model.popleft()
            used -= room(len(payload))
            assert taken is not None
            assert target[: taken[1]].tobytes() == payload
        else:
            payload = bytes((sequence + i) & 255 for i in range(size))
            used += room(size)
            gone = 0
            while used > 2048:
                used -= room(len(model.popleft()))
                gone += 1
            model.append(payload)
            dropped_count += gone
            assert records.push(header(sequence), payload) == gone
        assert records.waiting_bytes == used
        assert records.dropped_count == dropped_count


@numba.njit(nogil=True)
def produce(words, storage, payload, count):
    head = np.zeros(RECORD_HEADER_WORD_COUNT, np.int64)
    for sequence in range(count):
        size = sequence * 7 % 200
        for i in range(size):
            payload[i] = (sequence + i) & 255
        head[RECORD_SEQUENCE] = sequence
        ring.push(words, storage, head, payload[:size])
    store_release(words, FINISHED, 1)


@numba.njit(nogil=True)
def consume(words, storage, target):
    head = np.zeros(RECORD_HEADER_WORD_COUNT, np.int64)
    received, wrong, last = 0, 0, -1
    while True:
        finished = load_acquire(words, FINISHED)
        size = ring.pop(words, storage, head, target, 0)
        if size == EMPTY:
            if finished:
                return received, wrong
            continue
        sequence = head[RECORD_SEQUENCE]
        wrong += sequence <= last or size != sequence * 7 % 200
        last = sequence
        for i in range(size):
            wrong += target[i] != (sequence + i) & 255
        received += 1


@pytest.mark.parametrize("capacity_bytes", [512, 1 << 16])
def test_two_threads_and_a_million_records(capacity_bytes: int) -> None:
    words = np.zeros(RING_WORD_COUNT, np.int64)
    storage = np.zeros(capacity_bytes // 8, np.int64)
    target, found = np.zeros(256, np.uint8), []
    produce(words.copy(), storage.copy(), np.zeros(256, np.uint8), 1)  # compile, so that both start together
    reader = threading.Thread(target=lambda: found.append(consume(words, storage, target)))
    reader.start()
    produce(words, storage, np.zeros(256, np.uint8), ITEM_COUNT)
    reader.join(60)
    ((received, wrong),) = found
    assert wrong == 0
    assert received + int(words[16]) == ITEM_COUNT
    assert received > 0


def test_records_that_do_not_fit() -> None:
    records = ByteRing(512)
    assert records.push(header(1), bytes(449)) == BAD_SIZE
    assert records.push(header(1)[:2], b"x") == BAD_SIZE
    assert records.push(header(1), bytes(448)) == 0
    with pytest.raises(LocalProtocolError):
        records.pop(np.zeros(447, np.uint8))
    assert records.pop(np.zeros(448, np.uint8)) is None


def test_read_only_and_writable_payloads() -> None:
    records, target = ByteRing(512), np.zeros(8, np.uint8)
    for payload in (b"abc", bytearray(b"abc"), memoryview(b"abc"), np.frombuffer(b"abc", np.uint8)):
        assert records.push(header(1), payload) == 0
        assert records.pop(target) is not None
        assert target[:3].tobytes() == b"abc"


def test_a_delivered_record_rings_the_doorbell_once():
    records, target, doorbell_fd = ByteRing(512), np.zeros(64, np.uint8), os.eventfd(0, os.EFD_NONBLOCK)
    try:
        assert [records.deliver(header(i), b"x" * i, doorbell_fd) for i in range(1, 4)] == [0, 0, 0]
        assert os.eventfd_read(doorbell_fd) == 3
    finally:
        os.close(doorbell_fd)
    sizes = [taken[1] for taken in (records.pop(target) for _ in range(3)) if taken]
    assert sizes == [1, 2, 3]
    assert records.pop(target) is None
