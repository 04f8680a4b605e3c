"""The server: makes connections out of first packets and runs a handler for each."""

import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NoReturn

import trio
from aioquic.quic.configuration import SMALLEST_MAX_DATAGRAM_SIZE
from aioquic.quic.packet import (
    QuicHeader,
    QuicPacketType,
    encode_quic_retry,
    encode_quic_version_negotiation,
)
from aioquic.quic.retry import QuicRetryTokenHandler

from punktfunk.control.complaints import Complaints
from punktfunk.control.quic.admission import Admission
from punktfunk.control.quic.config import CONNECTION_ID_BYTES, QuicConfig, build_configuration
from punktfunk.control.quic.connection import QuicConnection
from punktfunk.control.quic.core import Core, parse_header
from punktfunk.control.quic.endpoint import Endpoint
from punktfunk.control.quic.errors import QuicClosed, StreamReset
from punktfunk.control.quic.link import Link
from punktfunk.control.quic.paths import Path
from punktfunk.control.sockets import BoundSocket
from punktfunk.errors import PunktfunkError

logger = logging.getLogger(__name__)

FAILED: Final = 1
"""Code of a connection whose handler broke off; 0 and 1 are untyped (punktfunk-1 §2.4)."""
Handler = Callable[[QuicConnection], Awaitable[None]]


class _Dropped(Exception):
    """A first packet came to nothing; ``kind`` is the counter that says so."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class QuicServer:
    """What `serve_quic` gives its caller: counters of what was refused, and who is connected."""

    def __init__(self, sockets: Sequence[BoundSocket], config: QuicConfig, complaints: Complaints) -> None:
        self.endpoint = Endpoint([bound.socket for bound in sockets], self.take_stranger)
        self.admission = Admission(config)
        self.complaints = complaints
        self.newcomers: list[QuicConnection] = []
        self.newcomer_came = trio.Event()
        self.is_closing = False
        self._lane_count = 0
        self._config = config
        self._configuration = build_configuration(config, is_client=False)
        self._tokens = QuicRetryTokenHandler()

    @property
    def connection_count(self) -> int:
        """How many connections there are, unfinished handshakes and closing ones included."""
        return len(self.admission)

    async def run_lane(self, connection: QuicConnection) -> None:
        """Receive the connection's packets by a socket of its own, as long as there are few such sockets."""
        if self._lane_count >= self._config.lanes_max:
            await trio.lowlevel.checkpoint()
            return
        self._lane_count += 1
        try:
            await self.endpoint.run_lane(connection.path())
        finally:
            self._lane_count -= 1

    def take_stranger(self, data: bytes, path: Path, now_s: float) -> Link | None:
        """Make a connection of a first packet, if it may be."""
        try:
            return self._admit(data, parse_header(data), path, now_s)
        except _Dropped as reason:
            self.endpoint.counters[reason.kind] += 1
            return None

    def _admit(self, data: bytes, header: QuicHeader | None, path: Path, now_s: float) -> Link:
        if header is None or header.packet_type is QuicPacketType.VERSION_NEGOTIATION:
            raise _Dropped("malformed")
        if len(data) < SMALLEST_MAX_DATAGRAM_SIZE:
            raise _Dropped("too_small")
        if header.version not in self._configuration.supported_versions:
            self._negotiate_version(header, path, now_s)
        if header.packet_type is not QuicPacketType.INITIAL:
            raise _Dropped("unknown_connection")
        if self.is_closing:
            raise _Dropped("closing")
        # What a flood consists of is dropped first, at the least cost.
        original_id, retry_id = header.destination_cid, None
        if header.token:
            original_id, retry_id = self._check_token(header, path, now_s), header.destination_cid
        elif self.admission.wants_proof(now_s):
            self._ask_for_proof(header, path, now_s)
        if not self.admission.may_handshake(path.host, now_s):
            raise _Dropped("handshakes_too_fast")
        refusal = self.admission.refusal(path.host)
        if refusal:
            self.complaints.note(f"quic-{refusal}", peer=path.host)
            raise _Dropped(refusal)
        core = Core(
            self._config,
            self._configuration,
            original_destination_id=original_id,
            retry_source_id=retry_id,
        )
        return self._begin(core, data, header, path, now_s)

    def _begin(self, core: Core, data: bytes, header: QuicHeader, path: Path, now_s: float) -> Link:
        link = Link(core, self._config, self.endpoint)
        link.feed(data, path, now_s)
        if not core.has_begun:
            raise _Dropped("malformed")
        # The listener stands before the first event is told: one batch can hold a whole handshake.
        port = self.endpoint.sockets[path.socket_index].port
        connection = QuicConnection(link, self._config, path, port)
        link.add_route(header.destination_cid)
        link.add_route(core.host_cid)
        self.admission.enter(link, path.host)
        self.newcomers.append(connection)
        self.newcomer_came.set()
        return link

    def _check_token(self, header: QuicHeader, path: Path, now_s: float) -> bytes:
        try:
            return self._tokens.validate_token(
                address=path, destination_cid=header.destination_cid, token=header.token, now=now_s
            )
        except ValueError:
            raise _Dropped("bad_token") from None

    def _ask_for_proof(self, header: QuicHeader, path: Path, now_s: float) -> NoReturn:
        if not self.admission.may_answer(now_s):
            raise _Dropped("retries_too_fast")
        source_id = os.urandom(CONNECTION_ID_BYTES)
        token = self._tokens.create_token(
            address=path,
            original_destination_connection_id=header.destination_cid,
            retry_source_connection_id=source_id,
            now=now_s,
        )
        assert header.version is not None
        answer = encode_quic_retry(
            version=header.version,
            source_cid=source_id,
            destination_cid=header.source_cid,
            original_destination_cid=header.destination_cid,
            retry_token=token,
        )
        self.endpoint.send(answer, path)
        raise _Dropped("retry")

    def _negotiate_version(self, header: QuicHeader, path: Path, now_s: float) -> NoReturn:
        if not self.admission.may_answer(now_s):
            raise _Dropped("retries_too_fast")
        answer = encode_quic_version_negotiation(
            source_cid=header.destination_cid,
            destination_cid=header.source_cid,
            supported_versions=self._configuration.supported_versions,
        )
        self.endpoint.send(answer, path)
        raise _Dropped("other_version")


