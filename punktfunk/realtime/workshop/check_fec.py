"""Parity of a variant against the textbook's, over both fields."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.lab import ARGUMENTS
from punktfunk.realtime.variants import Variant
from punktfunk.realtime.workshop.arena import guarded, rows_of
from punktfunk.realtime.workshop.checking import Wrong, callable_at, expect_zero
from punktfunk.realtime.workshop.defaults import code_for_checks

U8 = NDArray[np.uint8]
Textbook = Callable[[U8, int], U8]

_RANDOM_COUNT: Final = 24
_LARGEST_BYTES: Final = 1500


@dataclass(frozen=True, slots=True)
class Shape:
    """``spare_bytes`` lie between rows, and belong to somebody else."""

    data_count: int
    parity_count: int
    shard_bytes: int
    spare_bytes: int = 0
    at_end: bool = True

    def __str__(self) -> str:
        rows = f"{self.data_count}:{self.parity_count} x {self.shard_bytes} bytes"
        return f"{rows}, rows {self.shard_bytes + self.spare_bytes} bytes apart"


def check(variant: Variant, seed: int) -> Iterator[str]:
    """Yield every shape before it is tried; ``Wrong`` names the first row and byte that differ."""
    random = np.random.default_rng(seed)
    shapes, textbook = _FIELDS[variant.kind]
    code = code_for_checks(variant.kind)
    context = variant.context_over(code.context)
    encode = callable_at(variant.address, len(ARGUMENTS[variant.kind]))
    for shape in shapes(random):
        yield str(shape)
        _try(encode, context.address, shape, textbook, random)


def _try(
    encode: Callable[..., int], context: int, shape: Shape, textbook: Textbook, random: np.random.Generator
) -> None:
    stride = shape.shard_bytes + shape.spare_bytes
    areas = [
        guarded((count - 1) * stride + shape.shard_bytes, at_end=shape.at_end)
        for count in (shape.data_count, shape.parity_count)
    ]
    for area in areas:
        area[:] = random.integers(0, 256, area.size, dtype=np.uint8)
    before = [area.copy() for area in areas]
    data, parity = (
        rows_of(area, count, stride, shape.shard_bytes)
        for area, count in zip(areas, (shape.data_count, shape.parity_count), strict=True)
    )
    expect_zero(
        encode(
            context, data.ctypes.data, stride, parity.ctypes.data, stride,
            shape.data_count, shape.parity_count, shape.shard_bytes,
        )
    )  # fmt: skip
    _compare(parity, textbook(data, shape.parity_count))
    if not np.array_equal(areas[0], before[0]):
        raise Wrong(f"it wrote to the data, first at {_place(areas[0], before[0], stride)}")
    rows_of(before[1], shape.parity_count, stride, shape.shard_bytes)[:] = parity
    if not np.array_equal(areas[1], before[1]):
        raise Wrong(f"it wrote between parity rows, first at {_place(areas[1], before[1], stride)}")


def _compare(parity: U8, want: U8) -> None:
    different = np.argwhere(parity != want)
    if len(different):
        row, byte = map(int, different[0])
        raise Wrong(
            f"parity row {row}, byte {byte}: {parity[row, byte]:#04x} instead of {want[row, byte]:#04x} "
            f"({len(different)} of {parity.size} bytes differ)"
        )


def _place(area: U8, before: U8, stride: int) -> str:
    row, byte = divmod(int(np.flatnonzero(area != before)[0]), stride)
    return f"row {row}, byte {byte}"


def _small_shapes(random: np.random.Generator) -> Iterator[Shape]:
    """Corners, the shapes of streams, and then any: small and large in turn, so that kept tables go stale."""
    yield from (Shape(1, 1, 1), Shape(1, 1, 16), Shape(2, 3, 17, 3), Shape(20, 4, 1408), Shape(4, 2, 240, 16))
    yield from (
        Shape(50, 10, 1008, 48),
        Shape(212, 43, 1024),
        Shape(1, 254, 40),
        Shape(254, 1, 33, at_end=False),
    )
    for _ in range(_RANDOM_COUNT):
        data_count = int(random.integers(1, 120))
        parity_count = int(random.integers(1, min(255 - data_count, 40) + 1))
        yield _random_shape(random, data_count, parity_count, step_bytes=1)


def _random_shape(random: np.random.Generator, data_count: int, parity_count: int, step_bytes: int) -> Shape:
    shard_bytes = step_bytes * int(random.integers(1, _LARGEST_BYTES // step_bytes + 1))
    spare_bytes = int(random.choice([0, 1, 13, 48]))
    return Shape(data_count, parity_count, shard_bytes, spare_bytes, bool(random.integers(2)))


def _textbook8(data: U8, parity_count: int) -> U8:
    """GameStream's parity: row j is the sum over i of data row i / ((parity_count + i) xor j)."""
    from punktfunk.realtime.reference import gf8

    products = gf8.products()
    parity = np.zeros((parity_count, data.shape[1]), np.uint8)
    for i, row in enumerate(data):
        for j in range(parity_count):
            parity[j] ^= products[gf8.inverse((parity_count + i) ^ j)][row]
    return parity


def _large_shapes(random: np.random.Generator) -> Iterator[Shape]:
    """High and low rate, powers of two and their neighbours, tails of every length that is even."""
    yield from (Shape(1, 1, 2), Shape(2, 1, 64), Shape(20, 4, 1408), Shape(4, 20, 1388), Shape(16, 16, 66, 6))
    yield from (
        Shape(50, 10, 1008, 48),
        Shape(300, 40, 130),
        Shape(33, 64, 62),
        Shape(3, 5, 192, at_end=False),
    )
    for _ in range(_RANDOM_COUNT):
        data_count, parity_count = int(random.integers(1, 200)), int(random.integers(1, 60))
        yield _random_shape(random, data_count, parity_count, step_bytes=2)


def _textbook16(data: U8, parity_count: int) -> U8:
    from punktfunk.realtime.reference import leopard

    return leopard.encode(data, parity_count)


_FIELDS: Final[dict[str, tuple[Callable[[np.random.Generator], Iterator[Shape]], Textbook]]] = {
    "fec8": (_small_shapes, _textbook8),
    "fec16": (_large_shapes, _textbook16),
}
