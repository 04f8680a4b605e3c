"""NativeSender: what ``pf-encode`` pushes into and ``pf-send`` lives in when the client speaks punktfunk/1.

Importing this module loads the compiled kernels, so import it only when ``warm.is_warm()``.
"""

from typing import Final

from punktfunk.errors import LocalProtocolError
from punktfunk.plan import FrameType, MediaCipher, NativeSendPlan
from punktfunk.realtime.ciphers import Cipher
from punktfunk.realtime.code8 import Code8
from punktfunk.realtime.code16 import Code16
from punktfunk.realtime.kernels import layout, udp
from punktfunk.realtime.kernels.native_frame import send_native_frame
from punktfunk.realtime.rings import BytesLike
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
    FecScheme,
)

_KEY_BYTES: Final = {MediaCipher.AES_128_GCM: 16, MediaCipher.CHACHA20_POLY1305: 32}


class NativeSender(FrameSender):
    """Access units in, punktfunk/1 datagrams out; see ``FrameSender`` for its threads and its socket.

    The three first numbers continue another sender's stream: the sequence must never come twice under one
    key. LocalProtocolError for a plan that no session can have.
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
                layout.WORD_SHARD_BYTES: plan.shard_bytes,
                layout.WORD_DATA_MAX: plan.data_max,
                layout.WORD_BLOCK_MAX: geometry.block_max,
                layout.WORD_FEC_SCHEME: scheme,
                layout.WORD_SALT: int.from_bytes(plan.salt, "little"),
                layout.WORD_PAYLOAD_OFFSET: OFFSET_PAYLOAD if cipher else HEADER_BYTES,
                layout.WORD_PACE_WINDOW_NS: pace_window_ns(plan.pacing, plan.frame_interval_ns),
                layout.WORD_FRAME_INTERVAL_NS: plan.frame_interval_ns,
                layout.WORD_FIRST_FRAME_INDEX: first_frame_index,
                layout.WORD_DATAGRAM_SEQUENCE: first_sequence,
                layout.WORD_STREAM_SEQUENCE: first_stream_sequence,
                layout.WORD_FEC_PERCENT: plan.fec_percent,
                layout.WORD_TRAFFIC_CLASS: plan.dscp << 2,
            },
        )

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
        return self._deliver(access_unit, frame_type, captured_ns, encoded_ns, pts_ns, flags)

    def set_fec_percent(self, percent: int) -> None:
        """Parity in percent of the data shards, 0 to 90, from the next frame on."""
        check_percent(percent)
        self._post_percent(percent)

    @property
    def next_stream_sequence(self) -> int:
        """Stream sequence of the next packet, for a sender that continues this stream."""
        return int(self._words[layout.WORD_STREAM_SEQUENCE])


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
