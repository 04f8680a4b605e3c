"""H.264 and HEVC byte streams (Annex B): walk the NAL units, name them, put an access unit in client's order.

    start code  00 00 01, perhaps with more zeros in front
    NAL unit    header, payload; H.264: type = header & 31, HEVC: type = header >> 1 & 63

What a Moonlight client wants (moonlight-common-c, VideoDepacketizer.c, processRtpPayload and
processAvcHevcRtpPayloadSlow; gamestream.md section 4.5): an IDR frame starts with SPS, PPS (HEVC: VPS, SPS,
PPS), then come IDR slices and nothing else but filler; other frames start with a slice, never with parameter
sets, delimiters or SEI; the first start code is the long one, as Sunshine sends it. Picture parameters inside
an SPS are read by ``h264_sps``.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from punktfunk.errors import LocalProtocolError
from punktfunk.plan import Codec
from punktfunk.wire.h264_sps import parse_sps

START_CODE: Final = b"\0\0\1"
LONG_START_CODE: Final = b"\0\0\0\1"


class NalKind(Enum):
    """What a NAL unit is for, whatever the codec calls it."""

    SLICE = "slice"
    IDR = "IDR slice"
    VPS = "video parameter set"
    SPS = "sequence parameter set"
    PPS = "picture parameter set"
    SEI = "supplemental information"
    AUD = "access unit delimiter"
    FILLER = "filler"
    OTHER = "other"


class Nal(NamedTuple):
    """``data[start:end]`` is the unit from its header to its last byte that is not zero."""

    kind: NalKind
    start: int
    end: int


_H264_KINDS: Final = {
    **dict.fromkeys(range(1, 5), NalKind.SLICE),
    5: NalKind.IDR,
    6: NalKind.SEI,
    7: NalKind.SPS,
    8: NalKind.PPS,
    9: NalKind.AUD,
    12: NalKind.FILLER,
}
_HEVC_KINDS: Final = {
    **dict.fromkeys(range(32), NalKind.SLICE),
    **dict.fromkeys(
        range(16, 22), NalKind.IDR
    ),  # IDR, BLA and CRA: what mcc takes for the start of an IDR frame
    32: NalKind.VPS,
    33: NalKind.SPS,
    34: NalKind.PPS,
    35: NalKind.AUD,
    38: NalKind.FILLER,
    39: NalKind.SEI,
    40: NalKind.SEI,
}
_PICTURE: Final = (NalKind.SLICE, NalKind.IDR)


def walk(data: bytes, codec: Codec) -> Iterator[Nal]:
    """NAL units in order; bytes in front of the first start code and empty units are passed over.

    Total on any bytes, in time linear in their number.
    """
    start = _next_header(data, 0)
    while start is not None:
        following = data.find(START_CODE, start)
        end = len(data) if following < 0 else following
        end = start + len(data[start:end].rstrip(b"\0"))
        if end > start:
            yield Nal(_kind(codec, data, start), start, end)
        start = None if following < 0 else following + len(START_CODE)


def contains_idr(data: bytes, codec: Codec) -> bool:
    """Whether the access unit's first slice is one of an IDR frame."""
    first = _first_picture(data, codec)
    return first is not None and first[0] is NalKind.IDR


def normalise_access_unit(data: bytes, codec: Codec, is_idr: bool, parameter_sets: bytes = b"") -> bytes:  # noqa: FBT001
    """One encoder packet as a client takes it; returned unchanged where nothing needs to change.

    ``is_idr`` is what the frame header will say. It must agree with the bitstream (``contains_idr``; FFmpeg's
    key-frame flag is also set on recovery points, which are no IDR), else clients wait for ever.
    ``parameter_sets`` is the encoder's extradata, for encoders that do not repeat them in band.
    LocalProtocolError where there is no slice, no agreement, or an IDR frame without its parameter sets.
    """
    first = _first_picture(data, codec)
    if first is None:
        raise LocalProtocolError(f"access unit of {len(data)} bytes has no {codec.value} slice")
    kind, start = first
    if (kind is NalKind.IDR) != is_idr:
        raise LocalProtocolError(f"frame header says IDR {is_idr}, bitstream starts with a {kind.value}")
    if is_idr:
        return _idr_unit(data, codec, parameter_sets)
    if start == len(LONG_START_CODE) and data.startswith(LONG_START_CODE):
        return data
    return LONG_START_CODE + data[start:]


def h264_sps_has_bitstream_restriction(access_unit: bytes) -> bool:
    """Whether the H.264 SPS in ``access_unit`` limits reordering; without it decoders may hold frames back.

    False where there is no SPS; RemoteProtocolError where it cannot be read.
    """
    for nal in walk(access_unit, Codec.H264):
        if nal.kind is NalKind.SPS:
            sps = parse_sps(access_unit[nal.start : nal.end])
            return sps.usability.reorder_frame_count is not None
        if nal.kind in _PICTURE:
            break
    return False


def _next_header(data: bytes, position: int) -> int | None:
    found = data.find(START_CODE, position)
    return None if found < 0 else found + len(START_CODE)


def _first_picture(data: bytes, codec: Codec) -> tuple[NalKind, int] | None:
    """Kind and header offset of the first slice. Does not look for its end: frames can be megabytes."""
    start = _next_header(data, 0)
    while start is not None:
        kind = _kind(codec, data, start)
        if kind in _PICTURE:
            return kind, start
        start = _next_header(data, start)
    return None


def _idr_unit(data: bytes, codec: Codec, parameter_sets: bytes) -> bytes:
    order = (NalKind.SPS, NalKind.PPS) if codec is Codec.H264 else (NalKind.VPS, NalKind.SPS, NalKind.PPS)
    sets: dict[NalKind, list[bytes]] = {kind: [] for kind in order}
    picture: list[bytes] = []
    for nal in walk(data, codec):
        unit = data[nal.start : nal.end]
        if nal.kind in sets and unit not in sets[nal.kind]:
            sets[nal.kind].append(unit)
        elif nal.kind in (*_PICTURE, NalKind.FILLER) and (picture or nal.kind is NalKind.IDR):
            picture.append(unit)
    for nal in walk(parameter_sets, codec):
        if nal.kind in sets and not sets[nal.kind]:
            sets[nal.kind].append(parameter_sets[nal.start : nal.end])
    if missing := [kind.value for kind, units in sets.items() if not units]:
        raise LocalProtocolError(f"{codec.value} IDR frame lacks its {', '.join(missing)}")
    units = [unit for kind in order for unit in sets[kind]] + picture
    return b"".join(LONG_START_CODE + unit for unit in units)


def _kind(codec: Codec, data: bytes, start: int) -> NalKind:
    if codec is Codec.H264:
        return _H264_KINDS.get(data[start] & 0x1F, NalKind.OTHER) if start < len(data) else NalKind.OTHER
    if codec is not Codec.HEVC:
        raise LocalProtocolError(f"{codec.value} has no NAL units")
    if start + 1 >= len(data) or not data[start + 1] & 7:  # nuh_temporal_id_plus1 is never 0
        return NalKind.OTHER
    return _HEVC_KINDS.get(data[start] >> 1 & 0x3F, NalKind.OTHER)
