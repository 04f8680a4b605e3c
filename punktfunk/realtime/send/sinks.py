"""What stands between pf-encode and a sender: which sender a plan needs, and its protocol's time stamps.

Importing this module loads the compiled kernels, so import it only when ``warm.is_warm()``.
"""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

from punktfunk.plan import FrameType, NativeSendPlan, SendPlan, StreamPosition
from punktfunk.realtime.clock import realtime_of, timestamp_90k
from punktfunk.realtime.encode.loop import Fate, Stamps
from punktfunk.realtime.kernels import layout
from punktfunk.realtime.send.frames import FrameSender, PushResult, PushStatus
from punktfunk.realtime.send.native import NativeSender
from punktfunk.realtime.send.sender import VideoSender
from punktfunk.wire.gamestream.video_blocks import FRAME_HEADER_BYTES, MAX_FRAME_SHARDS, NV_HEADER_BYTES
from punktfunk.wire.native.packet import USER_REPEATED

LEAST_CAPACITY_BYTES: Final = 1 << 21
CAPACITY_FRAMES: Final = 16
"""Room for one frame, in shares of the bitrate, where that is more than LEAST_CAPACITY_BYTES."""

_NATIVE_CEILING_BYTES: Final = (8 << 20, 64 << 20)
_NATIVE_CEILING_FRAMES: Final = 4
"""What every punktfunk/1 client accepts, for the bitrate of the whole link: a bit more than the encoder's."""

_FATES: Final = {
    PushStatus.OK: Fate.SENT,
    PushStatus.DROPPED_OLDEST: Fate.BROKE_CHAIN,
    PushStatus.OVERSIZE: Fate.OVERSIZE,
}
_REMEMBERED_COUNT: Final = 512


@dataclass(frozen=True, slots=True)
class SentFrame:
    """One frame that has left: ``pts_ns`` is CLOCK_REALTIME, all other times are CLOCK_MONOTONIC."""

    pts_ns: int
    captured_ns: int
    begun_ns: int  # the encoder was given its picture
    encoded_ns: int
    first_ns: int  # its first datagram
    last_ns: int
    frame_bytes: int
    datagram_count: int


class FrameSink(Protocol):
    """A sender, as pf-encode and the pipeline see it."""

    sender: FrameSender

    def push(self, access_unit: bytes, frame_type: FrameType, stamps: Stamps) -> Fate:
        """See ``encode.loop.Sink``."""

    def needs_key(self) -> bool:
        """See ``encode.loop.Sink``."""

    def set_fec_percent(self, percent: int) -> None:
        """Change the parity from the next frame on."""


class GameStreamSink:
    """``VideoSender`` as pf-encode sees it."""

    def __init__(self, plan: SendPlan, socket_fd: int, bitrate_bps: int) -> None:
        capacity_bytes = frame_capacity_bytes(plan, bitrate_bps)
        self.sender = VideoSender(plan, socket_fd, capacity_bytes)

    def push(self, access_unit: bytes, frame_type: FrameType, stamps: Stamps) -> Fate:
        """See ``encode.loop.Sink``."""
        result = self.sender.push(
            access_unit,
            frame_type=frame_type,
            captured_ns=stamps.captured_ns,
            encoded_ns=stamps.encoded_ns,
            timestamp_90k=timestamp_90k(stamps.captured_ns),
        )
        return _FATES[result.status]

    def needs_key(self) -> bool:
        """See ``encode.loop.Sink``."""
        return self.sender.take_idr_request()

    def set_fec_percent(self, percent: int) -> None:
        """Change the parity from the next frame on."""
        self.sender.set_fec_percent(percent)


