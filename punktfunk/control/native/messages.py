"""Whole messages over one QUIC stream: a length of two bytes before each (punktfunk-1 section 2.2).

The reader keeps what has arrived across a cancelled wait: a half-read frame that was abandoned would misalign
the stream for good.
"""

from collections import deque
from typing import Final, Protocol

import trio

from punktfunk.wire.native.framing import FrameReader, frame

READ_BYTES: Final = 16 << 10


class ByteStream(Protocol):
    """What is needed of a QUIC stream."""

    async def send_all(self, data: bytes) -> None:
        """Send, waiting while the peer takes no more."""

    async def receive_some(self, max_bytes: int) -> bytes:
        """Receive at most so many bytes; nothing once the peer has finished."""

    def send_eof(self) -> None:
        """Finish our direction."""


class MessageStream:
    """Sends and receives the payloads of one stream. One task receives at a time; several may send."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self._reader = FrameReader()
        self._waiting: deque[bytes] = deque()
        self._sending = trio.Lock()

    async def receive(self) -> bytes | None:
        """Return the next payload, None once the peer has finished the stream; QuicClosed or StreamReset."""
        await trio.lowlevel.checkpoint()
        while not self._waiting:
            data = await self.stream.receive_some(READ_BYTES)
            if not data:
                return None
            self._waiting.extend(self._reader.feed(data))
        return self._waiting.popleft()

    async def send(self, payload: bytes) -> None:
        """Send one payload, at most 65535 bytes; QuicClosed if the connection ends."""
        async with self._sending:
            await self.stream.send_all(frame(payload))

    def send_eof(self) -> None:
        """Finish our direction."""
        self.stream.send_eof()
