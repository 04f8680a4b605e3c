import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.realtime.capture import barcode
from punktfunk.realtime.capture.barcode import Stamp

NUMBERS = st.integers(0, 2**32 - 1)
TIMES = st.integers(0, 2**64 - 1)


@settings(max_examples=60)
@given(NUMBERS, TIMES, st.integers(136, 700), st.integers(24, 500))
def test_what_is_drawn_is_read(number, captured_ns, width, height):
    pixels = np.full((height, width), 0x808080, np.uint32)
    barcode.draw(pixels, Stamp(number, captured_ns))
    assert barcode.read((pixels & 255).astype(np.uint8)) == (number, captured_ns)


@pytest.mark.parametrize(("width", "height"), [(1365, 767), (137, 25), (543, 95), (545, 97)])
def test_padding_to_even_does_not_move_it(width, height):
    pixels = np.full((height, width), 0x808080, np.uint32)
    barcode.draw(pixels, Stamp(7, 8))
    padded = np.pad(pixels, ((0, height & 1), (0, width & 1)), "edge")
    assert barcode.read((padded & 255).astype(np.uint8)) == (7, 8)


def test_colours_in_any_order_and_any_brightness():
    pixels = np.zeros((720, 1280), np.uint32)
    barcode.draw(pixels, Stamp(1, 2))
    bgr = np.stack([pixels >> shift & 255 for shift in (0, 8, 16)], axis=2).astype(np.uint8)
    assert barcode.read(bgr) == (1, 2)
    assert barcode.read(bgr // 3 + 60) == (1, 2)


def test_noise_is_survived_and_damage_is_noticed():
    pixels = np.zeros((720, 1280), np.uint32)
    barcode.draw(pixels, Stamp(123456, 987654321))
    grey = (pixels & 255).astype(np.int16)
    noise = np.random.default_rng(1).integers(-60, 60, grey.shape)
    assert barcode.read(np.clip(grey + noise, 0, 255).astype(np.uint8)) == (123456, 987654321)
    grey[16:32, 16:32] = 251 - grey[16:32, 16:32]
    assert barcode.read(grey.astype(np.uint8)) is None


@settings(max_examples=50)
@given(st.integers(1, 400), st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_any_picture_is_read_without_an_error(width, height, seed):
    picture = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    assert barcode.read(picture) is None


def test_too_small_a_picture_stays_as_it_is():
    pixels = np.zeros((20, 100), np.uint32)
    barcode.draw(pixels, Stamp(1, 2))
    assert not pixels.any()
