"""Inner loops over GF(2^8) rows, as LLVM code: products with constants, butterflies of an additive FFT.

Intrinsics for ``product8`` and ``fft8``. All arguments are int64: addresses, and byte counts, multiples of
``VECTOR_BYTES``, which the caller proves. A constant is the address of its row in the product tables
(``simd``). Rows may lie anywhere; none may overlap another, except that a butterfly may work in place.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from punktfunk.realtime.kernels.jit import intrinsic
from punktfunk.realtime.kernels.simd import I64, TABLE_BYTES, VECTOR, VECTOR_BYTES, ZERO, Emitter

Vectors = list[Any]
Transform = Callable[[Emitter, Vectors, Vectors], None]

WIDE_COUNT = 2 if VECTOR_BYTES == 64 else 1
"""Vectors a row in a strip of eight rows: sums live in registers, of which AVX-512 has 32 and others 16."""


def _void(count: int, generate: Callable[[Any, Any], None]) -> tuple[Any, Any]:
    """Signature and generator of an intrinsic with ``count`` int64 arguments and no result."""

    def whole(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        generate(builder, arguments)
        return context.get_dummy_value()

    return types.void(*[types.int64] * count), whole


def _address(emit: Emitter, list_: Any, index: Any) -> Any:
    """Entry of a list of addresses."""
    pointer = emit.builder.inttoptr(list_, I64.as_pointer())
    return emit.builder.load(emit.builder.gep(pointer, [index]))


def generate_product(builder: Any, arguments: Any, row_count: int, vector_count: int) -> None:
    """Emit: target r = sum over i of coefficients[r, i] * source i, at one strip of ``vector_count`` vectors.

    arguments: list of source addresses, their count, offset of the strip in every row, list of target
    addresses, coefficients, bytes from one row of coefficients to the next, tables.
    """
    sources, source_count, offset, targets, coefficients, stride, tables = arguments
    emit = Emitter(builder)
    before = builder.block
    loop, after = (builder.append_basic_block(name) for name in ("sources", "targets"))
    builder.branch(loop)
    builder.position_at_end(loop)
    index = builder.phi(I64)
    index.add_incoming(I64(0), before)
    sums = [[builder.phi(VECTOR) for _ in range(vector_count)] for _ in range(row_count)]
    place = builder.add(_address(emit, sources, index), offset)
    vectors = [emit.split(emit.load(emit.add(place, v * VECTOR_BYTES))) for v in range(vector_count)]
    column = builder.add(coefficients, index)
    totals = []
    for row in range(row_count):
        constant = emit.load_byte(builder.add(column, builder.mul(stride, I64(row))))
        table = emit.table(builder.add(tables, builder.mul(constant, I64(TABLE_BYTES))))
        products = (emit.multiply(vector, table) for vector in vectors)
        totals.append([builder.xor(s, product) for s, product in zip(sums[row], products, strict=True)])
    following = builder.add(index, I64(1))
    index.add_incoming(following, builder.block)
    for row in range(row_count):
        for v in range(vector_count):
            sums[row][v].add_incoming(ZERO, before)
            sums[row][v].add_incoming(totals[row][v], builder.block)
    builder.cbranch(builder.icmp_signed("<", following, source_count), loop, after)
    builder.position_at_end(after)
    for row in range(row_count):
        place = builder.add(_address(emit, targets, I64(row)), offset)
        for v in range(vector_count):
            emit.store(emit.add(place, v * VECTOR_BYTES), totals[row][v])


def _product(row_count: int, vector_count: int) -> Callable[..., Any]:
    @intrinsic
    def strip(
        _typing: Any, _sources: Any, _count: Any, _offset: Any, _targets: Any, _c: Any, _stride: Any, _t: Any
    ) -> Any:
        return _void(7, lambda b, a: generate_product(b, a, row_count, vector_count))

    return strip


product_of_8, product_of_4 = _product(8, WIDE_COUNT), _product(4, 2)
product_of_2, product_of_1 = _product(2, 2), _product(1, 2)


def _inverse(emit: Emitter, rows: Vectors, low: int, high: int, table: Any) -> None:
    """Turn two values into two coefficients: high ^= low; low ^= constant * high."""
    rows[high] = emit.builder.xor(rows[low], rows[high])
    rows[low] = emit.builder.xor(rows[low], emit.multiply(emit.split(rows[high]), table))


def _forward(emit: Emitter, rows: Vectors, low: int, high: int, table: Any) -> None:
    """Turn two coefficients into two values: low ^= constant * high; high ^= low."""
    rows[low] = emit.builder.xor(rows[low], emit.multiply(emit.split(rows[high]), table))
    rows[high] = emit.builder.xor(rows[low], rows[high])


def inverse_of_four(emit: Emitter, rows: Vectors, tables: Vectors) -> None:
    """Two inverse layers: pairs at distance one by their own constants, then at distance two by one."""
    _inverse(emit, rows, 0, 1, tables[0])
    _inverse(emit, rows, 2, 3, tables[1])
    _inverse(emit, rows, 0, 2, tables[2])
    _inverse(emit, rows, 1, 3, tables[2])


def forward_of_four(emit: Emitter, rows: Vectors, tables: Vectors) -> None:
    """Two forward layers: pairs at distance two by one constant, then at distance one by their own."""
    _forward(emit, rows, 0, 2, tables[2])
    _forward(emit, rows, 1, 3, tables[2])
    _forward(emit, rows, 0, 1, tables[0])
    _forward(emit, rows, 2, 3, tables[1])


def forward_from_zero(emit: Emitter, rows: Vectors, tables: Vectors) -> None:
    """Do as ``forward_of_four`` where the first and the third constant are 0: a quarter of the products."""
    rows[2:] = (emit.builder.xor(rows[row], rows[row + 2]) for row in range(2))
    rows[1] = emit.builder.xor(rows[0], rows[1])
    _forward(emit, rows, 2, 3, tables[0])


def inverse_of_two(emit: Emitter, rows: Vectors, tables: Vectors) -> None:
    """One inverse layer."""
    _inverse(emit, rows, 0, 1, tables[0])


def generate_butterfly(
    builder: Any, arguments: Any, row_count: int, transform: Transform, *, adds: bool = False
) -> None:
    """Emit a loop over ``row_count`` rows side by side.

    arguments: bytes of a row, row_count sources, row_count targets, then the constants of ``transform``. With
    ``adds`` there is one more, and that constant times the result is added to the targets.
    """
    emit = Emitter(builder)
    sources, targets = arguments[1 : 1 + row_count], arguments[1 + row_count : 1 + 2 * row_count]
    tables = [emit.table(address) for address in arguments[1 + 2 * row_count :]]
    step = ir.Constant(I64, VECTOR_BYTES)
    with cgutils.for_range_slice(builder, I64(0), arguments[0], step, I64, inc=True) as (offset, _):
        rows = [emit.load(builder.add(source, offset)) for source in sources]
        transform(emit, rows, tables)
        for target, row in zip(targets, rows, strict=True):
            place, result = builder.add(target, offset), row
            if adds:
                result = builder.xor(emit.load(place), emit.multiply(emit.split(row), tables[-1]))
            emit.store(place, result)


@intrinsic
def inverse_4(
    _typing: Any, _bytes: Any, _s0: Any, _s1: Any, _s2: Any, _s3: Any, _d0: Any, _d1: Any, _d2: Any, _d3: Any,
    _c0: Any, _c1: Any, _c2: Any,
) -> Any:  # fmt: skip
    """Do ``inverse_of_four`` from sources s0..s3 to targets d0..d3."""
    return _void(12, lambda b, a: generate_butterfly(b, a, 4, inverse_of_four))


@intrinsic
def forward_4(
    _typing: Any, _bytes: Any, _s0: Any, _s1: Any, _s2: Any, _s3: Any, _d0: Any, _d1: Any, _d2: Any, _d3: Any,
    _c0: Any, _c1: Any, _c2: Any,
) -> Any:  # fmt: skip
    """Do ``forward_of_four`` from sources s0..s3 to targets d0..d3."""
    return _void(12, lambda b, a: generate_butterfly(b, a, 4, forward_of_four))


@intrinsic
def forward_4_from_zero(
    _typing: Any, _bytes: Any, _s0: Any, _s1: Any, _s2: Any, _s3: Any, _d0: Any, _d1: Any, _d2: Any, _d3: Any,
    _c1: Any,
) -> Any:  # fmt: skip
    """Do ``forward_from_zero`` from sources s0..s3 to targets d0..d3."""
    return _void(10, lambda b, a: generate_butterfly(b, a, 4, forward_from_zero))


@intrinsic
def inverse_4_add(
    _typing: Any, _bytes: Any, _s0: Any, _s1: Any, _s2: Any, _s3: Any, _d0: Any, _d1: Any, _d2: Any, _d3: Any,
    _c0: Any, _c1: Any, _c2: Any, _scale: Any,
) -> Any:  # fmt: skip
    """Add ``scale`` times what ``inverse_of_four`` makes of sources s0..s3 to targets d0..d3."""
    return _void(13, lambda b, a: generate_butterfly(b, a, 4, inverse_of_four, adds=True))


@intrinsic
def inverse_2_add(
    _typing: Any, _bytes: Any, _s0: Any, _s1: Any, _d0: Any, _d1: Any, _c0: Any, _scale: Any
) -> Any:
    """Add ``scale`` times what ``inverse_of_two`` makes of sources s0, s1 to targets d0, d1."""
    return _void(7, lambda b, a: generate_butterfly(b, a, 2, inverse_of_two, adds=True))


def _generate_add(builder: Any, arguments: Any) -> None:
    count, source, target = arguments
    emit = Emitter(builder)
    step = ir.Constant(I64, VECTOR_BYTES)
    with cgutils.for_range_slice(builder, I64(0), count, step, I64, inc=True) as (offset, _):
        place, value = builder.add(target, offset), emit.load(builder.add(source, offset))
        emit.store(place, builder.xor(emit.load(place), value))


@intrinsic
def add(_typing: Any, _bytes: Any, _source: Any, _target: Any) -> Any:
    """Target ^= source."""
    return _void(3, _generate_add)


def _generate_multiply_add(builder: Any, arguments: Any) -> None:
    count, source, target, constant = arguments
    emit = Emitter(builder)
    table = emit.table(constant)
    step = ir.Constant(I64, VECTOR_BYTES)
    with cgutils.for_range_slice(builder, I64(0), count, step, I64, inc=True) as (offset, _):
        product = emit.multiply(emit.split(emit.load(builder.add(source, offset))), table)
        place = builder.add(target, offset)
        emit.store(place, builder.xor(emit.load(place), product))


@intrinsic
def multiply_add(_typing: Any, _bytes: Any, _source: Any, _target: Any, _constant: Any) -> Any:
    """Target ^= constant * source."""
    return _void(4, _generate_multiply_add)


@intrinsic
def clear(_typing: Any, _target: Any, _bytes: Any) -> Any:
    """Write zeros; any count of bytes."""

    def generate(builder: Any, arguments: Any) -> None:
        pointer = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
        cgutils.memset(builder, pointer, arguments[1], 0)

    return _void(2, generate)
