"""One bidirectional stream: bytes both ways, each with back-pressure."""

from collections import deque

import trio

from punktfunk.control.quic.config import QuicConfig
from punktfunk.control.quic.errors import CloseReason, QuicClosed, StreamReset
from punktfunk.control.quic.link import Link


class QuicStream:
    """A stream of a `QuicConnection`. One task may read while another writes.

    Waiting methods raise `QuicClosed` once the connection is over, and `StreamReset` if the peer gave up the
    direction that they use. Bytes that arrived before the end of the connection can still be read.
    """

    def __init__(self, stream_id: int, link: Link, config: QuicConfig) -> None:
        self.stream_id = stream_id
        self._link = link
        self._config = config
        self.received_ns = 0
        """When what `receive_some` gave last arrived in the kernel (CLOCK_REALTIME), 0 where unknown."""
        self._arrived: deque[tuple[bytes, int]] = deque()
        self._at_eof = False
        self._refused = False
        self._eof_sent = False
        self._reset_code: int | None = None  # the peer sends no more
        self._stopped_code: int | None = None  # the peer, or we, want no more of ours sent
        self._closed: CloseReason | None = None
        self._news = trio.Event()
        self._room = trio.Event()

    async def receive_some(self, max_bytes: int = 65_536) -> bytes:
        """Return 1 to ``max_bytes`` bytes, or ``b""`` at the end of the stream."""
        while not self._arrived:
            if self._reset_code is not None:
                raise StreamReset(self.stream_id, self._reset_code)
            if self._at_eof:
                await trio.lowlevel.checkpoint()
                return b""
            self._raise_if_closed()
            self._news = trio.Event()
            await self._news.wait()
        await trio.lowlevel.checkpoint()
        return self._take(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything; wait while the peer has not acknowledged what was sent before.

        Cancelled, some prefix may have been sent: the stream can then only be reset.
        """
        view = memoryview(data)
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            self._raise_if_unwritable()
            room = self._config.stream_backlog_bytes - self._link.core.unacknowledged_bytes(self.stream_id)
            if room > 0:
                self._link.core.send_stream_data(self.stream_id, bytes(view[:room]))
                self._link.flush()  # not at the end of the turn: clock messages carry the time of this call
                view = view[room:]
                if not view:
                    break
            await self._wait_for_room()
        await trio.lowlevel.cancel_shielded_checkpoint()

    def send_eof(self) -> None:
        """Say that nothing more will be sent."""
        if self._eof_sent or self._stopped_code is not None or self._closed is not None:
            return
        self._eof_sent = True
        self._link.core.send_stream_data(self.stream_id, b"", end_stream=True)
        self._link.wake()

    async def wait_delivered(self) -> None:
        """Wait until the peer has acknowledged all that was sent, the end of the stream included."""
        await trio.lowlevel.checkpoint()
        if self._stopped_code is not None:
            raise StreamReset(self.stream_id, self._stopped_code)
        while not self._link.core.is_delivered(self.stream_id):
            self._raise_if_unwritable()
            await self._wait_for_room()

    def reset(self, code: int) -> None:
        """Stop sending; the peer learns ``code`` and what it has not read yet is lost."""
        if self._stopped_code is None and self._closed is None:
            self._stopped_code = code
            self._link.core.reset_stream(self.stream_id, code)
            self._link.wake()
            self._room.set()

    def stop(self, code: int) -> None:
        """Ask the peer to send no more; what still comes is thrown away."""
        if self._refused or self._at_eof or self._reset_code is not None or self._closed is not None:
            return
        self._refused = True
        self._reset_code = code
        self._discard()
        self._link.core.stop_stream(self.stream_id, code)
        self._link.wake()
        self._news.set()

    @property
    def is_finished(self) -> bool:
        """Whether neither side can say anything more on it."""
        received = self._at_eof or (self._reset_code is not None and not self._refused)
        return received and (self._eof_sent or self._stopped_code is not None)

    # What the connection tells.

    def take_data(self, data: bytes, *, end: bool) -> None:
        """Keep bytes that have arrived, in order."""
        self._at_eof = self._at_eof or end
        if self._refused:
            self._release(len(data))
        elif data:
            self._arrived.append((data, self._link.received_ns))
        self._news.set()

    def take_reset(self, code: int) -> None:
        """Note that the peer gave up sending; what was not read is lost, as on any broken stream."""
        self._discard()
        self._link.core.release_rest(self.stream_id)
        self._reset_code = code
        self._refused = False
        self._news.set()

    def take_stop(self, code: int) -> None:
        """Note that the peer will not read any more; aioquic has reset our direction."""
        self._stopped_code = code
        self._room.set()

    def take_progress(self) -> None:
        """Note that something may have been acknowledged."""
        self._room.set()

    def take_closed(self, reason: CloseReason) -> None:
        """Wake whoever waits: the connection is over."""
        self._closed = reason
        self._news.set()
        self._room.set()

    def _take(self, max_bytes: int) -> bytes:
        data, self.received_ns = self._arrived.popleft()
        if len(data) > max_bytes:
            self._arrived.appendleft((data[max_bytes:], self.received_ns))
            data = data[:max_bytes]
        self._release(len(data))
        return data

    def _release(self, count: int) -> None:
        if count and self._link.core.release(self.stream_id, count) and self._closed is None:
            self._link.wake()

    def _discard(self) -> None:
        count = sum(len(data) for data, _ in self._arrived)
        self._arrived.clear()
        self._release(count)

    async def _wait_for_room(self) -> None:
        self._room = trio.Event()
        await self._room.wait()

    def _raise_if_closed(self) -> None:
        if self._closed is not None:
            raise QuicClosed(self._closed)

    def _raise_if_unwritable(self) -> None:
        self._raise_if_closed()
        if self._stopped_code is not None:
            raise StreamReset(self.stream_id, self._stopped_code)
