"""Rows over GF(2^16) times a matrix: codes with few parity rows, and decoders with few losses, are that.

Rows are named by lists of addresses, so they may lie anywhere. A coefficient is COEFFICIENT_BYTES long: the
offsets, in the tables, of the rows for the three parts of an element (``butterfly.Field.parts``).
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from punktfunk.realtime.kernels.butterfly import PAIR_BYTES, STRIP_BYTES, Field
from punktfunk.realtime.kernels.jit import entry, int64, intrinsic
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.kernels.layout16 import COEFFICIENT_BYTES, TABLE_ROW_BYTES, TOWER_OFFSET
from punktfunk.realtime.kernels.simd import I32, I64, VECTOR, ZERO
from punktfunk.realtime.kernels.views import bytes_at, counts_at, elements_at

LEAST_BYTES = 2 * STRIP_BYTES  # the shortest rows that ``multiply_rows`` takes
_LOW = 128 * TABLE_ROW_BYTES


def _product(target_count: int, *, wide: bool, shards: bool) -> Callable[..., Any]:
    """Make the intrinsic for so many targets; nine int64, as ``_generate`` has them."""

    @intrinsic
    def product(
        _typing: Any, _n: Any, _r: Any, _k: Any, _c: Any, _m: Any, _ms: Any, _t: Any, _tc: Any, _tb: Any
    ) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            _generate(builder, arguments, target_count, wide=wide, shards=shards)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 9), generate

    return product


def _generate(builder: Any, arguments: Any, target_count: int, *, wide: bool, shards: bool) -> None:
    """Loop over strips; in each, over the rows, with all sums in registers.

    The last strip overlaps the one before: a column computed twice costs less than a loop of its own.
    """
    size, rows, count, column, matrix, stride, targets, target_column, tables = arguments
    b, field = builder, Field(builder, tables)
    pair_count = 1 if target_count == 4 else 2
    step = pair_count * PAIR_BYTES
    last = b.sub(size, I64(step))
    lists = [b.add(matrix, b.mul(stride, I64(i))) for i in range(target_count)]
    places = [b.add(_word(b, targets, I64(i)), target_column) for i in range(target_count)]
    tower = field.tower()
    with field.strip(size, step) as wanted:
        offset = b.select(b.icmp_signed("<", wanted, last), wanted, last)
        offsets = [field.add(offset, PAIR_BYTES * i) for i in range(pair_count)]
        before = b.block
        loop, after = (b.append_basic_block(name) for name in ("rows", "targets"))
        b.branch(loop)
        b.position_at_end(loop)
        j = b.phi(I64)
        j.add_incoming(I64(0), before)
        sums = [[[b.phi(VECTOR) for _ in range(2)] for _ in offsets] for _ in lists]
        row = b.add(_word(b, rows, j), column)
        pairs = [
            field.convert(field.load_shard(row, place), tower)
            if shards
            else field.load_pair(b.add(row, place))
            for place in offsets
        ]
        totals = _add_products(field, pairs, sums, lists, j, wide=wide)
        following = b.add(j, I64(1))
        j.add_incoming(following, b.block)
        for old, new in zip(_flat(sums), _flat(totals), strict=True):
            old.add_incoming(ZERO, before)
            old.add_incoming(new, b.block)
        b.cbranch(b.icmp_signed("<", following, count), loop, after)
        b.position_at_end(after)
        for place, total in zip(places, totals, strict=True):
            for at, pair in zip(offsets, total, strict=True):
                field.store_shard(place, at, field.convert(pair, tower))


def _add_products(field: Field, pairs: Any, sums: Any, lists: Any, j: Any, *, wide: bool) -> Any:
    """Add the products of row ``j`` to the sums of all targets."""
    splits = [[field.split(vector) for vector in pair] for pair in pairs]
    both = [field.split_sum(pair, split) if wide else () for pair, split in zip(pairs, splits, strict=True)]
    skipped = field.builder.mul(j, I64(COEFFICIENT_BYTES))
    totals = []
    for total, list_ in zip(sums, lists, strict=True):
        place = field.builder.add(list_, skipped)
        offsets = (_offset(field.builder, field.add(place, 4 * i)) for i in range(3 if wide else 1))
        twiddle = [field.table(field.builder.add(field.tables, offset)) for offset in offsets]
        products = (field.products(s, t, twiddle) for s, t in zip(splits, both, strict=True))
        totals.append([field.plus(t, product) for t, product in zip(total, products, strict=True)])
    return totals


def _word(builder: Any, address: Any, index: Any) -> Any:
    return builder.load(builder.gep(builder.inttoptr(address, I64.as_pointer()), [index]))


def _offset(builder: Any, address: Any) -> Any:
    pointer = builder.inttoptr(address, ir.PointerType(I32))
    return builder.zext(builder.load(pointer, align=4), I64)


def _flat(nested: Any) -> list[Any]:
    return [vector for rows in nested for pair in rows for vector in pair]


_shards_1, _shards_2 = (_product(n, wide=False, shards=True) for n in (1, 2))
_wide_shards_1, _wide_shards_2 = (_product(n, wide=True, shards=True) for n in (1, 2))
_work_1, _work_2, _work_4 = (_product(n, wide=False, shards=False) for n in (1, 2, 4))
_wide_work_1, _wide_work_2, _wide_work_4 = (_product(n, wide=True, shards=False) for n in (1, 2, 4))


@entry("int64(int64, int64, int64, int64)")
def write_coefficients(tables: int, elements: int, count: int, coefficients: int) -> int:
    """Write a coefficient for each of ``count`` field elements.

    1 if any is 256 or more, else 0: what ``multiply_rows`` calls wide.

    tables         address of the tables
    elements       address of uint16[count]
    coefficients   address of count * COEFFICIENT_BYTES bytes, aligned to 4; written
    """
    table, source, target = bytes_at(tables), elements_at(elements), counts_at(coefficients)
    widest = int64(0)
    for i in range(count):
        element = int64(source[i])
        high = element >> 8
        at, of = TOWER_OFFSET, 16 + (high >> 4)
        low = (element & 255) ^ int64(table[at + (high & 15)]) ^ int64(table[at + of])
        mixed = int64(table[_LOW + (high & 15)]) ^ int64(table[_LOW + of])
        target[3 * i] = low * TABLE_ROW_BYTES
        target[3 * i + 1] = mixed * TABLE_ROW_BYTES
        target[3 * i + 2] = (low ^ high) * TABLE_ROW_BYTES
        widest |= high
    return int64(widest != 0)


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def _multiply_shards(
    tables: int,
    rows: int,
    count: int,
    column: int,
    size: int,
    coefficients: int,
    stride: int,
    wide: int,
    targets: int,
    target_count: int,
    target_column: int,
) -> int:
    done = int64(0)
    while done < target_count:
        matrix, place = coefficients + done * stride, targets + 8 * done
        two = done + 2 <= target_count
        if two and wide:
            _wide_shards_2(size, rows, count, column, matrix, stride, place, target_column, tables)
        elif two:
            _shards_2(size, rows, count, column, matrix, stride, place, target_column, tables)
        elif wide:
            _wide_shards_1(size, rows, count, column, matrix, stride, place, target_column, tables)
        else:
            _shards_1(size, rows, count, column, matrix, stride, place, target_column, tables)
        done += 2 if two else 1
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def _multiply_work(
    tables: int,
    rows: int,
    count: int,
    column: int,
    size: int,
    coefficients: int,
    stride: int,
    wide: int,
    targets: int,
    target_count: int,
    target_column: int,
) -> int:
    done = int64(0)
    while done < target_count:
        matrix, place = coefficients + done * stride, targets + 8 * done
        left = target_count - done
        group = int64(4 if left >= 4 else 2 if left >= 2 else 1)
        if group == 4:
            if wide:
                _wide_work_4(size, rows, count, column, matrix, stride, place, target_column, tables)
            else:
                _work_4(size, rows, count, column, matrix, stride, place, target_column, tables)
        elif group == 2:
            if wide:
                _wide_work_2(size, rows, count, column, matrix, stride, place, target_column, tables)
            else:
                _work_2(size, rows, count, column, matrix, stride, place, target_column, tables)
        elif wide:
            _wide_work_1(size, rows, count, column, matrix, stride, place, target_column, tables)
        else:
            _work_1(size, rows, count, column, matrix, stride, place, target_column, tables)
        done += group
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def multiply_rows(
    tables: int,
    rows: int,
    count: int,
    column: int,
    size: int,
    work: int,
    coefficients: int,
    stride: int,
    wide: int,
    targets: int,
    target_count: int,
    target_column: int,
) -> int:
    """Write shards: target t = sum over i of coefficient[t, i] * row i. 0, or BAD_SIZE.

    tables         address of the tables
    rows           address of int64[count]: addresses of the rows to read; count at least 1
    column         where in every row its part begins, in bytes; in shards a multiple of CHUNK_BYTES
    size           bytes of every row that take part: a multiple of STRIP_BYTES, at least LEAST_BYTES
    work           1 if they are rows of a work area, 0 if they are shards
    coefficients   address of those for target 0, one for each row; those for target t are t * stride bytes on
    wide           1 unless every coefficient is of an element below 256
    targets        address of int64[target_count]: addresses of the shards to write, none of which is read
    target_column  where in every target its part begins
    """
    if count < 1 or target_count < 0 or size < LEAST_BYTES or size % STRIP_BYTES:
        return BAD_SIZE
    if work:
        return _multiply_work(
            tables,
            rows,
            count,
            column,
            size,
            coefficients,
            stride,
            wide,
            targets,
            target_count,
            target_column,
        )
    return _multiply_shards(
        tables, rows, count, column, size, coefficients, stride, wide, targets, target_count, target_column
    )
