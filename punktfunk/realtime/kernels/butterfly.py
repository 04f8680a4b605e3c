"""Arithmetic of GF(2^16) on vectors, and the butterflies of its Fourier transform as intrinsics.

An element is a pair of bytes (a, b) that stands for a + b t, with a and b in the subfield GF(2^8) and
t*t = t + v7, v7 being element 128 (the tower form; docs/fec.md derives it). Leopard stores elements in a
basis of its own: its high byte is b and its low byte is a xor L(b), L linear. So shards are converted as they
are read and written, rows of the work area never. To multiply by c = c0 + c1 t:

    c1 = 0     (c0 a, c0 b): two table products where Leopard's form needs four
    otherwise  (c0 a + c1 v7 b, (c0 + c1)(a + b) + c0 a): three

A row of the work area is a sequence of vector pairs (all a, all b); its length is a multiple of STRIP_BYTES.
"""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from llvmlite import ir
from numba import types
from numba.core import cgutils

from punktfunk.realtime.kernels.jit import intrinsic
from punktfunk.realtime.kernels.layout16 import CHUNK_BYTES, TOWER_OFFSET
from punktfunk.realtime.kernels.simd import I8, I32, I64, TABLE_BYTES, VECTOR, VECTOR_BYTES, Emitter

if TYPE_CHECKING:
    from collections.abc import Iterator

PAIR_BYTES = 2 * VECTOR_BYTES
STRIP_BYTES = max(CHUNK_BYTES, PAIR_BYTES)
_HALF = CHUNK_BYTES // 2

Pair = tuple[Any, Any]
Kind = Literal["zero", "small", "full"]  # a twiddle: 0; an element below 256; any element


