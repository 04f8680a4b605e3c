"""The decoders of docs/fec.md, section 8: every formula checked with plain integers."""

from functools import reduce
from itertools import product
from operator import xor

import pytest
from plain_field import RANDOM, Field, codeword, forward, gf, inverse, power_of_two, some


def losses(k: int, m: int, *, high: bool):
    """Data, codeword, positions of data and parity, and a random loss that parity can replace."""
    f, data = gf(16), some(gf(16), k)
    word, n, _ = codeword(f, data, m, high=high)
    unit = power_of_two(m if high else k)
    x_data, x_parity = (range(unit, unit + k), range(m)) if high else (range(k), range(unit, unit + m))
    lost = set(RANDOM.sample([*x_data, *x_parity], m))
    missing = [z for z in x_data if z in lost]
    used = [z for z in x_parity if z not in lost][: len(missing)]
    return f, word, n, unit, x_data, x_parity, lost, missing, used


cases = pytest.mark.parametrize(
    ("k", "m", "high"), [(11, 5, True), (4, 3, True), (3, 11, False), (5, 8, False)]
)


def scale_of(f: Field, z: int, unit: int) -> int:
    return z >> (unit.bit_length() - 1) if z >= unit else 1


def test_determinant_and_inverse_of_a_cauchy_matrix() -> None:
    f = gf(16)
    for size in (1, 2, 3, 4):
        points = RANDOM.sample(range(65536), 2 * size + 1)
        xs, ys, z = points[:size], points[size:-1], points[-1]
        matrix = [[f.over(1, x ^ y) for y in ys] for x in xs]
        top = f.all_times(s[a] ^ s[b] for s in (xs, ys) for a in range(size) for b in range(a))
        assert determinant(f, matrix) == f.over(top, f.all_times(x ^ y for x in xs for y in ys))

        def around(points: list[int], at: int) -> int:
            return f.all_times(at ^ point for point in points if at != point)

        inverse_ = [
            [
                f.over(
                    f.times(around(xs, y), around(ys, x)),
                    f.all_times((x ^ y, around(ys, y), around(xs, x))),
                )
                for x in xs
            ]
            for y in ys
        ]
        for a, row in enumerate(inverse_):
            column = [reduce(xor, map(f.times, row, (line[b] for line in matrix))) for b in range(size)]
            assert column == [int(a == b) for b in range(size)]
        for y in ys:
            terms = (f.over(around(ys, x), f.all_times((around(xs, x), x ^ y, x ^ z))) for x in xs)
            assert reduce(xor, terms) == f.over(around(ys, z), f.times(around(xs, z), z ^ y))


def determinant(f: Field, matrix: list[list[int]]) -> int:
    """Expand along the first row."""
    if not matrix:
        return 1
    minors = ([row[:i] + row[i + 1 :] for row in matrix[1:]] for i in range(len(matrix)))
    return reduce(
        xor, (f.times(e, determinant(f, minor)) for e, minor in zip(matrix[0], minors, strict=True))
    )


@cases
def test_direct_rows(k: int, m: int, *, high: bool) -> None:
    f, word, _, unit, x_data, _, _, missing, used = losses(k, m, high=high)

    def g(z: int) -> int:
        top = f.all_times(z ^ y for y in missing if y != z)
        value = f.over(top, f.all_times(z ^ x for x in used if x != z))
        if z >= unit:
            weight = scale_of(f, z, unit)
            value = f.times(value, weight) if high else f.over(value, weight)
        return value

    inputs = [z for z in x_data if z not in missing] + used
    for y in missing:
        terms = (f.over(f.times(word[z], g(z)), f.times(g(y), z ^ y)) for z in inputs)
        assert reduce(xor, terms, 0) == word[y]
    syndromes = [
        reduce(xor, (f.times(cauchy(f, x, y, unit, high=high), word[y]) for y in missing), 0) for x in used
    ]
    for y in missing:
        terms = (f.over(f.times(s, g(x)), f.times(g(y), x ^ y)) for s, x in zip(syndromes, used, strict=True))
        assert reduce(xor, terms, 0) == word[y]


def cauchy(f: Field, x: int, y: int, unit: int, *, high: bool) -> int:
    return f.over(scale_of(f, y if high else x, unit), x ^ y)


@cases
def test_full_decoder_with_derivative_and_locator(k: int, m: int, *, high: bool) -> None:
    f, word, n, unit, x_data, x_parity, lost, missing, _ = losses(k, m, high=high)
    known_zero = set(range(unit, n) if high else range(unit)) - {*x_data}
    came = ({*x_data, *x_parity} - lost) | known_zero
    gone = [z for z in range(n) if z not in came]
    locator = locators(f, gone, n)
    assert locator == [f.all_times(z ^ e for e in gone if e != z) for z in range(n)]
    rows = [f.times(word[z], locator[z]) if z in came else 0 for z in range(n)]
    rows = inverse(f, rows, 0)
    for i in range(1, n):
        low = i & -i
        for r in range(low):
            rows[i - low + r] ^= rows[i + r]
    rows = forward(f, rows, 0)
    assert [f.over(rows[z], locator[z]) for z in missing] == [word[z] for z in missing]


def locators(f: Field, gone: list[int], n: int) -> list[int]:
    """Products of differences by Walsh-Hadamard transforms of size n, with the correction for n below 65536."""

    def hadamard(values: list[int]) -> list[int]:
        return [sum(-v if (i & j).bit_count() & 1 else v for j, v in enumerate(values)) for i in range(n)]

    indicator = hadamard([int(z in gone) for z in range(n)])
    logarithms = hadamard([f.logs.get(z, 0) for z in range(n)])
    sums = hadamard([a * b for a, b in zip(indicator, logarithms, strict=True)])
    correction = 2 ** (16 - (n.bit_length() - 1))
    return [f.powers[s * correction % f.order] for s in sums]


def test_derivative_in_the_basis_of_the_transform() -> None:
    f, n = gf(16), 16
    basis = []
    for i in range(n):  # X_i in powers of z: s_t = s_(t-1)^2 + s_(t-1), as s_t(v_t) = 1
        total = [1]
        for t in range(4):
            s = [0, 1]
            for _ in range(t):
                squared = [0] * (2 * len(s) - 1)
                squared[::2] = [f.times(c, c) for c in s]
                s = [a ^ b for a, b in zip(squared, s + [0] * len(s), strict=False)]
            if i >> t & 1:
                result = [0] * (len(total) + len(s) - 1)
                for (a, x), (b, y) in product(enumerate(total), enumerate(s)):
                    result[a + b] ^= f.times(x, y)
                total = result
        assert len(total) == i + 1
        basis.append(total + [0] * (n - len(total)))
    for i in range(n):
        derivative = [*(c if e % 2 else 0 for e, c in enumerate(basis[i]) if e), 0]
        parts = (basis[i ^ 1 << t] for t in range(4) if i >> t & 1)
        assert derivative == [reduce(xor, column) for column in zip([0] * n, *parts, strict=True)]
