"""GameStream's erasure code over GF(2^8), encoding, as the textbook has it. The judge of ``kernels.rs8``."""

from punktfunk.realtime.kernels.layout import BAD_SIZE, UNSUPPORTED_SHAPE
from punktfunk.realtime.kernels.layout8 import (
    SHARD_COUNT_MAX,
    WORD_MATRIX,
    WORD_MATRIX_DATA,
    WORD_MATRIX_PARITY,
)
from punktfunk.realtime.reference import gf8
from punktfunk.realtime.reference.memory import bytes_at, rows_at, words_at

Matrix = list[list[int]]


def check_shape(
    data_stride: int, parity_stride: int, data_count: int, parity_count: int, shard_bytes: int
) -> int:
    """Say whether the code has this shape: 0, UNSUPPORTED_SHAPE or BAD_SIZE."""
    if data_count < 1 or parity_count < 0 or data_count + parity_count > SHARD_COUNT_MAX:
        return UNSUPPORTED_SHAPE
    overlap = (data_count > 1 and data_stride < shard_bytes) or (
        parity_count > 1 and parity_stride < shard_bytes
    )
    return BAD_SIZE if shard_bytes < 1 or overlap else 0


def cauchy(data_count: int, parity_count: int) -> Matrix:
    """Give nanors' matrix: 1 / ((parity_count + i) xor j) in row j and column i."""
    return [[gf8.inverse((parity_count + i) ^ j) for i in range(data_count)] for j in range(parity_count)]


def explicit_matrix(context: int) -> Matrix:
    """Read the matrix that a context was made with."""
    words = words_at(context, WORD_MATRIX_PARITY + 1)
    row_count, column_count = int(words[WORD_MATRIX_PARITY]), int(words[WORD_MATRIX_DATA])
    address = int(words[WORD_MATRIX])
    return [[int(v) for v in bytes_at(address + j * column_count, column_count)] for j in range(row_count)]


def _encode(
    matrix: Matrix, data: int, data_stride: int, parity: int, parity_stride: int, shard_bytes: int
) -> int:
    every, column_count = gf8.products(), len(matrix[0]) if matrix else 0
    rows = rows_at(data, data_stride, column_count, shard_bytes)
    for constants, target in zip(
        matrix, rows_at(parity, parity_stride, len(matrix), shard_bytes), strict=True
    ):
        target[:] = 0
        for constant, row in zip(constants, rows, strict=True):
            target[:] ^= every[constant][row]
    return 0


def encode(
    _context: int,
    data: int,
    data_stride: int,
    parity: int,
    parity_stride: int,
    data_count: int,
    parity_count: int,
    shard_bytes: int,
) -> int:
    """Write the parity rows of GameStream's code."""
    code = check_shape(data_stride, parity_stride, data_count, parity_count, shard_bytes)
    if code < 0:
        return code
    return _encode(cauchy(data_count, parity_count), data, data_stride, parity, parity_stride, shard_bytes)


def encode_matrix(
    context: int,
    data: int,
    data_stride: int,
    parity: int,
    parity_stride: int,
    data_count: int,
    parity_count: int,
    shard_bytes: int,
) -> int:
    """Write parity by the context's explicit matrix."""
    code = check_shape(data_stride, parity_stride, data_count, parity_count, shard_bytes)
    if code < 0:
        return code
    matrix = explicit_matrix(context)
    if len(matrix) != parity_count or len(matrix[0]) != data_count:
        return UNSUPPORTED_SHAPE
    return _encode(matrix, data, data_stride, parity, parity_stride, shard_bytes)
