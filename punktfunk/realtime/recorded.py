"""Test cards in a recording: of a stream as it came, of a screen, or of screens that a camera saw.

Where a test card's picture lies in the recording's pictures is a quad: four corners, clockwise from the top
left. A camera sees it in perspective; the map from the card to the quad is a homography, and each cell of the
barcode is looked at in nine places around its middle.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import numpy as np

from punktfunk.errors import EnvironmentProblem
from punktfunk.realtime.capture import barcode
from punktfunk.realtime.inspection import luma

Corner = tuple[float, float]
_SPREAD: Final = (-0.2, 0.0, 0.2)
"""Where around a cell's middle it is looked at, in cells."""

_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Quad:
    """One test card of ``width_px`` x ``height_px`` as it lies in the recording."""

    corners: tuple[Corner, Corner, Corner, Corner]
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class RecordedPicture:
    """One picture of a recording: when it is shown, and what each test card in it says (None: unreadable)."""

    time_ns: int
    stamps: tuple[barcode.Stamp | None, ...]


def read_recording(path: Path, quads: Sequence[Quad]) -> Iterator[RecordedPicture]:
    """Read every picture of a file; without quads the card fills it. EnvironmentProblem if it is no video."""
    try:
        with av.open(str(path)) as file:
            if not file.streams.video:
                raise EnvironmentProblem(f"{path} has no picture", hint="Name a video file.")
            samplers = [_Sampler(quad) for quad in quads]
            for frame in file.decode(video=0):
                picture = luma(
                    frame if frame.format.name.startswith("yuv") else frame.reformat(format="gray")
                )
                stamps = tuple(sampler.read(picture) for sampler in samplers) or (barcode.read(picture),)
                yield RecordedPicture(round((frame.time or 0.0) * _NS), stamps)
    except (OSError, av.error.FFmpegError) as error:
        raise EnvironmentProblem(
            f"{path} cannot be read: {error}", hint="Name a video file that FFmpeg knows."
        ) from error


class _Sampler:
    """Knows which pixels of a recording's picture belong to which cell of one test card."""

    def __init__(self, quad: Quad) -> None:
        cell = barcode.cell_px(quad.width_px, quad.height_px)
        rows, columns = np.mgrid[0 : barcode.ROW_COUNT, 0 : barcode.COLUMN_COUNT]
        spread = np.array(_SPREAD)
        # (row, column, 3, 3): the grid begins one cell from the card's top left corner.
        y = (1.5 + rows[..., None, None] + spread[None, None, :, None]) * cell / quad.height_px
        x = (1.5 + columns[..., None, None] + spread[None, None, None, :]) * cell / quad.width_px
        shape = (barcode.ROW_COUNT, barcode.COLUMN_COUNT, len(_SPREAD), len(_SPREAD))
        points = np.stack([np.broadcast_to(x, shape), np.broadcast_to(y, shape), np.ones(shape)])
        mapped = np.tensordot(homography(quad.corners), points, axes=1)
        self._x = np.rint(mapped[0] / mapped[2] - 0.5).astype(np.int64)
        self._y = np.rint(mapped[1] / mapped[2] - 0.5).astype(np.int64)

    def read(self, picture: "np.ndarray[Any, np.dtype[np.uint8]]") -> barcode.Stamp | None:
        """Read the card's barcode."""
        height_px, width_px = picture.shape
        if self._x.min() < 0 or self._y.min() < 0 or self._x.max() >= width_px or self._y.max() >= height_px:
            return None
        return barcode.read_cells(picture[self._y, self._x].mean(axis=(2, 3)))


def homography(corners: Sequence[Corner]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Map the unit square (0,0) (1,0) (1,1) (0,1) to four corners: a 3 x 3 matrix (Heckbert 1989, 2.2.3).

    EnvironmentProblem if three corners lie on one line.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    dx1, dx2, dy1, dy2 = x1 - x2, x3 - x2, y1 - y2, y3 - y2
    sx, sy = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    area = dx1 * dy2 - dx2 * dy1
    if abs(area) < 1:
        raise EnvironmentProblem(
            f"{list(corners)} is no quad", hint="Give four corners, clockwise from the top left."
        )
    g, h = (sx * dy2 - dx2 * sy) / area, (dx1 * sy - sx * dy1) / area
    return np.array(
        [[x1 - x0 + g * x1, x3 - x0 + h * x3, x0], [y1 - y0 + g * y1, y3 - y0 + h * y3, y0], [g, h, 1.0]]
    )
