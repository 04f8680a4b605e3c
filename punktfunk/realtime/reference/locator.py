"""The error locator by its definition, sums of logarithms: the judge of ``kernels.locator``."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.reference.gf16 import ORDER, powers_and_logarithms

I32 = NDArray[np.int32]


def walsh_hadamard(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Transform of a power of two of values: sum over i of (-1)^(bits common to i and j) * values[i]."""
    result, distance = values.copy(), 1
    while distance < result.size:
        pairs = result.reshape(-1, 2, distance)
        result = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1).reshape(-1)
        distance *= 2
    return result


@cache
def spectrum(count: int) -> I32:
    """Transform the logarithms of the first ``count`` elements, divide by it, centre: (count,), read-only.

    count   a power of two, at most 65536

    The logarithm of 0 counts as 0: a locator leaves out its own root.
    """
    logarithms = powers_and_logarithms()[1][:count].astype(np.int64)
    logarithms[0] = 0
    residues = walsh_hadamard(logarithms) * (65536 // count) % ORDER
    centred = np.where(residues > ORDER // 2, residues - ORDER, residues).astype(np.int32)
    centred.flags.writeable = False
    return centred


def residue(value: int) -> int:
    """``value`` modulo 65535."""
    return value % ORDER


def locate(weights: I32, spectrum: I32) -> int:
    """Replace every weight by the sum of weight[t] * log(z xor t) over all t that are not z."""
    count = weights.size
    if count < 8 or count > 65536 or count & (count - 1) or spectrum.size != count:
        return BAD_SIZE
    logarithms = powers_and_logarithms()[1].astype(np.int64)
    roots = [(int(t), int(weights[t])) for t in np.flatnonzero(weights)]
    for z in range(count):
        weights[z] = sum(weight * int(logarithms[z ^ t]) for t, weight in roots if t != z) % ORDER
    return 0
