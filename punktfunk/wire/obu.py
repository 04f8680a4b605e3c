"""AV1 open bitstream units (low-overhead format): walk, recognise key frames, ready a temporal unit to send.

    header    1 byte: type << 3 | has extension << 2 | has size << 1
    extension 1 byte, if it is there
    size      LEB128, 1 to 8 bytes, if it is there; else the unit runs to the end of the data
    payload

Clients pass AV1 on unparsed and believe the frame header's type and its last payload length
(moonlight-common-c, VideoDepacketizer.c, processRtpPayload), so the zeros that pad the last shard never reach
the decoder, and every unit here must carry its size. Spec: AV1 bitstream specification sections 5.3, 5.9.2
and 4.10.5 (LEB128); gamestream.md section 4.5.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from punktfunk.errors import LocalProtocolError, RemoteProtocolError

MAX_OBU_COUNT: Final = 4096
"""Units of one temporal unit that are walked; encoders make a handful."""
_HAS_EXTENSION: Final = 0x04
_HAS_SIZE: Final = 0x02
_MAX_SIZE: Final = 2**32 - 1


class ObuType(IntEnum):
    """Types that matter here; others pass through."""

    SEQUENCE_HEADER = 1
    TEMPORAL_DELIMITER = 2
    FRAME_HEADER = 3
    TILE_GROUP = 4
    METADATA = 5
    FRAME = 6
    REDUNDANT_FRAME_HEADER = 7
    TILE_LIST = 8
    PADDING = 15


class Obu(NamedTuple):
    """``header`` is one or two bytes, the size flag as found; ``payload`` has neither header nor size."""

    obu_type: int
    header: bytes
    payload: bytes


def parse_obus(data: bytes) -> list[Obu]:
    """Units of one temporal unit; RemoteProtocolError where lengths do not add up."""
    units: list[Obu] = []
    position = 0
    while position < len(data):
        if len(units) == MAX_OBU_COUNT:
            raise RemoteProtocolError(f"more than {MAX_OBU_COUNT} units in {len(data)} bytes")
        first = data[position]
        header_bytes = 2 if first & _HAS_EXTENSION else 1
        header = data[position : position + header_bytes]
        if first & 0x80 or len(header) < header_bytes:
            raise RemoteProtocolError(f"no unit header at byte {position} of {len(data)}")
        position += header_bytes
        size = len(data) - position
        if first & _HAS_SIZE:
            size, position = _parse_leb128(data, position)
        if size > len(data) - position:
            raise RemoteProtocolError(f"unit of {size} bytes at byte {position} of {len(data)}")
        units.append(Obu(first >> 3 & 0x0F, header, data[position : position + size]))
        position += size
    return units


def is_key_frame(units: list[Obu]) -> bool:
    """Whether a coded frame among ``units`` is a key frame (a repeated one, show_existing_frame, is not)."""
    still = False
    for unit in units:
        if not unit.payload:
            continue
        first = unit.payload[0]
        if unit.obu_type == ObuType.SEQUENCE_HEADER:
            still = bool(first & 0x08)  # reduced_still_picture_header: every frame is a key frame
        elif unit.obu_type in (ObuType.FRAME, ObuType.FRAME_HEADER) and (still or not first & 0xE0):
            return True
    return False


def normalise_temporal_unit(data: bytes, is_key: bool, sequence_header: bytes = b"") -> bytes:  # noqa: FBT001
    """One encoder packet as it is sent: no temporal delimiters, no padding, a size in every unit.

    A key frame starts with its sequence header, taken from ``sequence_header`` (whole units, such as the end
    of FFmpeg's extradata) where the packet has none. ``is_key`` is what the frame header will say.
    LocalProtocolError where the packet is malformed, disagrees with ``is_key``, or lacks a sequence header.
    """
    try:
        units = parse_obus(data)
        spare = parse_obus(sequence_header) if is_key and not _has_sequence_header(units) else []
    except RemoteProtocolError as error:
        raise LocalProtocolError(f"encoder made no AV1 temporal unit: {error}") from error
    if is_key_frame(units) != is_key:
        raise LocalProtocolError(f"frame header says key frame {is_key}, the AV1 bitstream does not")
    kept = [unit for unit in units if unit.obu_type not in _DROPPED]
    if is_key:
        headers = [unit for unit in (*kept, *spare) if unit.obu_type == ObuType.SEQUENCE_HEADER]
        if not headers:
            raise LocalProtocolError("AV1 key frame has no sequence header")
        kept = [headers[0], *(unit for unit in kept if unit.obu_type != ObuType.SEQUENCE_HEADER)]
    return b"".join(map(build_obu, kept))


def _has_sequence_header(units: list[Obu]) -> bool:
    return any(unit.obu_type == ObuType.SEQUENCE_HEADER for unit in units)


def build_obu(unit: Obu) -> bytes:
    """One unit with its size."""
    header = bytes((unit.header[0] | _HAS_SIZE,)) + unit.header[1:]
    return header + _build_leb128(len(unit.payload)) + unit.payload


def _parse_leb128(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[position : position + 8]):
        value |= (byte & 0x7F) << 7 * index
        if value > _MAX_SIZE:
            break
        if not byte & 0x80:
            return value, position + index + 1
    raise RemoteProtocolError(f"unit size at byte {position} does not end")


def _build_leb128(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


_DROPPED: Final = (ObuType.TEMPORAL_DELIMITER, ObuType.PADDING)
