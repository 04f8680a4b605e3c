"""Packets of punktfunk/1 by the wire's own functions: the judge of ``kernels.native_pack``."""

import numpy as np
from numpy.typing import NDArray

from punktfunk.wire.native import blocks, packet

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]


def parity_count(data_count: int, percent: int, block_max: int) -> int:
    """Ask the wire what is wanted; there may be less room."""
    return max(min(blocks.wanted_parity(data_count, percent), block_max - data_count), 0)


def copy_shards(packets: U8, offset_bytes: int, count: int, shards: U8, first: int) -> int:
    """Copy by slices."""
    packets[:count, offset_bytes : offset_bytes + shards.shape[1]] = shards[first : first + count]
    return 0


def write_headers(packets: U8, offset_bytes: int, count: int, header: I64, place: int, total: int) -> int:
    """Build one header after the other."""
    for row in range(count):
        flags = packet.FLAG_PICTURE
        flags |= packet.FLAG_FIRST_PACKET * (place + row == 0)
        flags |= packet.FLAG_LAST_PACKET * (place + row == total - 1)
        fields = packet.Header._make([*(int(field) for field in header[:12]), flags])
        fields = fields._replace(
            stream_sequence=fields.stream_sequence + row, shard_index=fields.shard_index + row
        )
        built = np.frombuffer(packet.build_header(fields), np.uint8)
        packets[row, offset_bytes : offset_bytes + built.size] = built
    return 0


def write_sequences(packets: U8, count: int, sequence: int, salt: int, nonces: U8) -> int:
    """Build one prefix and nonce after the other."""
    for row in range(count):
        prefix = packet.build_sequence(sequence + row)
        nonce = packet.build_nonce(salt.to_bytes(packet.SALT_BYTES, "little"), sequence + row)
        packets[row, : len(prefix)] = np.frombuffer(prefix, np.uint8)
        nonces[row, : len(nonce)] = np.frombuffer(nonce, np.uint8)
    return 0
