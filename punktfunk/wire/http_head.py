"""The head of an HTTP/1 request, checked before any HTTP library sees it.

    GET /path?query HTTP/1.1 CRLF
    Name: value CRLF                  only Host (must be there) and Connection are looked at
    CRLF

GameStream needs GET without a body and nothing else, so all else is refused here: other methods, bodies,
protocol switches (``Upgrade``, the HTTP/2 preface), oversize lines. What goes on to the library is written
anew by ``build_head``. The pairing URL carries a PEM certificate in hex and passes 2.5 kB, hence the large
request line. Source: RFC 9112 sections 2 and 3; gamestream.md section 2.
"""

import re
from dataclasses import dataclass
from typing import Final

from punktfunk.errors import RemoteProtocolError

MAXIMUM_LINE_BYTES: Final = 16 << 10
MAXIMUM_HEAD_BYTES: Final = 24 << 10
MAXIMUM_HEADERS: Final = 64

HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_REQUEST_LINE: Final = re.compile(rb"([A-Z]{1,16}) ([\x21-\x7e]+) HTTP/1\.([01])")
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}):[ \t]*([\x09\x20-\x7e\x80-\xff]*)")
_BODY: Final = (b"transfer-encoding", b"content-length")


class HeadRefused(RemoteProtocolError):
    """A head that will not be served; ``status`` is the HTTP status that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A GET that may be served: path and query as sent; does the connection stay open after the reply."""

    target: bytes
    keep_alive: bool


def head_length(buffer: bytes | bytearray) -> int | None:
    """Bytes that the head at the front of ``buffer`` takes, or None while it is incomplete.

    Raises HeadRefused once the head can only become too long. Leading empty lines count as part of the head.
    """
    start = _skip_empty_lines(buffer)
    end = HEAD_END.search(buffer, start, MAXIMUM_HEAD_BYTES)
    line_end = buffer.find(b"\n", start, start + MAXIMUM_LINE_BYTES + 1)
    if line_end < 0 and len(buffer) - start > MAXIMUM_LINE_BYTES:
        raise HeadRefused(414, f"the request line is longer than {MAXIMUM_LINE_BYTES} bytes")
    if end is not None:
        return end.end()
    if len(buffer) >= MAXIMUM_HEAD_BYTES:
        raise HeadRefused(431, f"the request head is longer than {MAXIMUM_HEAD_BYTES} bytes")
    return None


def parse_head(head: bytes) -> RequestHead:
    """Read one complete head, as measured by ``head_length``."""
    lines = bytes(head[_skip_empty_lines(head) :]).replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    request = _REQUEST_LINE.fullmatch(lines[0])
    if request is None:
        raise HeadRefused(400, "not an HTTP/1 request line")
    if request[1] != b"GET":
        raise HeadRefused(405, f"the method is {request[1].decode()}, only GET is served")
    if not request[2].startswith(b"/"):
        raise HeadRefused(400, "the target does not begin with /")
    if len(lines) > MAXIMUM_HEADERS + 1:
        raise HeadRefused(431, f"more than {MAXIMUM_HEADERS} headers")
    names = set()
    connection: set[bytes] = set()
    for line in lines[1:]:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise HeadRefused(400, "a line of the head is not a header")
        name, value = header[1].lower(), header[2].strip()
        if name in _BODY and value != b"0":
            raise HeadRefused(413, "a request body is not expected")
        if name == b"connection":
            connection.update(word.strip().lower() for word in value.split(b","))
        names.add(name)
    newer = request[3] == b"1"
    if newer and b"host" not in names:
        raise HeadRefused(400, "HTTP/1.1 without a Host header")
    keep_alive = b"close" not in connection and (newer or b"keep-alive" in connection)
    return RequestHead(request[2], keep_alive)


def build_head(head: RequestHead) -> bytes:
    """Write the request anew, in our own words."""
    connection = b"keep-alive" if head.keep_alive else b"close"
    return b"GET %b HTTP/1.1\r\nhost: punktfunk\r\nconnection: %b\r\n\r\n" % (head.target, connection)


def _skip_empty_lines(buffer: bytes | bytearray) -> int:
    start = 0
    while start < min(len(buffer), 8) and buffer[start] in b"\r\n":
        start += 1
    return start
