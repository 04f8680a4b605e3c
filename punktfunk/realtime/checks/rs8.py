"""GameStream's erasure code, encoding: product, transform and explicit matrix."""

import numpy as np

from punktfunk.realtime.code8 import Code8
from punktfunk.realtime.reference import rs8 as slow
from punktfunk.wire.gamestream.audio import PARITY_MATRIX

# Products in groups of 8, 4, 2 and 1; transforms with a first layer of four parts, and of two.
_SHAPES = ((9, 15, 40), (7, 7, 1040), (21, 11, 1391), (30, 20, 600))


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
    rows = random.integers(0, 256, (data_count + parity_count, shard_bytes + 3), dtype=np.uint8)
    data, ours = rows[:data_count, :shard_bytes], rows[data_count:, :shard_bytes]
    theirs = ours.copy()
    encode = slow.encode_matrix if parity_count == len(PARITY_MATRIX) else slow.encode
    code.encode(data, ours)
    result = encode(
        code.context, data.ctypes.data, data.strides[0], theirs.ctypes.data, shard_bytes, data_count,
        parity_count, shard_bytes,
    )  # fmt: skip
    return result == 0 and np.array_equal(ours, theirs)
