"""4:4:4 and ten bits: kernels against their twins and against the real matrices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.plan import ColourSpace
from punktfunk.realtime import colour
from punktfunk.realtime.kernels import convert10, convert444
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.reference import convert10 as slow10
from punktfunk.realtime.reference import convert444 as slow444

spaces = st.sampled_from(list(ColourSpace))
sizes = (st.integers(1, 80), st.integers(1, 12), st.integers(0, 9), st.integers(0, 9))


def drawn(width, height, padding):
    random = np.random.default_rng(width * height)
    return random.integers(0, 1 << 32, (height, width + padding), dtype=np.uint32)


def planes(width, height, spare, kind, *, halved):
    wide, high = width + (width & 1), height + (height & 1)
    whole, half, pairs = (high + 1, wide + spare), (high // 2, wide // 2 + spare), (high // 2, wide + spare)
    shapes = {"420": (whole, half, half), "nv": (whole, pairs), "444": (whole,) * 3}[halved]
    return [np.full(shape, 7, kind) for shape in shapes]


@given(*sizes, spaces, st.booleans())
@settings(max_examples=40)
def test_planes_of_full_size_equal_their_twin(width, height, padding, spare, space, full_range):
    pixels = drawn(width, height, padding)
    weights = colour.fixed_point(space, full_range=full_range)
    ours, theirs = (planes(width, height, spare, np.uint8, halved="444") for _ in range(2))
    assert convert444.convert_444(pixels, width, *ours, weights) == 0
    slow444.convert_444(pixels, width, *theirs, weights)
    assert all(map(np.array_equal, ours, theirs))


@given(*sizes, spaces, st.booleans(), st.sampled_from([0, 6]))
@settings(max_examples=40)
def test_ten_bits_equal_their_twins_in_every_layout(width, height, padding, spare, space, full_range, shift):
    pixels = drawn(width, height, padding)
    weights = colour.fixed_point(space, full_range=full_range, bits=10)
    for halved, name in (("420", "convert_420_10"), ("nv", "convert_p010"), ("444", "convert_444_10")):
        ours, theirs = (planes(width, height, spare, np.uint16, halved=halved) for _ in range(2))
        assert getattr(convert10, name)(pixels, width, *ours, weights, shift) == 0
        getattr(slow10, name)(pixels, width, *theirs, weights, shift)
        assert all(map(np.array_equal, ours, theirs)), name


@pytest.mark.parametrize("space", list(ColourSpace))
@pytest.mark.parametrize("full_range", [False, True])
def test_ten_bits_stay_within_one_of_the_real_matrix(space, full_range):
    levels = [0, 4, 64, 511, 512, 900, 1023]
    real = colour.matrix(space, full_range=full_range, bits=10)
    weights = colour.fixed_point(space, full_range=full_range, bits=10)
    colours = np.array([(r, g, b) for r in levels for g in levels for b in levels])
    words = (colours[:, 0] << 20 | colours[:, 1] << 10 | colours[:, 2]).astype(np.uint32).reshape(1, -1)
    ours = planes(words.shape[1], 1, 0, np.uint16, halved="444")
    assert convert10.convert_444_10(words, words.shape[1], *ours, weights, 0) == 0
    exact = np.clip(np.c_[colours, np.ones(len(colours))] @ real.T, 0, 1023)
    got = np.stack([plane[0, : len(colours)] for plane in ours], axis=1)
    assert np.abs(got - exact).max() <= 0.53
    black, white = (0, 1023) if full_range else (64, 940)
    grey = (colours[:, 0] == colours[:, 1]) & (colours[:, 1] == colours[:, 2])
    assert (got[grey, 1:] == 512).all()
    assert got[0, 0] == black
    assert got[-1, 0] == white


def test_wrong_sizes_touch_nothing():
    weights = colour.fixed_point(ColourSpace.BT709, full_range=False)
    pixels = np.zeros((5, 5), np.uint32)
    bytes_, words = (planes(5, 5, 0, kind, halved="444") for kind in (np.uint8, np.uint16))
    short = bytes_[1][:4].copy()
    assert convert444.convert_444(pixels, 5, bytes_[0], short, bytes_[2], weights) == BAD_SIZE
    assert convert444.convert_444(pixels, 6, *bytes_, weights) == BAD_SIZE
    assert convert10.convert_444_10(pixels, 6, *words, weights, 0) == BAD_SIZE
    assert convert10.convert_444_10(pixels, 5, *words, weights, 7) == BAD_SIZE
    assert (
        convert10.convert_420_10(pixels, 5, words[0], words[1][:2].copy(), words[2], weights, 0) == BAD_SIZE
    )
    assert convert10.convert_p010(pixels, 5, words[0], words[1][:2].copy(), weights, 6) == BAD_SIZE
    assert convert10.convert_p010(pixels, 5, words[0][:5].copy(), words[1], weights, 0) == BAD_SIZE
    assert all((plane == 7).all() for plane in [*bytes_, *words])
