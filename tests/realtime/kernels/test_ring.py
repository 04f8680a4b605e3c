"""ring.push and ring.pop against a queue, and between two threads that never hold the interpreter's lock."""

import os
from collections import deque

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from punktfunk.errors import LocalProtocolError
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    RECORD_HEADER_WORD_COUNT,
    RECORD_SEQUENCE,
    RING_HEAD,
    RING_TAIL,
)
from punktfunk.realtime.rings import ByteRing
from punktfunk.realtime.timing import run_records


def header(sequence: int) -> np.ndarray:
    words = np.zeros(RECORD_HEADER_WORD_COUNT, np.int64)
    words[RECORD_SEQUENCE] = sequence
    return words


class RingModel(RuleBasedStateMachine):
    """A queue of bounded room that forgets its oldest, from an empty ring or one far into its life."""

    @initialize(capacity=st.sampled_from([512, 1024, 4096]), begins=st.sampled_from([0, 8, (1 << 60) - 64]))
    def start(self, capacity: int, begins: int) -> None:
        self.ring = ByteRing(capacity)
        self.ring.words[RING_HEAD] = self.ring.words[RING_TAIL] = begins
        self.capacity, self.sequence, self.dropped = capacity, 0, 0
        self.records = deque[tuple[int, bytes]]()

    def used(self) -> int:
        return sum(64 + (len(payload) + 63) // 64 * 64 for _, payload in self.records)

    @rule(size=st.integers(0, 448), read_only=st.booleans())
    def push(self, size: int, *, read_only: bool) -> None:
        payload = bytes((self.sequence + i) & 255 for i in range(size))
        self.records.append((self.sequence, payload))
        gone = 0
        while self.used() > self.capacity:
            self.records.popleft()
            gone += 1
        self.dropped += gone
        given = payload if read_only else bytearray(payload)
        assert self.ring.push(header(self.sequence), given) == gone
        self.sequence += 1

    @rule()
    def pop(self) -> None:
        target = np.zeros(448, np.uint8)
        taken = self.ring.pop(target)
        if not self.records:
            assert taken is None
            return
        sequence, payload = self.records.popleft()
        assert taken is not None
        assert taken[0][RECORD_SEQUENCE] == sequence
        assert target[: taken[1]].tobytes() == payload

    @precondition(lambda self: self.records and self.records[0][1])
    @rule()
    def pop_without_room(self) -> None:
        _, payload = self.records.popleft()
        with pytest.raises(LocalProtocolError):
            self.ring.pop(np.zeros(len(payload) - 1, np.uint8))

    @rule()
    def push_what_never_fits(self) -> None:
        assert self.ring.push(header(0), bytes(self.capacity - 63)) == BAD_SIZE

    @invariant()
    def counts_agree(self) -> None:
        assert self.ring.waiting_bytes == self.used()
        assert self.ring.dropped_count == self.dropped


TestRingModel = RingModel.TestCase
TestRingModel.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize(
    ("capacity_bytes", "record_count"),
    [
        (512, 500_000),
        (1 << 16, 1_000_000),
        pytest.param(1 << 14, 60_000_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_two_threads_and_a_million_records(capacity_bytes: int, record_count: int) -> None:
    run = run_records(record_count, capacity_bytes)
    assert run.wrong_count == 0
    assert run.received_count + run.dropped_count == run.sent_count == record_count
    assert run.received_count > 0


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
