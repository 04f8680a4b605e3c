"""Parity over GF(2^8): rows of bytes times a matrix of constants.

Video and audio use it with different matrices.

Twin of ``realtime.reference.gf8``: same names, same arguments, same answers.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import address_of
from punktfunk.realtime.kernels.jit import int64, intrinsic, kernel
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.kernels.simd import I64, TABLE_BYTES, VECTOR, VECTOR_BYTES, ZERO, Emitter

U8 = NDArray[np.uint8]

# Accumulators live in registers: as many as the machine has, less what a source vector and a table take.
_WIDE = 2 if VECTOR_BYTES == 64 else 1
_EIGHT_BYTES = _WIDE * VECTOR_BYTES
_FEW_BYTES = 2 * VECTOR_BYTES


def _strip(row_count: int, vector_count: int) -> Callable[..., Any]:
    """Make the intrinsic for ``row_count`` parity rows at one strip of ``vector_count`` vectors.

    It takes seven int64: addresses of source and target strip, stride, data count, address and stride of the
    coefficients, address of the tables.
    """

    @intrinsic
    def strip(
        _typing: Any, _source: Any, _to: Any, _stride: Any, _d: Any, _c: Any, _wide: Any, _t: Any
    ) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            _generate_strip(builder, arguments, row_count, vector_count)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 7), generate

    return strip


def _generate_strip(builder: Any, arguments: Any, row_count: int, vector_count: int) -> None:
    source, target, stride, data_count, coefficients, coefficient_stride, tables = arguments
    emit = Emitter(builder)
    before = builder.block
    loop, after = (builder.append_basic_block(name) for name in ("data_rows", "parity_rows"))
    builder.branch(loop)
    builder.position_at_end(loop)
    row = builder.phi(I64)
    row.add_incoming(I64(0), before)
    sums = [[builder.phi(VECTOR) for _ in range(vector_count)] for _ in range(row_count)]
    address = builder.add(source, builder.mul(row, stride))
    vectors = [emit.split(emit.load(emit.add(address, v * VECTOR_BYTES))) for v in range(vector_count)]
    totals = []
    for parity in range(row_count):
        place = builder.add(coefficients, builder.mul(coefficient_stride, I64(parity)))
        constant = emit.load_byte(builder.add(place, row))
        table = emit.table(builder.add(tables, builder.mul(constant, I64(TABLE_BYTES))))
        totals.append(
            [builder.xor(sums[parity][v], emit.multiply(vectors[v], table)) for v in range(vector_count)]
        )
    following = builder.add(row, I64(1))
    row.add_incoming(following, builder.block)
    for parity in range(row_count):
        for v in range(vector_count):
            sums[parity][v].add_incoming(ZERO, before)
            sums[parity][v].add_incoming(totals[parity][v], builder.block)
    builder.cbranch(builder.icmp_signed("<", following, data_count), loop, after)
    builder.position_at_end(after)
    for parity in range(row_count):
        place = builder.add(target, builder.mul(stride, I64(parity)))
        for v in range(vector_count):
            emit.store(emit.add(place, v * VECTOR_BYTES), totals[parity][v])


_strip_8, _strip_4, _strip_2, _strip_1 = _strip(8, _WIDE), _strip(4, 2), _strip(2, 2), _strip(1, 2)


@kernel("void(uint8[:, ::1], int64, int64, uint8[::1])")
def fill_cauchy(coefficients: U8, data_count: int, parity_count: int, inverses: U8) -> None:
    """Write GameStream's video matrix: coefficients[j, i] = 1 / ((parity_count + i) xor j).

    coefficients   (>= parity_count, >= data_count)   written
    data_count, parity_count                          together at most 255, both at least 0
    inverses       (256,)   inverse of every element; that of 0 is not read

    The matrix depends on the parity count: moonlight-common-c, nanors rs.c, reed_solomon_new.
    """
    if parity_count > coefficients.shape[0] or data_count > coefficients.shape[1]:
        return
    for j in range(parity_count):
        for i in range(data_count):
            coefficients[j, i] = inverses[((parity_count + i) ^ j) & 255]


@kernel("int64(uint8[:, ::1], int64, int64, int64, int64, uint8[:, ::1], uint8[:, ::1])")
def _multiply_short(
    rows: U8,
    offset_bytes: int,
    row_bytes: int,
    data_count: int,
    parity_count: int,
    coefficients: U8,
    tables: U8,
) -> int:
    """Write parity byte by byte, for rows shorter than a strip."""
    for j in range(parity_count):
        for column in range(offset_bytes, offset_bytes + row_bytes):
            total = np.uint8(0)
            for i in range(data_count):
                value, constant = rows[i, column], coefficients[j, i]
                total ^= tables[constant, value & 15] ^ tables[constant, 16 + (value >> 4)]
            rows[data_count + j, column] = total
    return 0


@kernel("void(uint8[:, ::1], int64, int64, int64, int64, int64, uint8[:, ::1], uint8[:, ::1])")
def _multiply_group(
    rows: U8,
    offset_bytes: int,
    row_bytes: int,
    data_count: int,
    first: int,
    group: int,
    coefficients: U8,
    tables: U8,
) -> None:
    """Write ``group`` (8, 4, 2 or 1) parity rows from ``first`` on, strip by strip.

    The last strip of a row overlaps the one before: parity depends on its own column only, so computing a
    column twice is cheaper than a loop over single bytes.
    """
    stride, wide = int64(rows.shape[1]), int64(coefficients.shape[1])
    source, table = address_of(rows) + offset_bytes, address_of(tables)
    step = _EIGHT_BYTES if group == 8 else _FEW_BYTES
    target = source + (data_count + first) * stride
    constants = address_of(coefficients) + first * wide
    column = int64(0)
    while column < row_bytes:
        at = min(column, row_bytes - step)
        if group == 8:
            _strip_8(source + at, target + at, stride, data_count, constants, wide, table)
        elif group == 4:
            _strip_4(source + at, target + at, stride, data_count, constants, wide, table)
        elif group == 2:
            _strip_2(source + at, target + at, stride, data_count, constants, wide, table)
        else:
            _strip_1(source + at, target + at, stride, data_count, constants, wide, table)
        column += step


@kernel("int64(uint8[:, ::1], int64, int64, int64, int64, uint8[:, ::1], uint8[:, ::1])")
def multiply_rows(
    rows: U8,
    offset_bytes: int,
    row_bytes: int,
    data_count: int,
    parity_count: int,
    coefficients: U8,
    tables: U8,
) -> int:
    """Write parity: rows[data_count + j] = sum over i of coefficients[j, i] * rows[i]. 0, or BAD_SIZE.

    rows           (>= data_count + parity_count, >= offset_bytes + row_bytes)   data first; parity is written
    offset_bytes, row_bytes   the part of every row that takes part; bytes around it are left alone
    data_count, parity_count  data_count at least 1
    coefficients   (>= parity_count, >= data_count)
    tables         (256, TABLE_BYTES)   see ``simd``

    """
    if data_count < 1 or parity_count < 0 or data_count + parity_count > rows.shape[0]:
        return BAD_SIZE
    if offset_bytes < 0 or row_bytes < 0 or offset_bytes + row_bytes > rows.shape[1]:
        return BAD_SIZE
    if parity_count > coefficients.shape[0] or data_count > coefficients.shape[1]:
        return BAD_SIZE
    if tables.shape[0] != 256 or tables.shape[1] != TABLE_BYTES:
        return BAD_SIZE
    if row_bytes < _FEW_BYTES:
        return _multiply_short(rows, offset_bytes, row_bytes, data_count, parity_count, coefficients, tables)
    done = int64(0)
    while done < parity_count:
        left = parity_count - done
        group = int64(8 if left >= 8 else 4 if left >= 4 else 2 if left >= 2 else 1)
        _multiply_group(rows, offset_bytes, row_bytes, data_count, done, group, coefficients, tables)
        done += group
    return 0
