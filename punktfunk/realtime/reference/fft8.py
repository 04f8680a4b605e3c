"""The additive FFT of GF(2^8): its constants by definition, its result by the sum that it computes."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.kernels.layout8 import LIST_COUNT, WORD_SOURCES, WORD_TARGETS
from punktfunk.realtime.reference import gf8
from punktfunk.realtime.reference.memory import bytes_at, words_at

U8 = NDArray[np.uint8]


@cache
def subspace_polynomial(layer: int, element: int) -> int:
    """Evaluate the polynomial whose zeros are the elements 0 .. 2 ** layer - 1: docs/fec.md, section 2."""
    if layer == 0:
        return element
    half = subspace_polynomial(layer - 1, element)
    return gf8.multiply(half, half ^ subspace_polynomial(layer - 1, 1 << layer - 1))


def twiddles() -> U8:
    """Constant of the butterfly of layer i at position r: s_i(r) / s_i(2 ** i), as (8, 256)."""
    table = np.zeros((8, 256), np.uint8)
    for layer in range(8):
        norm = gf8.inverse(subspace_polynomial(layer, 1 << layer))
        table[layer] = [gf8.multiply(subspace_polynomial(layer, r), norm) for r in range(256)]
    return table


def scales() -> U8:
    """Constant between blocks of 2 ** i positions that are r apart: p_i / s_i(r), as (8, 256).

    p_i is the product of the elements 1 .. 2 ** i - 1. 0 where r is no multiple of 2 ** i, or 0.
    """
    table, inverses = np.zeros((8, 256), np.uint8), gf8.inverses()
    product = 1
    for layer in range(8):
        for r in range(1 << layer, 256, 1 << layer):
            table[layer, r] = gf8.multiply(product, int(inverses[subspace_polynomial(layer, r)]))
        for element in range(1 << layer, 2 << layer):
            product = gf8.multiply(product, element)
    return table


def transform(context: int, first: int, end: int, shard_bytes: int) -> int:
    """Write the parity of data at positions [first, end) by the sum that defines it."""
    if first < 1 or end <= first or end > LIST_COUNT or shard_bytes < 1:
        return BAD_SIZE
    words = words_at(context, WORD_TARGETS + 1)
    every, sources = gf8.products(), words_at(int(words[WORD_SOURCES]), LIST_COUNT)
    for j, address in enumerate(words_at(int(words[WORD_TARGETS]), first)):
        target = bytes_at(int(address), shard_bytes)
        target[:] = 0
        for position in range(first, end):
            if sources[position]:
                row = bytes_at(int(sources[position]), shard_bytes)
                target ^= every[gf8.inverse(position ^ j)][row]
    return 0
