"""When a client lives in the past: three detectors and their remedies. Spec: punktfunk-1 section 2.17.

    detector  trips                                                       then
    --------  ----------------------------------------------------------  ---------------------------
    clock     every frame over 400 ms late for 250 ms                     flush, key frame
    queue     6 or more whole frames wait, not down to 2, for 250 ms      flush, key frame
    standing  window's least latency 10 ms over the session's, six        resync, then three flushes,
              loss-free windows                                           then never again

A flush of the clock detector that discards next to nothing shows that the clock is wrong and not the queue:
the first asks for a resync, the second disarms the detector until a resync was applied.
"""

from enum import Enum
from typing import Final

LATE_NS: Final = 400_000_000
TRIP_NS: Final = 250_000_000
QUEUE_HIGH: Final = 6
QUEUE_LOW: Final = 2
STANDING_NS: Final = 10_000_000
STANDING_WINDOWS: Final = 6
STANDING_FLUSHES: Final = 3
FLUSH_SPACING_NS: Final = 2_000_000_000
EMPTY_FLUSH_DATAGRAMS: Final = 64


class Remedy(Enum):
    """What to do now. A flush discards what waits and is followed by a request for a key frame."""

    NOTHING = "nothing"
    FLUSH = "flush"
    RESYNC = "resync"


class FallingBehind:
    """Feed it each completed frame, each closed window, and what flushes discarded."""

    def __init__(self) -> None:
        self._late_since_ns: int | None = None
        self._queue_since_ns: int | None = None
        self._last_flush_ns: int | None = None
        self._by_clock = False
        self._clock_armed = True
        self._empty_flushes = 0
        self._floor_ns: int | None = None
        self._standing_windows = 0
        self._standing_resynced = False
        self._standing_flushes = 0

    def on_frame(self, latency_ns: int | None, waiting_count: int, now_ns: int) -> Remedy:
        """Judge a completed frame: its one-way latency if known, and whole frames waiting for the decoder."""
        late = latency_ns is not None and latency_ns > LATE_NS and self._clock_armed
        if not late:
            self._late_since_ns = None
        elif self._late_since_ns is None:
            self._late_since_ns = now_ns
        if waiting_count <= QUEUE_LOW:
            self._queue_since_ns = None
        elif self._queue_since_ns is None and waiting_count >= QUEUE_HIGH:
            self._queue_since_ns = now_ns
        if self._over(self._late_since_ns, now_ns):
            return self._flush(now_ns, by_clock=True)
        if self._over(self._queue_since_ns, now_ns):
            return self._flush(now_ns, by_clock=False)
        return Remedy.NOTHING

    def on_window(self, latency_least_ns: int | None, lost_count: int, now_ns: int) -> Remedy:
        """Judge a closed window: its least latency, and whether anything was lost in it."""
        if latency_least_ns is None:
            return Remedy.NOTHING
        if self._floor_ns is None or latency_least_ns < self._floor_ns:
            self._floor_ns = latency_least_ns
        standing = not lost_count and latency_least_ns >= self._floor_ns + STANDING_NS
        self._standing_windows = self._standing_windows + 1 if standing else 0
        if self._standing_windows < STANDING_WINDOWS or self._standing_flushes >= STANDING_FLUSHES:
            return Remedy.NOTHING
        self._standing_windows = 0
        if not self._standing_resynced:
            self._standing_resynced = True
            return Remedy.RESYNC
        remedy = self._flush(now_ns, by_clock=False)
        self._standing_flushes += remedy is Remedy.FLUSH
        return remedy

    def on_flushed(self, datagram_count: int, frame_count: int) -> Remedy:
        """Say what a flush discarded; an empty one of the clock detector doubts the clock."""
        if not self._by_clock or frame_count or datagram_count >= EMPTY_FLUSH_DATAGRAMS:
            return Remedy.NOTHING
        self._empty_flushes += 1
        if self._empty_flushes == 1:
            return Remedy.RESYNC
        self._clock_armed = False
        return Remedy.NOTHING

    def on_resync_applied(self, shift_ns: int) -> None:
        """Note that the clock's offset grew by ``shift_ns``: latencies are longer by as much."""
        self._clock_armed, self._empty_flushes = True, 0
        self._late_since_ns, self._standing_windows = None, 0
        if self._floor_ns is not None:
            self._floor_ns += shift_ns

    def _flush(self, now_ns: int, *, by_clock: bool) -> Remedy:
        if self._last_flush_ns is not None and now_ns - self._last_flush_ns < FLUSH_SPACING_NS:
            return Remedy.NOTHING
        self._last_flush_ns, self._by_clock = now_ns, by_clock
        self._late_since_ns = self._queue_since_ns = None
        return Remedy.FLUSH

    @staticmethod
    def _over(since_ns: int | None, now_ns: int) -> bool:
        return since_ns is not None and now_ns - since_ns >= TRIP_NS
