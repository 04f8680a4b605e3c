import threading
import time

import numpy as np

from punktfunk.realtime.kernels.futex import wait_word, wake_word
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.kernels.mailbox import post_word

LONG_NS = 60_000_000_000


def test_no_sleep_when_the_word_is_another_or_the_time_has_come() -> None:
    words = np.array([7, -1])
    began_ns = time.monotonic_ns()
    assert wait_word(words, 0, 8, began_ns + LONG_NS) == 1
    assert wait_word(words, 0, 7, 0) == 0
    assert wait_word(words, 0, 8, 0) == 1
    assert wait_word(words, 1, -1, began_ns + 2_000_000) == 0  # all 64 bits set: the low half is compared
    assert began_ns + 2_000_000 <= time.monotonic_ns() < began_ns + LONG_NS


def test_bad_arguments_are_codes() -> None:
    words = np.zeros(2, np.int64)
    assert wait_word(words, 2, 0, 0) == wait_word(words, -1, 0, 0) == BAD_SIZE
    assert wake_word(words, 2, 1) == wake_word(words, -1, 1) == wake_word(words, 0, 0) == BAD_SIZE
    assert wake_word(words, 0, 1) == 0


def test_a_changed_word_and_a_wake_end_the_sleep_of_all() -> None:
    words, woken = np.zeros(9, np.int64), []

    def sleep() -> None:
        while words[4] == 0:
            assert wait_word(words, 4, 0, time.monotonic_ns() + LONG_NS) == 1
        woken.append(words[4])

    sleepers = [threading.Thread(target=sleep) for _ in range(3)]
    for sleeper in sleepers:
        sleeper.start()
    asleep = 0
    while asleep < 3:  # the word is still 0: who is woken goes back to sleep
        asleep = wake_word(words, 4, 100)
    post_word(words, 4, 5)
    wake_word(words, 4, 100)
    for sleeper in sleepers:
        sleeper.join(60)
    assert woken == [5, 5, 5]
