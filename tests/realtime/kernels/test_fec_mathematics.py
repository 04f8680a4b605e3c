"""The codes of docs/fec.md, section by section: every formula checked with plain integers."""

from functools import reduce
from itertools import product
from operator import xor

import pytest
from plain_field import RANDOM, Field, codeword, encoded, forward, gf, inverse, power_of_two, some

both = pytest.mark.parametrize("bits", [8, 16])

# 2. The additive FFT


@both
def test_subspace_polynomials_are_linear_and_their_recursion_holds(bits: int) -> None:
    f = gf(bits)
    for t in range(5):
        a, b = some(f, 2)
        assert f.s(t, a) ^ f.s(t, b) == f.s(t, a ^ b)
        s = f.s(t, a)
        assert f.s(t + 1, a) == f.times(s, s ^ f.s(t, 1 << t))


@both
def test_butterflies_evaluate_the_basis_and_invert(bits: int) -> None:
    f = gf(bits)
    for size, position in ((2, 6), (4, 0), (8, 24), (16, 224)):
        coefficients = some(f, size)
        values = forward(f, coefficients, position)
        assert values == [f.evaluate(coefficients, position + r) for r in range(size)]
        assert inverse(f, values, position) == coefficients


@both
def test_x_i_has_degree_i_and_coefficients_above_the_degree_vanish(bits: int) -> None:
    f = gf(bits)
    for degree in range(8):
        polynomial = [*some(f, degree), 1]
        values = [
            reduce(lambda total, c, z=z: f.times(total, z) ^ c, reversed(polynomial), 0) for z in range(8)
        ]
        coefficients = inverse(f, values, 0)
        assert coefficients[degree] != 0
        assert not any(coefficients[degree + 1 :])


# 3. The block lemma


@both
def test_a_block_adds_its_polynomial_times_one_constant(bits: int) -> None:
    f = gf(bits)
    for t, c, b in ((0, 5, 3), (2, 8, 0), (3, 40, 16), (4, 16, 208)):
        size = 1 << t
        data = some(f, size)
        scale = f.over(f.p(t), f.s(t, b ^ c))
        values = forward(f, inverse(f, data, c), b)
        for r in range(size):
            want = reduce(xor, (f.over(d, b ^ r ^ c ^ i) for i, d in enumerate(data)), 0)
            assert f.times(scale, values[r]) == want


# 4. GF(2^8)


@pytest.mark.parametrize("m", [1, 2, 3, 5, 8, 11, 16, 21, 40, 43, 64, 100, 129, 255])
def test_every_pair_of_the_mixed_block_meets_exactly_once(m: int) -> None:
    size = max(4, power_of_two(m))
    seen = dict.fromkeys(product(range(m), range(m, size)), 0)
    node, whole = 0, size
    while whole > 1:
        parts = 2 if (whole.bit_length() - 1) % 2 else 4
        distance = whole // parts
        last = (m - 1 - node) // distance
        for part in range(max(last, 1), parts):
            for other in range(last + 1):
                for z in range(node + part * distance, node + (part + 1) * distance):
                    for j in range(node + other * distance, node + (other + 1) * distance):
                        if other != part and z >= m > j:
                            seen[j, z] += 1
        node, whole = node + last * distance, distance
    assert set(seen.values()) <= {1}


def test_the_audio_matrix_loses_any_two() -> None:
    f, rows = gf(8), ((0x77, 0x40, 0x38, 0x0E), (0xC7, 0xA7, 0x0D, 0x6C))
    assert all(entry for row in rows for entry in row)
    for a in range(4):
        for b in range(a):
            assert f.times(rows[0][a], rows[1][b]) != f.times(rows[0][b], rows[1][a])


# 5. Cantor's basis


def test_cantor_basis_shifts() -> None:
    f = gf(16)
    for i in range(1, 16):
        assert f.times(1 << i, 1 << i) ^ 1 << i == 1 << (i - 1)
    for t in range(9):
        assert f.p(t) == 1
        assert f.s(t, 1 << t) == 1
        for z in some(f, 3):
            assert f.s(t, z) == z >> t
            assert f.twiddle(t, z) == z >> t


def test_standard_basis_of_the_small_field_does_not() -> None:
    assert any(gf(8).p(t) != 1 for t in range(8))
    assert any(gf(8).twiddle(t, r) != r >> t for t, r in product(range(1, 8), range(256)))


# 6. Generators


def generator(f: Field, k: int, m: int, *, high: bool) -> list[list[int]]:
    unit = power_of_two(m if high else k)
    q = unit.bit_length() - 1
    pairs = [[(unit + i, j) if high else (unit + j, i) for i in range(k)] for j in range(m)]
    return [[f.over(far >> q, far ^ near) for far, near in row] for row in pairs]


@pytest.mark.parametrize(
    ("k", "m"), [(1, 1), (1, 3), (3, 1), (5, 2), (6, 3), (9, 4), (4, 9), (3, 7), (11, 5), (5, 8)]
)
def test_closed_form_of_the_generator(k: int, m: int) -> None:
    f = gf(16)
    data = some(f, k)
    for high in (True, False):
        parity, butterflies = encoded(f, data, m, high=high)
        matrix = generator(f, k, m, high=high)
        assert parity == [reduce(xor, map(f.times, row, data)) for row in matrix]
        unit = power_of_two(m if high else k)
        chunks = -(-(k if high else m) // unit)
        assert butterflies == (chunks + 1) * unit // 2 * (unit.bit_length() - 1)
    same = generator(f, k, m, high=True) == generator(f, k, m, high=False)
    assert same == (power_of_two(k) == power_of_two(m))


@pytest.mark.parametrize(("k", "m", "high"), [(11, 3, True), (5, 8, True), (3, 11, False), (4, 4, False)])
def test_codewords_are_values_of_a_polynomial_of_low_degree(k: int, m: int, *, high: bool) -> None:
    f = gf(16)
    word, n, free = codeword(f, some(f, k), m, high=high)
    assert not any(inverse(f, word, 0)[free:])
    assert len(word) == n


# 7. The tower


def test_elements_below_256_are_a_field_and_256_generates_the_rest() -> None:
    f = gf(16)
    for a, b in zip(range(256), RANDOM.choices(range(256), k=256), strict=True):
        assert f.times(a, b) < 256
    t = 256
    assert f.times(t, t) == t ^ 128
    assert [f.times(t, 1 << i) ^ 256 << i for i in range(8)] == [0, 207, 171, 33, 138, 157, 39, 31]


def tower(f: Field, element: int) -> tuple[int, int]:
    high = element >> 8
    low = reduce(xor, (f.times(256, 1 << i) ^ 256 << i for i in range(8) if high >> i & 1), 0)
    return element & 255 ^ low, high


def test_tower_form_multiplies_with_three_products_and_converts_itself_back() -> None:
    f = gf(16)
    for x, c in zip(some(f, 200), some(f, 100) + RANDOM.choices(range(256), k=100), strict=True):
        (a, b), (c0, c1) = tower(f, x), tower(f, c)
        assert a ^ f.times(256, b) == x
        low, high = tower(f, a | b << 8)
        assert low | high << 8 == x
        c0a, mixed = f.times(c0, a), f.times(f.times(c1, 128), b)
        got = c0a ^ mixed, f.times(c0 ^ c1, a ^ b) ^ c0a
        assert got == tower(f, f.times(x, c))
        if c < 256:
            assert got == (f.times(c, a), f.times(c, b))
