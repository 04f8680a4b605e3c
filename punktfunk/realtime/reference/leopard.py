"""Leopard's code over GF(2^16) by its generator matrix: slow, obvious, the judge of ``kernels.encode16``.

With k data shards, m parity shards, K and M their powers of two: parity j is the sum over data i of
matrix[j, i] times data i, where for K >= M (high rate), q = log2 M and x = M + i,

    matrix[j, i] = (x >> q) / (j xor x)

and for K < M (low rate), with q = log2 K and x = K + j, matrix[j, i] = (x >> q) / (x xor i). Numbers stand
for elements as in ``reference.gf16``; docs/fec.md derives the form from the transform.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.layout16 import CHUNK_BYTES
from punktfunk.realtime.reference import gf16

U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]


def power_of_two(count: int) -> int:
    """Next power of two that is not less than ``count``."""
    return 1 << (count - 1).bit_length()


def is_supported(data_count: int, parity_count: int) -> bool:
    """Whether the code has so many shards."""
    least, most = sorted((data_count, parity_count))
    return least >= 1 and power_of_two(least) + most <= 65536


def generator(data_count: int, parity_count: int) -> U16:
    """Matrix: (parity_count, data_count)."""
    return _generator(data_count, parity_count, np.arange(parity_count)[:, None])


def generator_row(data_count: int, parity_count: int, row: int) -> U16:
    """One row of ``generator``: (data_count,)."""
    matrix = _generator(data_count, parity_count, np.array([[row]]))
    return matrix.reshape(data_count)


def _generator(data_count: int, parity_count: int, parity: NDArray[np.int64]) -> U16:
    powers, logarithms = gf16.powers_and_logarithms()
    data = np.arange(data_count)[None, :]
    high = power_of_two(data_count) >= power_of_two(parity_count)
    power = power_of_two(parity_count if high else data_count)
    far, near = (data + power, parity) if high else (parity + power, data)
    top = logarithms[far >> (power.bit_length() - 1)].astype(np.int64)
    matrix: U16 = powers[(top - logarithms[far ^ near]) % gf16.ORDER]
    return matrix


def symbols(shards: U8) -> U16:
    """Shards as field elements: (n, bytes) to (n, bytes / 2).

    Every 64 bytes are 32 low bytes, then 32 high bytes; of a shorter rest, the first half is low.
    """
    return np.concatenate(
        [
            low.astype(np.uint16) | high.astype(np.uint16) << 8
            for low, high in (np.split(part, 2, axis=1) for part in _chunks(shards))
        ],
        axis=1,
    )


def shards(elements: U16) -> U8:
    """Undo ``symbols``."""
    half = CHUNK_BYTES // 2
    parts = [elements[:, at : at + half] for at in range(0, elements.shape[1], half)]
    return np.concatenate([f(part) for part in parts for f in (_low, _high)], axis=1)


def encode(data: U8, parity_count: int) -> U8:
    """Parity of data shards: (k, bytes) to (parity_count, bytes), by the matrix."""
    return encode_rows(data, parity_count, range(parity_count))


def encode_rows(data: U8, parity_count: int, rows: Iterable[int]) -> U8:
    """Compute some of these parity shards: (rows, bytes)."""
    elements, matrix = symbols(data), generator(data.shape[0], parity_count)
    return shards(np.array([multiply_sum(matrix[row], elements) for row in rows], np.uint16))


def multiply_sum(row: U16, elements: U16) -> U16:
    """Sum of rows, each times its coefficient: (n,) and (n, length) to (length,)."""
    powers, logarithms = gf16.powers_and_logarithms()
    logs = logarithms.astype(np.int64)
    products = powers[(logs[row][:, None] + logs[elements]) % gf16.ORDER]
    products[(elements == 0) | (row == 0)[:, None]] = 0
    total: U16 = np.bitwise_xor.reduce(products, axis=0)
    return total


def transform(elements: U16, position: int) -> U16:
    """Leopard's Fourier transform of (size, length) elements, size a power of two, from the top."""
    rows, distance = elements.copy(), len(elements) // 2
    while distance:
        for r in range(0, len(rows), 2 * distance):
            factor = np.array([(position + r) // distance], np.uint16)
            for i in range(r, r + distance):
                rows[i] ^= multiply_sum(factor, rows[i + distance, None])
                rows[i + distance] ^= rows[i]
        distance //= 2
    return rows


def inverse_transform(elements: U16, position: int) -> U16:
    """Undo ``transform``, layer by layer from the bottom."""
    rows, distance = elements.copy(), 1
    while distance < len(rows):
        for r in range(0, len(rows), 2 * distance):
            factor = np.array([(position + r) // distance], np.uint16)
            for i in range(r, r + distance):
                rows[i + distance] ^= rows[i]
                rows[i] ^= multiply_sum(factor, rows[i + distance, None])
        distance *= 2
    return rows


def _chunks(rows: U8) -> list[U8]:
    return [rows[:, at : at + CHUNK_BYTES] for at in range(0, rows.shape[1], CHUNK_BYTES)]


def _low(part: U16) -> U8:
    return (part & 255).astype(np.uint8)


def _high(part: U16) -> U8:
    return (part >> 8).astype(np.uint8)