class NativeSink:
    """``NativeSender`` as pf-encode sees it; another sender may take its place between two access units."""

    def __init__(self, plan: NativeSendPlan, socket_fd: int, bitrate_bps: int) -> None:
        self._capacity_bytes = native_capacity_bytes(plan, bitrate_bps)
        self._socket_fd = socket_fd
        self.sender = NativeSender(plan, socket_fd, self._capacity_bytes)
        self.exchanging = threading.Lock()
        """Held by pf-encode while it pushes, and by whoever puts another sender in this one's place."""
        self._begun: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED_COUNT)
        self._reported_count = 0

    def another(self, plan: NativeSendPlan) -> NativeSender:
        """Make a sender that may take over."""
        return NativeSender(plan, self._socket_fd, self._capacity_bytes)

    def exchange(self, sender: NativeSender) -> None:
        """Push into ``sender`` from now on. The caller holds ``exchanging``."""
        self.sender = sender
        self._reported_count = 0

    def push(self, access_unit: bytes, frame_type: FrameType, stamps: Stamps) -> Fate:
        """See ``encode.loop.Sink``."""
        pts_ns = realtime_of(stamps.captured_ns)
        self._begun.append((pts_ns, stamps.begun_ns))
        with self.exchanging:
            result: PushResult = self.sender.push(
                access_unit,
                frame_type=frame_type,
                captured_ns=stamps.captured_ns,
                encoded_ns=stamps.encoded_ns,
                pts_ns=pts_ns,
                user_flags=USER_REPEATED if stamps.repeated else 0,
            )
        return _FATES[result.status]

    def needs_key(self) -> bool:
        """See ``encode.loop.Sink``."""
        return self.sender.take_idr_request()

    def set_fec_percent(self, percent: int) -> None:
        """Change the parity from the next frame on."""
        self.sender.set_fec_percent(percent)

    def sent(self) -> list[SentFrame]:
        """List the frames that left since the last call, oldest first; for one thread."""
        self._reported_count, rows = self.sender.sent_since(self._reported_count)
        begun = dict(tuple(self._begun))
        return [
            SentFrame(
                pts_ns := int(row[layout.LATENCY_TIMESTAMP]),
                captured_ns := int(row[layout.LATENCY_CAPTURED_NS]),
                begun.get(pts_ns, captured_ns),
                int(row[layout.LATENCY_ENCODED_NS]),
                int(row[layout.LATENCY_FIRST_NS]),
                int(row[layout.LATENCY_LAST_NS]),
                int(row[layout.LATENCY_BYTES]),
                int(row[layout.LATENCY_DATAGRAMS]),
            )
            for row in rows
        ]


def open_sink(
    plan: SendPlan | NativeSendPlan, socket_fd: int, bitrate_bps: int, position: StreamPosition
) -> GameStreamSink | NativeSink:
    """Make the sender that the plan needs; ``position`` continues another stream of punktfunk/1."""
    if isinstance(plan, SendPlan):
        return GameStreamSink(plan, socket_fd, bitrate_bps)
    sink = NativeSink(plan, socket_fd, bitrate_bps)
    sink.sender.continue_from(position)
    return sink


def frame_capacity_bytes(plan: SendPlan, bitrate_bps: int) -> int:
    """Tell how large a frame may be: many times the mean, at most what shards can express."""
    most_bytes = MAX_FRAME_SHARDS * (plan.packet_bytes - NV_HEADER_BYTES) - FRAME_HEADER_BYTES
    return min(most_bytes, _roomy_bytes(bitrate_bps * plan.frame_interval_ns // 8_000_000_000))


def native_capacity_bytes(plan: NativeSendPlan, bitrate_bps: int) -> int:
    """Tell how large a frame may be: many times the mean, at most what clients accept (punktfunk-1 2.7)."""
    mean_bytes = bitrate_bps * plan.frame_interval_ns // 8_000_000_000
    least_bytes, most_bytes = _NATIVE_CEILING_BYTES
    ceiling_bytes = min(max(_NATIVE_CEILING_FRAMES * mean_bytes, least_bytes), most_bytes)
    return min(ceiling_bytes, _roomy_bytes(mean_bytes))


def _roomy_bytes(mean_bytes: int) -> int:
    return max(LEAST_CAPACITY_BYTES, CAPACITY_FRAMES * mean_bytes)
