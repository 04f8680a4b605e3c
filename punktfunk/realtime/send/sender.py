"""VideoSender: what ``pf-encode`` pushes into and ``pf-send`` lives in when the client speaks GameStream.

Importing this module loads the compiled kernels, so import it only when ``warm.is_warm()``.
"""

from punktfunk.errors import LocalProtocolError
from punktfunk.plan import FrameType, SendPlan
from punktfunk.realtime.ciphers import Cipher
from punktfunk.realtime.code8 import Code8
from punktfunk.realtime.kernels import layout, udp
from punktfunk.realtime.kernels.frame import send_frame
from punktfunk.realtime.rings import BytesLike
from punktfunk.realtime.send.choice import Default
from punktfunk.realtime.send.frames import FrameMemory, FrameSender, PushResult, PushStatus, pace_window_ns
from punktfunk.wire.gamestream.video import FIRST_FRAME_INDEX
from punktfunk.wire.gamestream.video_blocks import (
    FRAME_HEADER_BYTES,
    MAX_BARE_BLOCK_SHARDS,
    MAX_BLOCK_SHARDS,
    MAX_FRAME_SHARDS,
    MAX_PERCENT,
    NV_HEADER_BYTES,
)
from punktfunk.wire.gamestream.video_encryption import ENCRYPTED_PREFIX_BYTES

__all__ = ["PushResult", "PushStatus", "VideoSender"]

_KEY_BYTES = 16


class VideoSender(FrameSender):
    """Access units in, GameStream datagrams out; see ``FrameSender`` for its threads and its socket.

    ``first_sequence`` and ``first_frame_index`` continue another sender's stream: an AES-GCM counter must
    never come twice under one key, and clients drop frames whose index goes back.
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
        offset_bytes = ENCRYPTED_PREFIX_BYTES if plan.encryption_key else 0
        payload_bytes = plan.packet_bytes - NV_HEADER_BYTES
        shard_bytes = plan.packet_bytes + NV_HEADER_BYTES
        if payload_bytes <= FRAME_HEADER_BYTES or offset_bytes + shard_bytes > udp.GROUP_BYTES_MAX:
            raise LocalProtocolError(f"video packets of {plan.packet_bytes} bytes cannot be sent")
        if plan.encryption_key is not None and len(plan.encryption_key) != _KEY_BYTES:
            raise LocalProtocolError(f"a video key has {_KEY_BYTES} bytes, not {len(plan.encryption_key)}")
        check_percent(plan.fec_percent)
        capacity_bytes = min(frame_capacity_bytes, MAX_FRAME_SHARDS * payload_bytes - FRAME_HEADER_BYTES)
        # Its memory serves every shape of the field; the counts are only what its own methods check.
        self._code = Code8(MAX_BLOCK_SHARDS - 1, 1, shard_bytes)
        cipher = None if plan.encryption_key is None else Cipher(plan.encryption_key)
        fec = "fec8", Default(self._code.encode_address, self._code.context)
        super().__init__(
            socket_fd,
            FrameMemory(
                capacity_bytes,
                capacity_bytes + FRAME_HEADER_BYTES,
                FRAME_HEADER_BYTES,
                MAX_BARE_BLOCK_SHARDS,
                offset_bytes + shard_bytes,
            ),
            send_frame,
            fec,
            cipher,
            {
                layout.WORD_PACKET_BYTES: plan.packet_bytes,
                layout.WORD_PAYLOAD_OFFSET: offset_bytes,
                layout.WORD_MINIMUM_PARITY: plan.minimum_parity_count,
                layout.WORD_PACE_WINDOW_NS: pace_window_ns(plan.pacing, plan.frame_interval_ns),
                layout.WORD_FRAME_INTERVAL_NS: plan.frame_interval_ns,
                layout.WORD_FIRST_FRAME_INDEX: first_frame_index,
                layout.WORD_DATAGRAM_SEQUENCE: first_sequence,
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
        timestamp_90k: int,
        long_term_reference: bool = False,
    ) -> PushResult:
        """Hand over one access unit; never waits. Frame indices are given in the order of calls.

        A frame that is oversize or dropped keeps its index, so that the client sees the gap.
        """
        return self._deliver(
            access_unit, frame_type, captured_ns, encoded_ns, timestamp_90k, int(long_term_reference)
        )

    def set_fec_percent(self, percent: int) -> None:
        """Parity in percent of the data shards, 0 to 255, from the next frame on."""
        check_percent(percent)
        self._post_percent(percent)


def check_percent(percent: int) -> None:
    """LocalProtocolError for a parity percentage that GameStream's headers cannot carry."""
    if not 0 <= percent <= MAX_PERCENT:
        raise LocalProtocolError(f"parity of {percent} % is not between 0 and {MAX_PERCENT}")
