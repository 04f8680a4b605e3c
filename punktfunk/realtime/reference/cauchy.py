"""The closed form of decoding over GF(2^16), factor by factor: the judge of ``kernels.cauchy``.

Positions, g and E are defined there. Products are sums of logarithms, in Python's integers.
"""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.layout import BAD_SIZE, TOO_FEW_SHARDS
from punktfunk.realtime.reference import gf16

U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]
I32 = NDArray[np.int32]


def survey(present: U8, data_count: int, missing: I32, chosen: I32) -> int:
    """List the missing data shards and as many received parity shards; how many."""
    if data_count < 0 or data_count > present.size:
        return BAD_SIZE
    lost = np.flatnonzero(present[:data_count] == 0)
    received = np.flatnonzero(present[data_count:])[: lost.size]
    room = min(missing.size, chosen.size)
    missing[: min(lost.size, room)] = lost[:room]
    if lost.size > room:
        return TOO_FEW_SHARDS if present.size - data_count <= room else BAD_SIZE
    chosen[: received.size] = received
    return int(lost.size) if received.size == lost.size else TOO_FEW_SHARDS


def positions(
    missing: I32, chosen: I32, count: int, unit: int, high_rate: int
) -> tuple[list[int], list[int]]:
    """Positions of missing data and of chosen parity."""
    data_at, parity_at = (unit, 0) if high_rate else (0, unit)
    return [data_at + int(i) for i in missing[:count]], [parity_at + int(j) for j in chosen[:count]]


def log(element: int) -> int:
    """Logarithm of an element, 0 for that of 0: a factor that is 0 is left out."""
    return int(gf16.powers_and_logarithms()[1][element]) if element else 0


def fill_scales(
    missing: I32,
    chosen: I32,
    count: int,
    unit: int,
    high_rate: int,
    scales: I32,
    spectrum: I32,
    logarithms: U16,
) -> int:
    """Write the logarithm of g for every position."""
    if count < 0 or count > min(missing.size, chosen.size) or unit < 1 or logarithms.size != 65536:
        return BAD_SIZE
    lost, received = positions(missing, chosen, count, unit, high_rate)
    if any(z >= scales.size for z in lost + received) or spectrum.size != scales.size:
        return BAD_SIZE
    for z in range(scales.size):
        exponent = sum(log(z ^ y) for y in lost) - sum(log(z ^ x) for x in received)
        weight = log(z // unit)
        scales[z] = (exponent + (weight if high_rate else -weight)) % gf16.ORDER
    return 0


def fill_locator(
    missing: I32, chosen: I32, count: int, unit: int, high_rate: int, scales: I32, spectrum: I32
) -> int:
    """Write the logarithm of E for every position."""
    if count < 0 or count > min(missing.size, chosen.size) or unit < 1 or unit > scales.size:
        return BAD_SIZE
    lost, received = positions(missing, chosen, count, unit, high_rate)
    if any(z >= scales.size for z in lost + received) or spectrum.size != scales.size:
        return BAD_SIZE
    side = range(unit) if high_rate else range(unit, scales.size)
    roots = lost + [x for x in side if x not in received]
    for z in range(scales.size):
        scales[z] = sum(log(z ^ root) for root in roots) % gf16.ORDER
    return 0


def fill_coefficients(
    coefficients: U16, missing: I32, inputs: I32, scales: I32, powers: U16, logarithms: U16
) -> int:
    """Write coefficients[b, i] = g(z_i) / (g(y_b) * (z_i - y_b))."""
    places = [*missing.tolist(), *inputs.tolist()]
    if coefficients.shape != (missing.size, inputs.size) or powers.size != 65536 or logarithms.size != 65536:
        return BAD_SIZE
    if scales.size > 65536 or any(not 0 <= place < scales.size for place in places):
        return BAD_SIZE
    for b, y in enumerate(missing):
        for i, z in enumerate(inputs):
            coefficients[b, i] = powers[(int(scales[z]) - int(scales[y]) - log(int(z ^ y))) % gf16.ORDER]
    return 0
