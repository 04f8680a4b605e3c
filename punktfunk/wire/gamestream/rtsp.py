"""GameStream's RTSP (TCP base+21): one request and one reply per connection.

    request = METHOD SP target SP "RTSP/1.0" CRLF *(Name ":" SP value CRLF) CRLF [body]
    reply   = "RTSP/1.0" SP status SP reason CRLF 1*(Name ":" SP value CRLF) CRLF [body]

Only ANNOUNCE has a body, of ``Content-length`` bytes. Clients cut replies up with strtok, so a reply needs
at least one header, each with one space after the colon and a value; its body ends with the connection. The
seven requests come in one order, each with ``Session`` once the host has named one:

    state          request                      next
    -------------  ---------------------------  -------------
    FRESH          OPTIONS                      OPENED
    OPENED         DESCRIBE                     DESCRIBED
    DESCRIBED      SETUP streamid=audio/0/0     AUDIO_READY
    AUDIO_READY    SETUP streamid=video/0/0     VIDEO_READY
    VIDEO_READY    SETUP streamid=control/13/0  CONTROL_READY
    CONTROL_READY  ANNOUNCE                     ANNOUNCED
    ANNOUNCED      PLAY                         PLAYING

Anything else is refused and changes nothing: a stranger's request must not break the player's. The bodies are
in ``sdp``, encryption in ``rtsp_frame``. Spec: gamestream.md section 3; peers: moonlight-common-c
RtspParser.c, parseRtspMessage, and RtspConnection.c, performRtspHandshake; Sunshine src/rtsp.cpp, cmd_setup.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from hmac import compare_digest
from re import ASCII
from re import compile as regex
from typing import Final

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.gamestream.numbers import parse_number, shown
from punktfunk.wire.gamestream.rtsp_frame import (
    MAX_MESSAGE_BYTES,
    Origin,
    RtspCipher,
    frame_is_complete,
    open_frame,
    seal_frame,
)

__all__ = [
    "MAX_HEAD_BYTES",
    "MAX_MESSAGE_BYTES",
    "PING_PAYLOAD_CHARACTERS",
    "TRANSITIONS",
    "Origin",
    "RtspCipher",
    "RtspMachine",
    "RtspRefused",
    "RtspRequest",
    "RtspState",
    "RtspStep",
    "build_response",
    "frame_is_complete",
    "open_frame",
    "parse_request",
    "request_is_complete",
    "seal_frame",
    "setup_headers",
]

MAX_HEAD_BYTES: Final = 16 * 1024
MAX_HEADER_COUNT: Final = 64
MAX_CSEQ: Final = 0x7FFFFFFF
PING_PAYLOAD_CHARACTERS: Final = 16

_HEAD_END: Final = b"\r\n\r\n"
_CONTENT_LENGTH: Final = regex(rb"\r\ncontent-length[ \t]*:([^\r\n]*)")
_REQUEST_LINE: Final = regex(r"([A-Z_]{1,32}) +([!-~]{1,2048}) +RTSP/1\.0 *", ASCII)
_HEADER: Final = regex(r"([!-9;-~]{1,128})[ \t]*:([^\x00-\x08\x0a-\x1f\x7f]*)")
_REPLY_NAME: Final = regex(r"[A-Za-z][A-Za-z0-9-]*", ASCII)
_REPLY_VALUE: Final = regex(r"[!-~](?:[ -~]*[!-~])?", ASCII)


@dataclass(frozen=True, slots=True)
class RtspRequest:
    """One request. Names in ``headers`` are in lower case; of a repeated header the last value counts."""

    method: str
    target: str
    cseq: int
    headers: Mapping[str, str]
    body: bytes = b""

    def header(self, name: str) -> str:
        """Value of a header, however it is capitalised; empty if absent."""
        return self.headers.get(name.lower(), "")


def request_is_complete(buffer: bytes | bytearray) -> int | None:
    """Length of the request at the buffer's start once all of it is there; None while bytes are missing."""
    head_bytes = buffer.find(_HEAD_END, 0, MAX_HEAD_BYTES)
    if head_bytes < 0:
        if len(buffer) >= MAX_HEAD_BYTES:
            raise RemoteProtocolError(f"RTSP headers do not end within {MAX_HEAD_BYTES} bytes")
        return None
    total_bytes = head_bytes + len(_HEAD_END) + _content_bytes(bytes(buffer[:head_bytes]))
    if total_bytes > MAX_MESSAGE_BYTES:
        raise RemoteProtocolError(f"RTSP request of {total_bytes} bytes, {MAX_MESSAGE_BYTES} are allowed")
    return total_bytes if len(buffer) >= total_bytes else None


