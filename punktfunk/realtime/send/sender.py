"""VideoSender: what ``pf-encode`` pushes into and ``pf-send`` lives in.

Importing this module loads the compiled kernels, so import it only when ``warm.is_warm()``.
"""

import os
import socket
import weakref
from dataclasses import dataclass
from enum import Enum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import EnvironmentProblem, LocalProtocolError, PipelineFailed
from punktfunk.plan import FrameType, Pacing, SendPlan
from punktfunk.realtime.counters import read_counters
from punktfunk.realtime.kernels import layout, seal, udp
from punktfunk.realtime.kernels.mailbox import post_destination, post_word
from punktfunk.realtime.kernels.send_loop import send_loop
from punktfunk.realtime.reference import gf8
from punktfunk.realtime.rings import ByteRing, BytesLike
from punktfunk.wire.gamestream.video import FIRST_FRAME_INDEX
from punktfunk.wire.gamestream.video_blocks import (
    FRAME_HEADER_BYTES,
    MAX_BARE_BLOCK_SHARDS,
    MAX_BLOCK_COUNT,
    MAX_BLOCK_SHARDS,
    MAX_FRAME_SHARDS,
    MAX_PERCENT,
    NV_HEADER_BYTES,
)
from punktfunk.wire.gamestream.video_encryption import ENCRYPTED_PREFIX_BYTES

_LATENCY_ROW_COUNT = 1024
_RING_FRAME_COUNT = 4
_PACE_SHARE = (7, 8)  # of the frame interval; the rest is slack, so that a late frame does not push the next

_EXITS = {
    layout.BAD_SIZE: "its arrays do not fit together",
    layout.SOCKET_FAILED: "its socket was closed",
}


class PushStatus(Enum):
    """What became of a pushed access unit."""

    OK = "ok"
    OVERSIZE = "oversize"  # it cannot be expressed in shards, or is beyond the capacity: nothing is sent
    DROPPED_OLDEST = "dropped oldest"  # it is in the ring, but older ones had to go


@dataclass(frozen=True, slots=True)
class PushResult:
    """Status, and how many frames were dropped for it. Anything but OK calls for an IDR."""

    status: PushStatus
    dropped_count: int = 0


@cache
def _field_tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    return gf8.inverses(), gf8.tables()


def _release(doorbell: int, cipher: int) -> None:
    os.close(doorbell)
    if cipher:
        seal.close_cipher(cipher)


