"""A matrix over GF(2^8) times rows of bytes that lie anywhere: the encoder of small shapes, and the decoder.

Twin of ``realtime.reference.product8``: same names, same arguments, same answers.
"""

from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.kernels.simd import TABLE_BYTES, VECTOR_BYTES
from punktfunk.realtime.kernels.strips8 import (
    WIDE_COUNT,
    product_of_1,
    product_of_2,
    product_of_4,
    product_of_8,
)
from punktfunk.realtime.kernels.views import bytes_at, words_at

_EIGHT_BYTES = WIDE_COUNT * VECTOR_BYTES
_FEW_BYTES = 2 * VECTOR_BYTES


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def _multiply_short(
    sources: int,
    source_count: int,
    targets: int,
    target_count: int,
    coefficients: int,
    coefficient_stride: int,
    tables: int,
    row_bytes: int,
) -> int:
    """Do as ``multiply``, byte by byte, for rows shorter than a strip."""
    table = bytes_at(tables)
    for row in range(target_count):
        target = bytes_at(words_at(targets)[row])
        constants = bytes_at(coefficients + row * coefficient_stride)
        for column in range(row_bytes):
            total = int64(0)
            for index in range(source_count):
                value = int64(bytes_at(words_at(sources)[index])[column])
                place = int64(constants[index]) * TABLE_BYTES
                total ^= int64(table[place + (value & 15)]) ^ int64(table[place + 16 + (value >> 4)])
            target[column] = total
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def multiply(
    sources: int,
    source_count: int,
    targets: int,
    target_count: int,
    coefficients: int,
    coefficient_stride: int,
    tables: int,
    row_bytes: int,
) -> int:
    """Write target[j] = sum over i of coefficients[j, i] * source[i]. 0, or BAD_SIZE for counts below zero.

    sources, source_count   address of int64 addresses of rows; without any, targets become zero
    targets, target_count   the same for the rows to write, none of which may overlap a source
    coefficients, coefficient_stride   address of uint8[target_count][coefficient_stride]
    tables      address of uint8[256][TABLE_BYTES]   see ``simd``
    row_bytes   of every row

    The last strip of a row overlaps the one before: a byte depends on its own column only, so computing a
    column twice is cheaper than a loop over single bytes.
    """
    if source_count < 0 or target_count < 0 or row_bytes < 0:
        return BAD_SIZE
    if row_bytes < _FEW_BYTES or source_count == 0:
        return _multiply_short(
            sources, source_count, targets, target_count, coefficients, coefficient_stride, tables, row_bytes
        )
    row = int64(0)
    while row < target_count:
        left = target_count - row
        group = int64(8 if left >= 8 else 4 if left >= 4 else 2 if left >= 2 else 1)
        step = int64(_EIGHT_BYTES if group == 8 else _FEW_BYTES)
        rows, constants = targets + 8 * row, coefficients + row * coefficient_stride
        column = int64(0)
        while column < row_bytes:
            at = min(column, row_bytes - step)
            if group == 8:
                product_of_8(sources, source_count, at, rows, constants, coefficient_stride, tables)
            elif group == 4:
                product_of_4(sources, source_count, at, rows, constants, coefficient_stride, tables)
            elif group == 2:
                product_of_2(sources, source_count, at, rows, constants, coefficient_stride, tables)
            else:
                product_of_1(sources, source_count, at, rows, constants, coefficient_stride, tables)
            column += step
        row += group
    return 0
