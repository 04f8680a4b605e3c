import numpy as np
import pytest
from stream_helpers import fill

from punktfunk.errors import PipelineFailed
from punktfunk.plan import ColourSpace
from punktfunk.realtime.capture.converter import Converter
from punktfunk.realtime.encode.picture import Picture


def noise(width, height):
    return np.random.default_rng(2).integers(0, 2**24, (height, width)).astype(np.uint32)


@pytest.mark.parametrize("space", list(ColourSpace))
@pytest.mark.parametrize(("width", "height"), [(64, 48), (333, 121)])
def test_an_encoders_planes_hold_what_the_textbook_says(width, height, space):
    pixels = noise(width, height)
    ours, textbook, pairs = (Picture(width, height, name) for name in ("yuv420p", "yuv420p", "nv12"))
    converter = Converter(space, full_range=False)
    converter.convert(pixels, ours)
    converter.convert(np.asfortranarray(pixels), pairs)
    fill(textbook, pixels, space)
    half = np.s_[:, : ours.width_px // 2]
    for mine, theirs, part in zip(
        ours.planes, textbook.planes, (np.s_[:, : ours.width_px], half, half), strict=True
    ):
        assert np.abs(mine[part].astype(int) - theirs[part]).max() <= 1
    assert (pairs.planes[1][:, : ours.width_px : 2] == ours.planes[1][half]).all()
    assert (pairs.planes[1][:, 1 : ours.width_px : 2] == ours.planes[2][half]).all()


def test_a_picture_that_is_too_small_is_refused():
    with pytest.raises(PipelineFailed, match="128x64 does not fit"):
        Converter(ColourSpace.BT709, full_range=True).convert(noise(128, 64), Picture(64, 64, "yuv420p"))
