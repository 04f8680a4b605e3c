"""Colour conversion."""

from typing import TYPE_CHECKING, Any

import numpy as np

from punktfunk.plan import ColourSpace
from punktfunk.realtime import colour
from punktfunk.realtime.kernels import convert
from punktfunk.realtime.reference import convert as slow_convert

if TYPE_CHECKING:
    from punktfunk.realtime.checks.same import Arrays


def agrees(random: np.random.Generator) -> bool:
    """Compare them."""
    pixels = random.integers(0, 1 << 32, (7, 45), dtype=np.uint32)
    luma, half = np.zeros((8, 64), np.uint8), np.zeros((4, 32), np.uint8)
    agrees = True
    conversions: tuple[tuple[Arrays, Any, Any], ...] = (
        ((luma, half, half), convert.convert_i420, slow_convert.convert_i420),
        ((luma, luma[:4]), convert.convert_nv12, slow_convert.convert_nv12),
    )
    for space in ColourSpace:
        weights = colour.fixed_point(space, full_range=space is ColourSpace.BT601)
        for planes, fast, slow in conversions:
            ours, theirs = ([plane.copy() for plane in planes] for _ in range(2))
            codes = fast(pixels, 41, *ours, weights), slow(pixels, 41, *theirs, weights)
            agrees &= codes == (0, 0) and all(map(np.array_equal, ours, theirs))
    return agrees
