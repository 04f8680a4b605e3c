"""GameStream's erasure code, decoding: by closed form, and by an explicit matrix."""

import numpy as np

from punktfunk.realtime.code8 import Code8
from punktfunk.realtime.reference import rs8_decode as slow
from punktfunk.wire.gamestream.audio import PARITY_MATRIX


def agrees(random: np.random.Generator) -> bool:
    """Compare them."""
    audio = Code8(4, 2, 240, matrix=np.array(PARITY_MATRIX, np.uint8))
    return _agrees(random, audio, 4, 2, 240) & _agrees(random, Code8(21, 11, 300), 21, 11, 300)


def _agrees(
    random: np.random.Generator, code: Code8, data_count: int, parity_count: int, shard_bytes: int
) -> bool:
    data = random.integers(0, 256, (data_count, shard_bytes), dtype=np.uint8)
    parity, present = (
        np.zeros((parity_count, shard_bytes), np.uint8),
        np.ones(data_count + parity_count, np.uint8),
    )
    code.encode(data, parity)
    present[random.choice(data_count, parity_count - 1, replace=False)] = 0
    present[data_count] = 0
    ours, theirs = data.copy(), data.copy()
    ours[present[:data_count] == 0] = theirs[present[:data_count] == 0] = 0
    decode = slow.decode_matrix if parity_count == len(PARITY_MATRIX) else slow.decode
    counts = (
        code.decode(ours, parity, present),
        decode(
            code.context, theirs.ctypes.data, shard_bytes, parity.ctypes.data, shard_bytes,
            present.ctypes.data, data_count, parity_count, shard_bytes,
        ),
    )  # fmt: skip
    same = np.array_equal(ours, data) and np.array_equal(theirs, data)
    return same and counts == (parity_count - 1, parity_count - 1)
