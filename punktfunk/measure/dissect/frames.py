"""QUIC frames of an opened packet: those that carry something; the others are skipped by their layout.

RFC 9000 section 19 (frames) and 16 (variable-length integers), RFC 9221 section 4 (DATAGRAM).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from punktfunk.errors import RemoteProtocolError


@dataclass(frozen=True, slots=True)
class CryptoData:
    """A piece of the TLS handshake."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class StreamData:
    """A piece of a stream; ``is_last`` at its end."""

    stream: int
    offset: int
    data: bytes
    is_last: bool


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """A stream was reset by its sender, or its sender was asked to stop."""

    stream: int
    code: int
    by_sender: bool


@dataclass(frozen=True, slots=True)
class DatagramData:
    """A DATAGRAM frame."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """The connection ends; ``is_application`` tells the protocol's own codes from QUIC's."""

    code: int
    text: str
    is_application: bool


Frame = CryptoData | StreamData | StreamEnd | DatagramData | Close

_NUMBERS: Final = {0x10: 1, 0x11: 2, 0x12: 1, 0x13: 1, 0x14: 1, 0x15: 2, 0x16: 1, 0x17: 1, 0x19: 1}
"""Frames that are so many integers and nothing else."""
_EMPTY: Final = (0x00, 0x01, 0x1E)
_MAX_ACK_RANGES: Final = 2048


class Cursor:
    """Reads a packet's payload from front to back; RemoteProtocolError at its end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def integer(self) -> int:
        """Take a variable-length integer."""
        first = self.take(1)[0]
        rest = self.take((1 << (first >> 6)) - 1)
        return int.from_bytes(bytes((first & 0x3F,)) + rest, "big")

    def take(self, count: int) -> bytes:
        """Take so many bytes."""
        piece = self.data[self.at : self.at + count]
        if len(piece) < count:
            raise RemoteProtocolError(f"a QUIC frame is cut at byte {self.at} of {len(self.data)}")
        self.at += count
        return piece

    def rest(self) -> bytes:
        """Take all that is left."""
        return self.take(len(self.data) - self.at)


def parse_frames(payload: bytes) -> Iterator[Frame]:
    """Give the frames that carry something; RemoteProtocolError at one that is cut or not known."""
    cursor = Cursor(payload)
    while cursor.at < len(payload):
        kind = cursor.integer()
        frame = _parse_frame(cursor, kind)
        if frame is not None:
            yield frame


def _parse_frame(cursor: Cursor, kind: int) -> Frame | None:
    frame: Frame | None = None
    match kind:
        case 0x06:
            frame = CryptoData(cursor.integer(), cursor.take(cursor.integer()))
        case 0x08 | 0x09 | 0x0A | 0x0B | 0x0C | 0x0D | 0x0E | 0x0F:
            frame = _parse_stream(cursor, kind)
        case 0x04 | 0x05:
            stream, code = cursor.integer(), cursor.integer()
            frame = StreamEnd(stream, code, by_sender=kind == 0x04)
            if kind == 0x04:
                cursor.integer()
        case 0x1C | 0x1D:
            code = cursor.integer()
            if kind == 0x1C:
                cursor.integer()
            text = cursor.take(cursor.integer()).decode("utf-8", "replace")
            frame = Close(code, text, is_application=kind == 0x1D)
        case 0x30 | 0x31:
            frame = DatagramData(cursor.take(cursor.integer()) if kind & 1 else cursor.rest())
        case _:
            _skip(cursor, kind)
    return frame


def _parse_stream(cursor: Cursor, kind: int) -> StreamData:
    stream = cursor.integer()
    offset = cursor.integer() if kind & 4 else 0
    data = cursor.take(cursor.integer()) if kind & 2 else cursor.rest()
    return StreamData(stream, offset, data, bool(kind & 1))


def _skip(cursor: Cursor, kind: int) -> None:
    if kind in _EMPTY:
        return
    if kind in (0x02, 0x03):
        cursor.integer(), cursor.integer()
        ranges = cursor.integer()
        if ranges > _MAX_ACK_RANGES:
            raise RemoteProtocolError(f"an ACK of {ranges} ranges")
        for _ in range(1 + 2 * ranges + (3 if kind == 0x03 else 0)):
            cursor.integer()
    elif kind in _NUMBERS:
        for _ in range(_NUMBERS[kind]):
            cursor.integer()
    elif kind == 0x07:
        cursor.take(cursor.integer())
    elif kind == 0x18:
        cursor.integer(), cursor.integer()
        cursor.take(cursor.take(1)[0] + 16)
    elif kind in (0x1A, 0x1B):
        cursor.take(8)
    else:
        raise RemoteProtocolError(f"QUIC frame {kind:#x} is not known here")
