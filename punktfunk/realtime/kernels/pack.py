"""Cut an access unit into GameStream video shards: block geometry, headers, payload.

The layout is that of ``wire.gamestream.video``, whose numbers are used here. Twin of
``realtime.reference.pack``.
"""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import address_of, copy_bytes
from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import BAD_SIZE, NONCE_BYTES, OVERSIZE
from punktfunk.realtime.kernels.rows import put_little
from punktfunk.wire.gamestream.video import (
    EXTRA_FLAG_LONG_TERM_REFERENCE,
    FLAG_END,
    FLAG_PICTURE,
    FLAG_START,
    FRAME_HEADER_TYPE,
    MULTI_FEC_FLAGS,
    OFFSET_EXTRA_FLAGS,
    OFFSET_FEC_INFO,
    OFFSET_FLAGS,
    OFFSET_FRAME_INDEX,
    OFFSET_FRAME_LAST_PAYLOAD_BYTES,
    OFFSET_FRAME_LATENCY,
    OFFSET_FRAME_TYPE,
    OFFSET_MULTI_FEC_BLOCKS,
    OFFSET_MULTI_FEC_FLAGS,
    OFFSET_PAYLOAD,
    OFFSET_SEQUENCE,
    OFFSET_STREAM_PACKET_INDEX,
    OFFSET_TIMESTAMP,
    RTP_HEADER_BYTES,
    RTP_VERSION,
    SHARD_HEADER_BYTES,
    SHIFT_BLOCK_INDEX,
    SHIFT_DATA_COUNT,
    SHIFT_LAST_BLOCK_INDEX,
    SHIFT_PERCENT,
    SHIFT_SHARD_INDEX,
)
from punktfunk.wire.gamestream.video_blocks import (
    FRAME_HEADER_BYTES,
    MAX_BARE_BLOCK_SHARDS,
    MAX_BLOCK_COUNT,
    MAX_BLOCK_SHARDS,
    MAX_FRAME_SHARDS,
    MAX_PERCENT,
    NV_HEADER_BYTES,
)
from punktfunk.wire.gamestream.video_encryption import OFFSET_PREFIX_TAG, PREFIX_FIXED_BYTE

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]

_LATENCY_UNIT_NS = 100_000
_LATENCY_MAX = 0xFFFF


