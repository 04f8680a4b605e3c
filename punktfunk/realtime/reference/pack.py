"""Shards field by field with ``struct`` and the wire's own geometry: the judge of ``kernels.pack``."""

from struct import Struct

import numpy as np
from numpy.typing import NDArray

from punktfunk.plan import FrameType
from punktfunk.realtime.kernels.layout import OVERSIZE
from punktfunk.wire.gamestream import video, video_blocks
from punktfunk.wire.gamestream.video_encryption import OFFSET_PREFIX_TAG, build_encrypted

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]

_RTP = Struct(">BBHIII")
_INDEX = Struct("<I")


def plan_blocks(
    blocks: I64, frame_bytes: int, packet_bytes: int, fec_percent: int, minimum_parity: int
) -> int:
    """Ask the wire."""
    plan = video_blocks.plan_blocks(frame_bytes, packet_bytes, fec_percent, minimum_parity)
    if isinstance(plan, video_blocks.OversizeFrame):
        return OVERSIZE
    for index, block in enumerate(plan.blocks):
        blocks[index] = block
    return len(plan.blocks)


def write_frame_header(
    frame: U8, frame_bytes: int, packet_bytes: int, frame_type: int, elapsed_ns: int
) -> int:
    """Ask the wire."""
    info = video.FrameInfo(0, FrameType(frame_type), 0, 0, video.latency_tenths_ms(elapsed_ns))
    header = video.build_frame_header(info, frame_bytes, packet_bytes)
    frame[: len(header)] = np.frombuffer(header, np.uint8)
    return 0


def cut_block(
    packets: U8,
    offset_bytes: int,
    packet_bytes: int,
    data_count: int,
    frame: U8,
    frame_offset: int,
    frame_end: int,
    sequence: int,
    extra_flags: int,
) -> int:
    """Lay one shard after the other: empty RTP header, NV fields, payload, zeros."""
    payload_bytes = packet_bytes - video.NV_HEADER_BYTES
    for shard in range(data_count):
        start = min(frame_offset + shard * payload_bytes, frame_end)
        payload = frame[start : min(start + payload_bytes, frame_end)].tobytes()
        flags = video.FLAG_PICTURE
        flags |= video.FLAG_START * (shard == 0) | video.FLAG_END * (shard == data_count - 1)
        fields = [
            bytes(video.RTP_HEADER_BYTES),
            _INDEX.pack((sequence + shard & 0xFFFFFF) << 8),
            bytes(4),
            bytes((flags, extra_flags & 1, video.MULTI_FEC_FLAGS, 0)),
            bytes(4),
            payload.ljust(payload_bytes, b"\0"),
        ]
        row = np.frombuffer(b"".join(fields), np.uint8)
        packets[shard, offset_bytes : offset_bytes + row.size] = row
    return 0


def finish_block(
    packets: U8,
    offset_bytes: int,
    data_count: int,
    shard_count: int,
    percent: int,
    block_fields: int,
    frame_index: int,
    timestamp_90k: int,
    sequence: int,
) -> int:
    """Overwrite RTP header, frame index, block byte and FEC word of every shard."""
    blocks = (block_fields & 3) << video.SHIFT_BLOCK_INDEX | block_fields >> 8 << video.SHIFT_LAST_BLOCK_INDEX
    for shard in range(shard_count):
        info = (
            data_count << video.SHIFT_DATA_COUNT
            | shard << video.SHIFT_SHARD_INDEX
            | percent << video.SHIFT_PERCENT
        )
        number = sequence + shard & 0xFFFF
        for place, value in (
            (0, _RTP.pack(video.RTP_VERSION, 0, number, timestamp_90k & 0xFFFFFFFF, 0, 0)),
            (video.OFFSET_FRAME_INDEX, _INDEX.pack(frame_index & 0xFFFFFFFF)),
            (video.OFFSET_MULTI_FEC_BLOCKS, bytes((blocks,))),
            (video.OFFSET_FEC_INFO, _INDEX.pack(info)),
        ):
            start = offset_bytes + place
            packets[shard, start : start + len(value)] = np.frombuffer(value, np.uint8)
    return 0


def write_prefixes(packets: U8, count: int, counter: int, frame_index: int, nonces: U8) -> int:
    """Ask the wire for whole datagrams, and keep what stands before the tag."""
    for row in range(count):
        sealed = build_encrypted(bytes(16), counter + row, frame_index & 0xFFFFFFFF, b"shard")
        packets[row, :OFFSET_PREFIX_TAG] = np.frombuffer(sealed[:OFFSET_PREFIX_TAG], np.uint8)
        nonces[row] = packets[row, :OFFSET_PREFIX_TAG]
    return 0
