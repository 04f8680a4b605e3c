import threading

import numpy as np

from punktfunk.realtime.kernels.layout import (
    ADDRESS_WORD_COUNT,
    DESTINATION_WORD_COUNT,
    SEND_BATCHED,
    SEND_SEGMENTED,
    SENDER_WORD_COUNT,
    WORD_DESTINATION_VERSION,
    WORD_FEC_PERCENT,
    WORD_SEND_MODE,
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


def test_no_torn_destination_is_ever_in_use() -> None:
    words, address = arrays()
    ended = threading.Event()

    def write() -> None:
        value = np.zeros(DESTINATION_WORD_COUNT, np.int64)
        while not ended.is_set():
            value += 1
            post_destination(words, value)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(20_000):
            if read_destination(words, address):
                assert len(set(address[:DESTINATION_WORD_COUNT])) == 1
    finally:
        ended.set()
        writer.join()


def test_post_word() -> None:
    words, _ = arrays()
    post_word(words, WORD_FEC_PERCENT, 30)
    assert words[WORD_FEC_PERCENT] == 30
