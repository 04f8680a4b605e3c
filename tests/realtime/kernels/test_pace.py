import ctypes
import time

import numpy as np

from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.kernels.layout import (
    PACE_BURST_COUNT,
    PACE_STEP_NS,
    PACE_WORD_COUNT,
    SENDER_WORD_COUNT,
    STOPPED,
    WORD_STOP,
)
from punktfunk.realtime.kernels.pace import capped_deadline, deadline, sleep_until


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


def test_deadlines_spread_datagrams_evenly() -> None:
    when = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 5)(address_of_entry(deadline))
    times_ns = [when(0, 10**18, 14_000_000, first, 700) for first in range(0, 700, 50)]
    assert times_ns == list(range(10**18, 10**18 + 14_000_000, 1_000_000))


def test_capped_deadlines_let_a_burst_go_at_once_and_the_rest_at_a_rate() -> None:
    when = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 5)(address_of_entry(capped_deadline))
    words = np.zeros(PACE_WORD_COUNT, np.int64)
    words[PACE_BURST_COUNT], words[PACE_STEP_NS] = 100, 5_000
    times_ns = [when(words.ctypes.data, 10**18, 1, first, 700) for first in (0, 64, 100, 128, 192)]
    assert [time_ns - 10**18 for time_ns in times_ns] == [0, 0, 0, 140_000, 460_000]
