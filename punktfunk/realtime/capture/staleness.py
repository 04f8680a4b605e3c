"""Converting only what changed: which parts of each of the encoder's pictures are older than the screen.

Pictures go round, so each one lacks what changed since it was filled last, and what was laid over it then. A
screen on which somebody types changes in a few lines: converting those costs a tenth of the whole.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from punktfunk.realtime.capture.drawing import Patch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from punktfunk.realtime.capture.converter import Converter
    from punktfunk.realtime.encode.picture import Picture

Region = tuple[int, int, int, int]
"""x, y, width, height in pixels."""

MAXIMUM_REGIONS: Final = 16
WHOLE_DIVISOR: Final = 3
"""From a third of the picture on, one pass over all of it is cheaper than many small ones."""


class Staleness:
    """What each picture lacks; None: everything. Used by pf-capture alone."""

    def __init__(self) -> None:
        self._lacks: WeakKeyDictionary[Picture, list[Region] | None] = WeakKeyDictionary()

    def spoil(self, damage: Sequence[Region] | None) -> None:
        """Note that the screen changed there; None: anywhere."""
        for picture, lacks in self._lacks.items():
            if lacks is not None:
                self._lacks[picture] = None if damage is None else _bounded([*lacks, *damage])

    def update(
        self,
        converter: "Converter",
        pixels: "NDArray[np.uint32]",
        picture: "Picture",
        patch: Patch | None,
        *,
        ten_bit: bool,
    ) -> bool:
        """Bring a picture up to date and lay ``patch`` over it; whether all of it had to be converted."""
        lacks = self._lacks.get(picture)
        parts = None if lacks is None else _parts(lacks, pixels)
        self._lacks[picture] = None  # what fails half-way must be made anew
        if parts is None:
            converter.convert(pixels, picture, ten_bit=ten_bit)
        else:
            for part in parts:
                converter.lay(part, picture)
        if patch is not None:
            converter.lay(patch, picture)
        self._lacks[picture] = [] if patch is None else [(patch.x_px, patch.y_px, *patch.pixels.shape[::-1])]
        return parts is None


def _parts(lacks: Iterable[Region], pixels: "NDArray[np.uint32]") -> list[Patch] | None:
    """Cut out what is lacking, at even places; None where that is so much that all is better."""
    height, width = pixels.shape
    parts, area_px = [], 0
    for x, y, wide, high in lacks:
        left, top = max(x, 0) & ~1, max(y, 0) & ~1
        right, bottom = min((x + wide + 1) & ~1, width), min((y + high + 1) & ~1, height)
        if right <= left or bottom <= top:
            continue
        area_px += (right - left) * (bottom - top)
        parts.append(Patch(left, top, pixels[top:bottom, left:right]))
    return None if area_px * WHOLE_DIVISOR > height * width else parts


def _bounded(regions: Iterable[Region]) -> list[Region]:
    """Keep few regions, none inside another; many become the one around them."""
    kept: list[Region] = []
    for region in regions:
        if not any(_covers(known, region) for known in kept):
            kept = [known for known in kept if not _covers(region, known)] + [region]
    if len(kept) <= MAXIMUM_REGIONS:
        return kept
    regions = kept
    left, top = min(x for x, _, _, _ in regions), min(y for _, y, _, _ in regions)
    right = max(x + width for x, _, width, _ in regions)
    bottom = max(y + height for _, y, _, height in regions)
    return [(left, top, right - left, bottom - top)]


def _covers(outer: Region, inner: Region) -> bool:
    x, y, width, height = outer
    left, top, wide, high = inner
    return x <= left and y <= top and left + wide <= x + width and top + high <= y + height
