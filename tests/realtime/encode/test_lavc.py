import os
import re
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from loopback_client import nothing_left, open_things
from stream_helpers import (
    HD,
    SMALL,
    assert_bars_are_right,
    decode_one,
    decoder,
    encode_plan,
    fill,
    luma,
)

from punktfunk.errors import EnvironmentProblem, PipelineFailed
from punktfunk.plan import Codec, ColourSpace, EncodePlan, Mode, TestcardSource
from punktfunk.realtime.capture import barcode
from punktfunk.realtime.capture.testcard import TestcardCapture
from punktfunk.realtime.encode.lavc import LavcEncoder
from punktfunk.realtime.encode.settings import rate_buffer_bits
from punktfunk.wire.annexb import h264_sps_has_bitstream_restriction

CODECS = list(Codec)


@pytest.fixture
def open_encoder():
    opened = []

    def opener(plan, mode):
        opened.append(LavcEncoder.open(plan, mode))
        return opened[-1]

    yield opener
    for encoder in opened:
        encoder.close()


@pytest.mark.parametrize("codec", CODECS)
def test_every_frame_comes_out_at_once_and_carries_its_barcode(open_encoder, codec):
    encoder = open_encoder(encode_plan(codec), HD)
    card = TestcardCapture(TestcardSource(HD))
    pictures = [encoder.new_picture() for _ in range(3)]
    client = decoder(codec)
    for number in range(12):
        card.draw_frame(1000 + number)
        picture = pictures[number % 3]
        fill(picture, card._pixels)
        (unit,) = encoder.encode(picture, key=number == 6)
        assert unit.is_key == (number in {0, 6})
        frame = decode_one(client, unit.data)
        assert (frame.width, frame.height) == (1280, 720)
        assert barcode.read(luma(frame)) == (number, 1000 + number)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("space", list(ColourSpace))
@pytest.mark.parametrize("codec", CODECS)
def test_colours_are_tagged_and_right(open_encoder, codec, space, full_range):
    encoder = open_encoder(encode_plan(codec, colour_space=space, full_range=full_range), SMALL)
    card = TestcardCapture(TestcardSource(SMALL))
    picture = encoder.new_picture()
    fill(picture, card._pixels, space, full_range=full_range)
    client = decoder(codec)
    for _ in range(4):
        frame = decode_one(client, encoder.encode(picture, key=False)[0].data)
    assert_bars_are_right(client, frame, space, full_range=full_range)


@pytest.mark.parametrize("codec", [Codec.H264, Codec.HEVC])
def test_key_frames_carry_headers_and_other_frames_none(open_encoder, codec):
    encoder = open_encoder(encode_plan(codec), SMALL)
    picture = encoder.new_picture()
    units = [encoder.encode(picture, key=number == 3)[0] for number in range(5)]
    for unit in units:
        heads = re.findall(rb"\x00\x00\x01(.)", unit.data, re.DOTALL)
        types = [head[0] & 31 if codec is Codec.H264 else head[0] >> 1 & 63 for head in heads]
        head = {Codec.H264: [7, 8, 5], Codec.HEVC: [32, 33, 34, 20]}[codec] if unit.is_key else [1]
        assert types[: len(head)] == head
        assert unit.data.startswith(b"\0\0\0\1")


def test_av1_key_frames_start_with_a_sequence_header(open_encoder):
    encoder = open_encoder(encode_plan(Codec.AV1), SMALL)
    picture = encoder.new_picture()
    units = [encoder.encode(picture, key=number == 2)[0] for number in range(4)]
    assert [unit.is_key for unit in units] == [True, False, True, False]
    assert [unit.data[0] >> 3 & 15 for unit in units] == [1, 6, 1, 6]


def test_h264_says_that_nothing_is_reordered(open_encoder):
    encoder = open_encoder(encode_plan(), SMALL)
    assert h264_sps_has_bitstream_restriction(encoder.encode(encoder.new_picture(), key=True)[0].data)


