"""pf-sound: samples to packets of punktfunk/1, by absolute deadlines of the sample clock.

A thread of its own, because Trio's loop must not own such a cadence; what it makes waits in a bounded queue
for control, which sends it beside everything else of the QUIC connection. A quiet longer than a second is not
sent: the last packet before it says so, and the first after it has no predecessor (punktfunk-1 section 2.10).
"""

import os
import select
import threading
import time
from collections import deque
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from punktfunk.errors import PipelineFailed
from punktfunk.plan import NativeAudioPlan, RealtimePlan
from punktfunk.realtime.audio import AUDIO_PRIORITY, Cadence
from punktfunk.realtime.bells import open_bells
from punktfunk.realtime.clock import realtime_offset_ns
from punktfunk.realtime.thread import Failures, Placement, Worker, join_all, promote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from punktfunk.realtime.capture.cycle import Cycle
    from punktfunk.realtime.capture.live import LiveSound
    from punktfunk.realtime.encode.opus_native import NativeOpusEncoder

QUEUE_PACKETS: Final = 40
"""200 ms of 5 ms packets: what waits longer is of no use to a listener."""
QUIET_NS: Final = 1_000_000_000
REST_NS: Final = 100_000_000
"""How long a silent desktop is waited for before looking whether the session goes on."""


class MadeSound(NamedTuple):
    """What one frame became."""

    pts_ns: int
    """Capture of its first sample, CLOCK_REALTIME."""
    payload: bytes
    """One Opus packet, or interleaved little-endian samples."""
    is_first: bool
    """No packet was made right before it: the cadence has just begun, or begun anew."""
    ends_sound: bool
    """A long quiet follows."""
    lost_before: int = 0
    """Packets made right before it and lost, as control did not come for them in time."""


