"""Sequence parameter sets of x264, hand-made ones, and damaged ones."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.annexb import h264_sps_has_bitstream_restriction
from punktfunk.wire.h264_sps import Usability, parse_sps

# x264, 320x180, zerolatency, baseline: usability information with a bitstream restriction of 0 and 1 frame.
X264 = bytes.fromhex("6742c015da05067e784000000300400000" + "1e23c58ba8")


class Writer:
    """Bits into bytes, so that tests choose every field."""

    def __init__(self):
        self.bits = ""

    def u(self, count, value):
        self.bits += f"{value:0{count}b}" if count else ""
        return self

    def ue(self, *values):
        for value in values:
            code = f"{value + 1:b}"
            self.bits += "0" * (len(code) - 1) + code
        return self

    def nal(self, profile=66, level=31):
        bits = self.bits + "1"
        bits += "0" * (-len(bits) % 8)
        body = bytes(int(bits[n : n + 8], 2) for n in range(0, len(bits), 8))
        return b"\x67" + bytes((profile, 0, level)) + escape(body)


def escape(body):
    """Emulation prevention, byte by byte as the standard has it."""
    out = bytearray()
    for byte in body:
        if byte <= 3 and out[-2:] == b"\0\0":
            out.append(3)
        out.append(byte)
    return bytes(out)


def base(width_mbs, height_units, frames_only=1):
    writer = Writer().ue(0, 0, 2, 1).u(1, 0).ue(width_mbs - 1, height_units - 1).u(1, frames_only)
    return (writer if frames_only else writer.u(1, 0)).u(1, 1)


def test_x264():
    sps = parse_sps(X264)
    assert (sps.profile, sps.level, sps.width_px, sps.height_px) == (66, 21, 320, 180)
    assert sps.usability.reorder_frame_count == 0
    assert sps.usability.buffered_frame_count == sps.reference_frame_count
    assert h264_sps_has_bitstream_restriction(b"\0\0\0\1" + X264)


def test_cropping_and_no_usability_information():
    sps = parse_sps(base(120, 68).u(1, 1).ue(0, 0, 0, 4).u(1, 0).nal())
    assert (sps.width_px, sps.height_px, sps.usability) == (1920, 1080, Usability())
    interlaced = parse_sps(base(120, 34, frames_only=0).u(1, 1).ue(0, 0, 0, 2).u(1, 0).nal())
    assert (interlaced.width_px, interlaced.height_px) == (1920, 1080)


def rate_model(writer):
    return writer.u(1, 1).ue(1).u(8, 0).ue(5, 6).u(1, 0).ue(7, 8).u(1, 1).u(20, 0)


@pytest.mark.parametrize("rates", [0, 1, 2])
@pytest.mark.parametrize("restricted", [False, True])
def test_usability_information(rates, restricted):
    writer = base(80, 45).u(1, 0).u(1, 1)
    writer.u(1, 1).u(8, 255).u(16, 1).u(16, 1)  # sample aspect ratio
    writer.u(1, 1).u(1, 0)  # overscan
    writer.u(1, 1).u(3, 5).u(1, 1).u(1, 1).u(8, 9).u(8, 16).u(8, 10)  # colour
    writer.u(1, 1).ue(0, 0)  # chroma location
    writer.u(1, 1).u(32, 1).u(32, 120).u(1, 1)  # timing
    writer = rate_model(writer) if rates >= 1 else writer.u(1, 0)
    writer = rate_model(writer) if rates == 2 else writer.u(1, 0)
    if rates:
        writer.u(1, 0)
    writer.u(1, 0).u(1, int(restricted))
    if restricted:
        writer.u(1, 1).ue(0, 0, 10, 10, 0, 1)
    usability = parse_sps(writer.nal()).usability
    assert usability == Usability(True, 9, 16, 10, *((0, 1) if restricted else (None, None)))  # noqa: FBT003
    assert h264_sps_has_bitstream_restriction(b"\0\0\1" + writer.nal()) is restricted


def test_high_profile_with_scaling_lists():
    writer = Writer().ue(0, 1, 0, 0).u(1, 0).u(1, 1).u(1, 1)
    for _ in range(16):
        writer.ue(0)  # delta 0: the whole list of 16
    writer.u(1, 1).ue(16)  # delta -8: the list ends at once
    writer.u(6, 0).ue(0, 1).u(1, 0).ue(2, 4, 1, 3)  # order type 1: two offsets, a cycle of one
    writer.ue(4).u(1, 0).ue(119, 67).u(1, 1).u(1, 1).u(1, 0).u(1, 0)
    sps = parse_sps(writer.nal(profile=100))
    assert (sps.profile, sps.width_px, sps.height_px, sps.reference_frame_count) == (100, 1920, 1088, 4)


@pytest.mark.parametrize(
    "nal", [b"", b"\x67", b"\x68\x42\0\x1f\xff", bytes(5000), b"\x67\x42\0\x1f" + bytes(20)]
)
def test_what_is_no_set_is_refused(nal):
    with pytest.raises(RemoteProtocolError):
        parse_sps(nal)


def test_truncation_at_every_byte():
    for length in range(len(X264) - 1):
        with contextlib.suppress(RemoteProtocolError):
            parse_sps(X264[:length])
    with pytest.raises(RemoteProtocolError):
        parse_sps(X264[:10])


@given(st.binary(max_size=80), st.sampled_from([66, 100, 244]))
def test_garbage_only_raises_remote_protocol_error(body, profile):
    with contextlib.suppress(RemoteProtocolError):
        parse_sps(b"\x67" + bytes((profile, 0, 31)) + body)


def test_a_flipped_bit_never_escapes():
    for bit in range(8 * len(X264)):
        nal = bytearray(X264)
        nal[bit // 8] ^= 1 << bit % 8
        with contextlib.suppress(RemoteProtocolError):
            parse_sps(bytes(nal))
