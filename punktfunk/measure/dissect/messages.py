"""What is said inside an opened QUIC connection: streams and datagrams into the protocol's messages."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from punktfunk.errors import RemoteProtocolError
from punktfunk.measure.dissect.assembly import Assembly
from punktfunk.measure.dissect.frames import Close, DatagramData, Frame, StreamData, StreamEnd
from punktfunk.wire.native.control import parse_control
from punktfunk.wire.native.datagrams import parse_datagram
from punktfunk.wire.native.framing import CLIPBOARD_STREAM, HANDSHAKE_MAGIC, STREAM_MAGIC, FrameReader
from punktfunk.wire.native.handshake import parse_hello, parse_start
from punktfunk.wire.native.pairing import PAIRING, parse_pairing
from punktfunk.wire.native.welcome import parse_welcome

CONTROL_STREAM: Final = 0
STREAMS_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Unread:
    """Bytes that are no message: what they begin with, and why not."""

    head: str
    size_bytes: int
    reason: str


@dataclass(frozen=True, slots=True)
class TransferBytes:
    """Raw bytes of a clipboard's stream."""

    stream: int
    size_bytes: int


@dataclass(slots=True)
class _Stream:
    assembly: Assembly = field(default_factory=Assembly)
    reader: FrameReader = field(default_factory=FrameReader)
    head: bytes = b""
    is_opened: bool = False
    is_raw: bool = False
    said_count: int = 0


class Messages:
    """Both directions of one connection's application data."""

    def __init__(self) -> None:
        self._streams: dict[tuple[int, bool], _Stream] = {}

    def read(self, frame: Frame, *, from_client: bool) -> Iterator[Any]:
        """Give the messages that a frame completes; ``Close`` and ``StreamEnd`` as they are."""
        match frame:
            case DatagramData(data):
                value = parse_datagram(data)
                reason = "no datagram that is known here"
                yield Unread(data[:4].hex(" "), len(data), reason) if value is None else value
            case StreamData():
                yield from self._read_stream(frame, from_client=from_client)
            case Close() | StreamEnd():
                yield frame

    def _read_stream(self, frame: StreamData, *, from_client: bool) -> Iterator[Any]:
        key = frame.stream, from_client
        if key not in self._streams and len(self._streams) >= STREAMS_MAX:
            return
        stream = self._streams.setdefault(key, _Stream())
        came = stream.assembly.feed(frame.offset, frame.data)
        if frame.stream != CONTROL_STREAM and not stream.is_opened:
            came = _take_head(stream, came, is_opener=_is_client_s(frame.stream) == from_client)
        if stream.is_raw:
            if came:
                yield TransferBytes(frame.stream, len(came))
            return
        if frame.stream != CONTROL_STREAM and from_client != _is_client_s(frame.stream):
            yield from _read_holder(stream, came, frame.stream, from_client=from_client)
            return
        for payload in stream.reader.feed(came):
            stream.said_count += 1
            place = stream.said_count if frame.stream == CONTROL_STREAM else 0
            yield _read_payload(payload, place, from_client=from_client)


def _is_client_s(stream: int) -> bool:
    """Whether the client opened it (RFC 9000 section 2.1)."""
    return stream & 1 == 0


def _read_holder(stream: _Stream, came: bytes, number: int, *, from_client: bool) -> Iterator[Any]:
    """One framed header, then the clipboard's bytes as they are."""
    stream.head += came
    end = 2 + int.from_bytes(stream.head[:2], "little")
    if len(stream.head) < end:
        return
    stream.is_raw = True
    yield _read_payload(stream.head[2:end], 0, from_client=from_client)
    if len(stream.head) > end:
        yield TransferBytes(number, len(stream.head) - end)


def _take_head(stream: _Stream, came: bytes, *, is_opener: bool) -> bytes:
    """Cut the five unframed bytes off that the opener of a later stream begins with."""
    if not is_opener:
        stream.is_opened = True
        return came
    stream.head += came
    if len(stream.head) < len(CLIPBOARD_STREAM):
        return b""
    stream.is_opened = True
    stream.is_raw = stream.head[: len(STREAM_MAGIC)] != STREAM_MAGIC
    return stream.head if stream.is_raw else stream.head[len(CLIPBOARD_STREAM) :]


def _read_payload(payload: bytes, place: int, *, from_client: bool) -> Any:
    try:
        if payload[:4] == HANDSHAKE_MAGIC:
            if not from_client:
                return parse_welcome(payload)
            return parse_hello(payload) if place <= 1 else parse_start(payload)
        if PAIRING.entry_of(payload) is not None:
            return parse_pairing(payload)
    except RemoteProtocolError as error:
        return Unread(payload[:8].hex(" "), len(payload), str(error))
    value = parse_control(payload)
    if value is None:
        return Unread(payload[:8].hex(" "), len(payload), "no message that is known here")
    return value