def parse_request(message: bytes) -> RtspRequest:
    """Read one whole request; bytes behind the announced body are not part of it and are refused."""
    total_bytes = request_is_complete(message)
    if total_bytes != len(message):
        raise RemoteProtocolError(f"RTSP request of {len(message)} bytes has another length than it says")
    head, _, body = message.partition(_HEAD_END)
    request_line, *lines = head.decode("latin-1").split("\r\n", MAX_HEADER_COUNT + 1)
    match = _REQUEST_LINE.fullmatch(request_line)
    if match is None:
        raise RemoteProtocolError(f"no RTSP request: {shown(request_line)}")
    if len(lines) > MAX_HEADER_COUNT:
        raise RemoteProtocolError(f"RTSP request has more than {MAX_HEADER_COUNT} headers")
    headers = {}
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise RemoteProtocolError(f"RTSP header cannot be read: {shown(line)}")
        headers[header[1].lower()] = header[2].strip(" \t")
    cseq = parse_number("CSeq", headers.get("cseq", ""), 0, MAX_CSEQ)
    return RtspRequest(match[1], match[2], cseq, headers, body)


def _content_bytes(head: bytes) -> int:
    values = _CONTENT_LENGTH.findall(head.lower())
    return parse_number("Content-length", values[-1].decode("latin-1"), 0, MAX_MESSAGE_BYTES) if values else 0


def build_response(
    cseq: int,
    status: int = 200,
    reason: str = "OK",
    headers: Sequence[tuple[str, str]] = (),
    body: str = "",
) -> bytes:
    """Build a reply, CSeq first; LocalProtocolError for what the client's strtok would misread."""
    if not 100 <= status <= 999 or not _REPLY_VALUE.fullmatch(reason):
        raise LocalProtocolError(f"RTSP status {status} {reason!r} cannot be sent")
    lines = [f"RTSP/1.0 {status} {reason}"]
    for name, value in (("CSeq", str(cseq)), *headers):
        if not _REPLY_NAME.fullmatch(name) or not _REPLY_VALUE.fullmatch(value):
            raise LocalProtocolError(f"RTSP header {name!r}: {value!r} cannot be sent")
        lines.append(f"{name}: {value}")
    if "\0" in body:
        raise LocalProtocolError("an RTSP body with a zero byte ends there for the client")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def setup_headers(
    session: str, port: int, *, ping_payload: str = "", connect_data: int | None = None
) -> tuple[tuple[str, str], ...]:
    """Headers of a reply to SETUP.

    session       token that the client repeats in ``Session`` from now on
    port          UDP port of this stream
    ping_payload  16 characters that the client's pings carry (audio, video)
    connect_data  32 bits that come back as the data of ENet's CONNECT (control)
    """
    if ";" in session or not 1 <= port <= 0xFFFF:
        raise LocalProtocolError(f"SETUP cannot name session {session!r} and port {port}")
    headers = [("Session", f"{session};timeout = 90"), ("Transport", f"server_port={port}")]
    if ping_payload:
        # The client takes any other length for no payload at all, and its pings would be strangers'.
        if len(ping_payload) != PING_PAYLOAD_CHARACTERS or not ping_payload.isascii():
            raise LocalProtocolError(
                f"ping payload {ping_payload!r} is not {PING_PAYLOAD_CHARACTERS} characters"
            )
        headers.append(("X-SS-Ping-Payload", ping_payload))
    if connect_data is not None:
        if not 0 <= connect_data <= 0xFFFFFFFF:
            raise LocalProtocolError(f"connect data {connect_data} has more than 32 bits")
        headers.append(("X-SS-Connect-Data", str(connect_data)))
    return tuple(headers)


