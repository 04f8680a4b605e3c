"""GF(2^8) as the textbook has it. Slow, obvious, and what every code over it is judged by."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]

POLYNOMIAL = 0x11D
TABLE_BYTES = 48


def multiply(a: int, b: int) -> int:
    """Shift and reduce, one bit of ``b`` at a time."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 0x100:
            a ^= POLYNOMIAL
        b >>= 1
    return product


@cache
def inverse(a: int) -> int:
    """Raise to the power of 254: every element but 0 to the power of 255 is 1."""
    result = 1
    for _ in range(254):
        result = multiply(result, a)
    return result


@cache
def products() -> U8:
    """All 256 x 256 products."""
    table = np.zeros((256, 256), np.uint8)
    for bit in range(8):
        column = np.array([multiply(a, 1 << bit) for a in range(256)], np.uint8)
        table ^= column[:, None] * (np.arange(256, dtype=np.uint8)[None, :] >> bit & 1)
    return table


def inverses() -> U8:
    """Inverse of every element; that of 0 stands as 0."""
    powers = [1]
    while len(powers) < 255:
        powers.append(multiply(powers[-1], 2))
    table = np.zeros(256, np.uint8)
    for exponent, element in enumerate(powers):
        table[element] = powers[-exponent % 255]
    return table


def tables() -> U8:
    """Build the rows that ``kernels.simd`` describes: (256, TABLE_BYTES)."""
    every = products()
    table = np.zeros((256, TABLE_BYTES), np.uint8)
    table[:, :16] = every[:, :16]
    table[:, 16:32] = every[:, ::16]
    for row in range(8):  # bit `row` of a product, as a mask of the source bits that it sums
        for bit in range(8):
            table[:, 32 + 7 - row] |= (every[:, 1 << bit] >> row & 1) << bit
    return table


def fill_cauchy(coefficients: U8, data_count: int, parity_count: int, _inverses: U8) -> None:
    """Write coefficients[j, i] = 1 / ((parity_count + i) xor j)."""
    if parity_count > coefficients.shape[0] or data_count > coefficients.shape[1]:
        return
    for j in range(parity_count):
        for i in range(data_count):
            coefficients[j, i] = inverse((parity_count + i) ^ j)


def multiply_rows(
    rows: U8,
    offset_bytes: int,
    row_bytes: int,
    data_count: int,
    parity_count: int,
    coefficients: U8,
    _tables: U8,
) -> int:
    """Write rows[data_count + j] = sum over i of coefficients[j, i] * rows[i]; sizes are taken on trust."""
    every = products()
    part = rows[:, offset_bytes : offset_bytes + row_bytes]
    for j in range(parity_count):
        part[data_count + j] = 0
        for i in range(data_count):
            part[data_count + j] ^= every[coefficients[j, i]][part[i]]
    return 0


def powers() -> U8:
    """Powers of the element 2, which generates the group: (255,)."""
    table = [1]
    while len(table) < 255:
        table.append(multiply(table[-1], 2))
    return np.array(table, np.uint8)


def logarithms() -> U8:
    """Exponent of every element as a power of 2: (256,); that of 0, which is none, stands as 0."""
    table = np.zeros(256, np.uint8)
    table[powers()] = np.arange(255)
    return table
