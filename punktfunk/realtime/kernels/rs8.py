"""GameStream's erasure code over GF(2^8), encoding.

parity j = sum over i of data i / ((parity_count + i) xor j): nanors' matrix (rs.c, reed_solomon_new), which
depends on the parity count. Small shapes are multiplied by it; larger ones go through the FFT of ``fft8``.

Contexts are made by ``realtime.code8``. One thread at a time may use one.
Twin of ``realtime.reference.rs8``: same names, same arguments, same answers.
"""

from punktfunk.realtime.kernels.fft8 import transform
from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.layout import BAD_SIZE, CODE_TABLES, UNSUPPORTED_SHAPE
from punktfunk.realtime.kernels.layout8 import (
    LIST_COUNT,
    SHARD_COUNT_MAX,
    WORD_COEFFICIENTS,
    WORD_LOGARITHMS,
    WORD_MADE_DATA,
    WORD_MADE_PARITY,
    WORD_MATRIX,
    WORD_MATRIX_DATA,
    WORD_MATRIX_PARITY,
    WORD_POWERS,
    WORD_SOURCES,
    WORD_TARGETS,
)
from punktfunk.realtime.kernels.product8 import multiply
from punktfunk.realtime.kernels.simd import VECTOR_BYTES
from punktfunk.realtime.kernels.views import bytes_at, words_at


@entry("int64(int64, int64, int64, int64, int64)")
def check_shape(
    data_stride: int, parity_stride: int, data_count: int, parity_count: int, shard_bytes: int
) -> int:
    """Say whether the code has this shape: 0, UNSUPPORTED_SHAPE, or BAD_SIZE for rows that would overlap.

    data_stride, parity_stride   bytes from one row to the next
    data_count, parity_count     at least 1 and 0, together at most 255
    shard_bytes                  at least 1
    """
    if data_count < 1 or parity_count < 0 or data_count + parity_count > SHARD_COUNT_MAX:
        return UNSUPPORTED_SHAPE
    if shard_bytes < 1:
        return BAD_SIZE
    if (data_count > 1 and data_stride < shard_bytes) or (parity_count > 1 and parity_stride < shard_bytes):
        return BAD_SIZE
    return 0


@entry("int64(int64, int64)")
def _matrix_is_cheaper(data_count: int, parity_count: int) -> int:
    """1 where a product with the matrix takes less time than the transforms, else 0.

    In multiplications of a row by a constant; one of the transforms was measured to take 4/3 as long.
    """
    size, layers = int64(4), int64(2)
    while size < parity_count:
        size *= 2
        layers += 1
    blocks = (data_count + parity_count + size - 1) // size
    transforms = blocks * size * layers // 2 + (blocks + 1) * size
    return int64(3 * data_count * parity_count <= 4 * transforms)


@entry("int64(int64, int64, int64)")
def _fill_cauchy(context: int, data_count: int, parity_count: int) -> int:
    """Write the matrix of the code to WORD_COEFFICIENTS, unless that is what stands there."""
    words = words_at(context)
    if words[WORD_MADE_DATA] == data_count and words[WORD_MADE_PARITY] == parity_count:
        return 0
    logarithms, powers = bytes_at(words[WORD_LOGARITHMS]), bytes_at(words[WORD_POWERS])
    for j in range(parity_count):
        row = bytes_at(words[WORD_COEFFICIENTS] + j * data_count)
        for i in range(data_count):
            logarithm = int64(logarithms[(parity_count + i) ^ j])
            row[i] = powers[255 - logarithm if logarithm else 0]
    words[WORD_MADE_DATA], words[WORD_MADE_PARITY] = data_count, parity_count
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def encode(
    context: int,
    data: int,
    data_stride: int,
    parity: int,
    parity_stride: int,
    data_count: int,
    parity_count: int,
    shard_bytes: int,
) -> int:
    """Write the parity rows of GameStream's code. 0, UNSUPPORTED_SHAPE or BAD_SIZE.

    context                      address of the words above, from ``code8``
    data, data_stride            address of the first data row, and bytes to the next; only read
    parity, parity_stride        the same for the rows to write, which overlap no data row
    data_count, parity_count     together at most 255
    shard_bytes                  that take part of every row
    """
    code = check_shape(data_stride, parity_stride, data_count, parity_count, shard_bytes)
    if code < 0 or parity_count == 0:
        return code
    words = words_at(context)
    by_matrix = shard_bytes < VECTOR_BYTES or _matrix_is_cheaper(data_count, parity_count) != 0
    sources, targets = words_at(words[WORD_SOURCES]), words_at(words[WORD_TARGETS])
    first = int64(0) if by_matrix else parity_count
    for position in range(0 if by_matrix else LIST_COUNT):
        sources[position] = 0
    for i in range(data_count):
        sources[first + i] = data + i * data_stride
    for j in range(parity_count):
        targets[j] = parity + j * parity_stride
    if not by_matrix:
        return transform(context, parity_count, parity_count + data_count, shard_bytes)
    _fill_cauchy(context, data_count, parity_count)
    return multiply(
        words[WORD_SOURCES],
        data_count,
        words[WORD_TARGETS],
        parity_count,
        words[WORD_COEFFICIENTS],
        data_count,
        words[CODE_TABLES],
        shard_bytes,
    )


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
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
    """Write parity by the context's explicit matrix, whose counts must be those of the call.

    context, data, data_stride, parity, parity_stride, data_count, parity_count, shard_bytes
                as in ``encode``
    """
    code = check_shape(data_stride, parity_stride, data_count, parity_count, shard_bytes)
    words = words_at(context)
    if code < 0:
        return code
    if data_count != words[WORD_MATRIX_DATA] or parity_count != words[WORD_MATRIX_PARITY]:
        return UNSUPPORTED_SHAPE
    sources, targets = words_at(words[WORD_SOURCES]), words_at(words[WORD_TARGETS])
    for i in range(data_count):
        sources[i] = data + i * data_stride
    for j in range(parity_count):
        targets[j] = parity + j * parity_stride
    return multiply(
        words[WORD_SOURCES],
        data_count,
        words[WORD_TARGETS],
        parity_count,
        words[WORD_MATRIX],
        data_count,
        words[CODE_TABLES],
        shard_bytes,
    )
