"""Lines of text to pixels, from glyphs drawn beforehand (scripts/make_glyphs.py): users need no font.

One monospaced face in two sizes covers Latin scripts; what it lacks is shown as a question mark. A whole
block of text becomes one array by indexing, so that an overlay of thirty lines costs a fraction of a
millisecond and only when its text changes.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

FOLDER: Final = Path(__file__).parent
SIZES_PX: Final = (15, 28)
_PUNCTUATION: Final = (0x2013, 0x2014, 0x2018, 0x2019, 0x201C, 0x201D, 0x2026, 0x2192, 0x2713)
CHARACTERS: Final = "".join(map(chr, [*range(0x20, 0x7F), *range(0xA0, 0x180), *_PUNCTUATION]))
_PLACES: Final = {character: place for place, character in enumerate(CHARACTERS)}
_UNKNOWN: Final = _PLACES["?"]


@cache
def _glyphs(size_px: int) -> "Pixels":
    """Coverage of every glyph, (glyphs, height, width)."""
    import av

    with av.open(str(FOLDER / f"glyphs{size_px}.png")) as container:
        row = next(container.decode(video=0)).to_ndarray(format="gray")
    height_px, width_px = row.shape
    return np.ascontiguousarray(
        row.reshape(height_px, len(CHARACTERS), width_px // len(CHARACTERS)).transpose(1, 0, 2)
    )


def cell_px(size_px: int) -> tuple[int, int]:
    """Width and height of one character."""
    _, height_px, width_px = _glyphs(size_px).shape
    return width_px, height_px


def wrap(text: str, column_count: int) -> list[str]:
    """Break text into lines of at most ``column_count`` characters, at spaces where there are some."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            rest = word
            while len(rest) > column_count:
                if line:
                    lines.append(line)
                    line = ""
                lines.append(rest[:column_count])
                rest = rest[column_count:]
            if line and len(line) + 1 + len(rest) > column_count:
                lines.append(line)
                line = rest
            else:
                line = f"{line} {rest}" if line else rest
        lines.append(line)
    return lines


def coverage(lines: "Sequence[str]", size_px: int) -> "Pixels":
    """Coverage of a block of lines, 0 to 255, (height, width); as wide as the longest line."""
    glyphs = _glyphs(size_px)
    column_count = max(map(len, lines), default=0)
    places = np.zeros((len(lines), column_count), np.intp)
    for row, line in enumerate(lines):
        places[row, : len(line)] = [_PLACES.get(character, _UNKNOWN) for character in line]
    _, height_px, width_px = glyphs.shape
    block = glyphs[places].transpose(0, 2, 1, 3)
    return np.ascontiguousarray(block.reshape(len(lines) * height_px, column_count * width_px))


def panel(lines: "Sequence[str]", size_px: int, opacity: int = 215) -> "Pixels":
    """Draw light text on a dark, see-through panel with a margin: (height, width, 4) RGBA, straight alpha."""
    margin_px = size_px // 2
    text = np.pad(coverage(lines, size_px), margin_px)
    pixels = np.empty((*text.shape, 4), np.uint8)
    # Light text over a dark ground of its own: readable over any picture.
    pixels[:, :, :3] = (16 + text.astype(np.uint16) * 228 // 255).astype(np.uint8)[:, :, None]
    pixels[:, :, 3] = np.maximum(text, opacity)
    return pixels
