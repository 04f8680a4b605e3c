"""Colour conversion of ten bits."""

from typing import Any

import numpy as np

from punktfunk.plan import ColourSpace
from punktfunk.realtime import colour
from punktfunk.realtime.kernels import convert10
from punktfunk.realtime.reference import convert10 as slow


def agrees(random: np.random.Generator) -> bool:
    """Compare every layout with its twin."""
    pixels = random.integers(0, 1 << 32, (7, 45), dtype=np.uint32)
    whole, half = (8, 64), (4, 32)
    conversions: tuple[tuple[tuple[tuple[int, int], ...], int, Any, Any], ...] = (
        ((whole, half, half), 0, convert10.convert_420_10, slow.convert_420_10),
        ((whole, (4, 64)), 6, convert10.convert_p010, slow.convert_p010),
        ((whole,) * 3, 0, convert10.convert_444_10, slow.convert_444_10),
    )
    agrees = True
    for space in ColourSpace:
        weights = colour.fixed_point(space, full_range=space is ColourSpace.BT601, bits=10)
        for shapes, shift, fast, judge in conversions:
            ours, theirs = ([np.zeros(shape, np.uint16) for shape in shapes] for _ in range(2))
            codes = fast(pixels, 41, *ours, weights, shift), judge(pixels, 41, *theirs, weights, shift)
            agrees &= codes == (0, 0) and all(map(np.array_equal, ours, theirs))
    return agrees
