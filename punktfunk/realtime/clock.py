"""The one clock of realtime: CLOCK_MONOTONIC in nanoseconds, and what others count from it.

RTP's 90 kHz for GameStream, CLOCK_REALTIME for punktfunk/1: the one place that converts.
"""

from collections.abc import Callable
from time import monotonic_ns, time_ns
from typing import Final

_TICKS_PER_S = 90_000
_NS_PER_S = 1_000_000_000


def now_ns() -> int:
    """Nanoseconds of CLOCK_MONOTONIC: what kernels, compositor time stamps and deadlines use."""
    return monotonic_ns()


def timestamp_90k(time_ns: int) -> int:
    """RTP time stamp of a time: 90 kHz ticks, wrapped to 32 bits."""
    return time_ns * _TICKS_PER_S // _NS_PER_S & 0xFFFFFFFF


_NEAR_NS: Final = 20_000
_TRIAL_COUNT: Final = 3


def realtime_offset_ns(
    monotonic: Callable[[], int] = monotonic_ns, realtime: Callable[[], int] = time_ns
) -> int:
    """CLOCK_REALTIME minus CLOCK_MONOTONIC, read between two looks at the latter.

    A thread that is held up between them would see seconds: the nearest of three pairs counts, and the first
    that is nearer than 20 us ends the search.
    """
    best_ns, offset_ns = -1, 0
    for _ in range(_TRIAL_COUNT):
        before_ns = monotonic()
        wall_ns = realtime()
        after_ns = monotonic()
        if best_ns < 0 or after_ns - before_ns < best_ns:
            best_ns, offset_ns = after_ns - before_ns, wall_ns - (before_ns + after_ns) // 2
        if best_ns < _NEAR_NS:
            break
    return offset_ns


def realtime_of(time_ns_monotonic: int) -> int:
    """CLOCK_REALTIME of a CLOCK_MONOTONIC time, by the clocks as they stand to each other now."""
    return time_ns_monotonic + realtime_offset_ns()