class SoundMaker:
    """The sound of one session. Every method is called by control, from one thread at a time.

    ``live`` is where the sound of a desktop comes from; None: what the plan names.
    """

    def __init__(self, plan: NativeAudioPlan, live: "LiveSound | None" = None) -> None:
        self._plan = plan
        self._live = live
        self._frame_ns = plan.frame_us * 1000
        self._stop = threading.Event()
        # ``event_fd`` is readable when packets wait or the thread has failed, until ``take``.
        failures_fd, self._stop_fd, self.event_fd = open_bells(3)
        self._failures = Failures(failures_fd)
        self._packets: deque[MadeSound] = deque()
        self._queue_lock = threading.Lock()
        self._worker = Worker("pf-sound", self._run, self._failures, self._ring)
        self._placement: Placement | None = None
        self._encoder: NativeOpusEncoder | None = None
        self._cycle: Cycle | None = None
        self._counters = {
            "sound_packets": 0,
            "sound_dropped": 0,
            "sound_oversize": 0,
            "sound_restarts": 0,
            "sound_filled": 0,
        }
        self._stopped = False

    def start(self) -> None:
        """Open encoder and source, then start the thread; EnvironmentProblem if one cannot be opened."""
        from punktfunk.realtime.capture.cycle import Cycle

        plan = self._plan
        if not plan.is_pcm:
            from punktfunk.realtime.encode.opus_native import NativeOpusEncoder

            self._encoder = NativeOpusEncoder(plan)
        if self._live is None:
            self._cycle = Cycle(plan.source, plan.channel_count, plan.rate_hz, plan.bits)
        self._worker.start()
        self._placement = promote("pf-sound", self._worker.native_id, RealtimePlan(None, AUDIO_PRIORITY))

    def stop(self, join_ns: int) -> None:
        """End the thread within ``join_ns`` and close everything. May be called again."""
        if self._stopped:
            return
        self._stop.set()
        os.eventfd_write(self._stop_fd, 1)
        join_all([self._worker], join_ns)
        self._stopped = True
        if self._encoder:
            self._encoder.close()
        self._failures.close()
        os.close(self._stop_fd)
        os.close(self.event_fd)

    def take(self) -> list[MadeSound]:
        """Take the packets that wait, oldest first; PipelineFailed once the thread has failed."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.event_fd)
        failure = self._failures.first()
        if failure is not None:
            raise failure
        with self._queue_lock:
            taken = list(self._packets)
            self._packets.clear()
        return taken

    def counters(self) -> dict[str, int]:
        """Packets made, dropped as control did not come, too large for a datagram; cadences begun anew.

        ``sound_filled`` packets hold silence, as no samples came from the desktop.
        """
        return dict(self._counters)

    def placement(self) -> Placement | None:
        """Where and how pf-sound runs; None before ``start``."""
        return self._placement

    def failure(self) -> PipelineFailed | None:
        """Why the thread died, None while it has not."""
        return self._failures.first()

    def _ring(self) -> None:
        if not self._stopped:
            os.eventfd_write(self.event_fd, 1)

    def _run(self) -> None:
        if self._live is not None:
            self._make_live(self._live)
        else:
            self._make_cycles()

    def _counts(self) -> "Iterator[int]":
        """Tell each frame's samples. Frames of 44.1 kHz have no whole number: the count of all so far has."""
        plan, begin = self._plan, 0
        for made_count in count(1):
            end = made_count * plan.frame_us * plan.rate_hz // 1_000_000
            yield end - begin
            begin = end

    def _make_live(self, live: "LiveSound") -> None:
        """Make packets of what a desktop plays, when it does."""
        first, quiet_ns, counts = True, 0, self._counts()
        while not self._stop.is_set():
            if quiet_ns >= QUIET_NS and not live.rest(REST_NS):
                continue
            taken = live.take(next(counts))
            self._counters["sound_filled"] = live.filled_count
            quiet_ns = 0 if taken.samples.any() else quiet_ns + self._frame_ns
            ends = quiet_ns + self._frame_ns > QUIET_NS
            if quiet_ns <= QUIET_NS:
                self._make(taken.samples, taken.captured_ns, is_first=first, ends=ends)
            first = ends

    def _make_cycles(self) -> None:
        """Make packets of what repeats itself, by the clock."""
        assert self._cycle is not None
        cadence, counts = Cadence(self._frame_ns, time.monotonic_ns()), self._counts()
        first, quiet_ns, restart_count = True, 0, 0
        while not self._stop.is_set():
            wait_ns = cadence.wait_ns(time.monotonic_ns())
            if wait_ns > 0:
                time.sleep(wait_ns / 1e9)
            samples = self._cycle.take(next(counts))
            quiet_ns = 0 if samples.any() else quiet_ns + self._frame_ns
            ends = quiet_ns + self._frame_ns > QUIET_NS  # frames of 3 ms never make exactly a second
            if quiet_ns <= QUIET_NS:
                self._make(samples, cadence.due_ns - self._frame_ns, is_first=first, ends=ends)
            first = ends
            if first and self._cycle.is_quiet:
                self._wait_for_stop()
            cadence.advance(time.monotonic_ns())
            if cadence.restart_count != restart_count:
                restart_count = self._counters["sound_restarts"] = cadence.restart_count
                first = True

    def _make(
        self,
        samples: "NDArray[np.int16] | NDArray[np.int32]",
        captured_ns: int,
        *,
        is_first: bool,
        ends: bool,
    ) -> None:
        payload = self._packet(samples)
        if len(payload) > self._plan.packet_bytes_max:
            self._counters["sound_oversize"] += 1
            return
        pts_ns = captured_ns + realtime_offset_ns()
        with self._queue_lock:
            self._make_room()
            self._packets.append(MadeSound(pts_ns, payload, is_first, ends))
        self._counters["sound_packets"] += 1
        self._ring()

    def _make_room(self) -> None:
        """Drop the oldest packets if control is late; the next one tells how many, so that they count."""
        while len(self._packets) >= QUEUE_PACKETS:
            dropped, kept = self._packets.popleft(), self._packets.popleft()
            self._counters["sound_dropped"] += 1
            lost = dropped.lost_before + 1 + kept.lost_before
            self._packets.appendleft(kept._replace(lost_before=lost))

    def _packet(self, samples: "NDArray[np.int16] | NDArray[np.int32]") -> bytes:
        if self._encoder is not None:
            return self._encoder.encode(samples.astype(np.int16, copy=False))
        if self._plan.bits == 16:
            return samples.astype("<i2", copy=False).tobytes()
        wide = samples.astype("<i4", copy=False).view("u1").reshape(-1, 4)
        return wide[:, :3].tobytes()

    def _wait_for_stop(self) -> None:
        poll = select.poll()
        poll.register(self._stop_fd, select.POLLIN)
        poll.poll()
