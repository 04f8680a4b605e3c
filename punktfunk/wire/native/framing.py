"""Messages on a stream of punktfunk/1: a little-endian u16 length, then that many bytes.

    first bytes  stream
    -----------  ------------------------------------------------------------------
    u16 length   the control stream: the first one that the client opens, all its life
    "PKFs" u8    every later one, by either side; the byte is the kind: 1 clipboard

A reader that gave up in the midst of a message could never find the next one, so the reader here keeps what
came. Spec: punktfunk-1.md sections 2.2 and 2.5 (clipboard).
"""

from struct import Struct
from typing import Final

from punktfunk.errors import LocalProtocolError

HANDSHAKE_MAGIC: Final = b"PKF1"
CONTROL_MAGIC: Final = b"PKFc"
STREAM_MAGIC: Final = b"PKFs"
CLIPBOARD_STREAM: Final = STREAM_MAGIC + b"\x01"
"""First bytes of a clipboard transfer's stream; framed ClipFetch follows."""

MAX_PAYLOAD_BYTES: Final = 0xFFFF
_LENGTH: Final = Struct("<H")


def frame(payload: bytes) -> bytes:
    """Length and payload; LocalProtocolError above 65,535 bytes."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise LocalProtocolError(f"a message of {len(payload)} bytes, {MAX_PAYLOAD_BYTES} may be")
    return _LENGTH.pack(len(payload)) + payload


class FrameReader:
    """Cuts a stream into messages, however it arrives. Holds one unfinished message, at most 64 KiB."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def is_aligned(self) -> bool:
        """Whether no message is half read."""
        return not self._rest

    @property
    def rest(self) -> bytes:
        """What came behind the last whole message: where a clipboard's raw bytes begin after its header."""
        return self._rest

    def feed(self, data: bytes) -> list[bytes]:
        """Payloads that are whole now, in order."""
        self._rest += data
        payloads = []
        at = 0
        while at + _LENGTH.size <= len(self._rest):
            (length,) = _LENGTH.unpack_from(self._rest, at)
            end = at + _LENGTH.size + length
            if end > len(self._rest):
                break
            payloads.append(self._rest[at + _LENGTH.size : end])
            at = end
        self._rest = self._rest[at:]
        return payloads
