"""Serves the GameStream app over TCP and TLS with hypercorn's Trio connection, behind a guard of our own.

The guard reads every request head itself, with a deadline, and passes on only complete GETs that it has
written anew (``wire/http_head``): hypercorn never meets a half head, a body, an upgrade or HTTP/2. hypercorn
tells an app nothing about the client's certificate, so what the app must know of its connection travels in
``scope["state"]["link"]``. Pinned to hypercorn 0.18, as ``TCPServer`` is none of its public names.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import h11
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState
from OpenSSL import SSL

from punktfunk.control.complaints import Complaints
from punktfunk.control.gamestream.tls import TlsStream
from punktfunk.control.listeners import (
    ConnectionGate,
    Place,
    local_address,
    peer_address,
    serve_gated,
)
from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.http_head import (
    MAXIMUM_HEAD_BYTES,
    HeadRefused,
    build_head,
    head_length,
    parse_head,
)

logger = logging.getLogger(__name__)

HEAD_S: Final = 10.0
"""From the connection, or from the last reply, until the next head is complete."""
SEND_S: Final = 5.0
"""For one piece of a reply: a client that does not read must not hold us."""
READ_BYTES: Final = 16 << 10
MAXIMUM_CONNECTIONS: Final = 128
MAXIMUM_CONNECTIONS_PER_ADDRESS: Final = 32


class GuardedStream(trio.abc.Stream):
    """What hypercorn reads and writes: whole checked heads in, replies out within a deadline."""

    def __init__(self, transport: trio.SocketStream | TlsStream, socket: Any, place: Place) -> None:
        self.socket = socket  # hypercorn asks it for both addresses
        self._transport = transport
        self._place = place
        self._buffer = bytearray()
        self._deadline_s = trio.current_time() + HEAD_S
        self._reading = trio.CancelScope()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:  # noqa: ARG002 -- heads come whole
        """Return one request head, after the reply to the one before.

        A client that leaves, or stays silent too long, cancels its place: told by an empty read, hypercorn
        would keep the connection and what it waits for until its own idle timer ends.
        """
        while (length := await self._measure()) is None:
            if len(self._buffer) > MAXIMUM_HEAD_BYTES:
                raise RemoteProtocolError("requests are sent faster than they are answered")
            data: bytes | None = None
            with trio.CancelScope(deadline=self._deadline_s) as self._reading:
                data = await self._transport.receive_some(READ_BYTES)
            if data is None and trio.current_time() < self._deadline_s:
                continue  # a reply went out, and the next request may be in the buffer already
            if data is None and self._buffer:
                raise RemoteProtocolError(f"no whole request head within {HEAD_S:.0f} s")
            if not data:
                self._place.scope.cancel()
                await trio.lowlevel.checkpoint()
            self._buffer += data or b""
        try:
            head = parse_head(bytes(self._buffer[:length]))
        except HeadRefused as refusal:
            await self._refuse(refusal)
        del self._buffer[:length]
        self._place.set_busy()
        self._deadline_s = math.inf
        return build_head(head)

    def finish_reply(self) -> None:
        """Start the clock for the next request."""
        self._place.set_idle()
        self._deadline_s = trio.current_time() + HEAD_S
        self._reading.cancel()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send within SEND_S: hypercorn shields its sends, so this deadline is the only one there is."""
        done = False
        try:
            with trio.move_on_after(SEND_S):
                await self._transport.send_all(data)
                done = True
        finally:
            if not done:
                # hypercorn would go on reading from a client that it cannot answer.
                self._place.scope.cancel()
        if not done:
            raise trio.BrokenResourceError(f"{len(data)} bytes were not taken within {SEND_S:.0f} s")

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the transport takes more."""
        await self._transport.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()

    async def _measure(self) -> int | None:
        if self._place.busy:
            return None
        try:
            return head_length(self._buffer)
        except HeadRefused as refusal:
            await self._refuse(refusal)
            raise

    async def _refuse(self, refusal: HeadRefused) -> None:
        """Tell the client why in plain HTTP, as it may not even speak GameStream, and end the connection."""
        await self.send_all(
            b"HTTP/1.1 %d Refused\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % refusal.status
        )
        raise refusal


@dataclass(frozen=True, slots=True)
class Link:
    """What the app knows of the connection that a request came on. Addresses have no zone."""

    remote_address: str
    local_address: str
    secure: bool
    certificate_der: bytes | None
    stream: GuardedStream


@dataclass(frozen=True, slots=True)
class _Server:
    app: ASGIWrapper
    config: Config
    context: WorkerContext

    async def serve(
        self, transport: trio.SocketStream | TlsStream, tcp: trio.SocketStream, place: Place
    ) -> None:
        guarded: Any = GuardedStream(transport, tcp.socket, place)  # hypercorn's type names SSLStream only
        certificate = transport.peer_certificate_der() if isinstance(transport, TlsStream) else None
        secure = isinstance(transport, TlsStream)
        link = Link(peer_address(tcp), local_address(tcp), secure, certificate, guarded)
        state = ConnectionState({"link": link})
        try:
            await TCPServer(self.app, self.config, self.context, state, guarded)
        except* h11.ProtocolError as problems:
            raise RemoteProtocolError(f"HTTP: {problems.exceptions[0]}") from None

    async def serve_plain(self, stream: trio.SocketStream, place: Place) -> None:
        await self.serve(stream, stream, place)

    async def serve_tls(self, context: SSL.Context, stream: trio.SocketStream, place: Place) -> None:
        secured = TlsStream(stream, context)
        await secured.do_handshake()
        await self.serve(secured, stream, place)


async def serve_http(
    app: ASGIFramework,
    plain: Sequence[trio.SocketListener],
    secure: Sequence[trio.SocketListener],
    context: SSL.Context,
    *,
    complaints: Complaints | None = None,
) -> None:
    """Serve ``app`` on both kinds of listeners until cancelled; each kind has a gate of its own."""
    complaints = complaints or Complaints(logger)
    server = _Server(ASGIWrapper(_end_replies(app)), _hypercorn_config(), WorkerContext(None))
    async with trio.open_nursery() as nursery:
        for name, listeners, handler in (
            ("http", plain, server.serve_plain),
            ("https", secure, partial(server.serve_tls, context)),
        ):
            gate = ConnectionGate(total=MAXIMUM_CONNECTIONS, per_address=MAXIMUM_CONNECTIONS_PER_ADDRESS)
            serve = partial(serve_gated, name=name, complaints=complaints)
            nursery.start_soon(serve, listeners, handler, gate)


def _end_replies(app: ASGIFramework) -> ASGIFramework:
    """Tell the guard when a reply is out; it cannot see that in the bytes."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        finally:
            scope["state"]["link"].stream.finish_reply()

    return wrapped


def _hypercorn_config() -> Config:
    config = Config()
    config.errorlog = logging.getLogger(f"{__name__}.hypercorn")
    config.accesslog = None
    config.include_server_header = False
    config.keep_alive_timeout = 2 * HEAD_S  # the guard's deadline comes first
    config.h11_max_incomplete_size = 64 << 10
    return config
