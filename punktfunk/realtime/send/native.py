"""NativeSender: what ``pf-encode`` pushes into and ``pf-send`` lives in when the client speaks punktfunk/1.

Importing this module loads the compiled kernels, so import it only when ``warm.is_warm()``.
"""

import threading
from typing import Final

import numpy as np

from punktfunk.errors import LocalProtocolError
from punktfunk.plan import FrameType, MediaCipher, NativeSendPlan, Pacing, StreamPosition
from punktfunk.realtime.ciphers import Cipher
from punktfunk.realtime.code8 import Code8
from punktfunk.realtime.code16 import Code16
from punktfunk.realtime.kernels import layout, udp
from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.kernels.mailbox import post_word
from punktfunk.realtime.kernels.native_frame import send_native_frame
from punktfunk.realtime.kernels.pace import capped_deadline
from punktfunk.realtime.rings import BytesLike, aligned_words
from punktfunk.realtime.send.choice import Default
from punktfunk.realtime.send.frames import FrameMemory, FrameSender, PushResult, pace_window_ns
from punktfunk.wire.native.blocks import FIELD_SHARDS, MAX_PERCENT, Geometry, check_percent, wanted_parity
from punktfunk.wire.native.packet import (
    HEADER_BYTES,
    OFFSET_PAYLOAD,
    SALT_BYTES,
    TAG_BYTES,
    USER_KEY_FRAME,
    USER_PICTURE,
    USER_PROBE,
    FecScheme,
)

_FRAME_INDICES: Final = 1 << 32

# Pacing.CAPPED (punktfunk-1 2.17): 10 ms at three times the bitrate leave at once, within these bounds, and
# the rest follows at that rate.
_PACE_MULTIPLE: Final = 3
_BURST_MS: Final = 10
_BURST_BYTES: Final = (16 << 10, 256 << 10)

_KEY_BYTES: Final = {MediaCipher.AES_128_GCM: 16, MediaCipher.CHACHA20_POLY1305: 32}


