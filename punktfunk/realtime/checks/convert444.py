"""Colour conversion to 4:4:4."""

from typing import Any

import numpy as np

from punktfunk.plan import ColourSpace
from punktfunk.realtime import colour
from punktfunk.realtime.kernels import convert444
from punktfunk.realtime.reference import convert444 as slow


def agrees(random: np.random.Generator) -> bool:
    """Compare it with its twin."""
    pixels = random.integers(0, 1 << 32, (7, 45), dtype=np.uint32)
    fast: Any = convert444.convert_444
    judge: Any = slow.convert_444
    agrees = True
    for space in ColourSpace:
        weights = colour.fixed_point(space, full_range=space is ColourSpace.BT601)
        ours, theirs = ([np.zeros((8, 64), np.uint8) for _ in range(3)] for _ in range(2))
        codes = fast(pixels, 41, *ours, weights), judge(pixels, 41, *theirs, weights)
        agrees &= codes == (0, 0) and all(map(np.array_equal, ours, theirs))
    return agrees