class VideoSender:
    """Access units in, GameStream datagrams out.

    Three threads use it: ``run`` is the whole body of pf-send, ``push`` belongs to the encoder's thread, the
    rest to control. ``socket_fd`` stays the caller's and must outlive ``run``; it may be non-blocking, and
    IPv4 or IPv6. ``first_sequence`` and ``first_frame_index`` continue another sender's stream: an AES-GCM
    counter must never come twice under one key, and clients drop frames whose index goes back.
    """

    def __init__(
        self,
        plan: SendPlan,
        socket_fd: int,
        frame_capacity_bytes: int,
        *,
        first_sequence: int = 0,
        first_frame_index: int = FIRST_FRAME_INDEX,
    ) -> None:
        prefix_bytes = ENCRYPTED_PREFIX_BYTES if plan.encryption_key else 0
        self._payload_bytes = plan.packet_bytes - NV_HEADER_BYTES
        stride_bytes = plan.packet_bytes + NV_HEADER_BYTES + prefix_bytes
        if self._payload_bytes <= FRAME_HEADER_BYTES or stride_bytes > udp.GROUP_BYTES_MAX:
            raise LocalProtocolError(f"video packets of {plan.packet_bytes} bytes cannot be sent")
        self._capacity_bytes = frame_capacity_bytes
        self._ring = ByteRing(_RING_FRAME_COUNT * (frame_capacity_bytes + 128))
        self._header = np.zeros(layout.RECORD_HEADER_WORD_COUNT, np.int64)
        self._words = np.zeros(layout.SENDER_WORD_COUNT, np.int64)
        self._counters = np.zeros(layout.COUNTER_COUNT, np.int64)
        self._latencies = np.zeros((_LATENCY_ROW_COUNT, layout.LATENCY_COLUMN_COUNT), np.int64)
        self._packets = np.empty((MAX_BARE_BLOCK_SHARDS, stride_bytes), np.uint8)
        self._frame = np.empty(frame_capacity_bytes + FRAME_HEADER_BYTES, np.uint8)
        for array in (self._packets, self._frame):
            array.fill(0)  # touch every page now, not while streaming
        self._destination: bytes | None = None
        self._pushed_count = self._oversize_count = 0
        self._asked_by_push = self._asked_by_control = self._answered_count = 0
        cipher = self._open_cipher(plan.encryption_key)
        doorbell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._close = weakref.finalize(self, _release, doorbell, cipher)
        self._doorbell = doorbell
        window_ns = plan.frame_interval_ns * _PACE_SHARE[0] // _PACE_SHARE[1]
        for index, value in (
            (layout.WORD_SOCKET, socket_fd),
            (layout.WORD_DOORBELL, doorbell),
            (layout.WORD_PACKET_BYTES, plan.packet_bytes),
            (layout.WORD_MINIMUM_PARITY, plan.minimum_parity_count),
            (layout.WORD_PACE_WINDOW_NS, window_ns if plan.pacing is Pacing.FRAME else 0),
            (layout.WORD_FRAME_INTERVAL_NS, plan.frame_interval_ns),
            (layout.WORD_CIPHER, cipher),
            (layout.WORD_FIRST_FRAME_INDEX, first_frame_index),
            (layout.WORD_DATAGRAM_SEQUENCE, first_sequence),
            (layout.WORD_FIRST_SEQUENCE, -1),
        ):
            self._words[index] = value
        self.set_fec_percent(plan.fec_percent)

    @staticmethod
    def _open_cipher(key: bytes | None) -> int:
        if key is None:
            return 0
        cipher = seal.open_cipher(np.frombuffer(bytearray(key), np.uint8))
        if cipher == layout.BAD_SIZE:
            raise LocalProtocolError(f"a video key has 16 bytes, not {len(key)}")
        if cipher == 0:
            raise EnvironmentProblem(
                "libcrypto refused AES-128-GCM", hint="Check the system's OpenSSL configuration."
            )
        return cipher

    def run(self) -> None:
        """Send until ``stop``: one kernel call that holds no GIL. PipelineFailed if it ends by itself."""
        inverses, tables = _field_tables()
        code = send_loop(
            self._words,
            self._ring.words,
            self._ring.storage,
            np.zeros(layout.RECORD_HEADER_WORD_COUNT, np.int64),
            np.zeros((MAX_BLOCK_COUNT, 3), np.int64),
            self._frame,
            self._packets,
            np.zeros((MAX_BLOCK_SHARDS, MAX_BLOCK_SHARDS), np.uint8),
            inverses,
            tables,
            np.zeros(layout.ADDRESS_WORD_COUNT, np.int64),
            np.zeros(udp.MESSAGE_WORD_COUNT, np.int64),
            self._counters,
            self._latencies,
        )
        if code != layout.STOPPED:
            raise PipelineFailed(f"pf-send stopped: {_EXITS.get(code, f'kernel code {code}')}")

    def push(
        self,
        access_unit: BytesLike,
        *,
        frame_type: FrameType,
        captured_ns: int,
        encoded_ns: int,
        timestamp_90k: int,
        long_term_reference: bool = False,
    ) -> PushResult:
        """Hand over one access unit; never waits. Frame indices are given in the order of calls.

        A frame that is oversize or dropped keeps its index, so that the client sees the gap.
        """
        self._pushed_count += 1
        size = len(access_unit)
        total = -(-(size + FRAME_HEADER_BYTES) // self._payload_bytes)
        if total > MAX_FRAME_SHARDS or size > self._capacity_bytes:
            self._oversize_count += 1
            self._asked_by_push += 1
            return PushResult(PushStatus.OVERSIZE)
        self._header[layout.RECORD_SEQUENCE] = self._pushed_count
        self._header[layout.RECORD_FRAME_TYPE] = frame_type
        self._header[layout.RECORD_CAPTURED_NS] = captured_ns
        self._header[layout.RECORD_ENCODED_NS] = encoded_ns
        self._header[layout.RECORD_TIMESTAMP] = timestamp_90k
        self._header[layout.RECORD_EXTRA_FLAGS] = int(long_term_reference)
        dropped_count = self._ring.deliver(self._header, access_unit, self._doorbell)
        if dropped_count == 0:
            return PushResult(PushStatus.OK)
        self._asked_by_push += 1
        return PushResult(PushStatus.DROPPED_OLDEST, dropped_count)

    def take_idr_request(self) -> bool:
        """Whether the stream itself needs an IDR: asked once, then forgotten. For the encoder's thread."""
        asked_count = int(self._words[layout.WORD_IDR_WANTED]) + self._asked_by_push + self._asked_by_control
        wanted = asked_count != self._answered_count
        self._answered_count = asked_count
        return wanted

    def set_destination(
        self, host: str, port: int, family: int = socket.AF_INET, flowinfo: int = 0, scope_id: int = 0
    ) -> None:
        """Send to this numeric address from the next frame on. Nothing is sent before the first call.

        The first destination asks for an IDR. LocalProtocolError for an address that is none.
        """
        address = _socket_address(host, port, family, flowinfo, scope_id)
        if address == self._destination:
            return
        if self._destination is None:
            self._asked_by_control += 1
        self._destination = address
        words = np.zeros(layout.DESTINATION_WORD_COUNT, np.int64)
        words[0] = len(address)
        words[1:] = np.frombuffer(address.ljust(32, b"\0"), np.int64)
        post_destination(self._words, words)

    def set_fec_percent(self, percent: int) -> None:
        """Parity in percent of the data shards, 0 to 255, from the next frame on."""
        if not 0 <= percent <= MAX_PERCENT:
            raise LocalProtocolError(f"parity of {percent} % is not between 0 and {MAX_PERCENT}")
        post_word(self._words, layout.WORD_FEC_PERCENT, percent)

    def stop(self) -> None:
        """Make ``run`` return within about 10 ms, whatever it is doing."""
        post_word(self._words, layout.WORD_STOP, 1)
        os.eventfd_write(self._doorbell, 1)

    def close(self) -> None:
        """Free the doorbell and the key.

        Only after ``run`` has returned and the last push. Else the collector.
        """
        self._close()

    @property
    def next_sequence(self) -> int:
        """Sequence number and GCM counter of the next datagram, for a sender that continues this stream."""
        return int(self._words[layout.WORD_DATAGRAM_SEQUENCE])

    @property
    def next_frame_index(self) -> int:
        """Index of the frame that is pushed next, for a sender that continues this stream."""
        first = int(self._words[layout.WORD_FIRST_SEQUENCE])
        passed_count = self._pushed_count - first + 1 if first >= 0 else 0
        return int(self._words[layout.WORD_FIRST_FRAME_INDEX]) + passed_count

    def counters(self) -> dict[str, int]:
        """Copy the counts; ``send_mode`` is 0 for segmentation offload, 1 for sendmmsg, 2 for sendto."""
        read = read_counters(self._counters)
        read["oversize_frames"] = self._oversize_count + read.pop("oversize_in_kernel")
        read["ring_drops"] = self._ring.dropped_count
        read["ring_bytes"] = self._ring.waiting_bytes
        read["send_mode"] = int(self._words[layout.WORD_SEND_MODE])
        return read

    def latencies(self) -> NDArray[np.int64]:
        """Copy the times of the last frames, oldest first.

        Captured, encoded, first and last packet, in ns.
        """
        count = int(self._counters[layout.COUNT_FRAMES])
        rows = self._latencies.copy()
        return rows[:count] if count <= len(rows) else np.roll(rows, -(count % len(rows)), axis=0)


def _socket_address(host: str, port: int, family: int, flowinfo: int, scope_id: int) -> bytes:
    """Lay out sockaddr_in (16 bytes) or sockaddr_in6 (28 bytes)."""
    try:
        packed = socket.inet_pton(family, host.partition("%")[0])
        head = family.to_bytes(2, "little") + port.to_bytes(2, "big")
        if family == socket.AF_INET:
            return head + packed + bytes(8)
        return head + flowinfo.to_bytes(4, "big") + packed + scope_id.to_bytes(4, "little")
    except (OSError, OverflowError) as error:
        raise LocalProtocolError(f"video cannot be sent to {host} port {port}: {error}") from error
