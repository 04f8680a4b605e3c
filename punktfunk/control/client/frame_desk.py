"""Where a decode thread tells the session about frames, and learns whether to show them.

One thread calls ``arrived`` and ``decoded``, the session's tasks call the rest: a lock keeps them apart, and
a bell wakes the session when there is something to ask of the host. What is decided stands in
``control.adapt`` (punktfunk-1 sections 2.9 and 2.17).
"""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from punktfunk.control.adapt.asks import Ask, KeyframeAsk
from punktfunk.control.adapt.client_loss import ClientLoss
from punktfunk.control.adapt.falling_behind import FallingBehind, Remedy
from punktfunk.control.adapt.report_window import Report, ReportWindows, Totals
from punktfunk.control.client.host_clock import HostClock
from punktfunk.control.flight import ClientFlight, Received
from punktfunk.wire.native.datagrams import HostTiming
from punktfunk.wire.native.packet import USER_REPEATED

LATENCIES_KEPT: Final = 1024


class FrameDesk:
    """Loss, lateness and windows of one session.

    ``completed_count`` tells how many frames the receiver has finished and not thrown away.
    """

    def __init__(
        self,
        windows: ReportWindows,
        clock: HostClock,
        completed_count: Callable[[], int],
        now_ns: int,
        name: str = "session",
    ) -> None:
        self.bell, self._rope = socket.socketpair()
        """Readable when there is something to take. A pair of sockets: every system has those."""
        for end in (self.bell, self._rope):
            end.setblocking(False)  # noqa: FBT003 -- socket's own signature
        self._lock = threading.Lock()
        self._loss = ClientLoss(now_ns)
        self._behind = FallingBehind()
        self._windows = windows
        self._clock = clock
        self._completed_count = completed_count
        self.frame_count = 0
        self.data_count = 0
        """Data shards of all frames: what packets beyond these are is parity."""
        self._closed = False
        self._host_ns = 0
        self.flight = ClientFlight(name)
        self.on_presented: Callable[[int, int], None] | None = None
        self._asks: list[Ask] = []
        self._remedies: list[Remedy] = []
        self.latencies_ns: deque[int] = deque(maxlen=LATENCIES_KEPT)
        self.presented_count = 0
        self.last_presented_ns = 0
        self.newest_presented: int | None = None
        self.gap_count = 0
        self.stale_count = 0
        self.held_count = 0

    def close(self) -> None:
        """Give the sockets back; the decode thread has ended by then."""
        with self._lock:
            self._closed = True
            self.bell.close()
            self._rope.close()

    def arrived(self, frame: Received) -> bool:
        """Note a frame in the order of completion. False: it is older than one taken, leave it out."""
        now_ns = time.monotonic_ns()
        latency_ns = self._clock.latency_ns(frame.pts_ns, frame.complete_ns)
        self.flight.note_taken(
            frame, now_ns, offset_ns=self._clock.offset_ns, decode_thread=threading.get_native_id()
        )
        with self._lock:
            self.frame_count += 1
            self.data_count += frame.data_count
            waiting_count = self._completed_count() - self.frame_count
            verdict = self._loss.on_frame(frame.frame_index, frame.user_flags, now_ns)
            if verdict.stale:
                self.stale_count += 1
                return False
            self.gap_count += verdict.gap
            self._windows.on_frame(self._way_ns(frame), repeat=bool(frame.user_flags & USER_REPEATED))
            if latency_ns is not None:
                self.latencies_ns.append(latency_ns)
            self._note(verdict.ask)
            self._note_remedy(self._behind.on_frame(latency_ns, waiting_count, now_ns))
        return True

    def decoded(self, frame: Received, *, produced: bool, is_key: bool = False) -> bool:
        """Note what became of a frame. True: show its picture; False: keep the one that is on the screen."""
        now_ns = time.monotonic_ns()
        with self._lock:
            self._note(self._loss.on_decoded(produced=produced, now_ns=now_ns, key_frame=is_key))
            if produced:
                self._windows.on_decoded(now_ns - frame.complete_ns)
            shown = produced and not self._loss.frozen
            self.held_count += not shown
        self.flight.note_decoded(frame.frame_index, now_ns, shown=shown)
        return shown

    def presented(self, frame: Received, presented_ns: int) -> None:
        """Note that a picture is on the screen (CLOCK_MONOTONIC)."""
        with self._lock:
            self.presented_count += 1
            self.last_presented_ns = max(self.last_presented_ns, presented_ns)
            self.newest_presented = frame.frame_index
        self.flight.note_presented(frame.frame_index, presented_ns)
        if self.on_presented is not None:
            self.on_presented(frame.frame_index, presented_ns)

    def note_timing(self, timing: HostTiming) -> None:
        """Take what the host says about a frame."""
        with self._lock:
            if timing.encode_us is not None:
                self._windows.on_host_timing(timing.encode_us * 1000)
            self._host_ns = (timing.host_us - (timing.pace_us or 0)) * 1000

    def _way_ns(self, frame: Received) -> int | None:
        """How long the first packet was on its way: queues change that, the size of a frame does not.

        Before it left the frame was captured and encoded, for as long as the last one of which the host told.
        """
        latency_ns = self._clock.latency_ns(frame.pts_ns, frame.first_ns)
        return None if latency_ns is None else max(0, latency_ns - self._host_ns)

    def request_keyframe(self) -> None:
        """Ask for a key frame whatever was asked before; the session's own wish."""
        with self._lock:
            self._note(KeyframeAsk())

    def tick(self, dropped_frame_count: int) -> None:
        """Look at the clock and at the receiver's count of given-up frames."""
        now_ns = time.monotonic_ns()
        with self._lock:
            self._note(self._loss.on_dropped_total(dropped_frame_count, now_ns))
            self._note(self._loss.tick(now_ns))

    def deadline_ns(self) -> int:
        """When ``tick`` or ``poll`` has something to do at the latest (CLOCK_MONOTONIC)."""
        with self._lock:
            return min(self._loss.deadline_ns(), self._windows.deadline_ns())

    def poll(self, totals: Totals) -> Report | None:
        """Close the report window if its time has come."""
        now_ns = time.monotonic_ns()
        with self._lock:
            report = self._windows.poll(totals, now_ns)
            if report is not None and report.sample is not None:
                sample = report.sample
                self._note_remedy(
                    self._behind.on_window(sample.latency_least_ns, sample.dropped_frame_count, now_ns)
                )
        return report

    def windows(self, change: Callable[[ReportWindows], None]) -> None:
        """Let ``change`` tell the windows something, such as a probe's begin."""
        with self._lock:
            change(self._windows)

    def flushed(self, datagram_count: int, frame_count: int) -> Remedy:
        """Say that everything that waited was thrown away; begin again with a key frame."""
        with self._lock:
            self._windows.on_flush()
            self._note(self._loss.on_flush(time.monotonic_ns()))
            return self._behind.on_flushed(datagram_count, frame_count)

    def clock_changed(self, shift_ns: int) -> None:
        """Forget lateness by the old clock: a resync moved the offset by ``shift_ns``."""
        with self._lock:
            self._behind.on_resync_applied(shift_ns)

    def take(self) -> tuple[list[Ask], list[Remedy]]:
        """Take what is to be asked and done, and quieten the bell."""
        with suppress(BlockingIOError):
            self.bell.recv(4096)
        with self._lock:
            asks, self._asks = self._asks, []
            remedies, self._remedies = self._remedies, []
        return asks, remedies

    @property
    def frozen(self) -> bool:
        """Whether the picture on the screen is held."""
        return self._loss.frozen

    def _note(self, ask: Ask | None) -> None:
        if ask is None:
            return
        if isinstance(ask, KeyframeAsk):
            self._windows.on_keyframe_ask()
        self._asks.append(ask)
        self._wake()

    def _note_remedy(self, remedy: Remedy) -> None:
        if remedy is not Remedy.NOTHING:
            self._remedies.append(remedy)
            self._wake()

    def _wake(self) -> None:
        if not self._closed:
            with suppress(BlockingIOError):  # full: it rings already
                self._rope.send(b"!")
