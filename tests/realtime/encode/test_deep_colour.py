"""4:4:4 and HDR10, from packed pixels through kernel and encoder to what a client's decoder shows."""

import numpy as np
import pytest
from stream_helpers import RED_BLUE, SMALL, decode_one, decoder, encode_plan

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Codec, ColourSpace
from punktfunk.realtime.capture.converter import Converter
from punktfunk.realtime.capture.drawing import Patch
from punktfunk.realtime.encode.lavc import LavcEncoder
from punktfunk.realtime.encode.picture import Picture

COLUMNS = ((1, 0, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1))


def stripes(bits):
    """Columns one pixel wide whose colours 4:2:0 would mix: (height, width) words and (width, 3) values."""
    top = (1 << bits) - 1
    colours = np.array([COLUMNS[x % 4] for x in range(SMALL.width_px)]) * top
    words = (colours[:, 0] << 2 * bits | colours[:, 1] << bits | colours[:, 2]).astype(np.uint32)
    return np.tile(words, (SMALL.height_px, 1)), colours


def shown(frame, bits, space):
    """Undo the conversion of limited range in the middle row: (width, 3) red, green, blue."""
    kind, step, top = (np.uint8, 1, 255) if bits == 8 else (np.uint16, 4, 1023)
    y, u, v = (
        np.frombuffer(plane, kind).reshape(plane.height, -1)[frame.height // 2, : frame.width].astype(float)
        for plane in frame.planes
    )
    red_weight, blue_weight = RED_BLUE[space]
    light = (y - 16 * step) / (219 * step)
    blue = light + (u - 128 * step) / (224 * step) * 2 * (1 - blue_weight)
    red = light + (v - 128 * step) / (224 * step) * 2 * (1 - red_weight)
    green = (light - red_weight * red - blue_weight * blue) / (1 - red_weight - blue_weight)
    return np.stack([red, green, blue], axis=1) * top


@pytest.mark.parametrize(
    ("codec", "bits", "space", "name"),
    [
        (Codec.H264, 8, ColourSpace.BT709, "yuv444p"),
        (Codec.HEVC, 8, ColourSpace.BT709, "yuv444p"),
        (Codec.HEVC, 10, ColourSpace.BT2020, "yuv444p10le"),
    ],
)
def test_full_chroma_keeps_columns_of_one_pixel_apart(codec, bits, space, name):
    words, colours = stripes(bits)
    plan = encode_plan(codec, 40_000_000, space, bit_depth=bits, chroma_444=True)
    encoder = LavcEncoder.open(plan, SMALL)
    client = decoder(codec)
    picture = encoder.new_picture()
    Converter(space, full_range=False).convert(words, picture, ten_bit=bits == 10)
    for _ in range(3):
        (unit,) = encoder.encode(picture, key=False)
        frame = decode_one(client, unit.data)
    encoder.close()
    assert frame.format.name == name
    assert np.abs(shown(frame, bits, space) - colours).max() < 20 * (1 << bits - 8)


@pytest.mark.parametrize(("codec", "lossy"), [(Codec.HEVC, 12), (Codec.AV1, 24)])
def test_hdr10_is_tagged_and_keeps_ten_bits(codec, lossy):
    grey = np.linspace(0, 1023, SMALL.width_px).astype(np.uint32)
    words = np.tile(grey << 20 | grey << 10 | grey, (SMALL.height_px, 1))
    plan = encode_plan(codec, 20_000_000, ColourSpace.BT2020, bit_depth=10)
    encoder = LavcEncoder.open(plan, SMALL)
    client = decoder(codec)
    picture = encoder.new_picture()
    Converter(ColourSpace.BT2020, full_range=False).convert(words, picture, ten_bit=True)
    for _ in range(3):
        (unit,) = encoder.encode(picture, key=False)
        frame = decode_one(client, unit.data)
    encoder.close()
    assert frame.format.name == "yuv420p10le"
    assert (int(client.color_primaries), int(client.color_trc), int(client.colorspace)) == (9, 16, 9)
    luma = np.frombuffer(frame.planes[0], np.uint16).reshape(SMALL.height_px, -1)[90, : SMALL.width_px]
    assert np.abs(luma.astype(float) - (64 + grey * 876 / 1023)).max() < lossy
    assert np.unique(luma).size > 256  # more steps than eight bits have


def test_depths_that_differ_are_refused():
    words = np.zeros((180, 320), np.uint32)
    converter = Converter(ColourSpace.BT2020, full_range=False)
    with pytest.raises(EnvironmentProblem, match="gives 8 bit and the stream was agreed on 10"):
        converter.convert(words, Picture(320, 180, "p010le"))
    with pytest.raises(EnvironmentProblem, match="gives 10 bit"):
        converter.convert(words, Picture(320, 180, "nv12"), ten_bit=True)


@pytest.mark.parametrize(
    "name", ["yuv420p", "nv12", "yuv444p", "yuv420p10le", "p010le", "yuv444p10le", "yuv444p16le"]
)
@pytest.mark.parametrize("size", [(64, 48), (33, 21)])
def test_a_patch_looks_as_if_it_had_been_there_before(name, size):
    width, height = size
    random = np.random.default_rng(4)
    words = random.integers(0, 1 << 30, (height, width), dtype=np.uint32)
    ten_bit = "10" in name or "16" in name
    converter = Converter(ColourSpace.BT709, full_range=False)
    whole, patched = (Picture(width, height, name) for _ in range(2))
    left, top = 20, 10
    patch = random.integers(0, 1 << 30, (min(8, height - top), min(14, width - left)), dtype=np.uint32)
    converter.convert(words, patched, ten_bit=ten_bit)
    converter.lay(Patch(left, top, patch), patched)
    words[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
    converter.convert(words, whole, ten_bit=ten_bit)
    for ours, theirs in zip(patched.planes, whole.planes, strict=True):
        assert np.array_equal(ours, theirs)
