"""FrameSender: what senders of every protocol have: a ring, a thread's body, a destination, variants, counts.

Importing this module loads the compiled kernels, so import it only when ``warm.is_warm()``.
"""

import os
import socket
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import LocalProtocolError, PipelineFailed
from punktfunk.plan import FrameType, Pacing
from punktfunk.realtime import txtime
from punktfunk.realtime.ciphers import Cipher
from punktfunk.realtime.counters import read_counters
from punktfunk.realtime.kernels import layout, udp
from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.kernels.mailbox import post_destination, post_word
from punktfunk.realtime.kernels.pace import deadline
from punktfunk.realtime.kernels.send_loop import send_loop, send_next
from punktfunk.realtime.rings import ByteRing, BytesLike, aligned_words
from punktfunk.realtime.send.choice import Choice, Default
from punktfunk.realtime.variants import Variant

I64 = NDArray[np.int64]

_LATENCY_ROW_COUNT: Final = 1024
_RING_FRAME_COUNT: Final = 4
_PACE_SHARE: Final = (7, 8)  # of the frame interval; the rest is slack: a late frame does not push the next
_PAGE_BYTES: Final = 4096

_EXITS: Final = {
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


@dataclass(frozen=True, slots=True)
class FrameMemory:
    """How much a sender needs: the largest access unit, its buffer with what is added, rows of datagrams."""

    capacity_bytes: int
    buffer_bytes: int
    offset_bytes: int  # where the access unit stands in the buffer
    row_count: int
    datagram_bytes: int


class FrameSender:
    """The half of a sender that knows no protocol; ``function`` is the entry that sends one frame.

    Three threads use it: ``run`` is the whole body of pf-send, ``push`` belongs to the encoder's thread, the
    rest to control. ``socket_fd`` stays the caller's and must outlive ``run``; it may be non-blocking, and
    IPv4 or IPv6. ``fec`` and ``pace`` are the defaults of their kinds; ``words`` are more sender words. The
    cipher becomes ours; without one datagrams go out in clear.
    """

    def __init__(
        self,
        socket_fd: int,
        memory: FrameMemory,
        function: Callable[..., int],
        fec: tuple[str, Default],
        cipher: Cipher | None,
        words: Mapping[int, int],
        pace: Default | None = None,
    ) -> None:
        self._memory = memory
        self._ring = ByteRing(_RING_FRAME_COUNT * (memory.capacity_bytes + 128))
        self._header = np.zeros(layout.RECORD_HEADER_WORD_COUNT, np.int64)
        self._words = aligned_words(layout.SENDER_WORD_COUNT)
        self._counters = aligned_words(layout.COUNTER_COUNT)
        self._latencies = np.zeros((_LATENCY_ROW_COUNT, layout.LATENCY_COLUMN_COUNT), np.int64)
        self._packets = _touched(memory.row_count * memory.datagram_bytes)
        self._data = _touched(memory.buffer_bytes)
        self._nonces = _touched(layout.NONCE_ROW_COUNT * layout.NONCE_BYTES)
        self._record = aligned_words(layout.RECORD_HEADER_WORD_COUNT)
        self._address = aligned_words(layout.ADDRESS_WORD_COUNT)
        self._messages = aligned_words(udp.MESSAGE_WORD_COUNT)
        self._frame = aligned_words(layout.FRAME_WORD_COUNT)
        self._destination: bytes | None = None
        self._mid_stream = False
        self._departures = txtime.TxTime(useful=False, reason="frames are not paced")
        self._pushed_count = self._oversize_count = 0
        self._asked_by_push = self._asked_by_control = self._answered_count = 0
        doorbell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._close = weakref.finalize(self, _release, doorbell, cipher)
        self._doorbell = doorbell
        self._words[layout.WORD_SOCKET], self._words[layout.WORD_DOORBELL] = socket_fd, doorbell
        self._words[layout.WORD_FIRST_SEQUENCE] = -1
        for index, value in words.items():
            self._words[index] = value
        self._describe(function)
        defaults = dict((fec, ("pace", pace or Default(address_of_entry(deadline), 0))))
        if cipher:
            defaults["seal"] = Default(cipher.seal_address, cipher.address)
        self._choice = Choice(self._words, defaults)

    def _describe(self, function: Callable[..., int]) -> None:
        """Write the addresses and sizes that the frame's function trusts."""
        for index, array in (
            (layout.FRAME_WORDS, self._words),
            (layout.FRAME_RING_WORDS, self._ring.words),
            (layout.FRAME_RECORD, self._record),
            (layout.FRAME_DATA, self._data),
            (layout.FRAME_PACKETS, self._packets),
            (layout.FRAME_NONCES, self._nonces),
            (layout.FRAME_ADDRESS, self._address),
            (layout.FRAME_MESSAGES, self._messages),
            (layout.FRAME_COUNTERS, self._counters),
            (layout.FRAME_LATENCIES, self._latencies),
        ):
            self._frame[index] = array.ctypes.data
        for index, value in (
            (layout.FRAME_DATA_BYTES, self._memory.buffer_bytes),
            (layout.FRAME_STRIDE, self._memory.datagram_bytes),
            (layout.FRAME_ROW_COUNT, self._memory.row_count),
            (layout.FRAME_LATENCY_COUNT, _LATENCY_ROW_COUNT),
            (layout.FRAME_FUNCTION, address_of_entry(function)),
            (layout.FRAME_OFFSET_BYTES, self._memory.offset_bytes),
        ):
            self._frame[index] = value

    def run(self) -> None:
        """Send until ``stop``: one kernel call that holds no GIL. PipelineFailed if it ends by itself."""
        code = send_loop(*self._arrays())
        if code != layout.STOPPED:
            raise PipelineFailed(f"pf-send stopped: {_EXITS.get(code, f'kernel code {code}')}")

    def send_next(self) -> bool:
        """Send the oldest frame on the caller's thread, in place of ``run``; False when there was none.

        PipelineFailed where ``run`` would end by itself.
        """
        code = send_next(*self._arrays())
        if code < 0 and code not in (layout.EMPTY, layout.STOPPED):
            raise PipelineFailed(f"pf-send stopped: {_EXITS.get(code, f'kernel code {code}')}")
        return code == 0

    def _arrays(self) -> tuple[I64, I64, I64, I64, I64, NDArray[np.uint8], I64, I64]:
        return (
            self._words, self._ring.words, self._ring.storage, self._frame, self._record, self._data,
            self._address, self._counters,
        )  # fmt: skip

    def _deliver(
        self,
        access_unit: BytesLike,
        frame_type: FrameType,
        captured_ns: int,
        encoded_ns: int,
        timestamp: int,
        extra_flags: int,
    ) -> PushResult:
        """Put one access unit into the ring; an oversize or dropped one keeps its index: a gap to be seen."""
        self._pushed_count += 1
        if len(access_unit) > self._memory.capacity_bytes:
            self._oversize_count += 1
            self._asked_by_push += 1
            return PushResult(PushStatus.OVERSIZE)
        self._header[layout.RECORD_SEQUENCE] = self._pushed_count
        self._header[layout.RECORD_FRAME_TYPE] = frame_type
        self._header[layout.RECORD_CAPTURED_NS] = captured_ns
        self._header[layout.RECORD_ENCODED_NS] = encoded_ns
        self._header[layout.RECORD_TIMESTAMP] = timestamp
        self._header[layout.RECORD_EXTRA_FLAGS] = extra_flags
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

    def swap(self, kind: str, variant: Variant | None) -> None:
        """Make frames by ``variant``, or with None by the default, from the next frame on.

        LocalProtocolError for a kind that this stream has no use for.
        """
        self._choice.swap(kind, variant)

    def set_destination(
        self, host: str, port: int, family: int = socket.AF_INET, flowinfo: int = 0, scope_id: int = 0
    ) -> None:
        """Send to this numeric address from the next frame on. Nothing is sent before the first call.

        The first destination asks for an IDR. Where the route's queue keeps times of departure, paced
        datagrams are handed to it early, with their times. LocalProtocolError for an address that is none.
        """
        address = _socket_address(host, port, family, flowinfo, scope_id)
        if address == self._destination:
            return
        if self._destination is None and not self._mid_stream:
            self._asked_by_control += 1
        self._destination = address
        words = np.zeros(layout.DESTINATION_WORD_COUNT, np.int64)
        words[0] = len(address)
        words[1:] = np.frombuffer(address.ljust(32, b"\0"), np.int64)
        if self._words[layout.WORD_PACE_WINDOW_NS]:
            self._departures = txtime.offer(int(self._words[layout.WORD_SOCKET]), host, scope_id)
            post_word(self._words, layout.WORD_TXTIME, int(self._departures.useful))
        post_destination(self._words, words)

    def _post_percent(self, percent: int) -> None:
        post_word(self._words, layout.WORD_FEC_PERCENT, percent)

    def stop(self) -> None:
        """Make ``run`` return within about 10 ms, whatever it is doing."""
        post_word(self._words, layout.WORD_STOP, 1)
        os.eventfd_write(self._doorbell, 1)

    @property
    def is_busy(self) -> bool:
        """Whether a frame is being sent or waits to be; a snapshot."""
        return self._ring.waiting_bytes > 0 or int(self._words[layout.WORD_SENDING]) != 0

    def close(self) -> None:
        """Free the doorbell and the key.

        Only after ``run`` has returned and the last push. Else the collector.
        """
        self._close()

    @property
    def next_sequence(self) -> int:
        """Sequence number and seal counter of the next datagram, for a sender that continues this stream."""
        return int(self._words[layout.WORD_DATAGRAM_SEQUENCE])

    @property
    def next_frame_index(self) -> int:
        """Index of the frame that is pushed next, for a sender that continues this stream."""
        first = int(self._words[layout.WORD_FIRST_SEQUENCE])
        passed_count = self._pushed_count - first + 1 if first >= 0 else 0
        return int(self._words[layout.WORD_FIRST_FRAME_INDEX]) + passed_count

    def counters(self) -> dict[str, int]:
        """Copy the counts; ``send_mode`` is 0 for segmentation offload, 1 for sendmmsg, 2 for sendto.

        ``send_times`` is 1 while the route's queue, not this thread, keeps the times of departure.
        """
        read = read_counters(self._counters)
        read["oversize_frames"] = self._oversize_count + read.pop("oversize_in_kernel")
        read["ring_drops"] = self._ring.dropped_count
        read["ring_bytes"] = self._ring.waiting_bytes
        read["send_mode"] = int(self._words[layout.WORD_SEND_MODE])
        read["send_times"] = int(self._words[layout.WORD_TXTIME])
        return read

    def departures(self) -> txtime.TxTime:
        """Tell whether datagrams carry times of departure on the current route, and why."""
        return self._departures

    def latencies(self) -> NDArray[np.int64]:
        """Copy the rows of the last frames, oldest first.

        Times in ns at which it was captured, encoded, and its first and last datagram left; the numbers of
        the variants that made it (``variants.unpack_numbers``); bytes of the access unit; its time stamp; its
        datagrams.
        """
        count = int(self._counters[layout.COUNT_FRAMES])
        rows = self._latencies.copy()
        return rows[:count] if count <= len(rows) else np.roll(rows, -(count % len(rows)), axis=0)

    def ring_when_sent(self, bell_fd: int) -> None:
        """Make this eventfd readable after every frame. Before ``run`` only, which it must outlive."""
        self._words[layout.WORD_SENT_BELL] = bell_fd

    def sent_since(self, count: int) -> tuple[int, NDArray[np.int64]]:
        """How many frames were sent so far, and the rows (see ``latencies``) of those after ``count``.

        Rows that the log has lost since are left out, oldest first.
        """
        total = int(self._counters[layout.COUNT_FRAMES])
        first = max(count, total - _LATENCY_ROW_COUNT + 1)
        return total, self._latencies[np.arange(first, total) % _LATENCY_ROW_COUNT]


def pace_window_ns(pacing: Pacing, frame_interval_ns: int) -> int:
    """Tell over how long a frame's datagrams may be spread; 0 sends them at once."""
    return 0 if pacing is Pacing.BURST else frame_interval_ns * _PACE_SHARE[0] // _PACE_SHARE[1]


def _touched(size: int) -> NDArray[np.uint8]:
    """Zeros that begin a page, all pages touched now, not while streaming."""
    spare = np.empty(size + _PAGE_BYTES, np.uint8)
    spare.fill(0)
    start = -spare.ctypes.data % _PAGE_BYTES
    return spare[start : start + size]


def _release(doorbell: int, cipher: Cipher | None) -> None:
    os.close(doorbell)
    if cipher:
        cipher.close()


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
