"""Where the picture stands in the window, and where in the picture a pointer stands."""

from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle in pixels."""

    x: int
    y: int
    width: int
    height: int


def fit(picture: tuple[int, int], window: tuple[int, int]) -> Box:
    """Largest box of the picture's shape in the middle of the window; (width, height) in pixels."""
    picture_width, picture_height = max(1, picture[0]), max(1, picture[1])
    width, height = max(1, window[0]), max(1, window[1])
    if width * picture_height > height * picture_width:
        shown = max(1, height * picture_width // picture_height), height
    else:
        shown = width, max(1, width * picture_height // picture_width)
    return Box((width - shown[0]) // 2, (height - shown[1]) // 2, *shown)


def into_picture(x: float, y: float, box: Box, picture: tuple[int, int]) -> tuple[int, int]:
    """Position in the picture's pixels of a position in the window's, held inside the picture."""
    column = (x - box.x) * picture[0] / box.width
    row = (y - box.y) * picture[1] / box.height
    return min(max(int(column), 0), picture[0] - 1), min(max(int(row), 0), picture[1] - 1)
