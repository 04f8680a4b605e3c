"""Fields, transforms and codewords of docs/fec.md over plain integers; nothing is imported from the product."""

from dataclasses import dataclass, field
from functools import cache, reduce
from operator import xor
from random import Random

RANDOM = Random(20140519)
CANTOR = (
    0x0001, 0xACCA, 0x3C0E, 0x163E, 0xC582, 0xED2E, 0x914C, 0x4012,
    0x6C98, 0x10D8, 0x6A72, 0xB900, 0xFDB8, 0xFB34, 0xFF38, 0x991E,
)  # fmt: skip


@dataclass(frozen=True)
class Field:
    """A field by the numbers of its elements: number n is the sum of the basis elements at the bits of n."""

    polynomial: int
    basis: tuple[int, ...]
    powers: list[int] = field(default_factory=list, hash=False, compare=False)
    logs: dict[int, int] = field(default_factory=dict, hash=False, compare=False)

    def __post_init__(self) -> None:
        numbers = {0: 0}
        for bit, element in enumerate(self.basis):
            numbers |= {known ^ element: number | 1 << bit for known, number in numbers.items()}
        value = 1
        for exponent in range(self.order):
            self.powers.append(numbers[value])
            self.logs[numbers[value]] = exponent
            value <<= 1
            value ^= self.polynomial if value > self.order else 0

    @property
    def order(self) -> int:
        return (1 << len(self.basis)) - 1

    def times(self, a: int, b: int) -> int:
        return self.powers[(self.logs[a] + self.logs[b]) % self.order] if a and b else 0

    def over(self, a: int, b: int) -> int:
        return self.powers[(self.logs[a] - self.logs[b]) % self.order] if a else 0

    def all_times(self, factors) -> int:
        return reduce(self.times, factors, 1)

    def s(self, t: int, z: int) -> int:
        """s_t(z), by its definition."""
        return self.all_times(z ^ v for v in range(1 << t))

    def p(self, t: int) -> int:
        return self.all_times(range(1, 1 << t))

    def twiddle(self, t: int, r: int) -> int:
        return self.over(self.s(t, r), self.s(t, 1 << t))

    def x(self, i: int, z: int) -> int:
        """X_i(z), by its definition."""
        return self.all_times(self.twiddle(t, z) for t in range(i.bit_length()) if i >> t & 1)

    def evaluate(self, coefficients: list[int], z: int) -> int:
        return reduce(xor, (self.times(c, self.x(i, z)) for i, c in enumerate(coefficients)), 0)


@cache
def gf(bits: int) -> Field:
    return Field(0x11D, tuple(1 << i for i in range(8))) if bits == 8 else Field(0x1002D, CANTOR)


def forward(f: Field, rows: list[int], position: int) -> list[int]:
    rows = list(rows)
    for t in reversed(range(len(rows).bit_length() - 1)):
        for r in range(0, len(rows), 2 << t):
            twiddle = f.twiddle(t, position + r)
            for low in range(r, r + (1 << t)):
                rows[low] ^= f.times(twiddle, rows[low + (1 << t)])
                rows[low + (1 << t)] ^= rows[low]
    return rows


def inverse(f: Field, rows: list[int], position: int) -> list[int]:
    rows = list(rows)
    for t in range(len(rows).bit_length() - 1):
        for r in range(0, len(rows), 2 << t):
            twiddle = f.twiddle(t, position + r)
            for low in range(r, r + (1 << t)):
                rows[low + (1 << t)] ^= rows[low]
                rows[low] ^= f.times(twiddle, rows[low + (1 << t)])
    return rows


def some(f: Field, count: int) -> list[int]:
    return [RANDOM.randrange(f.order + 1) for _ in range(count)]


def power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()


def encoded(f: Field, data: list[int], m: int, *, high: bool) -> tuple[list[int], int]:
    """Parity by transforms as Leopard has them, and how many butterflies that took."""
    size = power_of_two(m if high else len(data))
    layers = size.bit_length() - 1
    if high:
        sums, count = [0] * size, 1
        for at in range(0, len(data), size):
            chunk = (data[at : at + size] + [0] * size)[:size]
            sums = [a ^ b for a, b in zip(sums, inverse(f, chunk, size + at), strict=True)]
            count += 1
        return forward(f, sums, 0)[:m], count * size // 2 * layers
    coefficients = inverse(f, (data + [0] * size)[:size], 0)
    positions = range(size, size + m, size)
    parity = [v for at in positions for v in forward(f, coefficients, at)]
    return parity[:m], (len(positions) + 1) * size // 2 * layers


def codeword(f: Field, data: list[int], m: int, *, high: bool) -> tuple[list[int], int, int]:
    """Every position's symbol, also those that are never sent; their number; and the degree bound."""
    k, unit = len(data), power_of_two(m if high else len(data))
    n = power_of_two(unit + (k if high else m))
    if high:
        parity, _ = encoded(f, data, unit, high=True)
        return (parity + data + [0] * n)[:n], n, n - unit
    parity, _ = encoded(f, data, n - unit, high=False)
    return (data + [0] * unit)[:unit] + parity, n, unit
