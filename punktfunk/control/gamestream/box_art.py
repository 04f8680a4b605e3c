"""The picture of an app that has none: a small PNG of a size by which clients know that there is no art.

moonlight-qt takes 130 x 180 for a placeholder and writes the app's name over it (gamestream.md section 2.5).
"""

import zlib
from functools import cache
from pathlib import Path
from struct import pack
from typing import Final

PLACEHOLDER_WIDTH_PX: Final = 130
PLACEHOLDER_HEIGHT_PX: Final = 180
MAXIMUM_IMAGE_BYTES: Final = 8 << 20
PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_TOP: Final = (58, 42, 94)
_BOTTOM: Final = (18, 16, 34)


@cache
def build_placeholder() -> bytes:
    """Draw a soft vertical gradient (PNG, 8-bit RGB; ISO/IEC 15948)."""
    last = PLACEHOLDER_HEIGHT_PX - 1
    rows = []
    for y in range(PLACEHOLDER_HEIGHT_PX):
        colour = bytes(top + (bottom - top) * y // last for top, bottom in zip(_TOP, _BOTTOM, strict=True))
        rows.append(b"\0" + colour * PLACEHOLDER_WIDTH_PX)  # filter type 0: the row as it is
    header = pack(">IIBBBBB", PLACEHOLDER_WIDTH_PX, PLACEHOLDER_HEIGHT_PX, 8, 2, 0, 0, 0)
    picture = zlib.compress(b"".join(rows), 9)
    return PNG_SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", picture) + _chunk(b"IEND", b"")


def read_image(path: Path | None) -> bytes:
    """Read an app's picture; the placeholder if there is none, or it is no PNG of a sane size."""
    if path is None:
        return build_placeholder()
    try:
        with path.open("rb") as file:
            image = file.read(MAXIMUM_IMAGE_BYTES + 1)
    except OSError:
        return build_placeholder()
    if len(image) > MAXIMUM_IMAGE_BYTES or not image.startswith(PNG_SIGNATURE):
        return build_placeholder()
    return image


def _chunk(kind: bytes, data: bytes) -> bytes:
    return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))
