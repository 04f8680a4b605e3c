"""Missing data shards over GF(2^16) by Gaussian elimination: the judge of ``kernels.decode16``."""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.butterfly import STRIP_BYTES
from punktfunk.realtime.kernels.gf16 import LEAST_BYTES
from punktfunk.realtime.kernels.layout import BAD_SIZE, TOO_FEW_SHARDS, UNSUPPORTED_SHAPE
from punktfunk.realtime.reference import gf16, leopard, memory

U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]


def strip_bytes(work_bytes: int, row_count: int, whole: int) -> int:
    """Cut ``whole`` into as few strips as the work area has room for, as equal as they can be."""
    if row_count == 0:
        return whole
    most = work_bytes // row_count // STRIP_BYTES * STRIP_BYTES
    equal = -(-whole // -(-whole // most))
    return max(-(-equal // STRIP_BYTES) * STRIP_BYTES, LEAST_BYTES)


def times(element: int, row: U16) -> U16:
    """Multiply a row by an element."""
    return leopard.multiply_sum(np.array([element], np.uint16), row[None, :])


def solve(matrix: U16, right: U16) -> U16:
    """Solve matrix * x = right, by Gaussian elimination: (n, n) and (n, length) to (n, length)."""
    rows = np.concatenate([matrix, right], axis=1)
    for column in range(matrix.shape[0]):
        pivot = column + int(np.argmax(rows[column:, column] != 0))
        rows[[column, pivot]] = rows[[pivot, column]]
        rows[column] = times(gf16.inverse(int(rows[column, column])), rows[column])
        for other in range(matrix.shape[0]):
            if other != column:
                rows[other] ^= times(int(rows[other, column]), rows[column])
    return rows[:, matrix.shape[0] :]


def restore(data: U8, parity: U8, present: U8) -> U8:
    """Give all data shards: (k, bytes), (m, bytes) and (k + m,) to (k, bytes); at least k must be present."""
    data_count, parity_count = data.shape[0], parity.shape[0]
    missing = np.flatnonzero(present[:data_count] == 0)
    chosen = np.flatnonzero(present[data_count:])[: missing.size]
    generator = leopard.generator(data_count, parity_count)[chosen]
    received = leopard.symbols(np.where(present[:data_count, None] == 0, np.uint8(0), data))
    syndromes = leopard.symbols(parity[chosen])
    for a, row in enumerate(generator):
        syndromes[a] ^= leopard.multiply_sum(row, received)
    received[missing] = solve(generator[:, missing], syndromes)
    return leopard.shards(received)


def decode(
    _context: int,
    data: int,
    data_stride: int,
    parity: int,
    parity_stride: int,
    present: int,
    data_count: int,
    parity_count: int,
    shard_bytes: int,
) -> int:
    """Write all missing data shards; how many."""
    if not leopard.is_supported(data_count, parity_count):
        return UNSUPPORTED_SHAPE
    if shard_bytes < 2 or shard_bytes % 2:
        return BAD_SIZE
    there = memory.bytes_at(present, data_count + parity_count)
    if np.count_nonzero(there) < data_count:
        return TOO_FEW_SHARDS
    rows = memory.rows_at(data, data_stride, data_count, shard_bytes)
    others = memory.rows_at(parity, parity_stride, parity_count, shard_bytes)
    missing = [row for row, is_there in zip(rows, there, strict=False) if not is_there]
    if missing:
        restored = restore(np.array(rows), np.array(others), there)[there[:data_count] == 0]
        for row, value in zip(missing, restored, strict=True):
            row[:] = value
    return len(missing)
