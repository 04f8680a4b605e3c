"""GameStream video datagrams (UDP 47998). Mostly little-endian; the RTP fields are big-endian.

A shard is always P + 16 bytes, P being the negotiated packet size; the last data shard is padded with zeros.

    offset  size  field                meaning
    ------  ----  -------------------  ---------------------------------------------------------------
         0     1  rtp_version          0x90: RTP version 2, extension bit (the four bytes at 12)
         1     1  payload_type         0
         2     2  sequence         BE  one more per shard, parity too; runs over frames, wraps
         4     4  timestamp_90k    BE  90 kHz, the same in all shards of a frame
         8     4  ssrc                 0
        12     4  extension            0
        16     4  stream_packet_index  24-bit counter << 8: the unwrapped sequence
        20     4  frame_index          from 1, one more per frame
        24     1  flags                1 picture data, 2 end of block, 4 start of block
        25     1  extra_flags          1 long-term reference frame
        26     1  multi_fec_flags      0x10
        27     1  multi_fec_blocks     block_index << 4 | last_block_index << 6
        28     4  fec_info             data_count << 22 | shard_index << 12 | percent << 4
        32  P-16  payload              the frame: header below, access unit, zeros

The frame header is the first eight bytes of the frame's payload:

    offset  size  field                meaning
    ------  ----  -------------------  ---------------------------------------------------------------
         0     1  header_type          1
         1     2  latency_tenths_ms    host processing latency in 0.1 ms, 0 unknown
         3     1  frame_type           see plan.FrameType
         4     2  last_payload_bytes   bytes used in the frame's last data shard
         6     2  -                    0

Parity runs over bytes 0 .. P+15 of the shards, column by column. A client keeps bytes 16-19, 24-26 and the
payload of a recovered shard as the parity gave them, and checks them, so they must be final before parity is
computed, and parity shards keep them as computed; the other header bytes are written into all shards.
How many blocks and how much parity: ``video_blocks``. Encryption comes last: ``video_encryption``.

Spec: gamestream.md sections 4.2 to 4.4. Peers: moonlight-common-c RtpVideoQueue.c, reconstructFrame and
RtpvAddPacket, VideoDepacketizer.c, processRtpPayload; Sunshine src/stream.cpp, videoBroadcastThread.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from punktfunk.errors import RemoteProtocolError
from punktfunk.plan import FrameType
from punktfunk.wire.gamestream.video_blocks import (
    FRAME_HEADER_BYTES,
    MAX_BARE_BLOCK_SHARDS,
    MAX_BLOCK_COUNT,
    MAX_BLOCK_SHARDS,
    MAX_FRAME_SHARDS,
    MAX_PERCENT,
    NV_HEADER_BYTES,
    Block,
    BlockPlan,
    OversizeFrame,
    max_data_count,
    plan_blocks,
)

__all__ = [  # the geometry lives next door, but is part of this page
    "FRAME_HEADER_BYTES",
    "MAX_BARE_BLOCK_SHARDS",
    "MAX_BLOCK_COUNT",
    "MAX_BLOCK_SHARDS",
    "MAX_FRAME_SHARDS",
    "MAX_PERCENT",
    "NV_HEADER_BYTES",
    "Block",
    "BlockPlan",
    "OversizeFrame",
    "max_data_count",
    "plan_blocks",
]

RTP_HEADER_BYTES: Final = 16
SHARD_HEADER_BYTES: Final = 32

OFFSET_RTP_VERSION: Final = 0
OFFSET_PAYLOAD_TYPE: Final = 1
OFFSET_SEQUENCE: Final = 2
OFFSET_TIMESTAMP: Final = 4
OFFSET_SSRC: Final = 8
OFFSET_EXTENSION: Final = 12
OFFSET_STREAM_PACKET_INDEX: Final = 16
OFFSET_FRAME_INDEX: Final = 20
OFFSET_FLAGS: Final = 24
OFFSET_EXTRA_FLAGS: Final = 25
OFFSET_MULTI_FEC_FLAGS: Final = 26
OFFSET_MULTI_FEC_BLOCKS: Final = 27
OFFSET_FEC_INFO: Final = 28
OFFSET_PAYLOAD: Final = 32

OFFSET_FRAME_LATENCY: Final = 1
OFFSET_FRAME_TYPE: Final = 3
OFFSET_FRAME_LAST_PAYLOAD_BYTES: Final = 4
FRAME_HEADER_TYPE: Final = 0x01

RTP_VERSION: Final = 0x90
MULTI_FEC_FLAGS: Final = 0x10
FLAG_PICTURE: Final = 1
FLAG_END: Final = 2
FLAG_START: Final = 4
EXTRA_FLAG_LONG_TERM_REFERENCE: Final = 1

SHIFT_BLOCK_INDEX: Final = 4
SHIFT_LAST_BLOCK_INDEX: Final = 6
SHIFT_DATA_COUNT: Final = 22
SHIFT_SHARD_INDEX: Final = 12
SHIFT_PERCENT: Final = 4

FIRST_FRAME_INDEX: Final = 1

_RTP_FIELDS: Final = Struct(">BBHIII")
_NV_FIELDS: Final = Struct("<IIBBBBI")
_FRAME_FIELDS: Final = Struct("<BHBHH")


@dataclass(frozen=True, slots=True)
class FrameInfo:
    """What the headers of one frame say. ``first_sequence`` is not wrapped: all shards ever sent before."""

    frame_index: int
    frame_type: FrameType
    first_sequence: int
    timestamp_90k: int
    latency_tenths_ms: int = 0
    long_term_reference: bool = False


Parity = Callable[[Sequence[bytes], int], Sequence[bytes]]
"""(data shards, parity count) -> parity shards, all of P + 16 bytes."""


def latency_tenths_ms(elapsed_ns: int) -> int:
    """Host processing latency as the frame header carries it: rounded to 0.1 ms, at most 6553.5 ms."""
    return min(max((elapsed_ns + 50_000) // 100_000, 0), 0xFFFF)


def build_frame_header(info: FrameInfo, frame_bytes: int, packet_bytes: int) -> bytes:
    """Build the eight bytes in front of an access unit of ``frame_bytes``."""
    payload_bytes = packet_bytes - NV_HEADER_BYTES
    last_payload_bytes = (FRAME_HEADER_BYTES + frame_bytes) % payload_bytes or payload_bytes
    return _FRAME_FIELDS.pack(
        FRAME_HEADER_TYPE, info.latency_tenths_ms, info.frame_type, last_payload_bytes, 0
    )


def build_datagrams(
    access_unit: bytes, packet_bytes: int, plan: BlockPlan, info: FrameInfo, parity: Parity
) -> list[bytes]:
    """All shards of a frame in the order of sending, unencrypted: the slow, plain twin of the kernels."""
    payload_bytes = packet_bytes - NV_HEADER_BYTES
    frame = build_frame_header(info, len(access_unit), packet_bytes) + access_unit
    datagrams: list[bytes] = []
    offset = 0
    for block_index, block in enumerate(plan.blocks):
        data = []
        for shard_index in range(block.data_count):
            payload = frame[offset : offset + payload_bytes]
            offset += payload_bytes
            flags = FLAG_PICTURE
            flags |= FLAG_START if shard_index == 0 else 0
            flags |= FLAG_END if shard_index == block.data_count - 1 else 0
            stream_packet_index = (info.first_sequence + len(datagrams) + shard_index & 0xFFFFFF) << 8
            extra_flags = EXTRA_FLAG_LONG_TERM_REFERENCE if info.long_term_reference else 0
            nv = _NV_FIELDS.pack(stream_packet_index, 0, flags, extra_flags, MULTI_FEC_FLAGS, 0, 0)
            data.append(bytes(RTP_HEADER_BYTES) + nv + payload.ljust(payload_bytes, b"\0"))
        shards = [*data, *(parity(data, block.parity_count) if block.parity_count else ())]
        datagrams += [
            _finish(shard, info, info.first_sequence + len(datagrams) + shard_index, fields)
            for shard_index, shard in enumerate(shards)
            for fields in [(block, block_index, len(plan.blocks) - 1, shard_index)]
        ]
    return datagrams


def _finish(shard: bytes, info: FrameInfo, sequence: int, fields: tuple[Block, int, int, int]) -> bytes:
    """Write the fields that parity must not decide, into data and parity shards alike."""
    block, block_index, last_block_index, shard_index = fields
    rtp = _RTP_FIELDS.pack(RTP_VERSION, 0, sequence & 0xFFFF, info.timestamp_90k & 0xFFFFFFFF, 0, 0)
    multi_fec_blocks = block_index << SHIFT_BLOCK_INDEX | last_block_index << SHIFT_LAST_BLOCK_INDEX
    fec_info = (
        block.data_count << SHIFT_DATA_COUNT
        | shard_index << SHIFT_SHARD_INDEX
        | block.percent << SHIFT_PERCENT
    )
    return b"".join(
        (
            rtp,
            shard[OFFSET_STREAM_PACKET_INDEX:OFFSET_FRAME_INDEX],
            (info.frame_index & 0xFFFFFFFF).to_bytes(4, "little"),
            shard[OFFSET_FLAGS:OFFSET_MULTI_FEC_BLOCKS],
            bytes((multi_fec_blocks,)),
            fec_info.to_bytes(4, "little"),
            shard[OFFSET_PAYLOAD:],
        )
    )


class Shard(NamedTuple):
    """A parsed shard. ``flags``, ``extra_flags``, ``stream_packet_index`` mean nothing in parity shards."""

    sequence: int
    timestamp_90k: int
    stream_packet_index: int
    frame_index: int
    flags: int
    extra_flags: int
    block_index: int
    last_block_index: int
    data_count: int
    shard_index: int
    percent: int
    payload: bytes

    @property
    def parity_count(self) -> int:
        """Parity shards of this shard's block."""
        return (self.data_count * self.percent + 99) // 100

    @property
    def is_parity(self) -> bool:
        """Whether the payload repairs others instead of carrying the frame."""
        return self.shard_index >= self.data_count


