import numpy as np
import pytest
import reedsolo
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.realtime.kernels import gf8 as fast
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.reference import gf8 as slow

pytestmark = pytest.mark.simd
INVERSES, TABLES = slow.inverses(), slow.tables()


def cauchy(data_count: int, parity_count: int) -> np.ndarray:
    coefficients = np.zeros((parity_count, data_count), np.uint8)
    fast.fill_cauchy(coefficients, data_count, parity_count, INVERSES)
    return coefficients


@settings(max_examples=60)
@given(
    data_count=st.integers(1, 60),
    parity_count=st.integers(0, 40),
    row_bytes=st.integers(0, 400) | st.sampled_from([1008, 1040, 1376, 1408]),
    offset=st.integers(0, 40),
    behind=st.integers(0, 5),
    seed=st.integers(0, 1 << 32),
)
def test_multiply_rows_equals_its_twin(
    data_count: int, parity_count: int, row_bytes: int, offset: int, behind: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    coefficients = random.integers(0, 256, (parity_count, data_count), dtype=np.uint8)
    rows = random.integers(0, 256, (data_count + parity_count, offset + row_bytes + behind), dtype=np.uint8)
    want = rows.copy()
    arguments = (offset, row_bytes, data_count, parity_count, coefficients, TABLES)
    assert fast.multiply_rows(rows, *arguments) == slow.multiply_rows(want, *arguments) == 0
    assert np.array_equal(rows, want)


@settings(max_examples=30)
@given(st.integers(1, 254).flatmap(lambda d: st.tuples(st.just(d), st.integers(0, min(255 - d, 20)))))
def test_fill_cauchy_equals_its_twin(counts: tuple[int, int]) -> None:
    data_count, parity_count = counts
    want = np.zeros((parity_count, data_count), np.uint8)
    slow.fill_cauchy(want, data_count, parity_count, INVERSES)
    assert np.array_equal(cauchy(data_count, parity_count), want)


@pytest.mark.parametrize(("data_count", "parity_count"), [(20, 4), (50, 10), (212, 43), (1, 2)])
def test_parity_is_what_another_field_library_computes(data_count: int, parity_count: int) -> None:
    reedsolo.init_tables(0x11D)
    rows = np.random.default_rng(1).integers(0, 256, (data_count + parity_count, 9), dtype=np.uint8)
    want = np.zeros((parity_count, 9), np.uint8)
    for j in range(parity_count):
        for i in range(data_count):
            constant = reedsolo.gf_inverse((parity_count + i) ^ j)
            want[j] ^= np.array([reedsolo.gf_mul(constant, int(value)) for value in rows[i]], np.uint8)
    coefficients = cauchy(data_count, parity_count)
    assert fast.multiply_rows(rows, 0, 9, data_count, parity_count, coefficients, TABLES) == 0
    assert np.array_equal(rows[data_count:], want)


def test_the_textbook_field_is_that_of_reedsolo() -> None:
    reedsolo.init_tables(0x11D)
    products = slow.products()
    for a in range(0, 256, 7):
        assert [int(v) for v in products[a]] == [reedsolo.gf_mul(a, b) for b in range(256)]
    assert [slow.inverse(a) for a in range(1, 256)] == [int(v) for v in INVERSES[1:]]
    assert [reedsolo.gf_inverse(a) for a in range(1, 256)] == [int(v) for v in INVERSES[1:]]


def test_bit_matrices_multiply_like_vgf2p8affineqb() -> None:
    products = slow.products()
    for constant in (0, 1, 2, 29, 143, 255):
        matrix = TABLES[constant, 32:40]
        for value in range(256):
            bits = [(int(matrix[7 - i]) & value).bit_count() & 1 for i in range(8)]
            assert sum(bit << i for i, bit in enumerate(bits)) == products[constant, value]


@pytest.mark.parametrize(
    ("offset", "row_bytes", "data_count", "parity_count"),
    [
        (0, 65, 4, 2),
        (1, 64, 4, 2),
        (-1, 64, 4, 2),
        (0, -1, 4, 2),
        (0, 64, 0, 2),
        (0, 64, 5, 2),
        (0, 64, 4, -1),
        (0, 64, 3, 3),
    ],
)
def test_wrong_sizes_touch_nothing(offset: int, row_bytes: int, data_count: int, parity_count: int) -> None:
    rows = np.full((6, 64), 7, np.uint8)
    coefficients = np.ones((2, 4), np.uint8)
    assert (
        fast.multiply_rows(rows, offset, row_bytes, data_count, parity_count, coefficients, TABLES)
        == BAD_SIZE
    )
    assert (rows == 7).all()


def test_wrong_tables_are_refused_and_wrong_types_never_compile() -> None:
    rows, coefficients = np.zeros((6, 64), np.uint8), np.ones((2, 4), np.uint8)
    assert fast.multiply_rows(rows, 0, 64, 4, 2, coefficients, TABLES[:, :32].copy()) == BAD_SIZE
    with pytest.raises(TypeError):
        fast.multiply_rows(rows.astype(np.uint16), 0, 64, 4, 2, coefficients, TABLES)
