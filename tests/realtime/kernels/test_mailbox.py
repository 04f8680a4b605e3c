import threading

import numba
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from punktfunk.realtime.kernels.atomics import load_acquire
from punktfunk.realtime.kernels.layout import (
    ADDRESS_WORD_COUNT,
    DESTINATION_WORD_COUNT,
    SEND_BATCHED,
    SEND_SEGMENTED,
    SEND_SINGLE,
    SENDER_WORD_COUNT,
    WORD_DESTINATION_BYTES,
    WORD_DESTINATION_VERSION,
    WORD_FEC_PERCENT,
    WORD_SEND_MODE,
    WORD_STOP,
)
from punktfunk.realtime.kernels.mailbox import post_destination, post_word, read_destination


def arrays() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(SENDER_WORD_COUNT, np.int64), np.zeros(ADDRESS_WORD_COUNT, np.int64)


def test_a_posted_destination_is_read_once_and_resets_the_send_mode() -> None:
    words, address = arrays()
    assert read_destination(words, address) == 0
    posted = np.arange(1, DESTINATION_WORD_COUNT + 1)
    post_destination(words, posted)
    words[WORD_SEND_MODE] = SEND_BATCHED
    assert read_destination(words, address) == 2
    assert np.array_equal(address[:DESTINATION_WORD_COUNT], posted)
    assert words[WORD_SEND_MODE] == SEND_SEGMENTED
    words[WORD_SEND_MODE] = SEND_BATCHED
    assert read_destination(words, address) == 2
    assert words[WORD_SEND_MODE] == SEND_BATCHED


def test_a_writer_stopped_half_way_leaves_the_old_destination_in_use() -> None:
    words, address = arrays()
    post_destination(words, np.full(DESTINATION_WORD_COUNT, 5))
    read_destination(words, address)
    words[WORD_DESTINATION_VERSION] += 1
    words[WORD_DESTINATION_VERSION + 2] = 99
    assert read_destination(words, address) == 2
    assert (address[:DESTINATION_WORD_COUNT] == 5).all()


class MailboxModel(RuleBasedStateMachine):
    """A writer that may stop after any of its stores, and a reader that comes at any of them."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.address = arrays()
        self.value, self.posted, self.used, self.writing = 0, 0, 0, 0

    @precondition(lambda self: not self.writing)
    @rule()
    def post(self) -> None:
        self.value += 1
        post_destination(self.words, np.full(DESTINATION_WORD_COUNT, self.value))
        self.posted = self.value

    @precondition(lambda self: not self.writing)
    @rule(stores=st.integers(0, DESTINATION_WORD_COUNT))
    def post_some(self, stores: int) -> None:
        self.value += 1
        self.words[WORD_DESTINATION_VERSION] += 1
        self.words[WORD_DESTINATION_BYTES : WORD_DESTINATION_BYTES + stores] = self.value
        self.writing = 1

    @precondition(lambda self: self.writing)
    @rule()
    def post_the_rest(self) -> None:
        self.words[WORD_DESTINATION_BYTES : WORD_DESTINATION_BYTES + DESTINATION_WORD_COUNT] = self.value
        self.words[WORD_DESTINATION_VERSION] += 1
        self.posted, self.writing = self.value, 0

    @rule(mode=st.sampled_from([SEND_BATCHED, SEND_SINGLE]))
    def read(self, mode: int) -> None:
        self.words[WORD_SEND_MODE] = mode
        if not self.writing:
            expected_mode = mode if self.used == self.posted else SEND_SEGMENTED
            self.used = self.posted
        else:
            expected_mode = mode
        version = read_destination(self.words, self.address)
        assert version == self.used * 2  # every post adds two
        assert (self.address[:DESTINATION_WORD_COUNT] == self.used).all()
        assert self.words[WORD_SEND_MODE] == expected_mode

    @rule(value=st.integers(0, 255))
    def post_a_word(self, value: int) -> None:
        post_word(self.words, WORD_FEC_PERCENT, value)
        assert self.words[WORD_FEC_PERCENT] == value


TestMailboxModel = MailboxModel.TestCase
TestMailboxModel.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)


@numba.njit(nogil=True)
def write(words, value, count):
    for number in range(1, count + 1):
        value[:] = number
        post_destination(words, value)
    post_word(words, WORD_STOP, 1)


@numba.njit(nogil=True)
def read(words, address):
    reads, torn, last = 0, 0, 0
    while True:
        stopped = load_acquire(words, WORD_STOP)
        if read_destination(words, address):
            for i in range(1, DESTINATION_WORD_COUNT):
                torn += address[i] != address[0]
            torn += address[0] < last
            last = address[0]
        reads += 1
        if stopped:
            return reads, torn, last


def test_no_torn_destination_is_ever_in_use_in_a_million_posts() -> None:
    (words, address), found = arrays(), []
    write(words.copy(), np.zeros(DESTINATION_WORD_COUNT, np.int64), 1)  # compile, so that both start together
    reader = threading.Thread(target=lambda: found.append(read(words, address)))
    reader.start()
    write(words, np.zeros(DESTINATION_WORD_COUNT, np.int64), 1_000_000)
    reader.join(60)
    ((reads, torn, last),) = found
    assert reads > 0
    assert torn == 0
    assert last == 1_000_000


def test_post_word() -> None:
    words, _ = arrays()
    post_word(words, WORD_FEC_PERCENT, 30)
    assert words[WORD_FEC_PERCENT] == 30