def parse_datagram(datagram: bytes) -> Shard:
    """Read one unencrypted shard as a client does; RemoteProtocolError where a client would refuse it."""
    if len(datagram) <= SHARD_HEADER_BYTES:
        raise RemoteProtocolError(f"video shard of {len(datagram)} bytes is shorter than its header")
    version, payload_type, sequence, timestamp_90k, _, _ = _RTP_FIELDS.unpack_from(datagram)
    index, frame_index, flags, extra_flags, multi_fec_flags, multi_fec_blocks, fec_info = (
        _NV_FIELDS.unpack_from(datagram, RTP_HEADER_BYTES)
    )
    shard = Shard(
        sequence,
        timestamp_90k,
        index >> 8,
        frame_index,
        flags,
        extra_flags,
        multi_fec_blocks >> SHIFT_BLOCK_INDEX & 3,
        multi_fec_blocks >> SHIFT_LAST_BLOCK_INDEX & 3,
        fec_info >> SHIFT_DATA_COUNT,
        fec_info >> SHIFT_SHARD_INDEX & 0x3FF,
        fec_info >> SHIFT_PERCENT & 0xFF,
        datagram[OFFSET_PAYLOAD:],
    )
    if (version, payload_type) != (RTP_VERSION, 0) or shard.block_index > shard.last_block_index:
        raise RemoteProtocolError(f"video shard with version {version:#04x}, type {payload_type}")
    if shard.shard_index >= shard.data_count + shard.parity_count:
        raise RemoteProtocolError(f"shard {shard.shard_index} of {shard.data_count}+{shard.parity_count}")
    if shard.percent and shard.data_count + shard.parity_count > MAX_BLOCK_SHARDS:
        raise RemoteProtocolError(f"block of {shard.data_count}+{shard.parity_count} cannot be decoded")
    if not shard.is_parity and (multi_fec_flags != MULTI_FEC_FLAGS or not flags & FLAG_PICTURE or flags > 7):
        raise RemoteProtocolError(f"video shard with flags {flags:#04x} {multi_fec_flags:#04x}")
    return shard


class FrameHeader(NamedTuple):
    """The frame header's fields in wire order."""

    latency_tenths_ms: int
    frame_type: FrameType
    last_payload_bytes: int


def parse_frame_header(payload: bytes) -> FrameHeader:
    """Read the header from the first payload of a frame; RemoteProtocolError if it is none."""
    if len(payload) < FRAME_HEADER_BYTES:
        raise RemoteProtocolError(f"frame header of {len(payload)} bytes")
    header_type, latency, frame_type, last_payload_bytes, _ = _FRAME_FIELDS.unpack_from(payload)
    if header_type != FRAME_HEADER_TYPE or frame_type not in FrameType.__members__.values():
        raise RemoteProtocolError(f"frame header of type {header_type:#04x}, frame type {frame_type}")
    return FrameHeader(latency, FrameType(frame_type), last_payload_bytes)
