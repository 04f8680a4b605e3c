"""The one clock of realtime: CLOCK_MONOTONIC in nanoseconds, and RTP's 90 kHz counted from it."""

from time import monotonic_ns

_TICKS_PER_S = 90_000
_NS_PER_S = 1_000_000_000


def now_ns() -> int:
    """Nanoseconds of CLOCK_MONOTONIC: what kernels, compositor time stamps and deadlines use."""
    return monotonic_ns()


def timestamp_90k(time_ns: int) -> int:
    """RTP time stamp of a time: 90 kHz ticks, wrapped to 32 bits."""
    return time_ns * _TICKS_PER_S // _NS_PER_S & 0xFFFFFFFF
