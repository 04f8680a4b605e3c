"""Pictures of any size in a stream of another: whole, in their shape, with black beside them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control.input.mapped import letterbox
from punktfunk.plan import Mode
from punktfunk.realtime.capture.drawing import Patch
from punktfunk.realtime.capture.fit import Fitter, letterbox_place

SIDE = st.integers(1, 300)
QUARTERS = (0x00FF0000, 0x0000FF00, 0x000000FF, 0x00FFFFFF)


def quartered(height, width):
    """A picture with a colour in each quarter."""
    pixels = np.empty((height, width), np.uint32)
    middle_y, middle_x = height // 2, width // 2
    for colour, rows, columns in zip(
        QUARTERS,
        [slice(0, middle_y)] * 2 + [slice(middle_y, None)] * 2,
        [slice(0, middle_x), slice(middle_x, None)] * 2,
        strict=True,
    ):
        pixels[rows, columns] = colour
    return pixels


@pytest.mark.parametrize("shape", [(1440, 2560), (600, 800), (400, 300), (2796, 1290), (721, 1279)])
def test_a_picture_is_shown_whole_with_black_beside_it(shape):
    fitter = Fitter((720, 1280))
    fitted = fitter.fit(quartered(*shape)) & 0xFFFFFF
    x, y, width, height = letterbox_place(shape, (720, 1280))
    assert (width == 1280) or (height == 720)
    assert abs(width * shape[0] - height * shape[1]) <= max(shape) / 2 + 1
    for colour, part_y, part_x in zip(QUARTERS, (1, 1, 3, 3), (1, 3, 1, 3), strict=True):
        seen = int(fitted[y + height * part_y // 4, x + width * part_x // 4])
        for shift in (0, 8, 16):
            assert abs((seen >> shift & 255) - (colour >> shift & 255)) <= 3
    bars = fitted.copy()
    bars[y : y + height, x : x + width] = 0
    assert not bars.any()


def test_the_bars_follow_the_shape_and_a_pointer_is_laid_over():
    fitter = Fitter((100, 100))
    wide = fitter.fit(np.full((50, 200), 0xFFFFFF, np.uint32)) & 0xFFFFFF
    assert wide[50, 0] == 0xFFFFFF
    assert wide[5, 50] == 0
    patch = Patch(180, 30, np.full((20, 20), 0x0000FF, np.uint32))
    high = fitter.fit(np.full((200, 50), 0xFF00FF, np.uint32)) & 0xFFFFFF
    assert (high[50, 0], high[5, 50]) == (0, 0xFF00FF)
    pointed = fitter.fit(np.zeros((50, 200), np.uint32), patch) & 0xFFFFFF
    assert abs(int(pointed[57, 95]) - 0xFF) <= 3
    assert pointed[45, 10] == 0


def test_a_view_into_longer_rows_is_read_right():
    pixels = np.zeros((20, 40), np.uint32)
    pixels[:, 4:24] = 0x123456
    fitted = Fitter((40, 40)).fit(pixels[:, 4:24])
    assert set((fitted & 0xFCFCFC).ravel().tolist()) == {0x123456 & 0xFCFCFC}


@settings(max_examples=30)
@given(width=SIDE, height=SIDE, room_width=SIDE, room_height=SIDE)
def test_the_place_is_inside_and_touches_two_sides(width, height, room_width, room_height):
    x, y, shown_width, shown_height = letterbox_place((height, width), (room_height, room_width))
    assert 0 <= x <= x + shown_width <= room_width
    assert 0 <= y <= y + shown_height <= room_height
    assert shown_width == room_width or shown_height == room_height


@settings(max_examples=30)
@given(
    width=st.integers(64, 300), height=st.integers(64, 300),
    room_width=st.integers(64, 300), room_height=st.integers(64, 300), u=st.floats(0, 1), v=st.floats(0, 1),
)  # fmt: skip
def test_input_undoes_what_scaling_did(width, height, room_width, room_height, u, v):
    x, y, shown_width, shown_height = letterbox_place((height, width), (room_height, room_width))
    place = letterbox(Mode(room_width, room_height, 60_000), Mode(width, height, 60_000))
    back = place((x + u * shown_width) / room_width, (y + v * shown_height) / room_height)
    assert back == pytest.approx((u, v), abs=2.5 / min(shown_width, shown_height))
