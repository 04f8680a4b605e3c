import time

from punktfunk.realtime.clock import now_ns, timestamp_90k


def test_now_is_the_monotonic_clock() -> None:
    before = time.monotonic_ns()
    assert before <= now_ns() <= time.monotonic_ns()


def test_timestamps_tick_at_90_khz_and_wrap() -> None:
    assert timestamp_90k(0) == 0
    assert timestamp_90k(1_000_000_000) == 90_000
    assert timestamp_90k((1 << 32) * 1_000_000_000 // 90_000 + 1_000_000_000) == 89_999
