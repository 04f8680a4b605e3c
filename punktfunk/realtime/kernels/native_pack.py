"""Cut an access unit into punktfunk/1's packets: parity counts, payloads, headers, prefixes and nonces.

The layout is that of ``wire.native.packet``, whose numbers are used here. Twin of
``realtime.reference.native_pack``.
"""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import address_of, copy_bytes
from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import BAD_SIZE, FRAME_HEADER_FIELD_COUNT, NONCE_BYTES
from punktfunk.realtime.kernels.rows import put_big, put_little
from punktfunk.wire.native.blocks import MIN_PARITY_COUNT
from punktfunk.wire.native.packet import (
    FLAG_FIRST_PACKET,
    FLAG_LAST_PACKET,
    FLAG_PICTURE,
    HEADER_BYTES,
    MAGIC,
    SALT_BYTES,
    SENDER_BIT,
    SEQUENCE_BYTES,
    VERSION,
)

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]

_U32 = 0xFFFFFFFF
_MARKS = MAGIC | VERSION << 8


@kernel("int64(int64, int64, int64)")
def parity_count(data_count: int, percent: int, block_max: int) -> int:
    """Parity shards of one block: ``wire.native.blocks.Geometry.parity_count``.

    data_count   shards of the block that carry the frame, at least 1
    percent      0 .. 90; 0 sends no parity
    block_max    data and parity shards that a block may have
    """
    if percent <= 0:
        return int64(0)
    wanted = max((data_count * percent + 99) // 100, MIN_PARITY_COUNT)
    return max(min(wanted, block_max - data_count), 0)


@kernel("int64(uint8[:, ::1], int64, int64, uint8[:, ::1], int64)")
def copy_shards(packets: U8, offset_bytes: int, count: int, shards: U8, first: int) -> int:
    """Copy ``count`` shards into as many rows; 0, or BAD_SIZE.

    packets        (>= count, >= offset_bytes + P)   rows written from ``offset_bytes`` on
    offset_bytes   where the payload stands in a row
    count          shards
    shards         (shards, P)   the access unit, its last shard filled up with zeros
    first          shard that goes into row 0
    """
    shard_bytes = int64(shards.shape[1])
    if count < 0 or count > packets.shape[0] or first < 0 or first + count > shards.shape[0]:
        return BAD_SIZE
    if offset_bytes < 0 or offset_bytes + shard_bytes > packets.shape[1]:
        return BAD_SIZE
    target, source = address_of(packets) + offset_bytes, address_of(shards) + first * shard_bytes
    for row in range(count):
        copy_bytes(target + row * int64(packets.shape[1]), source + row * shard_bytes, shard_bytes)
    return 0


@kernel("int64(uint8[:, ::1], int64, int64, int64[::1], int64, int64)")
def write_headers(packets: U8, offset_bytes: int, count: int, header: I64, place: int, total: int) -> int:
    """Write the headers of packets that follow each other in one block; 0, or BAD_SIZE.

    packets        (>= count, >= offset_bytes + 40)   rows written from ``offset_bytes`` on
    offset_bytes   where the header stands in a row
    count          rows
    header         (12,)   of row 0, in wire order without magic, version and flags; the stream sequence and
                   the shard index go up by one from row to row
    place, total   how many packets of the frame go before row 0, and how many it has: for the flags
    """
    if count < 0 or count > packets.shape[0] or header.size < FRAME_HEADER_FIELD_COUNT:
        return BAD_SIZE
    if offset_bytes < 0 or offset_bytes + HEADER_BYTES > packets.shape[1]:
        return BAD_SIZE
    block = header[5] & 0xFFFF | (header[6] & 0xFFFF) << 16
    block |= (header[7] & 0xFFFF) << 32 | (header[8] & 0xFFFF) << 48
    shard = (header[10] & 0xFFFF) << 16 | int64(_MARKS) << 32 | (header[11] & 255) << 48
    for row in range(count):
        flags = int64(FLAG_PICTURE)
        if place + row == 0:
            flags |= FLAG_FIRST_PACKET
        if place + row == total - 1:
            flags |= FLAG_LAST_PACKET
        at = address_of(packets) + row * int64(packets.shape[1]) + offset_bytes
        put_little(at, header[0])
        put_little(at + 8, header[1] & _U32 | (header[2] + row & _U32) << 32)
        put_little(at + 16, header[3] & _U32 | (header[4] & _U32) << 32)
        put_little(at + 24, block)
        put_little(at + 32, shard | header[9] + row & 0xFFFF | flags << 56)
    return 0


@kernel("int64(uint8[:, ::1], int64, int64, int64, uint8[:, ::1])")
def write_sequences(packets: U8, count: int, sequence: int, salt: int, nonces: U8) -> int:
    """Write what stands before the ciphertext, and the nonce of each row; 0, or BAD_SIZE.

    packets    (>= count, >= 8)   the first eight bytes of rows are written
    count      rows
    sequence   of row 0; never twice under one key
    salt       four bytes, the first one lowest; its bit of the sender is cleared: we are the host
    nonces     (>= count, 16)   the first twelve bytes of rows are written
    """
    if count < 0 or count > packets.shape[0] or count > nonces.shape[0] or sequence < 0:
        return BAD_SIZE
    if packets.shape[1] < SEQUENCE_BYTES or nonces.shape[1] != NONCE_BYTES:
        return BAD_SIZE
    bytes_of_salt = salt & _U32 & ~int64(SENDER_BIT)
    for row in range(count):
        nonce = address_of(nonces) + row * int64(NONCE_BYTES)
        put_little(nonce, bytes_of_salt)
        put_big(nonce + SALT_BYTES, sequence + row)
        put_big(address_of(packets) + row * int64(packets.shape[1]), sequence + row)
    return 0
