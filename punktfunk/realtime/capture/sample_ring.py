"""Samples on their way between two threads, with the times at which they were captured.

One thread writes, another takes. What nobody takes in time gives way to what is newer and is counted: sound
that waits for long is of no use to a listener. Samples are float32, (count, channels); times CLOCK_MONOTONIC.
"""

import threading
import time
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

CAPACITY_NS: Final = 200_000_000
CUSHION_NS: Final = 30_000_000


class SampleRing:
    """Bounded; the oldest samples are dropped. ``capacity_ns`` is how much sound may wait."""

    def __init__(self, channel_count: int, rate_hz: int, capacity_ns: int = CAPACITY_NS) -> None:
        self.channel_count = channel_count
        self.rate_hz = rate_hz
        self._capacity = max(1, rate_hz * capacity_ns // 1_000_000_000)
        self._samples: Samples = np.zeros((self._capacity, channel_count), np.float32)
        self._written = 0  # positions never wrap
        self._taken = 0
        self._end_ns = 0  # when the newest sample was captured
        self._came = threading.Condition()
        self.chunk_count = 0
        """Samples of the newest write: the quantum of whoever writes."""
        self.dropped_count = 0
        self.taken_count = 0
        """Samples that somebody asked for, there or not."""

    def level(self) -> int:
        """Tell how many samples wait."""
        return self._written - self._taken

    def write(self, samples: "Samples", end_ns: int) -> None:
        """Append samples of which the last was captured at ``end_ns``."""
        with self._came:
            self.chunk_count = len(samples)
            kept = samples[-self._capacity :]
            surplus = self.level() + len(samples) - self._capacity
            if surplus > 0:
                self.dropped_count += surplus
                self._taken = self._written + len(samples) - self._capacity
            self._written += len(samples)
            self._put(kept)
            self._end_ns = end_ns
            self._came.notify()

    def wait(self, count: int, deadline_ns: int) -> bool:
        """Wait until ``count`` samples are there; False if they were not by the CLOCK_MONOTONIC deadline."""
        with self._came:
            while self.level() < count:
                left_ns = deadline_ns - time.monotonic_ns()
                if left_ns <= 0:
                    return False
                self._came.wait(left_ns / 1e9)
        return True

    def take(self, count: int) -> "tuple[Samples, int]":
        """Take at most ``count`` samples, and when the first of them was captured."""
        with self._came:
            self.taken_count += count
            begin_ns = self._end_ns - self.level() * 1_000_000_000 // self.rate_hz
            taken = self._get(min(count, self.level()))
            self._taken += len(taken)
        return taken, begin_ns

    def leave(self, count: int) -> None:
        """Drop all but the newest ``count`` samples."""
        with self._came:
            surplus = self.level() - count
            if surplus > 0:
                self._taken += surplus
                self.dropped_count += surplus

    def _put(self, samples: "Samples") -> None:
        begin = (self._written - len(samples)) % self._capacity
        first = min(len(samples), self._capacity - begin)
        self._samples[begin : begin + first] = samples[:first]
        self._samples[: len(samples) - first] = samples[first:]

    def _get(self, count: int) -> "Samples":
        begin = self._taken % self._capacity
        first = min(count, self._capacity - begin)
        if first == count:
            return self._samples[begin : begin + count].copy()
        return np.concatenate((self._samples[begin:], self._samples[: count - first]))


class CushionedRing(SampleRing):
    """A ring that plays on: it begins with a cushion, and again each time that it ran dry.

    Its writer and its reader have clocks of their own; what they drift apart is dropped at the far end.
    """

    def __init__(self, channel_count: int, rate_hz: int) -> None:
        super().__init__(channel_count, rate_hz)
        self._cushion = rate_hz * CUSHION_NS // 1_000_000_000
        self._is_filling = True

    def take(self, count: int) -> "tuple[Samples, int]":
        """See ``SampleRing``; nothing while the cushion grows."""
        if self._is_filling and self.level() < self._cushion + count:
            return self._get(0), self._end_ns
        self._is_filling = False
        if self.level() > 4 * self._cushion + count:
            self.leave(self._cushion + count)
        taken, begin_ns = super().take(count)
        self._is_filling = len(taken) < count
        return taken, begin_ns
