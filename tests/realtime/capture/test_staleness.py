"""Pictures that are converted in part look as if all of them had been converted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.plan import ColourSpace
from punktfunk.realtime.capture.converter import Converter
from punktfunk.realtime.capture.drawing import Patch
from punktfunk.realtime.capture.staleness import Staleness
from punktfunk.realtime.encode.picture import Picture

regions = st.tuples(st.integers(-5, 70), st.integers(-5, 50), st.integers(1, 30), st.integers(1, 20))
changes = st.tuples(
    st.one_of(st.none(), st.lists(regions, max_size=20)),  # what changed
    st.integers(0, 2),  # which picture is filled
    st.one_of(st.none(), st.tuples(st.integers(0, 20), st.integers(0, 15))),  # where the pointer is, halved
    st.booleans(),  # whether the picture is seen by pf-capture at all
)


@given(
    st.lists(changes, max_size=8),
    st.sampled_from([(64, 48), (65, 47)]),
    st.sampled_from(["yuv420p", "nv12", "p010le"]),
)
@settings(max_examples=20)
def test_a_picture_in_parts_is_the_whole_picture(steps, size, layout):
    width, height = size
    random = np.random.default_rng(3)
    ten_bit = layout == "p010le"
    screen = random.integers(0, 1 << 30, (height, width), dtype=np.uint32)
    converter = Converter(ColourSpace.BT709, full_range=False)
    pictures = [Picture(width, height, layout) for _ in range(3)]
    staleness, pending = Staleness(), []
    for damage, index, pointer, seen in steps:
        for x, y, wide, high in [(0, 0, width, height)] if damage is None else damage:
            part = screen[max(y, 0) : max(y + high, 0), max(x, 0) : max(x + wide, 0)]
            part[:] = random.integers(0, 1 << 30, part.shape, dtype=np.uint32)
        pending = None if damage is None or pending is None else pending + damage
        if not seen:
            continue
        staleness.spoil(pending)
        pending = []
        patch = None
        if pointer is not None:
            patch = Patch(
                2 * pointer[0], 2 * pointer[1], random.integers(0, 1 << 30, (6, 4), dtype=np.uint32)
            )
        staleness.update(converter, screen, pictures[index], patch, ten_bit=ten_bit)
        whole = Picture(width, height, layout)
        converter.convert(screen, whole, ten_bit=ten_bit)
        if patch is not None:
            converter.lay(patch, whole)
        for ours, theirs in zip(pictures[index].planes, whole.planes, strict=True):
            assert np.array_equal(ours[:, :width], theirs[:, :width])


def test_little_is_converted_in_part_and_much_at_once():
    staleness = Staleness()
    converter = Converter(ColourSpace.BT709, full_range=False)
    screen, picture = np.zeros((90, 160), np.uint32), Picture(160, 90, "yuv420p")
    assert staleness.update(converter, screen, picture, None, ten_bit=False)
    staleness.spoil([(3, 3, 20, 20)])
    assert not staleness.update(converter, screen, picture, None, ten_bit=False)
    staleness.spoil([(0, 0, 160, 60)])
    assert staleness.update(converter, screen, picture, None, ten_bit=False)
    for _ in range(5):  # the same place over and over is one place
        staleness.spoil([(0, 0, 160, 25)])
    assert not staleness.update(converter, screen, picture, None, ten_bit=False)
    staleness.spoil([(number * 4, 0, 1, 90) for number in range(30)])  # many are the one around them
    assert staleness.update(converter, screen, picture, None, ten_bit=False)
    staleness.spoil(None)
    assert staleness.update(converter, screen, picture, None, ten_bit=False)


def test_what_failed_half_way_is_made_anew(monkeypatch):
    staleness, converter = Staleness(), Converter(ColourSpace.BT709, full_range=False)
    screen, picture = np.zeros((90, 160), np.uint32), Picture(160, 90, "yuv420p")
    staleness.update(converter, screen, picture, None, ten_bit=False)
    staleness.spoil([(3, 3, 20, 20)])
    monkeypatch.setattr(Converter, "lay", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        staleness.update(converter, screen, picture, None, ten_bit=False)
    monkeypatch.undo()
    assert staleness.update(converter, screen, picture, None, ten_bit=False)
