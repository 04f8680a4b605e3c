"""The display's clock, learnt from when its buffer swaps return.

A swap that waits for the display returns just after a vertical blank; a swap that does not wait tells
nothing. Asking for a swap early would keep the thread, and with it all input, waiting for up to an interval;
asking just in time shows the newest picture and waits for a millisecond. So the phase is measured, and the
swap is asked for ``lead_ns`` before the next blank.
"""

from collections import deque
from typing import Final

WAITED_NS: Final = 400_000
"""A swap that took at least this long has waited for the display."""

SAMPLES: Final = 32
LOCK_SAMPLES: Final = 8
TOLERANCE: Final = 0.12
"""Share of the interval by which returns may scatter around the phase for it to be believed."""

PHASE_GAIN: Final = 0.1
INTERVAL_GAIN: Final = 0.02
STRAY_LIMIT: Final = 0.3
"""Share of late or unwaited swaps above which the lock is given up."""


class DisplayCadence:
    """Interval and phase of the display. ``interval_ns`` begins as what the video mode says."""

    def __init__(self, refresh_hz: float) -> None:
        self._known = refresh_hz > 0
        self.nominal_ns = round(1e9 / refresh_hz) if self._known else 16_666_667
        self._interval_ns = float(self.nominal_ns)
        self._phase_ns: float | None = None
        self._near: deque[bool] = deque(maxlen=SAMPLES)
        self._costs_ns: deque[int] = deque(maxlen=SAMPLES)

    @property
    def interval_ns(self) -> int:
        """Nanoseconds between two blanks, measured once locked."""
        return round(self._interval_ns)

    @property
    def locked(self) -> bool:
        """Whether the phase is known: enough swaps waited, and returned where they were expected."""
        return (
            self._known
            and len(self._near) >= LOCK_SAMPLES
            and sum(self._near) > len(self._near) * (1 - STRAY_LIMIT)
        )

    def swapped(self, asked_ns: int, returned_ns: int) -> None:
        """Take note of a swap: when it was asked for and when it returned (CLOCK_MONOTONIC)."""
        if returned_ns - asked_ns < WAITED_NS:
            self._near.append(False)
            return
        if self._phase_ns is None:
            self._phase_ns = float(returned_ns)
            return
        count = round((returned_ns - self._phase_ns) / self._interval_ns)
        expected_ns = self._phase_ns + count * self._interval_ns
        error_ns = returned_ns - expected_ns
        near = abs(error_ns) < TOLERANCE * self._interval_ns
        self._near.append(near)
        if not near and not self.locked:
            self._phase_ns = float(returned_ns)  # begin anew: what was taken for the phase was none
            return
        bounded_ns = max(-TOLERANCE, min(TOLERANCE, error_ns / self._interval_ns)) * self._interval_ns
        self._phase_ns = expected_ns + PHASE_GAIN * bounded_ns
        if count > 0:
            slack_ns = 0.01 * self.nominal_ns  # 59.94 of 60 is 0.1 %; more is a wrong measurement
            step_ns = INTERVAL_GAIN * bounded_ns / count
            least_ns, most_ns = self.nominal_ns - slack_ns, self.nominal_ns + slack_ns
            self._interval_ns = max(least_ns, min(most_ns, self._interval_ns + step_ns))

    def drawn(self, cost_ns: int) -> None:
        """Take note of how long uploading and drawing took, before the swap was asked for."""
        self._costs_ns.append(cost_ns)

    @property
    def lead_ns(self) -> int:
        """How long before a blank drawing must begin: the longest of late, and a millisecond to be sure."""
        return min(max(self._costs_ns, default=2_000_000) + 1_000_000, self.interval_ns * 3 // 4)

    def next_latch_ns(self, now_ns: int) -> int:
        """When what is drawn from now on can be seen: the next blank that can be met, or now if unknown."""
        if not self.locked or self._phase_ns is None:
            return now_ns
        missing_ns = now_ns + self.lead_ns - self._phase_ns
        count = max(0, -(-missing_ns // self._interval_ns))
        return round(self._phase_ns + count * self._interval_ns)
