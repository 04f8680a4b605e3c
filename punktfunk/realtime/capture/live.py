"""Packets of sound that others make: as soon as their samples are there, silence where none come.

    samples flow   a packet leaves with its last sample, but bursts of a large quantum are spread
    none come      after a little patience silence, by the clock, until there are samples again
    far behind     the oldest samples are dropped: better a click than a delay that stays

The clock of the samples is the sound server's and rules the packets, so nothing drifts.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from punktfunk.realtime.capture.sample_ring import SampleRing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int16] | NDArray[np.int32]

GRACE_NS: Final = 5_000_000
SPREAD: Final = 0.9
"""Packets of one burst leave at this share of their length, a little faster than they are used up."""

MOST_BEHIND_NS: Final = 60_000_000
KEPT_BEHIND_NS: Final = 10_000_000
DELAYS: Final = 400
LOOSE_NS: Final = 30_000_000
SMOOTHING: Final = 32
"""Stamps follow by this share of how far they are off, unless they are off by more than ``LOOSE_NS``."""


class Taken(NamedTuple):
    """The samples of one packet, (count, channels); 24 bits lie in 32."""

    samples: "Integers"
    captured_ns: int
    """Capture of the first sample, CLOCK_MONOTONIC."""
    is_filled: bool
    """Silence stands for samples that did not come."""


class LiveSound:
    """Cuts what a ring holds into packets; for one thread. Waits no longer than two quanta and a packet."""

    def __init__(
        self,
        ring: SampleRing,
        bits: int = 16,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ring = ring
        self._bits = bits
        self._clock_ns = clock_ns
        self._sleep = sleep
        self._last_ns = 0
        self._stamp_ns = 0
        self._is_dry = True
        self._delays_ns: deque[int] = deque(maxlen=DELAYS)
        self.filled_count = 0
        """Packets that hold silence for samples that did not come."""

    def take(self, count: int) -> Taken:
        """Wait for the next packet of ``count`` samples, or for the moment at which it must be silence."""
        ring = self._ring
        length_ns = count * 1_000_000_000 // ring.rate_hz
        if not self._last_ns:
            self._last_ns = self._clock_ns()
        self._shorten(count)
        if ring.wait(count, self._last_ns + length_ns):
            return self._flow(count, length_ns)
        # Late, or the first samples after a silence: a part of the packet is there, the rest is on its way.
        if (not self._is_dry or ring.level()) and ring.wait(count, self._patient_until_ns(length_ns)):
            return self._flow(count, length_ns)
        return self._fill(count, length_ns)

    def rest(self, patience_ns: int) -> bool:
        """Make no silence, which nobody wants now: wait for samples; False if none came in so long."""
        came = self._ring.wait(1, self._clock_ns() + patience_ns)
        self._last_ns, self._is_dry = self._clock_ns(), True
        return came

    def delay_ns(self) -> int:
        """Tell how long a packet's first sample has waited when it is taken: median of the last ones."""
        ordered = sorted(self._delays_ns)
        return ordered[len(ordered) // 2] if ordered else 0

    def _shorten(self, count: int) -> None:
        """Drop what is far behind: this thread was kept from running, or the graph's clock jumped."""
        quantum = self._ring.chunk_count
        if self._ring.level() > self._samples(MOST_BEHIND_NS) + quantum:
            self._ring.leave(self._samples(KEPT_BEHIND_NS) + quantum + count)

    def _patient_until_ns(self, length_ns: int) -> int:
        quantum_ns = self._ring.chunk_count * 1_000_000_000 // self._ring.rate_hz
        return self._last_ns + length_ns + 2 * quantum_ns + GRACE_NS

    def _samples(self, duration_ns: int) -> int:
        return self._ring.rate_hz * duration_ns // 1_000_000_000

    def _flow(self, count: int, length_ns: int) -> Taken:
        early_ns = self._last_ns + round(length_ns * SPREAD) - self._clock_ns()
        if early_ns > 0 and not self._is_dry:
            self._sleep(early_ns / 1e9)
        samples, captured_ns = self._ring.take(count)
        now_ns = self._clock_ns()
        self._delays_ns.append(max(0, now_ns - captured_ns))
        self._last_ns = now_ns
        self._is_dry = False
        return Taken(self._whole(samples), self._stamp(captured_ns, length_ns), is_filled=False)

    def _fill(self, count: int, length_ns: int) -> Taken:
        now_ns = self._clock_ns()
        rest, captured_ns = self._ring.take(count)
        silence = np.zeros((count - len(rest), self._ring.channel_count), np.float32)
        due_ns = self._last_ns + length_ns
        # On the clock, so that silence has the length of the time it fills; anew after a standstill.
        self._last_ns = due_ns if now_ns - due_ns < MOST_BEHIND_NS else now_ns
        self._is_dry = True
        self.filled_count += 1
        begin_ns = captured_ns if len(rest) else self._last_ns - length_ns
        whole = self._whole(np.concatenate((rest, silence)))
        return Taken(whole, self._stamp(begin_ns, length_ns), is_filled=True)

    def _stamp(self, captured_ns: int, length_ns: int) -> int:
        """Even out when packets were captured: one length apart, following the samples' clock slowly.

        Writes come by quanta and wake-ups come late; stamps that jumped about, or back, would make a client
        stretch and shrink its sound. A real jump is kept, but for one back.
        """
        due_ns = self._stamp_ns + length_ns
        off_ns = captured_ns - due_ns
        if self._stamp_ns and abs(off_ns) < LOOSE_NS:
            stamp_ns = due_ns + off_ns // SMOOTHING
        else:
            stamp_ns = max(captured_ns, self._stamp_ns + length_ns // 2)
        self._stamp_ns = stamp_ns
        return stamp_ns

    def _whole(self, samples: "NDArray[np.float32]") -> "Integers":
        """Round to integers; what is too loud for them is clipped, and what is no number is silent."""
        most = (1 << self._bits - 1) - 1
        scaled = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0) * np.float32(most)
        clipped = np.clip(np.rint(scaled), -most, most)
        whole: Integers = clipped.astype(np.int16 if self._bits == 16 else np.int32)
        return whole
