"""slots against a queue, step by step, and between two threads that never hold the interpreter's lock."""

import threading
import time
from collections import deque

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from punktfunk.errors import LocalProtocolError
from punktfunk.realtime.kernels import slots
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    EMPTY,
    FULL,
    SLOT_HEAD,
    SLOT_RING_WORD_COUNT,
    SLOT_SLEEPING,
    SLOT_TAIL,
    SLOT_TAIL_SEEN,
    SLOT_WORD_COUNT,
)
from punktfunk.realtime.rings import SlotRing, aligned_words
from punktfunk.realtime.timing import run_slots

SOAK = [pytest.mark.slow, pytest.mark.timeout(900)]


def words_of(value: int) -> np.ndarray:
    return np.arange(value, value + SLOT_WORD_COUNT)


class SlotModel(RuleBasedStateMachine):
    """A queue of bounded length, both ways of filling it, and a consumer that is torn now and then."""

    @initialize(exponent=st.integers(0, 3), begins=st.sampled_from([0, 1 << 31, (1 << 62) - 3]))
    def start(self, exponent: int, begins: int) -> None:
        self.ring = SlotRing(1 << exponent)
        for word in (SLOT_HEAD, SLOT_TAIL, SLOT_TAIL_SEEN):
            self.ring.words[word] = begins  # positions never wrap: long streams must not notice
        self.model = deque[tuple[int, int]]()
        self.number, self.dropped, self.refused = begins, 0, 0

    @rule(value=st.integers(-(1 << 62), 1 << 62))
    def put(self, value: int) -> None:
        accepted = self.ring.put(words_of(value))
        assert accepted == (len(self.model) < self.ring.storage.size // SLOT_WORD_COUNT)
        if accepted:
            self.model.append((self.number, value))
            self.number += 1
        else:
            self.refused += 1

    @rule(value=st.integers(-(1 << 62), 1 << 62))
    def put_newest(self, value: int) -> None:
        full = len(self.model) == self.ring.storage.size // SLOT_WORD_COUNT
        assert self.ring.put_newest(words_of(value)) == full
        if full:
            self.model.popleft()
            self.dropped += 1
        self.model.append((self.number, value))
        self.number += 1

    @rule()
    def take(self) -> None:
        taken = self.ring.take()
        if not self.model:
            assert taken is None
            return
        number, value = self.model.popleft()
        assert taken is not None
        assert taken[0] == number
        assert np.array_equal(taken[1], words_of(value))

    @precondition(lambda self: self.model)
    @rule()
    def do_not_sleep_beside_an_item(self) -> None:
        assert slots.wait(self.ring.words, 3, 0) == 1
        assert slots.wait(self.ring.words, 0, time.monotonic_ns() + 60_000_000_000) == 1

    @precondition(lambda self: not self.model)
    @rule()
    def an_empty_ring_has_nothing_after_its_time(self) -> None:
        assert slots.wait(self.ring.words, 3, 0) == EMPTY

    @invariant()
    def counts_agree(self) -> None:
        assert self.ring.waiting_count == len(self.model)
        assert self.ring.dropped_count == self.dropped
        assert self.ring.refused_count == self.refused
        assert self.ring.words[SLOT_SLEEPING] == 0


TestSlotModel = SlotModel.TestCase
TestSlotModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_wrong_sizes_touch_nothing() -> None:
    words, storage, item = aligned_words(SLOT_RING_WORD_COUNT), aligned_words(32), words_of(1)
    wrong = [
        (words[:-1], storage, item),
        (words, storage[:24], item),
        (words, storage[:4], item),
        (words, storage[:0], item),
        (words, storage, item[:-1]),
    ]
    for function in (slots.put, slots.put_newest, slots.take):
        for arguments in wrong:
            assert function(*arguments) == BAD_SIZE
    assert not words.any()
    assert slots.put(words, storage[:8], item) == 0
    assert slots.put(words, storage[:8], item) == FULL
    with pytest.raises(LocalProtocolError):
        SlotRing(12)
    with pytest.raises(LocalProtocolError):
        SlotRing(4).put(item[:7])


def test_arrays_begin_cache_lines() -> None:
    assert all(aligned_words(count).ctypes.data % 64 == 0 for count in range(1, 40))


@pytest.mark.parametrize(
    ("slot_count", "item_count"),
    [
        (1, 50_000),
        (16, 300_000),
        (1024, 2_000_000),
        pytest.param(2, 500_000, marks=SOAK),
        pytest.param(64, 10_000_000, marks=SOAK),
        pytest.param(4096, 100_000_000, marks=SOAK),
    ],
)
@pytest.mark.parametrize("full", ["refuse", "drop the oldest"])
def test_two_threads_and_millions_of_items(slot_count: int, item_count: int, full: str) -> None:
    """Nothing torn, repeated or out of order; what is missing was counted as dropped."""
    run = run_slots(item_count, slot_count, newest=full != "refuse")
    assert run.wrong_count == 0
    assert run.received_count + run.dropped_count == run.sent_count == item_count
    assert full != "refuse" or run.dropped_count == 0


def test_a_sleeping_consumer_hears_a_put_and_a_plain_wake() -> None:
    ring, heard = SlotRing(4), []

    def listen() -> None:
        deadline_ns = time.monotonic_ns() + 60_000_000_000
        heard.append(slots.wait(ring.words, 0, deadline_ns))
        heard.append(ring.take())
        heard.append(slots.wait(ring.words, 0, deadline_ns))

    listener = threading.Thread(target=listen)
    listener.start()
    assert ring.put(words_of(5))
    while len(heard) < 2 or not ring.words[SLOT_SLEEPING]:
        assert listener.is_alive()
    assert slots.wake(ring.words) == 1  # as whoever stops the consumer does
    listener.join(60)
    assert heard[0] == 1
    assert heard[1] is not None
    assert heard[2] == EMPTY
    assert slots.wake(ring.words) == 0
