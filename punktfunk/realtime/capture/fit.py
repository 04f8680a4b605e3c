"""Pictures of another size than the stream's: scaled, whole and in their own shape, with black around them.

A mirrored monitor, a game mode or a window has the size that it has, someone may change the mode of an output
in the middle of a session, and a client cannot change the size of its stream. FFmpeg's swscale was tried: it
took 52 ms of CPU from 1440 to 1080 rows.
"""

from typing import TYPE_CHECKING

import numpy as np

from punktfunk.realtime.capture.converter import whole_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from punktfunk.realtime.capture.drawing import Patch


class Fitter:
    """Fits pictures into one size; ``shape`` is (height, width) of the stream.

    Not for two threads. What ``fit`` returns is valid until it is called again.
    """

    def __init__(self, shape: tuple[int, int], *, ten_bit: bool = False) -> None:
        self._shape = shape
        self._ten_bit = ten_bit
        self._canvas = np.zeros(shape, np.uint32)
        self._place = (0, 0, 0, 0)
        self._columns = self._rows = np.zeros(0, np.int32)
        self._halves: list[NDArray[np.uint32]] = []
        self._mixed = np.zeros(0, np.uint32)
        self._source_shape: tuple[int, ...] = (0, 0)
        self._laid: NDArray[np.uint32] = np.zeros((0, 0), np.uint32)

    def fit(self, pixels: "NDArray[np.uint32]", patch: "Patch | None" = None) -> "NDArray[np.uint32]":
        """Scale (height, width) pixels into the stream's size, with ``patch`` laid over them before."""
        if 0 in pixels.shape:
            self._canvas.fill(0)
            self._source_shape = pixels.shape
            return self._canvas
        if pixels.shape != self._source_shape:
            self._prepare(pixels.shape)
        if patch is not None:
            pixels = self._lay(pixels, patch)
        x, y, width, height = self._place
        target = self._canvas[y : y + height]
        if self._ten_bit:
            # Its channels are not bytes, and hardly anybody scales such pictures: the nearest pixel must do.
            target[:, x : x + width] = pixels[self._rows[:, None] >> 8, self._columns[None, :] >> 8]
            return self._canvas
        # Late: whoever never scales never loads the kernel, and the warm-up brings it last.
        from punktfunk.realtime.kernels.scale import halve, stretch

        seen, columns = whole_rows(pixels), pixels.shape[1]
        for half in self._halves:
            halve(seen, half)
            seen, columns = half, half.shape[1]
        stretch(seen, columns, self._columns, self._rows, self._mixed, target, x)
        return self._canvas

    def _prepare(self, shape: tuple[int, ...]) -> None:
        """Work out where a picture of this shape goes and which of its pixels are where."""
        self._source_shape = shape
        self._canvas.fill(0)
        self._place = _, _, width, height = letterbox_place(shape, self._shape)
        self._halves.clear()
        rows, columns = shape
        while not self._ten_bit and rows >= 2 * height and columns >= 2 * width:
            rows, columns = rows // 2, columns // 2
            self._halves.append(np.empty((rows, columns), np.uint32))
        self._rows, self._columns = places(rows, height), places(columns, width)
        self._mixed = np.empty(columns, np.uint32)

    def _lay(self, pixels: "NDArray[np.uint32]", patch: "Patch") -> "NDArray[np.uint32]":
        """Copy the picture, which belongs to its source, and lay the patch over the copy."""
        if self._laid.shape != pixels.shape:
            self._laid = np.empty(pixels.shape, np.uint32)
        self._laid[:] = pixels
        rows, columns = patch.pixels.shape
        target = self._laid[patch.y_px : patch.y_px + rows, patch.x_px : patch.x_px + columns]
        target[:] = patch.pixels[: target.shape[0], : target.shape[1]]
        return self._laid


def places(have_px: int, want_px: int) -> "NDArray[np.int32]":
    """Say where each of ``want_px`` pixels lies among ``have_px``, in 1/256 pixel: centre to centre."""
    centres = (np.arange(want_px) + 0.5) * (have_px / want_px) - 0.5
    nearest: NDArray[np.float64] = np.floor(centres * 256 + 0.5)
    return nearest.clip(0, (have_px - 1) * 256).astype(np.int32)


def letterbox_place(shape: tuple[int, ...], into: tuple[int, int]) -> tuple[int, int, int, int]:
    """Say where a picture of ``shape`` (height, width) is shown ``into`` another: x, y, width, height."""
    height, width = shape
    room_height, room_width = into
    if width * room_height >= height * room_width:
        shown = room_width, max(1, round(height * room_width / width))
    else:
        shown = max(1, round(width * room_height / height)), room_height
    return (room_width - shown[0]) // 2, (room_height - shown[1]) // 2, *shown
