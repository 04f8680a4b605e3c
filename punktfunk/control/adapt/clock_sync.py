"""The client's idea of the host's clock: eight rounds at connect, eight again every minute.

A round is ClockProbe(t1) and ClockEcho(t1, t2, t3), received at t4, all in nanoseconds of each side's
realtime clock. Of a series the round with the smallest round trip counts. A series from a busy minute says
more about queues than about clocks, so while streaming one is taken only near the session's best round
trip, or when three in a row were refused: then the best of those. Spec: punktfunk-1.md section 2.8.
"""

from typing import Final

from punktfunk.wire.native.clock import Offset, best, measure

ROUND_COUNT: Final = 8
ROUND_PATIENCE_NS: Final = 2_000_000_000
ROUND_SPACING_NS: Final = 7_000_000
RESYNC_NS: Final = 60_000_000_000
REFUSALS_MAX: Final = 3
ALWAYS_GOOD_NS: Final = 2_000_000


def acceptable(rtt_ns: int, floor_ns: int) -> bool:
    """Whether a series with this best round trip may move the clock; the floor is the session's smallest."""
    return rtt_ns <= max(ALWAYS_GOOD_NS, floor_ns * 3 // 2)


class ClockSeries:
    """Eight rounds, one after another. ``next_ns`` says when to stamp and send the next ClockProbe."""

    def __init__(self, now_ns: int, *, spacing_ns: int = 0) -> None:
        self._spacing_ns = spacing_ns
        self._asked: int | None = None
        self._next_ns: int | None = now_ns
        self._deadline_ns = now_ns + ROUND_PATIENCE_NS
        self._rounds: list[Offset] = []
        self.over = False

    def begin_round(self, t1_ns: int, now_ns: int) -> None:
        """Note a probe sent now. ``t1_ns`` is its stamp, which the echo repeats."""
        self._asked, self._next_ns, self._deadline_ns = t1_ns, None, now_ns + ROUND_PATIENCE_NS

    def on_echo(self, t1_ns: int, t2_ns: int, t3_ns: int, t4_ns: int, now_ns: int) -> None:
        """Take an echo; one that answers no probe of this series is ignored."""
        if self.over or t1_ns != self._asked:
            return
        self._asked = None
        self._rounds.append(measure(t1_ns, t2_ns, t3_ns, t4_ns))
        if len(self._rounds) == ROUND_COUNT:
            self.over = True
        else:
            self._next_ns = now_ns + self._spacing_ns

    def tick(self, now_ns: int) -> None:
        """End the series where a round got no answer in two seconds."""
        if self._asked is not None and now_ns >= self._deadline_ns:
            self.over = True

    @property
    def next_ns(self) -> int | None:
        """When the next probe is due; None while one is under way or all is over."""
        return None if self.over else self._next_ns

    def deadline_ns(self) -> int | None:
        """When to call ``begin_round`` or ``tick``."""
        if self.over:
            return None
        return self._deadline_ns if self._next_ns is None else self._next_ns

    def best(self) -> Offset | None:
        """Return the round with the smallest round trip; None without any: assume a shared clock."""
        return best(self._rounds)


class ClockSync:
    """The offset in use. Only for sessions whose first series worked; times are CLOCK_MONOTONIC."""

    def __init__(self, first: Offset, now_ns: int) -> None:
        self.offset_ns = first.offset_ns
        self.rtt_ns = first.rtt_ns
        self.floor_ns = first.rtt_ns
        self.series: ClockSeries | None = None
        self._due_ns = now_ns + RESYNC_NS
        self._refused: list[Offset] = []

    def start(self, now_ns: int) -> ClockSeries:
        """Begin a series: by the minute, or because frames seem late. A running one is abandoned."""
        self.series = ClockSeries(now_ns, spacing_ns=ROUND_SPACING_NS)
        self._due_ns = now_ns + RESYNC_NS
        return self.series

    @property
    def due_ns(self) -> int:
        """When the next series is due."""
        return self._due_ns

    def finish(self) -> bool:
        """Judge the series that is over; True where the offset was set anew."""
        series, self.series = self.series, None
        found = series.best() if series is not None and series.over else None
        return found is not None and self.offer(found) is not None

    def offer(self, found: Offset) -> Offset | None:
        """Compare a series' best round with the floor, then lower the floor; what was applied, or None."""
        good = acceptable(found.rtt_ns, self.floor_ns)
        self.floor_ns = min(self.floor_ns, found.rtt_ns)
        if good:
            self._refused.clear()
            return self._apply(found)
        self._refused.append(found)
        if len(self._refused) < REFUSALS_MAX:
            return None
        least = best(self._refused)
        self._refused.clear()
        return None if least is None else self._apply(least)

    def _apply(self, found: Offset) -> Offset:
        self.offset_ns, self.rtt_ns = found.offset_ns, found.rtt_ns
        return found


Reading = Offset
"""Result of a round or a series."""
