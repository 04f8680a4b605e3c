"""Latencies counted by one thread, and what others want to know of them: percentiles, mean, extremes."""

from typing import Self

import numpy as np

from punktfunk.realtime.kernels import histogram
from punktfunk.realtime.kernels.layout import (
    HISTOGRAM_BUCKETS,
    HISTOGRAM_COUNT,
    HISTOGRAM_MAX_NS,
    HISTOGRAM_MIN_NS,
    HISTOGRAM_SUM_NS,
    HISTOGRAM_WORD_COUNT,
)
from punktfunk.realtime.reference.histogram import lowest_ns


class Histogram:
    """Counts of latencies in ns, exact to 1/64 up to 18 minutes. ``words`` is what kernels record into.

    One thread records. Any thread may read or copy meanwhile: it sees each count exact, and all of them
    together perhaps one value apart.
    """

    def __init__(self) -> None:
        self.words = np.zeros(HISTOGRAM_WORD_COUNT, np.int64)

    def record(self, value_ns: int) -> None:
        """Count one value; a negative one counts as 0."""
        histogram.record(self.words, value_ns)

    def copy(self) -> Self:
        """Return a histogram of its own with what was counted so far."""
        copied = type(self)()
        copied.words[:] = self.words
        return copied

    def merge(self, other: "Histogram") -> None:
        """Add what another one counted. For the thread that records here."""
        if other.count == 0:
            return
        low, high = self.words[HISTOGRAM_MIN_NS], other.words[HISTOGRAM_MIN_NS]
        lowest = min(low, high) if self.count else high
        highest = max(self.words[HISTOGRAM_MAX_NS], other.words[HISTOGRAM_MAX_NS])
        self.words += other.words
        self.words[HISTOGRAM_MIN_NS], self.words[HISTOGRAM_MAX_NS] = lowest, highest

    @property
    def count(self) -> int:
        """Values counted."""
        return int(self.words[HISTOGRAM_COUNT])

    @property
    def mean_ns(self) -> float:
        """Exact mean; 0 of nothing."""
        return int(self.words[HISTOGRAM_SUM_NS]) / max(self.count, 1)

    @property
    def minimum_ns(self) -> int:
        """Exact smallest value; 0 of nothing."""
        return int(self.words[HISTOGRAM_MIN_NS])

    @property
    def maximum_ns(self) -> int:
        """Exact largest value; 0 of nothing."""
        return int(self.words[HISTOGRAM_MAX_NS])

    def percentile_ns(self, percent: float) -> int:
        """Value that ``percent`` (0 to 100) of all do not exceed, at most 1/64 too high; 0 of nothing."""
        counts = self.words[HISTOGRAM_BUCKETS:].cumsum()
        total = int(counts[-1])
        if total == 0:
            return 0
        wanted = min(max(int(np.ceil(total * percent / 100)), 1), total)
        highest = lowest_ns(int(np.searchsorted(counts, wanted)) + 1) - 1
        return max(min(highest, self.maximum_ns), self.minimum_ns)