async def serve_quic(
    sockets: Sequence[BoundSocket],
    config: QuicConfig,
    handler: Handler,
    *,
    complaints: Complaints | None = None,
    task_status: trio.TaskStatus[QuicServer] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; then close every connection and say so on the wire within 0.5 s.

    ``handler`` runs in a task of its own for each connection whose handshake is done; when it returns the
    connection closes with code 0. It is not cancelled when the peer leaves: all that it awaits on the
    connection raises `QuicClosed` then, which it may let pass. What it raises of punktfunk's errors, of the
    system's and of broken resources ends its own connection; anything else is a bug and comes out here. The
    sockets stay open: they belong to the caller.
    """
    server = QuicServer(sockets, config, complaints or Complaints(logger))
    try:
        async with trio.open_nursery() as infrastructure:
            infrastructure.start_soon(server.endpoint.run)
            async with trio.open_nursery() as connections:
                task_status.started(server)
                while True:
                    await server.newcomer_came.wait()
                    server.newcomer_came = trio.Event()
                    newcomers, server.newcomers = server.newcomers, []
                    for connection in newcomers:
                        connections.start_soon(_serve_one, server, connection, handler)
    finally:
        server.is_closing = True
        links = server.admission.links()
        for link in links:
            link.close(0, "")
        if links:
            await server.endpoint.linger([link for link in links if link.is_established])
        server.endpoint.close()


async def _serve_one(server: QuicServer, connection: QuicConnection, handler: Handler) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.link.run_timers)
        await connection.established.wait()
        if connection.link.is_established and connection.closed_reason is None:
            nursery.start_soon(server.run_lane, connection)
            await _handle(server, connection, handler)
        elif not connection.link.is_established:
            reason, peer = connection.closed_reason, connection.remote_address[0]
            server.complaints.note("quic-handshake", peer=peer, reason=reason)
        connection.close()
        await connection.link.ended.wait()
        nursery.cancel_scope.cancel()
    server.admission.leave(connection.link)


async def _handle(server: QuicServer, connection: QuicConnection, handler: Handler) -> None:
    try:
        await handler(connection)
    except* (QuicClosed, StreamReset) as problems:
        logger.debug(
            "connection over peer=%s reason=%s", connection.remote_address[0], problems.exceptions[0]
        )
    except* (
        PunktfunkError,
        OSError,
        trio.BrokenResourceError,
        trio.ClosedResourceError,
        trio.TooSlowError,
    ) as problems:
        peer = connection.remote_address[0]
        server.complaints.note("quic-broken", peer=peer, reason=problems.exceptions[0])
        connection.close(FAILED, str(problems.exceptions[0]))
