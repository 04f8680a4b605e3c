"""Scaling against its slow twin: every size, odd ones too, and views into longer rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.realtime.kernels import scale as fast
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.reference import scale as slow

SIDE = st.integers(1, 40)


def noise(seed, height, width):
    words = np.random.default_rng(seed).integers(0, 1 << 32, (height, width), np.uint64)
    return words.astype(np.uint32)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 99),
    height=SIDE,
    width=SIDE,
    high=SIDE,
    wide=SIDE,
    gap=st.integers(0, 3),
    left=st.integers(0, 5),
)
def test_stretch_is_its_twin(seed, height, width, high, wide, gap, left):
    source = noise(seed, height, width + gap)
    columns = np.random.default_rng(seed).integers(0, width * 256, wide, np.int32)
    rows = np.random.default_rng(seed + 1).integers(0, height * 256, high, np.int32)
    mixed = np.empty(width, np.uint32)
    ours, theirs = np.zeros((2, high, left + wide + gap), np.uint32)
    assert fast.stretch(source, width, columns, rows, mixed, ours, left) == 0
    slow.stretch(source, width, columns, rows, mixed, theirs, left)
    assert (ours == theirs).all()


@settings(max_examples=30)
@given(seed=st.integers(0, 99), height=SIDE, width=SIDE, odd=st.integers(0, 1))
def test_halve_is_its_twin(seed, height, width, odd):
    source = noise(seed, 2 * height + odd, 2 * width + odd)
    ours, theirs = np.zeros((2, height, width), np.uint32)
    assert fast.halve(source, ours) == 0
    slow.halve(source, theirs)
    assert (ours == theirs).all()


@pytest.mark.parametrize(
    "lacking", [(3, 4, 4, 4, 0), (4, 3, 4, 4, 0), (4, 4, 3, 4, 0), (4, 4, 4, 4, 1), (4, 4, 4, 4, -1)]
)
def test_what_is_too_small_is_refused(lacking):
    row_count, mixed_count, width, wide, left = lacking
    columns, rows = np.zeros(4, np.int32), np.zeros(row_count, np.int32)
    target = np.zeros((4, wide), np.uint32)
    mixed = np.zeros(mixed_count, np.uint32)
    assert fast.stretch(noise(0, 4, width), 4, columns, rows, mixed, target, left) == BAD_SIZE
    assert fast.halve(noise(0, 4, 4), np.zeros((3, 2), np.uint32)) == BAD_SIZE
