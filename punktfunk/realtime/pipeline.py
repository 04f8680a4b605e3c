"""The video of one session: pf-capture, pf-encode, pf-send, and what links them.

    capture -> convert -> LatestFrame -> encode -> ByteRing -> shards, parity, seal, pace -> socket
    '----- pf-capture ------'  '------ pf-encode -----'  '----------- pf-send ------------------'

Only pf-send is realtime and pinned. It starts nothing; the encoder, which does, is opened by the thread that
calls ``start`` and, when the bitrate changes, by pf-encode: ordinary ones both.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from punktfunk.errors import LocalProtocolError, PipelineFailed
from punktfunk.plan import NativeSendPlan, PreparedSource, StreamPosition, VideoPlan
from punktfunk.realtime.bells import open_bells
from punktfunk.realtime.capture.cursor import Beside
from punktfunk.realtime.counters import added
from punktfunk.realtime.encode.loop import EncodeLoop, Orders
from punktfunk.realtime.latest import PICTURE_COUNT, LatestFrame
from punktfunk.realtime.realtimekit import RealtimeKit
from punktfunk.realtime.thread import (
    SWITCH_INTERVAL_S,
    Failures,
    Placement,
    Worker,
    join_all,
    prefer,
    promote,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from punktfunk.realtime.capture.loop import CaptureLoop
    from punktfunk.realtime.encode.base import Encoder, OpenEncoder
    from punktfunk.realtime.encode.picture import Picture
    from punktfunk.realtime.encode.prepared import PreparedLoop
    from punktfunk.realtime.send.frames import FrameSender
    from punktfunk.realtime.send.sinks import GameStreamSink, NativeSink, SentFrame
    from punktfunk.realtime.variants import Variant

DRAIN_NS = 50_000_000
"""How long a sender that is replaced may take for the frames that wait in it."""


class Pipeline:
    """Video from a source to a socket. Every method is called by control, from one thread at a time.

    ``socket_fd`` stays the caller's and must stay open until ``stop`` returned. Every pipeline needs a key of
    its own where datagrams are encrypted: its AES-GCM counters begin at 0, and none may come twice under one
    key. Only punktfunk/1's may have the key of one that ended: ``start`` it at that one's ``position``.
    ``event_fd`` becomes readable when a thread failed; ``stop`` closes it: nobody may wait on it then.
    ``beside`` is what capture tells beside pictures, and may be shared by all pipelines of a session.
    ``start`` raises EnvironmentProblem or PipelineFailed; ``stop`` cleans up then too. The kernels must be
    warm.
    """

    def __init__(
        self,
        plan: VideoPlan,
        socket_fd: int,
        *,
        open_encoder: "OpenEncoder | None" = None,
        beside: Beside | None = None,
    ) -> None:
        self.beside = beside or Beside()
        self._plan = plan
        self._socket_fd = socket_fd
        self._open_encoder = open_encoder
        self._orders = Orders(plan.encode.bitrate_bps)
        failures_fd, self._wake_fd = open_bells(2)
        self._failures = Failures(failures_fd)
        self._ended = threading.Event()
        self._workers: list[Worker] = []
        self._latest: LatestFrame[Picture] | None = None
        self._encoder: Encoder | None = None
        self._sink: GameStreamSink | NativeSink | None = None
        self._position = StreamPosition()
        self._destination: tuple[Any, ...] | None = None
        self._send_worker: Worker | None = None
        self._winding_down = False
        self._sent_fd = -1
        self._capture_loop: CaptureLoop | None = None
        self._encode_loop: EncodeLoop | PreparedLoop | None = None
        self._placements: list[Placement] = []
        self._last_counters: dict[str, int] = {}
        self._retired_counters: dict[str, int] = {}

    @property
    def event_fd(self) -> int:
        """Readable after a failure."""
        return self._failures.event_fd

    @property
    def sent_fd(self) -> int:
        """Eventfd that is readable after every frame that left; -1 for GameStream, which tells nobody."""
        return self._sent_fd

    @property
    def position(self) -> StreamPosition:
        """Where the next pipeline under the same key must start; known once ``stop`` has returned."""
        return self._position

    def prepare(self, picture_ns: int = 0) -> None:
        """Open encoder and sender, so that ``start`` takes no time. Blocks up to seconds.

        With ``picture_ns`` capture begins too, and its first picture is waited for, at most so long.
        """
        from punktfunk.realtime.capture.loop import CaptureLoop
        from punktfunk.realtime.encode.lavc import LavcEncoder
        from punktfunk.realtime.send.sinks import NativeSink, open_sink

        sys.setswitchinterval(SWITCH_INTERVAL_S)
        plan = self._plan
        if not isinstance(plan.source, PreparedSource):
            self._encoder = (self._open_encoder or LavcEncoder.open)(plan.encode, plan.source.mode)
            self._latest = LatestFrame([self._encoder.new_picture() for _ in range(PICTURE_COUNT)])
            self._capture_loop = CaptureLoop(plan, self._latest, self._wake_fd, self._ended, self.beside)
        self._sink = open_sink(plan.send, self._socket_fd, plan.encode.bitrate_bps, StreamPosition())
        if isinstance(self._sink, NativeSink):
            self._sent_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._sink.sender.ring_when_sent(self._sent_fd)
        if self._capture_loop and picture_ns:
            self._start("pf-capture", self._capture_loop.run)
            deadline_ns = time.monotonic_ns() + picture_ns
            while not self.counters()["captured_frames"] and time.monotonic_ns() < deadline_ns:
                self._ended.wait(0.001)

    def start(self, position: StreamPosition | None = None) -> None:
        """Start the threads, after ``prepare`` if that was not called; returns when all of them run.

        ``position`` continues the stream of another pipeline, which has stopped.
        """
        from punktfunk.realtime.encode.prepared import PreparedLoop
        from punktfunk.realtime.send.sinks import NativeSink

        if not self._sink:
            self.prepare()
        plan, sink, captures = self._plan, self._sink, bool(self._workers)
        assert sink
        if position is not None and isinstance(sink, NativeSink):
            sink.sender.continue_from(position)
        self._start_sending(sink.sender)
        if isinstance(plan.source, PreparedSource):
            self._encode_loop = PreparedLoop(plan.source, sink, self._orders, self._ended)
        else:
            assert self._latest
            assert self._encoder
            interval_ns = plan.source.mode.frame_interval_ns
            self._encode_loop = EncodeLoop(self._latest, self._encoder, sink, self._orders, interval_ns)
        self._start("pf-encode", self._encode_loop.run)
        if self._capture_loop and not captures:
            self._start("pf-capture", self._capture_loop.run)

    def _start_sending(self, sender: "FrameSender") -> None:
        self._send_worker = self._start(
            "pf-send", sender.run, lambda: self._end_threads() if sender is self._current_sender() else None
        )
        self._placements = [
            promote("pf-send", self._send_worker.native_id, self._plan.realtime, RealtimeKit())
        ]

    def _current_sender(self) -> "FrameSender | None":
        return self._sink.sender if self._sink else None

    def wind_down(self) -> None:
        """End what makes frames and let those that wait leave, within 100 ms; ``stop`` must follow."""
        self._winding_down = True
        self._end_makers()
        deadline_ns = time.monotonic_ns() + 2 * DRAIN_NS
        for worker in self._workers:
            if worker is not self._send_worker:
                worker.join(deadline_ns)
        while (sender := self._current_sender()) and sender.is_busy and time.monotonic_ns() < deadline_ns:
            time.sleep(0.0005)

    def stop(self, join_ns: int) -> None:
        """End the threads within ``join_ns`` and close everything; PunktfunkError names threads that hang.

        May be called again. What was opened stays open while a thread hangs: it may still be using it.
        """
        self._end_threads()
        join_all(self._workers, join_ns)
        # They hold what they ran, and us: tens of megabytes that would wait for the cycle collector.
        self._workers, self._send_worker = [], None
        self._last_counters = self.counters()
        encoder, self._encoder = self._encoder, None
        if encoder:
            encoder.close()
        sink, self._sink = self._sink, None
        if sink:
            self._position = getattr(sink.sender, "position", self._position)
            sink.sender.close()
        if self._latest:
            self._latest.close()
        self._capture_loop = self._encode_loop = self._latest = None
        self._failures.close()
        for fd in (self._wake_fd, self._sent_fd):
            if fd >= 0:
                os.close(fd)
        self._wake_fd = self._sent_fd = -1

    def request_idr(self) -> None:
        """Ask for a key frame: the client needs one, or refers to frames that it lost."""
        self._orders.key_request_count += 1
        if self._latest:
            self._latest.nudge()

    def set_destination(self, address: tuple[Any, ...], family: int) -> None:
        """Send to ``address``, as ``recvfrom`` gave it. Encoding begins with the first one."""
        if not self._sink:
            return
        host, port = address[0], address[1]
        flowinfo, scope_id = (address[2], address[3]) if len(address) == 4 else (0, 0)
        self._destination = (host, port, family, flowinfo, scope_id)
        self._sink.sender.set_destination(*self._destination)
        # No key frame is asked for: the first frame of all is one.
        self._orders.sending = True
        if self._latest:
            self._latest.nudge()

    def set_bitrate(self, bitrate_bps: int) -> None:
        """Change the encoder's rate; the next frame may be a key frame."""
        self._orders.bitrate_bps = bitrate_bps
        if self._latest:
            self._latest.nudge()

    def set_fec_percent(self, percent: int) -> None:
        """Change the parity from the next frame on."""
        if self._sink:
            self._sink.set_fec_percent(percent)

    def set_pace(self, pace_bps: int) -> None:
        """Tell Pacing.CAPPED of what rate it takes the multiple."""
        from punktfunk.realtime.send.sinks import NativeSink

        if isinstance(self._sink, NativeSink):
            self._sink.sender.set_pace(pace_bps)

    def fill(self, unit_bytes: int) -> bool:
        """Send a unit of a probe, see ``NativeSender.fill``; by any thread. False where it cannot be sent."""
        from punktfunk.realtime.send.sinks import NativeSink

        return isinstance(self._sink, NativeSink) and self._sink.sender.fill(unit_bytes)

    def change_send(self, plan: NativeSendPlan) -> None:
        """Send by another plan of the same key from the next access unit on. Blocks for up to 100 ms.

        LocalProtocolError for a stream that is not punktfunk/1's or does not run.
        """
        from punktfunk.realtime.send.sinks import NativeSink

        sink, worker = self._sink, self._send_worker
        if not isinstance(sink, NativeSink) or worker is None:
            raise LocalProtocolError("only a running stream of punktfunk/1 can be sent in another way")
        (sender := sink.another(plan)).ring_when_sent(self._sent_fd)
        with sink.exchanging:
            old = sink.sender
            deadline_ns = time.monotonic_ns() + DRAIN_NS
            while old.is_busy and time.monotonic_ns() < deadline_ns:
                time.sleep(0.0005)
            sink.exchange(sender)  # before the old one ends: its end must not end the others
            old.stop()
            worker.join(time.monotonic_ns() + DRAIN_NS)
            if worker.is_alive():
                raise PipelineFailed("pf-send did not stop for another to take its place")
            sender.continue_from(old.position, mid_stream=old.has_begun)
            if self._destination:
                sender.set_destination(*self._destination)
            self._workers.remove(worker)
            self._retired_counters = added(self._retired_counters, old.counters())
            old.close()
            self._start_sending(sender)

    def sent_frames(self) -> "list[SentFrame]":
        """List the frames of punktfunk/1 that left since the last call; reads ``sent_fd``."""
        from punktfunk.realtime.send.sinks import NativeSink

        if self._sent_fd >= 0:
            with suppress(BlockingIOError):
                os.eventfd_read(self._sent_fd)
        return self._sink.sent() if isinstance(self._sink, NativeSink) else []

    def swap(self, kind: str, variant: "Variant | None") -> None:
        """Make frames by ``variant``, or with None by the default, from the next frame on.

        LocalProtocolError for a kind that this stream has no use for.
        """
        if self._sink:
            self._sink.sender.swap(kind, variant)

    def counters(self) -> dict[str, int]:
        """Every count of capture, encoder and sender; after ``stop`` the last ones."""
        counters = dict(self._last_counters)
        for part in (self._capture_loop, self._encode_loop):
            if part:
                counters |= part.counters()
        if sender := self._current_sender():
            counters |= added(self._retired_counters, sender.counters())
        return counters

    def latencies(self) -> "NDArray[np.int64] | None":
        """Copy the times of the last frames, see ``VideoSender.latencies``; None while not started."""
        return sender.latencies() if (sender := self._current_sender()) else None

    @property
    def send_thread_id(self) -> int:
        """The kernel's id of pf-send; -1 while it does not run."""
        return self._send_worker.native_id if self._send_worker else -1

    def placements(self) -> list[Placement]:
        """Where and how the realtime thread runs, and why not better."""
        return list(self._placements)

    def failure(self) -> PipelineFailed | None:
        """Why a thread died, None while none has."""
        return self._failures.first()

    def _start(self, name: str, body: Callable[[], None], on_end: Callable[[], None] | None = None) -> Worker:
        worker = Worker(name, body, self._failures, on_end or self._maker_ended)
        worker.start()
        if on_end is None:  # what makes frames waits for control alone, which is preferred as well
            prefer(worker.native_id)
        self._workers.append(worker)
        return worker

    def _maker_ended(self) -> None:
        """Note that capture or encoder ended: by itself, it ends the others too."""
        if not self._winding_down:
            self._end_threads()

    def _end_threads(self) -> None:
        """Ask every thread to end. The first that ends by itself calls it too: the rest is useless then."""
        self._end_makers()
        if sender := self._current_sender():
            sender.stop()

    def _end_makers(self) -> None:
        self._ended.set()
        self._orders.stop = True
        if self._wake_fd >= 0:
            os.eventfd_write(self._wake_fd, 1)
        if self._latest:
            self._latest.nudge()
