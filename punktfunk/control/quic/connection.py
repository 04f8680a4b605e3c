"""A QUIC connection as the rest of the program sees it: streams, datagrams, who the peer is, how it ended."""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Final

import trio
from aioquic.quic import events
from aioquic.quic.packet import QuicErrorCode

from punktfunk.control.quic.config import QuicConfig
from punktfunk.control.quic.errors import CloseReason, QuicClosed
from punktfunk.control.quic.link import Link
from punktfunk.control.quic.paths import Path, shown
from punktfunk.control.quic.streams import QuicStream

_IDLE: Final = "Idle timeout"  # aioquic's own words; it has no code for it


class QuicConnection:
    """An established connection. All methods belong to the Trio thread; those without ``await`` never wait.

    ``peer_fingerprint``: SHA-256 of the peer's DER certificate in hex, None for an anonymous client. The peer
    has proved that it holds the key. ``alpn``: the protocol both agreed on. ``counters``: what was dropped.
    ``on_datagram``: if set, gets every datagram at once, in place of `receive_datagrams`; it must not wait.
    """

    def __init__(self, link: Link, config: QuicConfig, path: Path, local_port: int) -> None:
        self.link = link
        self.peer_certificate_der: bytes | None = None
        self.peer_fingerprint: str | None = None
        self.alpn: str | None = None
        self.closed_reason: CloseReason | None = None
        self.counters: Counter[str] = Counter()
        self.on_datagram: Callable[[bytes], None] | None = None
        self.established = trio.Event()
        """Set after the handshake, and at the end of a connection that never had one."""
        self._config = config
        self._first_path = path
        self._local_port = local_port
        self._streams: dict[int, QuicStream] = {}
        self._waiting_streams: deque[QuicStream] = deque()
        self._stream_came = trio.Event()
        self._datagrams: deque[bytes] = deque()
        self._unread_bytes = 0
        self._datagram_came = trio.Event()
        self._closed = trio.Event()
        self._scopes: set[trio.CancelScope] = set()
        link.listener = self

    # Who and where.

    @property
    def remote_address(self) -> tuple[str, int]:
        """The peer's address now; it changes when the peer moves to another network."""
        path = self.path()
        return shown(path.host, path.port)

    @property
    def local_address(self) -> tuple[str, int]:
        """Our address as the peer reached it, and our port."""
        return shown(self.path().local, self._local_port)

    @property
    def round_trip_ns(self) -> int | None:
        """Smoothed round trip time, None before it was measured."""
        seconds = self.link.core.round_trip_s()
        return None if seconds is None else round(seconds * 1e9)

    @property
    def received_ns(self) -> int:
        """When the newest datagram of the peer arrived in the kernel (CLOCK_REALTIME), 0 where unknown.

        `QuicStream.received_ns` belongs to what was read from that stream.
        """
        return self.link.received_ns

    def flush(self) -> None:
        """Send what waits at once, not at the end of this turn of the loop."""
        if self.closed_reason is None:
            self.link.flush()

    # Streams.

    def open_stream(self) -> QuicStream:
        """Open a stream; the peer learns of it with the first bytes."""
        self._raise_if_closed()
        stream = QuicStream(self.link.core.open_stream(), self.link, self._config)
        self._streams[stream.stream_id] = stream
        return stream

    async def accept_stream(self) -> QuicStream:
        """Wait for the next stream that the peer opens."""
        await trio.lowlevel.checkpoint()
        while not self._waiting_streams:
            self._raise_if_closed()
            self._stream_came = trio.Event()
            await self._stream_came.wait()
        return self._waiting_streams.popleft()

    # Datagrams.

    @property
    def datagram_bytes_max(self) -> int:
        """The largest datagram that `send_datagram` takes now; 0 if the peer takes none."""
        return self.link.core.datagram_bytes_max()

    def send_datagram(self, data: bytes) -> bool:
        """Send without waiting; False if it is too large or the connection is over.

        Datagrams queue only while the network does not take them; beyond the bound the oldest is dropped.
        """
        if self.closed_reason is not None:
            return False
        if len(data) > self.datagram_bytes_max:
            self.counters["datagrams_oversize"] += 1
            return False
        core, bound = self.link.core, self._config.datagram_queue_bytes
        if core.datagrams_waiting_bytes() + len(data) > bound:
            self.link.flush()
            while (waiting := core.datagrams_waiting_bytes()) and waiting + len(data) > bound:
                core.drop_oldest_datagram()
                self.counters["datagrams_not_sent"] += 1
        core.send_datagram_frame(data)
        self.link.wake()
        return True

    async def receive_datagrams(self) -> list[bytes]:
        """Wait for datagrams and return all that are there, oldest first; a slow reader loses the oldest."""
        await trio.lowlevel.checkpoint()
        while not self._datagrams:
            self._raise_if_closed()
            self._datagram_came = trio.Event()
            await self._datagram_came.wait()
        taken = list(self._datagrams)
        self._datagrams.clear()
        self._unread_bytes = 0
        return taken

    # The end.

    def close(self, code: int = 0, text: str = "") -> None:
        """Close at once with the protocol's code (punktfunk-1 §2.4); ``text`` is cut to 256 bytes.

        The goodbye leaves before this returns and is repeated in case it is lost. Data that the peer has not
        acknowledged is given up: ``await stream.wait_delivered()`` first where that matters.
        """
        if self.closed_reason is None:
            self.link.close(code, text)

    async def wait_closed(self) -> CloseReason:
        """Wait for the end, whoever brings it."""
        await self._closed.wait()
        assert self.closed_reason is not None
        return self.closed_reason

    @contextmanager
    def raising_when_closed(self) -> Iterator[None]:
        """Cancel the block when the connection ends, and then raise `QuicClosed`.

        For a handler that waits for something else than its peer, such as an operator's decision.
        """
        with trio.CancelScope() as scope:
            self._raise_if_closed()
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)
        if scope.cancelled_caught:
            self._raise_if_closed()

    # What the link tells.

    def take_event(self, event: events.QuicEvent) -> None:
        """Pass on what happened to whom it concerns."""
        match event:
            case events.DatagramFrameReceived(data=data):
                self._take_datagram(data)
            case events.StreamDataReceived(stream_id=stream_id, data=data, end_stream=end):
                stream = self._known_stream(stream_id)
                if stream is not None:
                    stream.take_data(data, end=end)
                    self._forget_finished(stream)
            case events.StreamReset(stream_id=stream_id, error_code=code):
                stream = self._known_stream(stream_id)
                if stream is not None:
                    stream.take_reset(code)
                    self._forget_finished(stream)
            case events.StopSendingReceived(stream_id=stream_id, error_code=code):
                stream = self._known_stream(stream_id)
                if stream is not None:
                    stream.take_stop(code)
                    self._forget_finished(stream)
            case events.HandshakeCompleted(alpn_protocol=alpn):
                self._take_handshake(alpn)

    def after_packets(self) -> None:
        """Let writers look again: packets came in, and with them perhaps acknowledgements."""
        for stream in list(self._streams.values()):
            stream.take_progress()
            self._forget_finished(stream)

    def _take_handshake(self, alpn: str | None) -> None:
        der = self.link.core.peer_certificate_der()
        self.peer_certificate_der = der
        self.peer_fingerprint = None if der is None else sha256(der).hexdigest()
        self.alpn = alpn
        pin = self._config.pin
        if pin is not None and pin.lower() != self.peer_fingerprint:
            # Before anything of the client's last flight, its certificate above all, has been sent.
            bad_certificate = QuicErrorCode.CRYPTO_ERROR + 42
            self.link.core.close(bad_certificate, 6, "the host's certificate is not the pinned one")
            return
        self.link.is_established = True
        self.established.set()

    def _take_datagram(self, data: bytes) -> None:
        if self.on_datagram is not None:
            self.on_datagram(data)
            return
        self._datagrams.append(data)
        self._unread_bytes += len(data)
        while (
            len(self._datagrams) > self._config.datagrams_unread_max
            or self._unread_bytes > self._config.datagrams_unread_bytes_max
        ):
            self._unread_bytes -= len(self._datagrams.popleft())
            self.counters["datagrams_not_read"] += 1
        self._datagram_came.set()

    def _known_stream(self, stream_id: int) -> QuicStream | None:
        stream = self._streams.get(stream_id)
        if stream is None and not self.link.core.is_ours(stream_id):
            if len(self._waiting_streams) >= self._config.streams_max:
                # Only a peer that opens and cancels streams faster than anybody accepts them comes here.
                self.link.core.close(QuicErrorCode.STREAM_LIMIT_ERROR, 0, "too many streams wait")
                return None
            stream = QuicStream(stream_id, self.link, self._config)
            self._streams[stream_id] = stream
            self._waiting_streams.append(stream)
            self._stream_came.set()
        return stream

    def _forget_finished(self, stream: QuicStream) -> None:
        if stream.is_finished and self.link.core.is_delivered(stream.stream_id):
            self._streams.pop(stream.stream_id, None)

    def take_closing(self) -> None:
        """Wake everybody who waits."""
        if self.closed_reason is not None:
            return
        self.closed_reason = reason = self._reason()
        self._closed.set()
        self.established.set()
        self._stream_came.set()
        self._datagram_came.set()
        for stream in self._streams.values():
            stream.take_closed(reason)
        for scope in self._scopes:
            scope.cancel()

    def _reason(self) -> CloseReason:
        core = self.link.core
        details = core.close_details()
        if details is None:
            if self.link.is_established:
                return CloseReason(QuicErrorCode.INTERNAL_ERROR, "given up", application=False)
            return CloseReason(0, "no handshake in time", timed_out=True, application=False)
        code, text, application = details
        timed_out = not application and text == _IDLE
        return CloseReason(code, text, by_peer=core.is_draining, timed_out=timed_out, application=application)

    def path(self) -> Path:
        """Return the way to the peer now."""
        path: Path | None = self.link.core.get_peer_address()
        return path or self._first_path

    def _raise_if_closed(self) -> None:
        if self.closed_reason is not None:
            raise QuicClosed(self.closed_reason)
