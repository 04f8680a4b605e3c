"""Streams that a client opens beside the control stream: clipboard transfers, which are declined politely.

There is no clipboard here yet, so nothing that is asked for can be had; a client that asks is told, and can
go on. Spec: punktfunk-1 sections 2.2 and 2.5.
"""

from typing import TYPE_CHECKING, Final

import trio

from punktfunk.control.quic.errors import StreamReset
from punktfunk.wire.native.capabilities import CloseCode
from punktfunk.wire.native.control import ClipFetchHdr, ClipStatus, build_control
from punktfunk.wire.native.framing import frame

if TYPE_CHECKING:
    from punktfunk.control.quic import QuicConnection, QuicStream

PATIENCE_S: Final = 5.0
AT_ONCE: Final = 4
OPENING_BYTES: Final = 4 + 1 + 2 + 5 + 8 + 129
"""Magic, kind, and the longest ClipFetch with its length."""


async def decline_transfers(connection: "QuicConnection") -> None:
    """Answer every stream that the client opens, until cancelled or the connection ends."""
    room = trio.CapacityLimiter(AT_ONCE)
    async with trio.open_nursery() as nursery:
        while True:
            stream = await connection.accept_stream()
            if room.borrowed_tokens == room.total_tokens:
                _refuse(stream)
            else:
                nursery.start_soon(_decline, stream, room)


async def _decline(stream: "QuicStream", room: trio.CapacityLimiter) -> None:
    async with room:
        with trio.move_on_after(PATIENCE_S):
            try:
                await stream.receive_some(OPENING_BYTES)
                await stream.send_all(frame(build_control(ClipFetchHdr(ClipStatus.UNAVAILABLE, 0))))
                stream.send_eof()
            except StreamReset:
                return
        stream.stop(CloseCode.TRANSFER_CANCELLED)


def _refuse(stream: "QuicStream") -> None:
    stream.reset(CloseCode.TRANSFER_CANCELLED)
    stream.stop(CloseCode.TRANSFER_CANCELLED)
