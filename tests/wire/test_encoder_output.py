"""What real encoders make, put in client's order, still decodes; their key-frame flag is not trusted."""

from fractions import Fraction

import av
import numpy as np
import pytest

from punktfunk.plan import Codec
from punktfunk.wire.annexb import NalKind, contains_idr, normalise_access_unit, walk
from punktfunk.wire.h264_sps import parse_sps
from punktfunk.wire.obu import ObuType, is_key_frame, normalise_temporal_unit, parse_obus

FRAME_COUNT = 7
FORCED_IDR = 5
X265 = "repeat-headers=1:bframes=0:aud=1:log-level=none:pools=none"


def encode(name, options):
    context = av.CodecContext.create(name, "w")
    context.width, context.height, context.pix_fmt = 130, 96, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 60), 60
    context.bit_rate, context.max_b_frames, context.thread_count = 400_000, 0, 1
    context.options = options
    packets = []
    noise = np.random.default_rng(1)
    for index in range(FRAME_COUNT):
        picture = noise.integers(0, 255, (144, 130), dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = index
        if index == FORCED_IDR:
            frame.pict_type = av.video.frame.PictureType.I
        packets += context.encode(frame)
    return packets + context.encode(None)


def decoded_count(name, units):
    context = av.CodecContext.create(name, "r")
    context.thread_count = 1
    return sum(len(context.decode(av.Packet(unit))) for unit in units) + len(context.decode(None))


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("libx264", Codec.H264, {"preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1"}),
        (
            "libx264",
            Codec.H264,
            {
                "preset": "ultrafast",
                "tune": "zerolatency",
                "forced-idr": "1",
                "intra-refresh": "1",
                "x264-params": "keyint=3:aud=1:slices=3",
            },
        ),
        ("libx265", Codec.HEVC, {"preset": "ultrafast", "forced-idr": "1", "x265-params": X265}),
    ],
)
def test_access_units(name, codec, options):
    packets = encode(name, options)
    units = []
    for packet in packets:
        data = bytes(packet)
        unit = normalise_access_unit(data, codec, contains_idr(data, codec))
        kinds = [nal.kind for nal in walk(unit, codec)]
        if contains_idr(data, codec):
            sets = [NalKind.VPS] * (codec is Codec.HEVC) + [NalKind.SPS, NalKind.PPS]
            assert kinds[: len(sets)] == sets
            assert set(kinds[len(sets) :]) == {NalKind.IDR}
        else:
            assert set(kinds) == {NalKind.SLICE}
        units.append(unit)
    idrs = [contains_idr(unit, codec) for unit in units]
    assert [index for index, idr in enumerate(idrs) if idr] == [0, FORCED_IDR]
    if "intra-refresh" in options:  # recovery points carry FFmpeg's key flag, and are no IDR
        assert sum(packet.is_keyframe for packet in packets) > sum(idrs)
    assert decoded_count("h264" if codec is Codec.H264 else "hevc", units) == FRAME_COUNT
    if codec is Codec.H264:
        sps = next(walk(units[0], codec))
        parsed = parse_sps(units[0][sps.start : sps.end])
        assert (parsed.width_px, parsed.height_px) == (130, 96)
        assert parsed.usability.reorder_frame_count == 0


def test_av1_temporal_units(monkeypatch):
    monkeypatch.setenv("SVT_LOG", "-1")
    options = {"preset": "12", "svtav1-params": "pred-struct=1:rc=2:lp=1"}
    units = []
    for packet in encode("libsvtav1", options):
        data = bytes(packet)
        unit = normalise_temporal_unit(data, is_key_frame(parse_obus(data)))
        types = [obu.obu_type for obu in parse_obus(unit)]
        assert ObuType.TEMPORAL_DELIMITER not in types
        assert (types[0] == ObuType.SEQUENCE_HEADER) == is_key_frame(parse_obus(data))
        units.append(unit)
    assert is_key_frame(parse_obus(units[0]))
    assert decoded_count("libdav1d", units) == FRAME_COUNT
