import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.plan import ColourSpace
from punktfunk.realtime import colour
from punktfunk.realtime.kernels import convert as fast
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.reference import convert as slow

spaces = st.sampled_from(list(ColourSpace))


def planes(width: int, height: int, spare: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    wide, high = width + (width & 1), height + (height & 1)
    luma = np.full((high + 1, wide + spare), 7, np.uint8)
    return (
        luma,
        np.full((high // 2, wide // 2 + spare), 7, np.uint8),
        np.full((high // 2, wide + spare), 7, np.uint8),
    )


@given(st.integers(1, 80), st.integers(1, 12), st.integers(0, 9), st.integers(0, 9), spaces, st.booleans())
def test_both_layouts_equal_their_twins(
    width: int,
    height: int,
    padding: int,
    spare: int,
    space: ColourSpace,
    full_range: bool,  # noqa: FBT001  drawn by hypothesis
) -> None:
    pixels = np.random.default_rng(width * height).integers(
        0, 1 << 32, (height, width + padding), dtype=np.uint32
    )
    weights = colour.fixed_point(space, full_range=full_range)
    luma, half, chroma = planes(width, height, spare)
    ours = [luma.copy(), half.copy(), half.copy()]
    theirs = [plane.copy() for plane in ours]
    assert fast.convert_i420(pixels, width, *ours, weights) == 0
    slow.convert_i420(pixels, width, *theirs, weights)
    assert all(map(np.array_equal, ours, theirs))
    ours, theirs = ([luma.copy(), chroma.copy()] for _ in range(2))
    assert fast.convert_nv12(pixels, width, *ours, weights) == 0
    slow.convert_nv12(pixels, width, *theirs, weights)
    assert all(map(np.array_equal, ours, theirs))


@pytest.mark.parametrize("space", list(ColourSpace))
@pytest.mark.parametrize("full_range", [False, True])
def test_integers_stay_within_one_of_the_real_matrix(
    space: ColourSpace,
    full_range: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    levels = [0, 1, 16, 127, 128, 200, 254, 255]
    matrix, weights = (
        colour.matrix(space, full_range=full_range),
        colour.fixed_point(space, full_range=full_range),
    )
    for red in levels:
        for green in levels:
            for blue in levels:
                pixels = np.full((2, 2), red << 16 | green << 8 | blue, np.uint32)
                luma, u, v = (
                    np.zeros((2, 2), np.uint8),
                    np.zeros((1, 1), np.uint8),
                    np.zeros((1, 1), np.uint8),
                )
                assert fast.convert_i420(pixels, 2, luma, u, v, weights) == 0
                exact = np.clip(matrix @ [red, green, blue, 1], 0, 255)
                assert np.abs(np.array([luma[0, 0], u[0, 0], v[0, 0]], float) - exact).max() <= 0.51


@pytest.mark.parametrize("space", list(ColourSpace))
def test_grey_has_no_colour_and_the_ends_of_the_range_are_exact(space: ColourSpace) -> None:
    for full_range, black, white in ((False, 16, 235), (True, 0, 255)):
        weights = colour.fixed_point(space, full_range=full_range)
        for level in range(256):
            pixels = np.full((2, 2), level * 0x010101, np.uint32)
            luma, chroma = np.zeros((2, 2), np.uint8), np.zeros((1, 2), np.uint8)
            fast.convert_nv12(pixels, 2, luma, chroma, weights)
            assert (chroma == 128).all()
            assert level not in (0, 255) or luma[0, 0] == (white if level else black)


def test_the_unused_byte_does_not_matter_and_pixels_may_be_read_only() -> None:
    weights = colour.fixed_point(ColourSpace.BT709, full_range=False)
    pixels = np.random.default_rng(3).integers(0, 1 << 24, (4, 4), dtype=np.uint32)
    ours, theirs = (np.zeros((4, 4), np.uint8) for _ in range(2))
    fast.convert_nv12(pixels, 4, ours, np.zeros((2, 4), np.uint8), weights)
    pixels |= np.uint32(0xFF000000)
    pixels.flags.writeable = False
    fast.convert_nv12(pixels, 4, theirs, np.zeros((2, 4), np.uint8), weights)
    assert np.array_equal(ours, theirs)


def test_wrong_sizes_touch_nothing() -> None:
    weights = colour.fixed_point(ColourSpace.BT709, full_range=False)
    pixels = np.zeros((5, 5), np.uint32)
    luma, half, chroma = (
        np.full((6, 6), 7, np.uint8),
        np.full((3, 3), 7, np.uint8),
        np.full((3, 6), 7, np.uint8),
    )
    assert fast.convert_i420(pixels, 5, luma, half[:2], half, weights) == BAD_SIZE
    assert fast.convert_i420(pixels, 6, luma, half, half, weights) == BAD_SIZE
    assert fast.convert_i420(pixels, 5, luma[:5], half, half, weights) == BAD_SIZE
    assert fast.convert_nv12(pixels, 5, luma, half, weights) == BAD_SIZE
    assert fast.convert_nv12(pixels, 0, luma, chroma, weights) == BAD_SIZE
    assert fast.convert_nv12(pixels, 5, luma, chroma, weights[:4].copy()) == BAD_SIZE
    assert (luma == 7).all()
    assert (half == 7).all()
    assert (chroma == 7).all()
