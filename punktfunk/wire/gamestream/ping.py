"""UDP pings on the video and audio ports, from the client every 500 ms for the whole session.

    offset  size  field    meaning
    ------  ----  -------  --------------------------------------------------------------------
         0    16  payload  the characters of X-SS-Ping-Payload, which name the session
        16     4  counter  big-endian, from 1

A client that was given no payload sends the four characters ``PING``. The source address of a ping is where
the media go. Spec: gamestream.md section 4.1; peers: moonlight-common-c VideoStream.c, VideoPingThreadProc,
and Video.h, SS_PING; Sunshine src/stream.cpp, recvThread.
"""

from dataclasses import dataclass
from struct import Struct
from typing import Final

from punktfunk.errors import RemoteProtocolError

PING_PAYLOAD_BYTES: Final = 16
LEGACY_PING: Final = b"PING"
PING: Final = Struct(">16sI")


@dataclass(frozen=True, slots=True)
class Ping:
    """``payload`` is None and ``counter`` 0 in the old form, which only an address can match to a session."""

    payload: bytes | None
    counter: int


def parse_ping(datagram: bytes) -> Ping:
    """Read either form; RemoteProtocolError for everything else."""
    if datagram == LEGACY_PING:
        return Ping(None, 0)
    if len(datagram) != PING.size:
        raise RemoteProtocolError(f"ping of {len(datagram)} bytes, 4 or {PING.size} are known")
    return Ping(*PING.unpack(datagram))