class Field(Emitter):
    """Appends arithmetic of GF(2^16) to an LLVM builder; ``tables`` is the address of the tables."""

    def __init__(self, builder: Any, tables: Any) -> None:
        super().__init__(builder)
        self.tables = tables

    def row(self, element: Any) -> tuple[Any, ...]:
        """Table of an element below 256."""
        return self.table(self.builder.add(self.tables, self.builder.mul(element, I64(TABLE_BYTES))))

    def tower(self) -> tuple[Any, ...]:
        """Table of L."""
        return self.table(self.add(self.tables, TOWER_OFFSET))

    def parts(self, element: Any) -> tuple[Any, Any, Any]:
        """Elements below 256 that a multiplication by ``element`` is made of: c0, c1 v7, c0 + c1."""
        b = self.builder
        high = b.lshr(element, I64(8))
        low = b.xor(b.and_(element, I64(255)), self._scalar(TOWER_OFFSET, high))
        return low, self._scalar(128 * TABLE_BYTES, high), b.xor(low, high)

    def twiddle(self, kind: Kind, element: Any) -> list[tuple[Any, ...]]:
        """Tables for multiplications by ``element``: none, one or three."""
        if kind == "zero":
            return []
        return [self.row(element)] if kind == "small" else [self.row(part) for part in self.parts(element)]

    def times(self, pair: Pair, twiddle: list[tuple[Any, ...]]) -> Pair:
        """Pair times the element of a twiddle of one or three tables."""
        split = [self.split(vector) for vector in pair]
        return self.products(split, self.split_sum(pair, split) if len(twiddle) == 3 else (), twiddle)

    def split_sum(self, pair: Pair, split: list[tuple[Any, ...]]) -> tuple[Any, ...]:
        """Split the sum of a pair whose vectors are split."""
        if len(split[0]) == 1:
            return self.split(self.builder.xor(*pair))
        return tuple(self.builder.xor(a, b) for a, b in zip(*split, strict=True))

    def products(
        self, split: list[tuple[Any, ...]], split_sum: tuple[Any, ...], twiddle: list[tuple[Any, ...]]
    ) -> Pair:
        """Like ``times``, of a pair that is split already."""
        if len(twiddle) == 1:
            return self.multiply(split[0], twiddle[0]), self.multiply(split[1], twiddle[0])
        low, mixed = self.multiply(split[0], twiddle[0]), self.multiply(split[1], twiddle[1])
        both = self.multiply(split_sum, twiddle[2])
        return self.builder.xor(low, mixed), self.builder.xor(both, low)

    def plus(self, one: Pair, other: Pair) -> Pair:
        """Sum of two pairs."""
        return self.builder.xor(one[0], other[0]), self.builder.xor(one[1], other[1])

    def convert(self, pair: Pair, tower: tuple[Any, ...]) -> Pair:
        """Between Leopard's basis and the tower form, either way."""
        low = self.builder.xor(pair[0], self.multiply(self.split(pair[1]), tower))
        return low, pair[1]

    def load_pair(self, address: Any) -> Pair:
        """Pair of a work row."""
        return self.load(address), self.load(self.add(address, VECTOR_BYTES))

    def store_pair(self, address: Any, pair: Pair) -> None:
        """Write a pair of a work row."""
        self.store(address, pair[0])
        self.store(self.add(address, VECTOR_BYTES), pair[1])

    def load_shard(self, row: Any, offset: Any) -> Pair:
        """Pair of a shard, in Leopard's basis; ``offset`` as in a work row."""
        place = self.builder.add(row, self._place(offset))
        if VECTOR_BYTES <= _HALF:
            return self.load(place), self.load(self.add(place, _HALF))
        halves = [self._load_half(self.add(place, _HALF * i)) for i in range(4)]
        joined = ir.Constant(ir.VectorType(I32, 2 * _HALF), list(range(2 * _HALF)))
        low = self.builder.shuffle_vector(halves[0], halves[2], joined)
        return low, self.builder.shuffle_vector(halves[1], halves[3], joined)

    def store_shard(self, row: Any, offset: Any, pair: Pair) -> None:
        """Write a pair to a shard."""
        place = self.builder.add(row, self._place(offset))
        if VECTOR_BYTES <= _HALF:
            self.store(place, pair[0])
            self.store(self.add(place, _HALF), pair[1])
            return
        for i in range(4):
            half = ir.Constant(ir.VectorType(I32, _HALF), list(range(_HALF * (i // 2), _HALF * (i // 2 + 1))))
            undefined = ir.Constant(pair[0].type, ir.Undefined)
            piece = self.builder.shuffle_vector(pair[i % 2], undefined, half)
            target = self.builder.inttoptr(self.add(place, _HALF * i), piece.type.as_pointer())
            self.builder.store(piece, target, align=1)

    def small_product(self, element: Any, other: Any) -> Any:
        """Product of two elements below 256, as scalars."""
        row = self.builder.add(self.tables, self.builder.mul(element, I64(TABLE_BYTES)))
        return self._look_up(row, other)

    @contextmanager
    def strip(self, size: Any, step: int) -> "Iterator[Any]":
        """Loop over offsets 0, step, 2 step ... below ``size``, which is at least 1."""
        b = self.builder
        before = b.block
        body, after = (b.append_basic_block(name) for name in ("strip", "after"))
        b.branch(body)
        b.position_at_end(body)
        offset = b.phi(I64)
        offset.add_incoming(I64(0), before)
        yield offset
        following = b.add(offset, I64(step))
        offset.add_incoming(following, b.block)
        b.cbranch(b.icmp_signed("<", following, size), body, after)
        b.position_at_end(after)

    def _scalar(self, offset: int, byte: Any) -> Any:
        return self._look_up(self.add(self.tables, offset), byte)

    def _look_up(self, row: Any, byte: Any) -> Any:
        """Product of one byte, from a table row."""
        b = self.builder
        low = self.load_byte(b.add(row, b.and_(byte, I64(15))))
        return b.xor(low, self.load_byte(b.add(self.add(row, 16), b.lshr(byte, I64(4)))))

    def _place(self, offset: Any) -> Any:
        """Where the pair at an offset of a work row lies in a shard: two narrow pairs share a chunk."""
        if VECTOR_BYTES >= _HALF:
            return offset
        b = self.builder
        return b.or_(b.and_(offset, I64(-CHUNK_BYTES)), b.lshr(b.and_(offset, I64(PAIR_BYTES)), I64(1)))

    def _load_half(self, address: Any) -> Any:
        return self.builder.load(
            self.builder.inttoptr(address, ir.VectorType(I8, _HALF).as_pointer()), align=1
        )


@dataclass(frozen=True, slots=True)
class Butterfly:
    """One inner loop: a transform of two rows (one twiddle) or of four (three twiddles), strip by strip.

    ``source`` and ``target`` say what their addresses mean: "work" is the first of rows at equal distance,
    "sum" the same, xored into; "shards" is a list of shard addresses, to which the column is added.
    """

    kinds: tuple[Kind, ...]
    inverse: bool
    source: Literal["work", "shards"] = "work"
    target: Literal["work", "sum", "shards"] = "work"


def butterfly(shape: Butterfly) -> Callable[..., Any]:
    """Make the intrinsic, which takes eight int64.

    Size of the rows; source, its distance; target, its distance; column; twiddle; address of the tables. The
    twiddle is the element of the first butterfly; the others of a group follow from it.
    """

    @intrinsic
    def transform(
        _typing: Any, _n: Any, _s: Any, _sd: Any, _t: Any, _td: Any, _c: Any, _e: Any, _tb: Any
    ) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            generate_butterfly(builder, arguments, shape)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 8), generate

    return transform


def generate_butterfly(builder: Any, arguments: Any, shape: Butterfly) -> None:
    """Append the loop; arguments as ``butterfly`` has them."""
    size, source, source_distance, target, target_distance, column, element, tables = arguments
    field = Field(builder, tables)
    align_spills(builder)
    count = 4 if len(shape.kinds) == 3 else 2
    elements = (element, field.add(element, 2), builder.lshr(element, I64(1)))
    twiddles = [field.twiddle(kind, e) for kind, e in zip(shape.kinds, elements, strict=False)]
    tower = field.tower() if "shards" in (shape.source, shape.target) else ()
    sources, targets = (
        _rows(field, kind, address, distance, column, count)
        for kind, address, distance in (
            (shape.source, source, source_distance),
            (shape.target, target, target_distance),
        )
    )
    with field.strip(size, PAIR_BYTES) as offset:
        if shape.source == "shards":
            pairs = [field.convert(field.load_shard(row, offset), tower) for row in sources]
        else:
            pairs = [field.load_pair(builder.add(row, offset)) for row in sources]
        (_inverse if shape.inverse else _forward)(field, pairs, twiddles)
        for row, pair in zip(targets, pairs, strict=True):
            if shape.target == "shards":
                field.store_shard(row, offset, field.convert(pair, tower))
                continue
            place = builder.add(row, offset)
            field.store_pair(
                place, field.plus(field.load_pair(place), pair) if shape.target == "sum" else pair
            )


@intrinsic
def spread(_typing: Any, _n: Any, _s: Any, _t: Any, _td: Any, _e: Any, _tb: Any) -> Any:
    """Inverse of four rows of which all but the first are zero, xored into four.

    Takes size, source, target, its distance, twiddle e (below 256) and address of the tables. With e' for the
    upper twiddle, the butterflies come down to the first row times (e + 1)(e' + 1), e' + 1, e + 1 and 1.
    """

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        size, source, target, distance, element, tables = arguments
        field = Field(builder, tables)
        near, far = (builder.xor(e, I64(1)) for e in (element, builder.lshr(element, I64(1))))
        factors = [field.row(factor) for factor in (field.small_product(near, far), far, near)]
        targets = _rows(field, "sum", target, distance, None, 4)
        with field.strip(size, VECTOR_BYTES) as offset:
            vector = field.load(builder.add(source, offset))
            split = field.split(vector)
            products = [field.multiply(split, factor) for factor in factors] + [vector]
            for row, product in zip(targets, products, strict=True):
                place = builder.add(row, offset)
                field.store(place, builder.xor(field.load(place), product))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6), generate


def _rows(field: Field, kind: str, address: Any, distance: Any, column: Any, count: int) -> list[Any]:
    b = field.builder
    if kind != "shards":
        return [b.add(address, b.mul(distance, I64(i))) for i in range(count)]
    places = (b.inttoptr(field.add(address, 8 * i), I64.as_pointer()) for i in range(count))
    return [b.add(b.load(place), column) for place in places]


def _inverse(field: Field, x: list[Pair], twiddles: list[Any]) -> None:
    for first, second, twiddle in _order(len(x), twiddles):
        x[second] = field.plus(x[first], x[second])
        if twiddle:
            x[first] = field.plus(x[first], field.times(x[second], twiddle))


def _forward(field: Field, x: list[Pair], twiddles: list[Any]) -> None:
    for first, second, twiddle in reversed(_order(len(x), twiddles)):
        if twiddle:
            x[first] = field.plus(x[first], field.times(x[second], twiddle))
        x[second] = field.plus(x[first], x[second])


def _order(count: int, twiddles: list[Any]) -> list[tuple[int, int, Any]]:
    """Butterflies of a group in the order of the inverse transform."""
    if count == 2:
        return [(0, 1, twiddles[0])]
    return [(0, 1, twiddles[0]), (2, 3, twiddles[1]), (0, 2, twiddles[2]), (1, 3, twiddles[2])]


def align_spills(builder: Any) -> None:
    """Have the function keep its stack aligned, so that no vector which it spills straddles a cache line.

    LLVM aligns the stack only if an object needs it before registers are allocated.
    """
    slot = cgutils.alloca_once(builder, VECTOR)
    slot.align = VECTOR_BYTES
    kind = ir.FunctionType(ir.VoidType(), [slot.type])
    builder.asm(kind, "", "r", [slot], side_effect=True)


@intrinsic
def clear_bytes(_typing: Any, _address: Any, _count: Any) -> Any:
    """Write ``count`` zeros."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], I8.as_pointer())
        cgutils.memset(builder, place, arguments[1], 0)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate
