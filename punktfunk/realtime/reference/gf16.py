"""GF(2^16) as Leopard numbers its elements. Slow, obvious, and the judge of ``kernels.gf16``.

Elements are polynomials over GF(2) modulo POLYNOMIAL. Element number n is the sum of the basis elements whose
bits are set in n, in a Cantor basis: v[i]*v[i] + v[i] = v[i-1], v[0] = 1. Sources: leopard LeopardFF16.cpp,
reed-solomon-simd engine/tables.rs.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.layout16 import (
    LOGARITHMS_OFFSET,
    POWERS_OFFSET,
    TABLE_ROW_BYTES,
    TABLES_BYTES,
    TOWER_OFFSET,
)

U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]

POLYNOMIAL = 0x1002D
BASIS = (
    0x0001, 0xACCA, 0x3C0E, 0x163E, 0xC582, 0xED2E, 0x914C, 0x4012,
    0x6C98, 0x10D8, 0x6A72, 0xB900, 0xFDB8, 0xFB34, 0xFF38, 0x991E,
)  # fmt: skip
ORDER = 65535  # of the multiplicative group


def multiply_polynomials(a: int, b: int) -> int:
    """Shift and reduce, one bit of ``b`` at a time."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 0x10000:
            a ^= POLYNOMIAL
        b >>= 1
    return product


def to_polynomial(element: int) -> int:
    """Sum of the basis elements that the number names."""
    total = 0
    for bit, basis in enumerate(BASIS):
        if element >> bit & 1:
            total ^= basis
    return total


@cache
def _numbers() -> dict[int, int]:
    """Find the number of the element that a polynomial is."""
    polynomials = [0]
    for basis in BASIS:
        polynomials += [polynomial ^ basis for polynomial in polynomials]
    return {polynomial: number for number, polynomial in enumerate(polynomials)}


def multiply(a: int, b: int) -> int:
    """Product of two elements, by their numbers."""
    return _numbers()[multiply_polynomials(to_polynomial(a), to_polynomial(b))]


def inverse(a: int) -> int:
    """Raise to the power of 65534: every element but 0 to the power of 65535 is 1."""
    result, power = 1, a
    for _ in range(15):
        power = multiply(power, power)
        result = multiply(result, power)
    return result


@cache
def powers_and_logarithms() -> tuple[U16, U16]:
    """Powers 0..65535 of the polynomial x (the last equals the first), and the logarithm of every element.

    65535 stands for the logarithm of 0.
    """
    numbers, polynomial = _numbers(), 1
    powers, logarithms = np.zeros(65536, np.uint16), np.full(65536, ORDER, np.uint16)
    for exponent in range(ORDER):
        element = numbers[polynomial]
        powers[exponent], logarithms[element] = element, exponent
        polynomial <<= 1
        if polynomial & 0x10000:
            polynomial ^= POLYNOMIAL
    powers[ORDER] = powers[0]
    return powers, logarithms


def products(element: int) -> U16:
    """Multiply every element by one, by logarithms: (65536,)."""
    powers, logarithms = powers_and_logarithms()
    if element == 0:
        return np.zeros(65536, np.uint16)
    row = powers[(logarithms.astype(np.int64) + int(logarithms[element])) % ORDER]
    row[0] = 0
    return row


def tower_low(high: int) -> int:
    """L: what must be added to the low byte of an element, for its high byte, to have its tower form.

    The high half of the basis is v[8 + i] = v[8] v[i] + L(1 << i), with L(1 << i) below 256.
    """
    low = 0
    for bit in range(8):
        if high >> bit & 1:
            low ^= multiply(256, 1 << bit) ^ (256 << bit)
    return low


def _row(image: U8) -> U8:
    """Table row of a linear map of bytes, given as (256,), in the form that ``kernels.simd`` describes."""
    row = np.zeros(TABLE_ROW_BYTES, np.uint8)
    row[:16], row[16:32] = image[:16], image[::16]
    for out in range(8):
        for bit in range(8):
            row[32 + 7 - out] |= (image[1 << bit] >> out & 1) << bit
    return row


@cache
def tables() -> U8:
    """Build the tables that ``kernels.layout16`` describes: (TABLES_BYTES,), read-only."""
    table = np.zeros(TABLES_BYTES, np.uint8)
    rows = table[: TOWER_OFFSET + TABLE_ROW_BYTES].reshape(257, TABLE_ROW_BYTES)
    for element in range(256):
        rows[element] = _row(products(element)[:256].astype(np.uint8))
    rows[256] = _row(np.array([tower_low(high) for high in range(256)], np.uint8))
    powers, logarithms = powers_and_logarithms()
    table[POWERS_OFFSET:LOGARITHMS_OFFSET] = powers.view(np.uint8)
    table[LOGARITHMS_OFFSET:] = logarithms.view(np.uint8)
    table.flags.writeable = False
    return table
