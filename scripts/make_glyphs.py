"""Draw the glyphs that the client's window writes with, from DejaVu Sans Mono, into PNG files.

Each file holds one row of cells, 8-bit coverage, in the order of ``window/text.py``'s CHARACTERS. DejaVu's
licence allows it: a picture of glyphs is no font. Needs pillow and the font (fonts-dejavu-core).
"""

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from punktfunk.control.client.window.text import CHARACTERS, FOLDER, SIZES_PX

FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"


def draw(size_px: int, font_path: str) -> Image.Image:
    """One row of cells; a cell is as wide as the font's advance and as high as its line."""
    font = ImageFont.truetype(font_path, size_px)
    ascent, descent = font.getmetrics()
    width_px = round(font.getlength("M"))
    picture = Image.new("L", (width_px * len(CHARACTERS), ascent + descent), 0)
    pen = ImageDraw.Draw(picture)
    for place, character in enumerate(CHARACTERS):
        pen.text((place * width_px, 0), character, font=font, fill=255)
    return picture


def main() -> None:
    """Write a file for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--font", default=FONT)
    font_path = parser.parse_args().font
    for size_px in SIZES_PX:
        draw(size_px, font_path).save(Path(FOLDER) / f"glyphs{size_px}.png", optimize=True)


if __name__ == "__main__":
    main()