class RtspRefused(RemoteProtocolError):
    """A readable request that gets another status than 200; ``status`` and ``reason`` are the reply's."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class RtspStep(Enum):
    """The seven requests of a session."""

    OPTIONS = auto()
    DESCRIBE = auto()
    SETUP_AUDIO = auto()
    SETUP_VIDEO = auto()
    SETUP_CONTROL = auto()
    ANNOUNCE = auto()
    PLAY = auto()


class RtspState(Enum):
    """Where a session's conversation stands."""

    FRESH = auto()
    OPENED = auto()
    DESCRIBED = auto()
    AUDIO_READY = auto()
    VIDEO_READY = auto()
    CONTROL_READY = auto()
    ANNOUNCED = auto()
    PLAYING = auto()


TRANSITIONS: Final[dict[tuple[RtspState, RtspStep], RtspState]] = {
    (RtspState.FRESH, RtspStep.OPTIONS): RtspState.OPENED,
    (RtspState.OPENED, RtspStep.DESCRIBE): RtspState.DESCRIBED,
    (RtspState.DESCRIBED, RtspStep.SETUP_AUDIO): RtspState.AUDIO_READY,
    (RtspState.AUDIO_READY, RtspStep.SETUP_VIDEO): RtspState.VIDEO_READY,
    (RtspState.VIDEO_READY, RtspStep.SETUP_CONTROL): RtspState.CONTROL_READY,
    (RtspState.CONTROL_READY, RtspStep.ANNOUNCE): RtspState.ANNOUNCED,
    (RtspState.ANNOUNCED, RtspStep.PLAY): RtspState.PLAYING,
}
"""The docstring's table."""

_SETUP_STEPS: Final = {
    "audio": RtspStep.SETUP_AUDIO,
    "video": RtspStep.SETUP_VIDEO,
    "control": RtspStep.SETUP_CONTROL,
}
_WITHOUT_SESSION: Final = frozenset({RtspStep.OPTIONS, RtspStep.DESCRIBE, RtspStep.SETUP_AUDIO})


class RtspMachine:
    """One session's order of requests. ``session`` is the unguessable token of its SETUP replies."""

    def __init__(self, session: str) -> None:
        self._session = session
        self.state = RtspState.FRESH

    def receive(self, request: RtspRequest) -> RtspStep:
        """Name the request, if it is the next one; else RtspRefused, and the state stays as it was."""
        step = _recognise(request)
        next_state = TRANSITIONS.get((self.state, step))
        if next_state is None:
            message = f"{step.name} came while the session was {self.state.name}"
            raise RtspRefused(455, "Method Not Valid in This State", message)
        token = request.header("Session").partition(";")[0].strip()
        if step not in _WITHOUT_SESSION and not compare_digest(token.encode(), self._session.encode()):
            raise RtspRefused(454, "Session Not Found", f"{step.name} names session {shown(token)}")
        self.state = next_state
        return step


def _recognise(request: RtspRequest) -> RtspStep:
    if request.method == "SETUP":
        # "streamid=audio/0/0": the numbers differ between generations of clients and mean nothing.
        kind, _, stream = request.target.partition("=")
        step = _SETUP_STEPS.get(stream.partition("/")[0]) if kind == "streamid" else None
        if step is None:
            raise RtspRefused(404, "Not Found", f"SETUP of {shown(request.target)}, there is no such stream")
        return step
    if request.method not in {"OPTIONS", "DESCRIBE", "ANNOUNCE", "PLAY"}:
        raise RtspRefused(501, "Not Implemented", f"RTSP method {request.method} is unknown")
    return RtspStep[request.method]
