"""A barcode that survives video compression and says which frame this is and when it was taken.

A grid of 32 x 4 square cells, dark for 0 and light for 1, row by row, most significant bit first:

    bits     field
    -------  ---------------------------------------------------------
      0- 31  frame_number
     32- 95  captured_ns, CLOCK_MONOTONIC of the host
     96-127  CRC-32 of the twelve bytes before

The grid starts one cell from the top left corner. A cell is 16 pixels wide (one H.264 macroblock, so that
its cost is a handful of DC coefficients) unless the picture is too small. Both sides derive the cell from
the picture's size rounded up to even, as encoders pad odd sizes.
"""

import zlib
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMN_COUNT: Final = 32
ROW_COUNT: Final = 4
MAX_CELL_PX: Final = 16
MIN_CELL_PX: Final = 4
DARK: Final = 0x101010
LIGHT: Final = 0xEBEBEB

_CONTENT: Final = Struct(">IQ")
_CHECKED: Final = Struct(">IQI")


class Stamp(NamedTuple):
    """What a barcode says: frame number (modulo 2**32) and CLOCK_MONOTONIC of the capture."""

    frame_number: int
    captured_ns: int


def cell_px(width_px: int, height_px: int) -> int:
    """Edge of one cell, 0 where the picture is too small for a barcode (under 136 x 24)."""
    width_px, height_px = (width_px + 1) & ~1, (height_px + 1) & ~1
    # One cell of margin on each side; heights also keep some picture below.
    cell = min(MAX_CELL_PX, width_px // (COLUMN_COUNT + 2), height_px // (ROW_COUNT + 2)) & ~1
    return cell if cell >= MIN_CELL_PX else 0


def draw(pixels: "NDArray[np.uint32]", stamp: Stamp) -> None:
    """Draw the barcode into BGRx pixels, (height, width) uint32."""
    height_px, width_px = pixels.shape
    cell = cell_px(width_px, height_px)
    if not cell:
        return
    content = _CONTENT.pack(stamp.frame_number & 0xFFFFFFFF, stamp.captured_ns)
    code = content + zlib.crc32(content).to_bytes(4, "big")
    bits = np.unpackbits(np.frombuffer(code, np.uint8)).reshape(ROW_COUNT, COLUMN_COUNT)
    cells = np.where(bits, np.uint32(LIGHT), np.uint32(DARK))
    area = pixels[cell : cell * (ROW_COUNT + 1), cell : cell * (COLUMN_COUNT + 1)]
    # Repeat sideways only; one broadcast assignment fills the rows of each line of cells.
    lines = np.repeat(cells, cell, axis=1)
    for row in range(ROW_COUNT):
        area[row * cell : (row + 1) * cell] = lines[row]


def read(picture: "NDArray[Any]") -> Stamp | None:
    """Read the barcode of a decoded picture; None where there is none or it is damaged.

    picture  (height, width) luma of any range, or (height, width, 3 or 4) of colours in any order; uint8
    """
    height_px, width_px = picture.shape[:2]
    cell = cell_px(width_px, height_px)
    if not cell:
        return None
    area = picture[cell : cell * (ROW_COUNT + 1), cell : cell * (COLUMN_COUNT + 1)]
    if area.ndim == 3:
        area = area[:, :, :3].mean(axis=2)
    # The middle of each cell: edges ring.
    edge = cell // 4
    cells = area.reshape(ROW_COUNT, cell, COLUMN_COUNT, cell)[:, edge : cell - edge, :, edge : cell - edge]
    return read_cells(cells.mean(axis=(1, 3)))


def read_cells(means: "NDArray[Any]") -> Stamp | None:
    """Read a barcode from the brightness of its cells, (ROW_COUNT, COLUMN_COUNT); None if it is damaged."""
    bits = means > (means.min() + means.max()) / 2
    frame_number, captured_ns, check = _CHECKED.unpack(np.packbits(bits).tobytes())
    if zlib.crc32(_CONTENT.pack(frame_number, captured_ns)) != check:
        return None
    return Stamp(frame_number, captured_ns)
