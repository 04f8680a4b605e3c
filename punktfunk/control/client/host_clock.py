"""The host's clock as this machine sees it, and host times on the local CLOCK_MONOTONIC.

The protocol's stamps are nanoseconds since 1970. Ours are CLOCK_MONOTONIC plus a difference that is measured
once: a wall clock that is set during the session moves no frame. Source: punktfunk-1 section 2.8.
"""

import time
from dataclasses import dataclass
from typing import Final

from punktfunk.control.adapt.clock_sync import ClockSync, Reading

_SAMPLE_COUNT: Final = 5


@dataclass(frozen=True, slots=True)
class SteadyClock:
    """A realtime clock that never steps: CLOCK_MONOTONIC shifted by ``shift_ns``."""

    shift_ns: int

    @classmethod
    def measure(cls) -> "SteadyClock":
        """Compare the system's clocks."""
        return cls(_shift_ns())

    def now_ns(self) -> int:
        """Nanoseconds since 1970, for ClockProbe."""
        return time.monotonic_ns() + self.shift_ns

    def of_realtime(self, wall_ns: int) -> int:
        """Turn a stamp of the system's realtime clock, taken a moment ago, into one of this clock."""
        return wall_ns - _shift_ns() + self.shift_ns


def _shift_ns() -> int:
    """CLOCK_REALTIME minus CLOCK_MONOTONIC; of several readings the one with the least time around it."""
    best_ns, shift_ns = 1 << 62, 0
    for _ in range(_SAMPLE_COUNT):
        before_ns = time.monotonic_ns()
        wall_ns = time.time_ns()
        after_ns = time.monotonic_ns()
        if after_ns - before_ns < best_ns:
            best_ns, shift_ns = after_ns - before_ns, wall_ns - (before_ns + after_ns) // 2
    return shift_ns


class HostClock:
    """Converts the host's stamps. ``sync`` is None where the host answered no round: one shared clock then.

    Read by any thread: ``offset_ns`` is one attribute, set by the session's task alone.
    """

    def __init__(self, steady: SteadyClock, first: Reading | None, now_ns: int) -> None:
        self.steady = steady
        self.sync: ClockSync | None = None
        self.offset_ns = 0
        self.begin(first, now_ns)

    def begin(self, first: Reading | None, now_ns: int) -> None:
        """Take the result of the first series."""
        self.sync = None if first is None else ClockSync(first, now_ns)
        self.offset_ns = 0 if first is None else first.offset_ns

    def refresh(self) -> int:
        """Take over what a finished series found; by how much the offset changed."""
        before_ns = self.offset_ns
        if self.sync is not None:
            self.offset_ns = self.sync.offset_ns
        return self.offset_ns - before_ns

    def local_ns(self, host_ns: int) -> int:
        """Turn a stamp of the host into CLOCK_MONOTONIC of this machine."""
        return host_ns - self.offset_ns - self.steady.shift_ns

    def latency_ns(self, pts_ns: int, local_ns: int) -> int | None:
        """From capture at the host to ``local_ns`` here; None without a clock, or where it makes no sense."""
        if self.sync is None:
            return None
        latency_ns = local_ns - self.local_ns(pts_ns)
        return latency_ns if 0 <= latency_ns <= 10_000_000_000 else None
