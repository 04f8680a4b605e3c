"""NAL units by hand and from real encoders: walking, ordering, and bytes that are no video at all."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.plan import Codec
from punktfunk.wire.annexb import (
    NalKind,
    contains_idr,
    h264_sps_has_bitstream_restriction,
    normalise_access_unit,
    walk,
)

LONG, SHORT = b"\0\0\0\1", b"\0\0\1"
SPS, PPS, SEI, AUD, FILLER = b"\x67sps", b"\x68pps", b"\x06sei", b"\x09\xf0", b"\x0c\xff"
IDR, IDR_2, SLICE = b"\x65idr", b"\x65second", b"\x41slice"
H_VPS, H_SPS, H_PPS, H_SEI, H_AUD = b"\x40\1v", b"\x42\1s", b"\x44\1p", b"\x4e\1i", b"\x46\1\x50"
H_IDR, H_CRA, H_SLICE = b"\x26\1idr", b"\x2a\1cra", b"\x02\1slice"


def units(data, codec):
    return [data[nal.start : nal.end] for nal in walk(data, codec)]


def joined(*nals):
    return b"".join(LONG + nal for nal in nals)


def test_walk_names_and_bounds():
    data = b"junk" + LONG + SPS + b"\0\0" + SHORT + PPS + LONG + IDR + b"\0\0\0"
    assert units(data, Codec.H264) == [SPS, PPS, IDR]
    assert [nal.kind for nal in walk(data, Codec.H264)] == [NalKind.SPS, NalKind.PPS, NalKind.IDR]
    hevc = joined(H_AUD, H_VPS, H_SPS, H_PPS, H_SEI, H_CRA, H_SLICE, b"\x4c\1fd", b"\x50\1x", b"\x48\1")
    assert [nal.kind.name for nal in walk(hevc, Codec.HEVC)] == [
        "AUD", "VPS", "SPS", "PPS", "SEI", "IDR", "SLICE", "FILLER", "SEI", "OTHER",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (joined(AUD, SPS, PPS, SEI, IDR, IDR_2, FILLER), joined(SPS, PPS, IDR, IDR_2, FILLER)),
        (joined(PPS, SPS, SPS, IDR), joined(SPS, PPS, IDR)),
        (SHORT + SPS + SHORT + PPS + b"\0" + SHORT + IDR + SHORT + SEI, joined(SPS, PPS, IDR)),
        (joined(FILLER, SPS, PPS, IDR), joined(SPS, PPS, IDR)),
    ],
)
def test_h264_idr_is_put_in_order(data, expected):
    assert normalise_access_unit(data, Codec.H264, is_idr=True) == expected


@pytest.mark.parametrize("picture", [H_IDR, H_CRA])
def test_hevc_idr_is_put_in_order(picture):
    data = joined(H_AUD, H_PPS, H_SEI, H_SPS, H_VPS, picture)
    expected = joined(H_VPS, H_SPS, H_PPS, picture)
    assert normalise_access_unit(data, Codec.HEVC, is_idr=True) == expected
    assert contains_idr(data, Codec.HEVC)


def test_missing_parameter_sets_come_from_the_extradata():
    extradata = SHORT + SPS + SHORT + PPS
    assert normalise_access_unit(LONG + IDR, Codec.H264, True, extradata) == joined(SPS, PPS, IDR)  # noqa: FBT003
    with pytest.raises(LocalProtocolError, match="sequence parameter set"):
        normalise_access_unit(LONG + IDR, Codec.H264, is_idr=True)
    with pytest.raises(LocalProtocolError, match="video parameter set"):
        normalise_access_unit(joined(H_SPS, H_PPS, H_IDR), Codec.HEVC, is_idr=True)


def test_predicted_frames_start_with_their_slice():
    ready = joined(SLICE, SLICE)
    assert normalise_access_unit(ready, Codec.H264, is_idr=False) is ready
    for data in (joined(AUD, SEI, SLICE, SLICE), joined(PPS) + ready, SHORT + ready[4:], b"\0" + ready):
        assert normalise_access_unit(data, Codec.H264, is_idr=False) == ready
    hevc = joined(H_SLICE)
    assert normalise_access_unit(joined(H_AUD, H_VPS, H_SEI) + hevc, Codec.HEVC, is_idr=False) == hevc


def test_frame_header_and_bitstream_must_agree():
    for data, is_idr in [(joined(SPS, PPS, IDR), False), (joined(SLICE), True)]:
        assert contains_idr(data, Codec.H264) is not is_idr
        with pytest.raises(LocalProtocolError, match="bitstream starts with"):
            normalise_access_unit(data, Codec.H264, is_idr)


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\1", LONG, b"no start code", joined(AUD, SEI), joined(H_AUD, H_VPS)]
)
def test_no_picture(data):
    codec = Codec.HEVC if H_AUD in data else Codec.H264
    assert not contains_idr(data, codec)
    with pytest.raises(LocalProtocolError, match=f"no {codec.value} slice"):
        normalise_access_unit(data, codec, is_idr=False)
    assert h264_sps_has_bitstream_restriction(data) is False


def test_av1_is_refused():
    with pytest.raises(LocalProtocolError, match="av1"):
        list(walk(joined(SPS), Codec.AV1))


STREAMISH = st.lists(
    st.binary(max_size=12)
    | st.sampled_from([LONG, SHORT, b"\0", b"\0\0\1\x67", b"\0\0\1\x65\1", b"\0\0\1\x26\1"])
).map(b"".join)


@given(STREAMISH, st.sampled_from([Codec.H264, Codec.HEVC]), st.booleans())
def test_any_bytes_are_ordered_or_refused(data, codec, is_idr):
    previous = 0
    for nal in walk(data, codec):
        assert previous <= nal.start - 3
        assert nal.start < nal.end <= len(data)
        assert data[nal.start - 3 : nal.start] == SHORT
        assert SHORT not in data[nal.start : nal.end]
        previous = nal.end
    with contextlib.suppress(LocalProtocolError):
        ready = normalise_access_unit(data, codec, is_idr)
        assert ready.startswith(LONG)
        assert contains_idr(ready, codec) == is_idr
        assert normalise_access_unit(ready, codec, is_idr) == ready
    with contextlib.suppress(RemoteProtocolError):
        h264_sps_has_bitstream_restriction(data)


SAFE = st.binary(min_size=1, max_size=20).map(lambda body: body.replace(b"\0", b"\7") + b"\x80")


@given(st.lists(SAFE, min_size=1, max_size=4), st.lists(SAFE, max_size=2))
def test_truncation_at_every_byte_of_a_real_order(slices, infos):
    nals = [*(b"\x06" + info for info in infos), SPS, PPS, *(b"\x65" + body for body in slices)]
    data = joined(*nals)
    assert units(data, Codec.H264) == nals
    ready = normalise_access_unit(data, Codec.H264, is_idr=True)
    assert units(ready, Codec.H264) == nals[len(infos) :]
    for length in range(len(data)):
        with contextlib.suppress(LocalProtocolError):
            cut = normalise_access_unit(data[:length], Codec.H264, is_idr=True)
            assert ready.startswith(cut[:-1])
