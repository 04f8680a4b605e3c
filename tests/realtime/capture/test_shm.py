"""Shapes, stale areas and the way pixels lie."""

from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest

from punktfunk.errors import EnvironmentProblem
from punktfunk.realtime.capture.shm import Buffer, BufferPool, Shape, as_bgrx, check_shape, upright

PICTURE = np.arange(12, dtype=np.uint32).reshape(3, 4)


def turned(transform):
    """Apply a wl_output transform: mirror first, then quarter turns counter-clockwise."""
    return np.rot90(np.fliplr(PICTURE) if transform & 4 else PICTURE, transform & 3)


@pytest.mark.parametrize("transform", range(8))
def test_every_transform_is_undone(transform):
    assert np.array_equal(upright(turned(transform), transform), PICTURE)


def test_flipped_180_is_upside_down():
    assert np.array_equal(upright(PICTURE[::-1], 6), PICTURE)


def test_a_tight_buffer_is_not_copied_and_a_padded_one_is():
    tight = Buffer(Shape(1, 4, 3, 16), None, PICTURE.copy())
    assert np.shares_memory(as_bgrx(tight, 0), tight.words)
    padded = Buffer(Shape(1, 3, 3, 16), None, PICTURE.copy())
    assert np.array_equal(as_bgrx(padded, 0), PICTURE[:, :3])
    assert as_bgrx(padded, 0).flags.c_contiguous


def test_red_and_blue_change_places():
    buffer = Buffer(Shape(0x34324258, 1, 1, 4), None, np.array([[0xFF112233]], np.uint32))
    assert as_bgrx(buffer, 0)[0, 0] == 0xFF332211


def test_many_stale_areas_become_the_one_around_them():
    buffer = Buffer(Shape(1, 100, 100, 400), None, np.zeros((100, 100), np.uint32), stale=[])
    for place in range(17):
        buffer.spoil([(place, 2 * place, 1, 3)])
    assert buffer.stale == [(0, 0, 17, 35)]


def test_a_buffer_never_filled_stays_wholly_stale():
    buffer = Buffer(Shape(1, 1, 1, 4), None, np.zeros((1, 1), np.uint32))
    buffer.spoil([(0, 0, 1, 1)])
    assert buffer.stale is None


@pytest.mark.parametrize(
    "shape",
    [
        Shape(7, 4, 4, 16),
        Shape(1, 0, 4, 16),
        Shape(1, 4, 4, 15),
        Shape(1, 8, 4, 16),
        Shape(1, 4, 1 << 28, 16),
    ],
)
def test_impossible_shapes_are_refused(shape):
    with pytest.raises(EnvironmentProblem):
        check_shape(shape)


def test_a_closed_pool_holds_no_memory_even_if_its_buffers_live_on():
    pool = BufferPool(MagicMock())
    shape = Shape(0, 64, 32, 256)
    buffers = [pool.take(shape) for _ in range(3)]
    picture = buffers[0].words
    assert len(mappings()) == 3
    pool.close()
    assert len(mappings()) == 1
    assert picture.shape == (32, 64)
    del picture
    assert mappings() == []


def mappings():
    """Descriptors of shared pictures that this process has open."""
    found = [entry.readlink() for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    return [target for target in found if "punktfunk-capture" in str(target)]