@pytest.mark.parametrize("codec", [Codec.H264, Codec.HEVC])
def test_a_key_frame_of_noise_is_no_larger_than_the_rate_buffer(open_encoder, codec):
    encoder = open_encoder(encode_plan(codec, 8_000_000), HD)
    picture = encoder.new_picture()
    noise = np.random.default_rng(3)
    sizes = []
    for number in range(8):
        picture.planes[0][:] = np.kron(
            noise.integers(16, 235, (90, picture.planes[0].shape[1] // 8)), np.ones((8, 8))
        )
        sizes.append(len(encoder.encode(picture, key=number in {0, 5})[0].data))
    # The first frame finds a rate control that knows nothing of the content yet.
    assert max(sizes[1:]) * 8 < rate_buffer_bits(8_000_000, HD) * 2
    assert sizes[0] * 8 < rate_buffer_bits(8_000_000, HD) * 3


@pytest.mark.parametrize("bitrate_bps", [5_000_000, 10_000_000, 20_000_000])
def test_key_frames_are_no_burst_at_1080p(open_encoder, bitrate_bps):
    mode = Mode(1920, 1080, 60_000)
    encoder = open_encoder(encode_plan(Codec.H264, bitrate_bps), mode)
    picture = encoder.new_picture()
    luma_plane = picture.planes[0]
    noise = np.random.default_rng(3).integers(16, 235, (4, *luma_plane.shape), np.uint8)
    sizes, key_sizes = [], []
    for number in range(14):
        # A key frame amid noise, and one out of stillness, when rate control expects nothing of the kind.
        luma_plane[:] = noise[number % 4] if number < 6 or number == 12 else 80
        key = number in {4, 12}
        (key_sizes if key else sizes).append(len(encoder.encode(picture, key=key)[0].data))
    mean_bytes = bitrate_bps / 60 / 8
    assert max(key_sizes) < 2 * mean_bytes
    assert max(sizes) < 3 * mean_bytes


@pytest.mark.parametrize("codec", CODECS)
def test_a_new_bitrate_takes_hold_with_a_key_frame(open_encoder, codec):
    mode = Mode(640, 360, 60_000)
    encoder = open_encoder(encode_plan(codec, 8_000_000), mode)
    noise = np.random.default_rng(5)
    client = decoder(codec)

    def bits(count):
        total = 0
        for _ in range(count):
            picture.planes[0][:] = np.kron(
                noise.integers(16, 235, (90, picture.planes[0].shape[1] // 4)), np.ones((4, 4))
            )
            (unit,) = encoder.encode(picture, key=False)
            decode_one(client, unit.data)
            total += len(unit.data) * 8
        return total

    picture = encoder.new_picture()
    before = bits(30)
    encoder.set_bitrate(8_000_000)
    encoder.set_bitrate(2_000_000)
    (unit,) = encoder.encode(picture, key=False)
    assert unit.is_key
    decode_one(client, unit.data)
    assert bits(30) < before / 1.5


@pytest.mark.parametrize(
    "mode", [Mode(1365, 767, 59_940), Mode(720, 1280, 120_000), Mode(64, 64, 30_000)], ids=str
)
@pytest.mark.parametrize("codec", CODECS)
def test_odd_portrait_and_tiny_modes(open_encoder, codec, mode):
    encoder = open_encoder(encode_plan(codec), mode)
    frame = decode_one(decoder(codec), encoder.encode(encoder.new_picture(), key=True)[0].data)
    assert (frame.width, frame.height) == ((mode.width_px + 1) & ~1, mode.height_px + 1 & ~1)


def tasks():
    return {int(entry.name) for entry in Path("/proc/self/task").iterdir()}


def test_no_thread_is_left_and_none_became_realtime(open_encoder):
    before = open_things()
    for codec in CODECS:
        encoder = LavcEncoder.open(encode_plan(codec), SMALL)
        encoder.encode(encoder.new_picture(), key=True)
        assert {os.sched_getscheduler(task) for task in tasks()} == {os.SCHED_OTHER}
        encoder.set_bitrate(3_000_000)
        encoder.encode(encoder.new_picture(), key=True)
        assert {os.sched_getscheduler(task) for task in tasks()} == {os.SCHED_OTHER}
        encoder.close()
        del encoder
    assert nothing_left(before)


@pytest.mark.parametrize("name", ["h264_nvenc", "h264_vaapi", "h264_qsv", "h264_amf"])
def test_missing_hardware_is_refused_in_words(name):
    plan = EncodePlan(Codec.H264, name, 5_000_000, ColourSpace.BT709, full_range=False)
    if Path("/dev/dri").exists() or Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    with pytest.raises(EnvironmentProblem, match=name):
        LavcEncoder.open(plan, SMALL)


class Silent:
    """A codec context that swallows everything, then fails."""

    time_base = 1
    extradata = None

    def __init__(self, error=None):
        self.error = error

    def encode(self, _frame):
        if self.error:
            raise self.error
        return []


def test_an_encoder_that_swallows_pictures_or_fails_is_given_up(open_encoder):
    encoder = open_encoder(encode_plan(), SMALL)
    picture = encoder.new_picture()
    encoder._context = Silent()
    assert [encoder.encode(picture, key=False) for _ in range(8)] == [[]] * 8
    with pytest.raises(PipelineFailed, match="nothing for 8 frames"):
        encoder.encode(picture, key=False)
    encoder._context = Silent(av.error.ExternalError(1, "broken"))
    with pytest.raises(PipelineFailed, match="libx264 failed at frame"):
        encoder.encode(picture, key=False)


def test_encoders_write_nothing_to_the_terminal():
    code = (
        "import sys; sys.path.insert(0, 'tests/realtime')\n"
        "from stream_helpers import encode_plan, SMALL\n"
        "from punktfunk.plan import Codec\n"
        "from punktfunk.realtime.encode.lavc import LavcEncoder\n"
        "for codec in Codec:\n"
        "    encoder = LavcEncoder.open(encode_plan(codec), SMALL)\n"
        "    encoder.encode(encoder.new_picture(), key=True)\n"
        "    encoder.close()\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