class NativeSender(FrameSender):
    """Access units in, punktfunk/1 datagrams out; see ``FrameSender`` for its threads and its socket.

    The three first numbers continue another sender's stream, as ``continue_from`` does before ``run``: the
    sequence must never come twice under one key. LocalProtocolError for a plan that no session can have.
    """

    def __init__(
        self,
        plan: NativeSendPlan,
        socket_fd: int,
        frame_capacity_bytes: int,
        *,
        first_sequence: int = 0,
        first_stream_sequence: int = 0,
        first_frame_index: int = 0,
    ) -> None:
        scheme = FecScheme(plan.fec_scheme)
        geometry = Geometry(plan.shard_bytes, plan.data_max, scheme, plan.fec_percent)
        if len(plan.salt) != SALT_BYTES:
            raise LocalProtocolError(f"a salt has {SALT_BYTES} bytes, not {len(plan.salt)}")
        capacity_bytes = min(frame_capacity_bytes, (1 << 32) - 1)
        geometry.blocks(capacity_bytes, plan.fec_percent)
        data_total = geometry.data_count(capacity_bytes)
        data_count = min(plan.data_max, data_total)
        # At any percentage and with any count up to this one: a small last block has room for more.
        most = min(wanted_parity(data_count, MAX_PERCENT), FIELD_SHARDS[scheme] - 1)
        self._code = _open_code(scheme, data_count, most, plan.shard_bytes)
        kind = "fec16" if scheme is FecScheme.GF16 else "fec8"
        fec = kind, Default(self._code.encode_address, self._code.context)
        cipher = _open_cipher(plan)
        self._shard_bytes = plan.shard_bytes
        self._pace = aligned_words(layout.PACE_WORD_COUNT)
        pace = Default(address_of_entry(capped_deadline), self._pace.ctypes.data)
        # Frames come from pf-encode, filler from whoever probes; a ring has one producer: they take turns.
        self._producing = threading.Lock()
        self._is_closed = False
        self._filler_header = np.zeros(layout.RECORD_HEADER_WORD_COUNT, np.int64)
        self._filler_count = 0
        self._filler_first = 0
        super().__init__(
            socket_fd,
            FrameMemory(
                capacity_bytes,
                data_total * plan.shard_bytes,
                0,
                udp.GROUP_MAX + most,
                plan.shard_bytes + (OFFSET_PAYLOAD + TAG_BYTES if cipher else HEADER_BYTES),
            ),
            send_native_frame,
            fec,
            cipher,
            {
                **_plan_words(plan, geometry, OFFSET_PAYLOAD if cipher else HEADER_BYTES),
                layout.WORD_FIRST_FRAME_INDEX: first_frame_index,
                layout.WORD_DATAGRAM_SEQUENCE: first_sequence,
                layout.WORD_STREAM_SEQUENCE: first_stream_sequence,
            },
            pace if plan.pacing is Pacing.CAPPED else None,
        )
        self.set_pace(plan.pace_bps)

    def push(
        self,
        access_unit: BytesLike,
        *,
        frame_type: FrameType,
        captured_ns: int,
        encoded_ns: int,
        pts_ns: int,
        user_flags: int = 0,
    ) -> PushResult:
        """Hand over one access unit; never waits. Frame indices are given in the order of calls.

        ``pts_ns`` is CLOCK_REALTIME, the other times are CLOCK_MONOTONIC. USER_PICTURE, and USER_KEY_FRAME
        for an IDR, are set here. A frame that is oversize or dropped keeps its index.
        """
        flags = user_flags | USER_PICTURE | (USER_KEY_FRAME if frame_type is FrameType.IDR else 0)
        with self._producing:
            return self._deliver(access_unit, frame_type, captured_ns, encoded_ns, pts_ns, flags)

    def fill(self, unit_bytes: int) -> bool:
        """Send a probe's unit of zeros, by any thread; False, and nothing is sent, where frames are waiting.

        Units have indices of their own, no parity, and ``punktfunk-1`` 2.5's flag.
        """
        with self._producing:
            if self._is_closed or self._ring.waiting_bytes > _FILL_BELOW_BYTES:
                return False
            if len(self._zeros(unit_bytes)) != unit_bytes:
                return False
            self._filler_header[layout.RECORD_FRAME_TYPE] = layout.FRAME_TYPE_FILLER
            self._filler_header[layout.RECORD_TIMESTAMP] = self.next_filler_index % _FRAME_INDICES
            self._filler_header[layout.RECORD_EXTRA_FLAGS] = USER_PROBE
            self._ring.deliver(self._filler_header, self._zeros(unit_bytes), self._doorbell)
            self._filler_count += 1
        return True

    def close(self) -> None:
        """Free the doorbell and the key; a probe that still fills finds nothing to send by."""
        with self._producing:
            self._is_closed = True
            super().close()

    def set_pace(self, pace_bps: int) -> None:
        """Tell Pacing.CAPPED the bitrate of which it takes the multiple; 0 sends everything at once."""
        datagram_bits = 8 * (self._shard_bytes + OFFSET_PAYLOAD + TAG_BYTES)
        rate_bps = pace_bps * _PACE_MULTIPLE
        burst_bytes = min(max(rate_bps * _BURST_MS // 8000, _BURST_BYTES[0]), _BURST_BYTES[1])
        post_word(self._pace, layout.PACE_BURST_COUNT, burst_bytes * 8 // datagram_bits)
        step_ns = datagram_bits * 1_000_000_000 // rate_bps if rate_bps else 0
        post_word(self._pace, layout.PACE_STEP_NS, step_ns)

    def continue_from(self, position: StreamPosition, *, mid_stream: bool = False) -> None:
        """Go on with another sender's numbers. Before ``run``, the first frame and the destination only.

        ``mid_stream``: frames go on too, so that none is asked to be an IDR, nor dropped as it is none.
        """
        if mid_stream:
            self._words[layout.WORD_FIRST_SEQUENCE] = self._pushed_count + 1
        self._mid_stream = mid_stream
        self._words[layout.WORD_FIRST_FRAME_INDEX] = position.frame_index
        self._words[layout.WORD_DATAGRAM_SEQUENCE] = position.sequence
        self._words[layout.WORD_STREAM_SEQUENCE] = position.stream_sequence
        self._filler_first, self._filler_count = position.filler_index, 0

    @property
    def has_begun(self) -> bool:
        """Whether the client has had a frame to begin with."""
        return int(self._words[layout.WORD_FIRST_SEQUENCE]) >= 0

    @property
    def position(self) -> StreamPosition:
        """Where another sender would go on; final once ``run`` has returned and nothing is pushed."""
        return StreamPosition(
            self.next_frame_index, self.next_sequence, self.next_stream_sequence, self.next_filler_index
        )

    @property
    def next_filler_index(self) -> int:
        """Index of the next unit of filler."""
        return self._filler_first + self._filler_count

    @staticmethod
    def _zeros(unit_bytes: int) -> memoryview:
        return _ZEROS[:unit_bytes]

    def set_fec_percent(self, percent: int) -> None:
        """Parity in percent of the data shards, 0 to 90, from the next frame on."""
        check_percent(percent)
        self._post_percent(percent)

    @property
    def next_stream_sequence(self) -> int:
        """Stream sequence of the next packet, for a sender that continues this stream."""
        return int(self._words[layout.WORD_STREAM_SEQUENCE])


_ZEROS: Final = memoryview(bytes(1 << 16))
_FILL_BELOW_BYTES: Final = 256 << 10  # that much may wait in the ring before filler is held back


def _plan_words(plan: NativeSendPlan, geometry: Geometry, payload_offset: int) -> dict[int, int]:
    """Words of the sender's memory that a plan fixes."""
    return {
        layout.WORD_SHARD_BYTES: plan.shard_bytes,
        layout.WORD_DATA_MAX: plan.data_max,
        layout.WORD_BLOCK_MAX: geometry.block_max,
        layout.WORD_FEC_SCHEME: plan.fec_scheme,
        layout.WORD_SALT: int.from_bytes(plan.salt, "little"),
        layout.WORD_PAYLOAD_OFFSET: payload_offset,
        layout.WORD_PACE_WINDOW_NS: pace_window_ns(plan.pacing, plan.frame_interval_ns),
        layout.WORD_FRAME_INTERVAL_NS: plan.frame_interval_ns,
        layout.WORD_FEC_PERCENT: plan.fec_percent,
        layout.WORD_TRAFFIC_CLASS: plan.dscp << 2,
    }


def _open_code(scheme: FecScheme, data_count: int, parity_count: int, shard_bytes: int) -> Code8 | Code16:
    if scheme is FecScheme.GF16:
        return Code16(data_count, parity_count, shard_bytes)
    # Its memory serves every shape of the field; the counts are only what its own methods check.
    return Code8(FIELD_SHARDS[scheme] - 1, 1, shard_bytes)


def _open_cipher(plan: NativeSendPlan) -> Cipher | None:
    if plan.encryption_key is None:
        return None
    if len(plan.encryption_key) != _KEY_BYTES[plan.cipher]:
        raise LocalProtocolError(f"{plan.cipher.value} has no key of {len(plan.encryption_key)} bytes")
    return Cipher(plan.encryption_key, plan.cipher.value)
