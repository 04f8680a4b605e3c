"""Packed pixels into an encoder's planes, by kernel: 4:2:0 or 4:4:4, of eight or ten bits."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from punktfunk.errors import EnvironmentProblem, PipelineFailed
from punktfunk.plan import ColourSpace
from punktfunk.realtime.capture.drawing import Patch
from punktfunk.realtime.colour import fixed_point
from punktfunk.realtime.encode.layouts import Layout
from punktfunk.realtime.encode.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


class Converter:
    """Conversion with one set of weights. The kernels hold no GIL, so pf-encode goes on meanwhile."""

    def __init__(self, colour_space: ColourSpace, *, full_range: bool) -> None:
        self._colour_space = colour_space
        self._full_range = full_range
        self._fills: dict[Layout, tuple[Callable[..., int], NDArray[np.int32]]] = {}

    def convert(self, pixels: "NDArray[np.uint32]", picture: Picture, *, ten_bit: bool = False) -> None:
        """Convert (height, width) words into the planes of the picture, whatever its layout.

        ``ten_bit``: the words are 2:10:10:10, and the picture must have ten bits too; else they are BGRx and
        it must have eight. EnvironmentProblem where the two differ, PipelineFailed if the picture is too
        small. Rows may be longer than the picture; other gaps make a copy.
        """
        layout = picture.layout
        if ten_bit != (layout.bits == 10):
            gives, wants = (10, 8) if ten_bit else (8, 10)
            raise EnvironmentProblem(f"the output gives {gives} bit and the stream was agreed on {wants} bit")
        if not self._fill(pixels, picture.planes, layout):
            height, width = pixels.shape
            size = f"{picture.width_px}x{picture.height_px}"
            raise PipelineFailed(f"a picture of {width}x{height} does not fit an encoder's of {size}")

    def lay(self, patch: Patch, picture: Picture) -> None:
        """Lay a patch over a picture that was converted: what is around it stays."""
        layout = picture.layout
        height, width = ((side + 1) & ~1 for side in patch.pixels.shape)
        down = 1 if layout.full_chroma else 2
        across = 1 if layout.full_chroma or layout.plane_count == 2 else 2
        shapes = [(height, width), *[(height // down, width // across)] * (layout.plane_count - 1)]
        planes = [np.empty(shape, picture.planes[0].dtype) for shape in shapes]
        self._fill(patch.pixels, planes, layout)
        for index, (plane, target) in enumerate(zip(planes, picture.planes, strict=True)):
            y = patch.y_px // down if index else patch.y_px
            x = patch.x_px // across if index else patch.x_px
            target[y : y + plane.shape[0], x : x + plane.shape[1]] = plane

    def _fill(self, pixels: "NDArray[np.uint32]", planes: "Sequence[NDArray[Any]]", layout: Layout) -> bool:
        if layout not in self._fills:
            weights = fixed_point(self._colour_space, full_range=self._full_range, bits=layout.bits)
            self._fills[layout] = _fill_of(layout), weights
        fill, weights = self._fills[layout]
        deep = (layout.shift,) if layout.bits == 10 else ()
        return fill(whole_rows(pixels), pixels.shape[1], *planes, weights, *deep) == 0


def _fill_of(layout: Layout) -> "Callable[..., int]":
    """Load the kernel of a layout: streams need one of them."""
    if layout.bits == 10:
        from punktfunk.realtime.kernels import convert10

        if layout.full_chroma:
            return convert10.convert_444_10
        return convert10.convert_420_10 if layout.plane_count == 3 else convert10.convert_p010
    if layout.full_chroma:
        from punktfunk.realtime.kernels import convert444

        return convert444.convert_444
    from punktfunk.realtime.kernels import convert

    return convert.convert_i420 if layout.plane_count == 3 else convert.convert_nv12


def whole_rows(pixels: "NDArray[np.uint32]") -> "NDArray[np.uint32]":
    """View pixels with what lies between their rows, so that nothing is copied; else make a copy."""
    row_bytes, step_bytes = pixels.strides
    if step_bytes != 4 or row_bytes % 4 or row_bytes < pixels.shape[1] * 4:
        return np.ascontiguousarray(pixels)
    # The last row may end before its gap does: kernels read no further than the width that they are told.
    shape = pixels.shape[0], row_bytes // 4
    return as_strided(pixels, shape, (row_bytes, 4), writeable=False)
