import time

import numpy as np

from punktfunk.realtime.kernels.layout import SENDER_WORD_COUNT, STOPPED, WORD_STOP
from punktfunk.realtime.kernels.pace import sleep_until


def test_sleep_until_comes_back_at_its_time_and_not_before() -> None:
    words = np.zeros(SENDER_WORD_COUNT, np.int64)
    deadline_ns = time.monotonic_ns() + 12_000_000
    assert sleep_until(words, deadline_ns) == 0
    assert time.monotonic_ns() >= deadline_ns
    assert sleep_until(words, deadline_ns) == 0


def test_sleep_until_notices_a_stop() -> None:
    words = np.zeros(SENDER_WORD_COUNT, np.int64)
    words[WORD_STOP] = 1
    began_ns = time.monotonic_ns()
    assert sleep_until(words, began_ns + 60_000_000_000) == STOPPED
    assert time.monotonic_ns() - began_ns < 1_000_000_000
