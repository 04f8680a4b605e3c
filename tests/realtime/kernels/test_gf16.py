import galois
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.realtime.code16 import entry_at
from punktfunk.realtime.kernels import gf16 as fast
from punktfunk.realtime.kernels import layout16
from punktfunk.realtime.kernels.butterfly import PAIR_BYTES, STRIP_BYTES
from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.reference import gf16 as slow
from punktfunk.realtime.reference import leopard

pytestmark = pytest.mark.simd

TABLES = slow.tables().ctypes.data
write_coefficients = entry_at(address_of_entry(fast.write_coefficients), 4)
multiply_rows = entry_at(address_of_entry(fast.multiply_rows), 12)
elements = st.integers(0, 65535)


def coefficients_of(matrix: np.ndarray) -> tuple[np.ndarray, int]:
    out = np.zeros((*matrix.shape, 3), np.int32)
    return out, write_coefficients(TABLES, matrix.ctypes.data, matrix.size, out.ctypes.data)


def to_work(shards: np.ndarray) -> np.ndarray:
    """Shards of whole strips as the kernels keep them in a work area: pairs of vectors, in tower form."""
    symbols = leopard.symbols(shards)
    high = symbols >> 8
    low = (symbols & 255) ^ np.array([slow.tower_low(h) for h in range(256)], np.uint16)[high]
    pairs = np.stack([low.astype(np.uint8), high.astype(np.uint8)], axis=1)
    lanes = PAIR_BYTES // 2
    return pairs.reshape(len(shards), 2, -1, lanes).transpose(0, 2, 1, 3).reshape(shards.shape).copy()


FIELD = galois.GF(2**16, irreducible_poly=slow.POLYNOMIAL, compile="python-calculate")


@settings(max_examples=60)
@given(
    count=st.integers(1, 9),
    target_count=st.integers(0, 9),
    strips=st.integers(2, 9),
    work=st.booleans(),
    wide=st.booleans(),
    columns=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    seed=st.integers(0, 1 << 32),
)
def test_multiply_rows_equals_the_textbook(
    *, count: int, target_count: int, strips: int, work: bool, wide: bool, columns: tuple[int, int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    size, column, target_column = strips * STRIP_BYTES, columns[0] * 64, columns[1] * 64
    shards = random.integers(0, 256, (count, size), dtype=np.uint8)
    matrix = random.integers(0, 65536 if wide else 256, (target_count, count), dtype=np.uint16)
    rows = np.full((count, column + size), 7, np.uint8)
    rows[:, column:] = to_work(shards) if work else shards
    got = np.full((target_count, target_column + size + 5), 9, np.uint8)
    coefficients, found_wide = coefficients_of(matrix)
    assert found_wide == bool((matrix > 255).any())
    code = multiply_rows(
        TABLES,
        (rows_list := rows.ctypes.data + rows.strides[0] * np.arange(count)).ctypes.data,
        *(count, column, size, work, coefficients.ctypes.data, count * layout16.COEFFICIENT_BYTES, wide),
        (list_ := got.ctypes.data + got.strides[0] * np.arange(target_count)).ctypes.data,
        *(target_count, target_column),
    )
    assert code == 0
    assert rows_list.dtype == list_.dtype == np.int64
    part = got[:, target_column : target_column + size]
    for row, target in zip(matrix, part, strict=True):
        want = leopard.shards(leopard.multiply_sum(row, leopard.symbols(shards))[None])
        assert np.array_equal(target, want[0])
    assert (got[:, :target_column] == 9).all()
    assert (got[:, target_column + size :] == 9).all()


@pytest.mark.parametrize(
    ("count", "size", "target_count"),
    [(0, 4 * STRIP_BYTES, 1), (1, STRIP_BYTES, 1), (1, 2 * STRIP_BYTES + 2, 1), (1, 4 * STRIP_BYTES, -1)],
)
def test_wrong_sizes_are_refused(count: int, size: int, target_count: int) -> None:
    assert multiply_rows(TABLES, 0, count, 0, size, 0, 0, 0, 0, 0, target_count, 0) == BAD_SIZE


@settings(max_examples=50)
@given(elements, elements)
def test_the_textbook_field_is_that_of_another_library(a: int, b: int) -> None:
    product = FIELD(slow.to_polynomial(a)) * FIELD(slow.to_polynomial(b))
    assert slow.to_polynomial(slow.multiply(a, b)) == int(product)
    assert slow.products(a)[b] == slow.multiply(a, b)
    assert not a or slow.multiply(a, slow.inverse(a)) == 1


@settings(max_examples=50)
@given(elements, elements)
def test_three_small_products_make_a_product(element: int, value: int) -> None:
    row, _ = coefficients_of(np.array([[element]], np.uint16))
    offsets = [int(offset) for offset in row[0, 0]]
    low, high = (value & 255) ^ slow.tower_low(value >> 8), value >> 8
    a, b, both = (look_up(o, v) for o, v in zip(offsets, (low, high, low ^ high), strict=True))
    low, high = a ^ b, both ^ a
    assert low ^ slow.tower_low(high) | high << 8 == slow.multiply(element, value)


def look_up(offset: int, byte: int) -> int:
    row = slow.tables()[offset : offset + layout16.TABLE_ROW_BYTES]
    return int(row[byte & 15]) ^ int(row[16 + (byte >> 4)])


def test_bit_matrices_are_what_vgf2p8affineqb_reads() -> None:
    """Emulated, as few CPUs have it: the image of every bit, for the field's rows and for L."""
    for row in (*range(0, 256, 5), 256):
        offset = row * layout16.TABLE_ROW_BYTES
        matrix = slow.tables()[offset + 32 : offset + 40]
        for byte in range(256):
            bits = [(int(matrix[7 - i]) & byte).bit_count() & 1 for i in range(8)]
            want = look_up(offset, byte)
            assert sum(bit << i for i, bit in enumerate(bits)) == want
            assert want == (
                slow.tower_low(byte) if row == 256 else slow.multiply(row, byte) if row < 3 else want
            )


def test_the_tables_are_where_the_layout_says() -> None:
    powers, logarithms = slow.powers_and_logarithms()
    table = slow.tables()
    assert table.shape == (layout16.TABLES_BYTES,)
    at = layout16.POWERS_OFFSET
    assert np.array_equal(table[at : at + 131072].view(np.uint16), powers)
    at = layout16.LOGARITHMS_OFFSET
    assert np.array_equal(table[at : at + 131072].view(np.uint16), logarithms)
    assert look_up(layout16.TOWER_OFFSET, 0xA5) == slow.tower_low(0xA5)
