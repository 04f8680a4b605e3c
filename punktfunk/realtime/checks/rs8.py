"""GameStream's erasure code: product, transform and both decoders."""

import numpy as np

from punktfunk.realtime.code8 import Code8
from punktfunk.realtime.reference import rs8 as slow
from punktfunk.realtime.reference import rs8_decode as slow_decode
from punktfunk.wire.gamestream.audio import PARITY_MATRIX

# Products in groups of 8, 4, 2 and 1; transforms with a first layer of four parts, and of two.
_SHAPES = ((7, 7, 40), (21, 11, 1391), (30, 20, 600))


def agrees(random: np.random.Generator) -> bool:
    """Compare them."""
    audio = np.array(PARITY_MATRIX, np.uint8)
    agrees = _agrees(random, Code8(4, 2, 240, matrix=audio), 4, 2, 240)
    for data_count, parity_count, shard_bytes in _SHAPES:
        code = Code8(data_count, parity_count, shard_bytes)
        agrees &= _agrees(random, code, data_count, parity_count, shard_bytes)
    return agrees


def _agrees(
    random: np.random.Generator, code: Code8, data_count: int, parity_count: int, shard_bytes: int
) -> bool:
    explicit = parity_count == len(PARITY_MATRIX)
    rows = random.integers(0, 256, (data_count + parity_count, shard_bytes + 3), dtype=np.uint8)
    data, parity = rows[:data_count, :shard_bytes], rows[data_count:, :shard_bytes]
    present = np.ones(len(rows), np.uint8)
    present[: parity_count - 1] = 0
    present[data_count] = 0
    ours, theirs = parity.copy(), parity.copy()
    address, stride = data.ctypes.data, data.strides[0]
    place = (address, stride, theirs.ctypes.data, theirs.strides[0])
    encode, decode = (
        (slow.encode_matrix, slow_decode.decode_matrix) if explicit else (slow.encode, slow_decode.decode)
    )
    code.encode(data, ours)
    encode(code.context, *place, data_count, parity_count, shard_bytes)
    whole, restored = data.copy(), data.copy()
    restored[present[:data_count] == 0] = 0
    data[present[:data_count] == 0] = 0
    counts = (
        code.decode(restored, ours, present),
        decode(code.context, *place, present.ctypes.data, data_count, parity_count, shard_bytes),
    )
    same = np.array_equal(ours, theirs) and np.array_equal(whole, restored) and np.array_equal(whole, data)
    return same and counts == (parity_count - 1, parity_count - 1)