@kernel("int64(int64[:, ::1], int64, int64, int64, int64)")
def plan_blocks(
    blocks: I64, frame_bytes: int, packet_bytes: int, fec_percent: int, minimum_parity: int
) -> int:
    """Cut a frame into FEC blocks; answer how many, OVERSIZE past 4092 shards, or BAD_SIZE.

    blocks          (4, 3)   written: data count, parity count, percent of each block
    frame_bytes     access unit without the frame header
    packet_bytes    P as negotiated
    fec_percent     0 .. 255; 0 sends no parity
    minimum_parity  parity shards that a protected block has at least, where its 255 rows allow

    The rules, and why, are those of ``wire.gamestream.video_blocks.plan_blocks``.
    """
    if packet_bytes <= NV_HEADER_BYTES + FRAME_HEADER_BYTES or frame_bytes < 0:
        return BAD_SIZE
    if (
        fec_percent < 0
        or fec_percent > MAX_PERCENT
        or blocks.shape[0] < MAX_BLOCK_COUNT
        or blocks.shape[1] < 3
    ):
        return BAD_SIZE
    payload_bytes = packet_bytes - NV_HEADER_BYTES
    total = (frame_bytes + FRAME_HEADER_BYTES + payload_bytes - 1) // payload_bytes
    if total > MAX_FRAME_SHARDS:
        return OVERSIZE
    most = MAX_BARE_BLOCK_SHARDS
    if fec_percent:
        most = MAX_BLOCK_SHARDS * 100 // (100 + fec_percent)
    block_count = (total + most - 1) // most
    bare_count = int64(0)
    if block_count > MAX_BLOCK_COUNT:
        block_count = MAX_BLOCK_COUNT
        bare_count = 1
        while total > (block_count - bare_count) * most + bare_count * MAX_BARE_BLOCK_SHARDS:
            bare_count += 1
    protected_count = block_count - bare_count
    protected_total = total if bare_count == 0 else protected_count * most
    for index in range(block_count):
        if index < protected_count:
            left, parts, place, percent = protected_total, protected_count, index, fec_percent
        else:
            left, parts, place, percent = (
                total - protected_total,
                bare_count,
                index - protected_count,
                int64(0),
            )
        data_count = left // parts + (1 if place < left % parts else 0)
        parity_count = (data_count * percent + 99) // 100
        if percent and parity_count < minimum_parity:
            percent = min(100 * min(minimum_parity, MAX_BLOCK_SHARDS - data_count) // data_count, MAX_PERCENT)
            parity_count = (data_count * percent + 99) // 100
        blocks[index, 0] = data_count
        blocks[index, 1] = parity_count
        blocks[index, 2] = percent
    return block_count


@kernel("int64(uint8[::1], int64, int64, int64, int64)")
def write_frame_header(
    frame: U8, frame_bytes: int, packet_bytes: int, frame_type: int, elapsed_ns: int
) -> int:
    """Write the eight bytes in front of the access unit; 0, or BAD_SIZE.

    frame         (>= 8 + frame_bytes,)   the access unit stands at 8
    frame_bytes   access unit without the header
    packet_bytes  P as negotiated
    frame_type    ``plan.FrameType``
    elapsed_ns    capture to now; the header carries tenths of a millisecond
    """
    payload_bytes = packet_bytes - NV_HEADER_BYTES
    if payload_bytes <= 0 or frame_bytes < 0 or frame.size < FRAME_HEADER_BYTES + frame_bytes:
        return BAD_SIZE
    latency = min(max((elapsed_ns + _LATENCY_UNIT_NS // 2) // _LATENCY_UNIT_NS, 0), _LATENCY_MAX)
    used = (FRAME_HEADER_BYTES + frame_bytes) % payload_bytes
    if used == 0:
        used = payload_bytes
    for i in range(FRAME_HEADER_BYTES):
        frame[i] = 0
    frame[0] = FRAME_HEADER_TYPE
    frame[OFFSET_FRAME_TYPE] = frame_type & 255
    for i in range(2):
        frame[OFFSET_FRAME_LATENCY + i] = latency >> 8 * i & 255
        frame[OFFSET_FRAME_LAST_PAYLOAD_BYTES + i] = used >> 8 * i & 255
    return 0


@kernel("int64(uint8[:, ::1], int64, int64, int64, uint8[::1], int64, int64, int64, int64)")
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
    """Fill the data shards of one block up to what parity covers; 0, or BAD_SIZE.

    packets        (>= data_count, >= offset_bytes + P + 16)   rows written from ``offset_bytes`` on
    offset_bytes   where the shard starts in a row: 0, or behind the prefix of encryption
    packet_bytes   P as negotiated
    data_count     shards of this block that carry the frame
    frame          frame header and access unit
    frame_offset, frame_end   the part of ``frame`` that is still to be sent; what is missing is zeros
    sequence       unwrapped sequence number of the first shard
    extra_flags    byte 25: bit 0 marks a long-term reference
    """
    payload_bytes = packet_bytes - NV_HEADER_BYTES
    if payload_bytes <= 0 or data_count < 1 or data_count > packets.shape[0] or offset_bytes < 0:
        return BAD_SIZE
    if offset_bytes + SHARD_HEADER_BYTES + payload_bytes > packets.shape[1]:
        return BAD_SIZE
    if frame_offset < 0 or frame_offset > frame_end or frame_end > frame.size:
        return BAD_SIZE
    row_bytes = int64(packets.shape[1])
    for shard in range(data_count):
        for i in range(offset_bytes, offset_bytes + SHARD_HEADER_BYTES):
            packets[shard, i] = 0
        index = sequence + shard
        for i in range(3):
            packets[shard, offset_bytes + OFFSET_STREAM_PACKET_INDEX + 1 + i] = index >> 8 * i & 255
        flags = FLAG_PICTURE
        if shard == 0:
            flags |= FLAG_START
        if shard == data_count - 1:
            flags |= FLAG_END
        packets[shard, offset_bytes + OFFSET_FLAGS] = flags
        packets[shard, offset_bytes + OFFSET_EXTRA_FLAGS] = extra_flags & EXTRA_FLAG_LONG_TERM_REFERENCE
        packets[shard, offset_bytes + OFFSET_MULTI_FEC_FLAGS] = MULTI_FEC_FLAGS
        place = offset_bytes + OFFSET_PAYLOAD
        count = min(payload_bytes, frame_end - frame_offset)
        copy_bytes(address_of(packets) + shard * row_bytes + place, address_of(frame) + frame_offset, count)
        for i in range(place + count, place + payload_bytes):
            packets[shard, i] = 0
        frame_offset += count
    return 0


@kernel("int64(uint8[:, ::1], int64, int64, int64, int64, int64, int64, int64, int64)")
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
    """Write the header fields that parity must not decide into all shards of a block; 0, or BAD_SIZE.

    packets        (>= shard_count, >= offset_bytes + 32)   data shards, then parity
    offset_bytes   where the shard starts in a row
    data_count, shard_count   shard_count is with parity
    percent        parity percentage of this block, from which the client derives the parity count
    block_fields   block index | last block index << 8
    frame_index    from 1
    timestamp_90k  RTP timestamp
    sequence       unwrapped sequence number of the first shard
    """
    if shard_count > packets.shape[0] or data_count < 1 or data_count > shard_count:
        return BAD_SIZE
    if offset_bytes < 0 or offset_bytes + SHARD_HEADER_BYTES > packets.shape[1]:
        return BAD_SIZE
    blocks = (block_fields & 3) << SHIFT_BLOCK_INDEX | (block_fields >> 8 & 3) << SHIFT_LAST_BLOCK_INDEX
    for shard in range(shard_count):
        for i in range(RTP_HEADER_BYTES):
            packets[shard, offset_bytes + i] = 0
        packets[shard, offset_bytes] = RTP_VERSION
        number = sequence + shard
        packets[shard, offset_bytes + OFFSET_SEQUENCE] = number >> 8 & 255
        packets[shard, offset_bytes + OFFSET_SEQUENCE + 1] = number & 255
        info = data_count << SHIFT_DATA_COUNT | shard << SHIFT_SHARD_INDEX | percent << SHIFT_PERCENT
        for i in range(4):
            packets[shard, offset_bytes + OFFSET_TIMESTAMP + i] = timestamp_90k >> 8 * (3 - i) & 255
            packets[shard, offset_bytes + OFFSET_FRAME_INDEX + i] = frame_index >> 8 * i & 255
            packets[shard, offset_bytes + OFFSET_FEC_INFO + i] = info >> 8 * i & 255
        packets[shard, offset_bytes + OFFSET_MULTI_FEC_BLOCKS] = blocks
    return 0


@kernel("int64(uint8[:, ::1], int64, int64, int64, uint8[:, ::1])")
def write_prefixes(packets: U8, count: int, counter: int, frame_index: int, nonces: U8) -> int:
    """Write what stands before the tag of encrypted datagrams, and the nonce of each row; 0, or BAD_SIZE.

    packets      (>= count, >= 16)   the first sixteen bytes of rows are written
    count        rows
    counter      of row 0; never twice under one key
    frame_index  goes into the prefix in clear
    nonces       (>= count, 16)   the first twelve bytes of rows are written
    """
    if count < 0 or count > packets.shape[0] or count > nonces.shape[0] or counter < 0:
        return BAD_SIZE
    if packets.shape[1] < OFFSET_PREFIX_TAG or nonces.shape[1] != NONCE_BYTES:
        return BAD_SIZE
    fixed = int64(PREFIX_FIXED_BYTE) << 24 | (frame_index & 0xFFFFFFFF) << 32
    for row in range(count):
        # The prefix begins with the nonce; what follows in a row of nonces nobody reads.
        for at in (
            address_of(packets) + row * int64(packets.shape[1]),
            address_of(nonces) + row * int64(NONCE_BYTES),
        ):
            put_little(at, counter + row)
            put_little(at + 8, fixed)
    return 0
