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
from typing import TYPE_CHECKING, Any, Final

from punktfunk.errors import PipelineFailed
from punktfunk.plan import FrameType, SendPlan, VideoPlan
from punktfunk.realtime.encode.loop import EncodeLoop, Fate, Orders
from punktfunk.realtime.latest import PICTURE_COUNT, LatestFrame
from punktfunk.realtime.realtimekit import RealtimeKit
from punktfunk.realtime.thread import (
    SWITCH_INTERVAL_S,
    Failures,
    Placement,
    Worker,
    join_all,
    promote,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from punktfunk.realtime.capture.loop import CaptureLoop
    from punktfunk.realtime.encode.base import Encoder, OpenEncoder
    from punktfunk.realtime.encode.picture import Picture
    from punktfunk.realtime.send.sender import VideoSender
    from punktfunk.realtime.variants import Variant

LEAST_CAPACITY_BYTES: Final = 1 << 21
CAPACITY_FRAMES: Final = 16
"""Room for one frame, in shares of the bitrate, where that is more than LEAST_CAPACITY_BYTES."""


class Pipeline:
    """Video from a source to a socket. Every method is called by control, from one thread at a time.

    ``socket_fd`` stays the caller's and must stay open until ``stop`` returned. Every pipeline needs a key of
    its own where datagrams are encrypted: its AES-GCM counters begin at 0, and none may come twice under one
    key. ``event_fd`` becomes readable when a thread failed; ``stop`` closes it: nobody may wait on it then.
    ``start`` raises EnvironmentProblem or PipelineFailed; ``stop`` cleans up then too. The kernels must be
    warm.
    """

    def __init__(
        self,
        plan: VideoPlan,
        socket_fd: int,
        *,
        open_encoder: "OpenEncoder | None" = None,
    ) -> None:
        self._plan = plan
        self._socket_fd = socket_fd
        self._open_encoder = open_encoder
        self._orders = Orders(plan.encode.bitrate_bps)
        self._failures = Failures()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ended = threading.Event()
        self._workers: list[Worker] = []
        self._latest: LatestFrame[Picture] | None = None
        self._encoder: Encoder | None = None
        self._sender: VideoSender | None = None
        self._capture_loop: CaptureLoop | None = None
        self._encode_loop: EncodeLoop | None = None
        self._placements: list[Placement] = []
        self._last_counters: dict[str, int] = {}

    @property
    def event_fd(self) -> int:
        """Readable after a failure."""
        return self._failures.event_fd

    def start(self) -> None:
        """Open the encoder, then start the threads; returns when all of them run. Blocks up to seconds."""
        from punktfunk.realtime.capture.loop import CaptureLoop
        from punktfunk.realtime.encode.lavc import LavcEncoder
        from punktfunk.realtime.send.sender import VideoSender

        sys.setswitchinterval(SWITCH_INTERVAL_S)
        plan = self._plan
        self._encoder = (self._open_encoder or LavcEncoder.open)(plan.encode, plan.source.mode)
        self._latest = LatestFrame([self._encoder.new_picture() for _ in range(PICTURE_COUNT)])
        self._sender = VideoSender(
            plan.send,
            self._socket_fd,
            frame_capacity_bytes(plan.send, plan.encode.bitrate_bps),
        )
        self._capture_loop = CaptureLoop(plan, self._latest, self._wake_fd, self._ended)
        self._encode_loop = EncodeLoop(
            self._latest,
            self._encoder,
            _Sink(self._sender),
            self._orders,
            plan.source.mode.frame_interval_ns,
        )
        self._start("pf-send", self._sender.run)
        self._placements = [promote("pf-send", self._workers[0].native_id, plan.realtime, RealtimeKit())]
        self._start("pf-encode", self._encode_loop.run)
        self._start("pf-capture", self._capture_loop.run)

    def stop(self, join_ns: int) -> None:
        """End the threads within ``join_ns`` and close everything; PunktfunkError names threads that hang.

        May be called again. What was opened stays open while a thread hangs: it may still be using it.
        """
        self._end_threads()
        join_all(self._workers, join_ns)
        # They hold what they ran, and us: tens of megabytes that would wait for the cycle collector.
        self._workers = []
        self._last_counters = self.counters()
        encoder, self._encoder = self._encoder, None
        if encoder:
            encoder.close()
        sender, self._sender = self._sender, None
        if sender:
            sender.close()
        if self._latest:
            self._latest.close()
        self._capture_loop = self._encode_loop = self._latest = None
        self._failures.close()
        if self._wake_fd >= 0:
            os.close(self._wake_fd)
            self._wake_fd = -1

    def request_idr(self) -> None:
        """Ask for a key frame: the client needs one, or refers to frames that it lost."""
        self._orders.key_request_count += 1
        if self._latest:
            self._latest.nudge()

    def set_destination(self, address: tuple[Any, ...], family: int) -> None:
        """Send to ``address``, as ``recvfrom`` gave it. Encoding begins with the first one."""
        if not self._sender:
            return
        host, port = address[0], address[1]
        flowinfo, scope_id = (address[2], address[3]) if len(address) == 4 else (0, 0)
        self._sender.set_destination(host, port, family, flowinfo, scope_id)
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
        if self._sender:
            self._sender.set_fec_percent(percent)

    def swap(self, kind: str, variant: "Variant | None") -> None:
        """Make frames by ``variant``, or with None by the default, from the next frame on.

        LocalProtocolError for a kind that this stream has no use for.
        """
        if self._sender:
            self._sender.swap(kind, variant)

    def counters(self) -> dict[str, int]:
        """Every count of capture, encoder and sender; after ``stop`` the last ones."""
        counters = dict(self._last_counters)
        for part in (self._capture_loop, self._encode_loop, self._sender):
            if part:
                counters |= part.counters()
        return counters

    def latencies(self) -> "NDArray[np.int64] | None":
        """Copy the times of the last frames, see ``VideoSender.latencies``; None while not started."""
        return self._sender.latencies() if self._sender else None

    def placements(self) -> list[Placement]:
        """Where and how the realtime thread runs, and why not better."""
        return list(self._placements)

    def failure(self) -> PipelineFailed | None:
        """Why a thread died, None while none has."""
        return self._failures.first()

    def _start(self, name: str, body: Callable[[], None]) -> None:
        worker = Worker(name, body, self._failures, self._end_threads)
        worker.start()
        self._workers.append(worker)

    def _end_threads(self) -> None:
        """Ask every thread to end. The first that ends by itself calls it too: the rest is useless then."""
        self._ended.set()
        self._orders.stop = True
        if self._wake_fd >= 0:
            os.eventfd_write(self._wake_fd, 1)
        if self._latest:
            self._latest.nudge()
        if self._sender:
            self._sender.stop()


class _Sink:
    """VideoSender, as pf-encode sees it."""

    def __init__(self, sender: "VideoSender") -> None:
        from punktfunk.realtime.send.sender import PushStatus

        self._sender = sender
        self._fates = {
            PushStatus.OK: Fate.SENT,
            PushStatus.DROPPED_OLDEST: Fate.BROKE_CHAIN,
            PushStatus.OVERSIZE: Fate.OVERSIZE,
        }

    def push(self, access_unit: bytes, frame_type: FrameType, captured_ns: int, timestamp_90k: int) -> Fate:
        result = self._sender.push(
            access_unit,
            frame_type=frame_type,
            captured_ns=captured_ns,
            encoded_ns=time.monotonic_ns(),
            timestamp_90k=timestamp_90k,
        )
        return self._fates[result.status]

    def needs_key(self) -> bool:
        return self._sender.take_idr_request()


def frame_capacity_bytes(plan: SendPlan, bitrate_bps: int) -> int:
    """Tell how large a frame may be: many times the mean, at most what shards can express."""
    from punktfunk.wire.gamestream.video_blocks import (
        FRAME_HEADER_BYTES,
        MAX_FRAME_SHARDS,
        NV_HEADER_BYTES,
    )

    most_bytes = MAX_FRAME_SHARDS * (plan.packet_bytes - NV_HEADER_BYTES) - FRAME_HEADER_BYTES
    mean_bytes = bitrate_bps * plan.frame_interval_ns // 8_000_000_000
    return min(most_bytes, max(LEAST_CAPACITY_BYTES, CAPACITY_FRAMES * mean_bytes))
