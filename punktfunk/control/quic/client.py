"""The client: one socket, one connection."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import trio

from punktfunk.control.quic.config import QuicConfig, build_configuration
from punktfunk.control.quic.connection import QuicConnection
from punktfunk.control.quic.core import Core
from punktfunk.control.quic.endpoint import Endpoint
from punktfunk.control.quic.errors import (
    CloseReason,
    NoAnswer,
    NoCommonProtocol,
    PinMismatch,
    QuicClosed,
)
from punktfunk.control.quic.link import Link
from punktfunk.control.quic.paths import Path

ATTEMPT_S: Final = 3.0
"""How long one attempt to connect takes at most (punktfunk-1 §2.17)."""
_NO_APPLICATION_PROTOCOL: Final = 0x100 + 120  # RFC 9001 §4.8: TLS alerts begin at 0x100


class _Caller:
    """Makes the one link of a client and routes its handshake packets."""

    def __init__(self, bound: socket.socket, local: str, config: QuicConfig) -> None:
        self.endpoint = Endpoint([bound], self.refuse_stranger, local=local)
        self.core = Core(config, build_configuration(config, is_client=True))
        self.link = Link(self.core, config, self.endpoint)
        self._config = config

    def dial(self, address: tuple[Any, ...]) -> QuicConnection:
        """Send the first packet."""
        source = self.endpoint.sockets[0]
        path = source.path_to(address)
        connection = QuicConnection(self.link, self._config, path, source.port)
        self.link.add_route(self.core.host_cid)
        self.core.connect(path, trio.current_time())
        self.link.flush()
        return connection

    def refuse_stranger(self, _data: bytes, _path: Path, _now_s: float) -> None:
        """Ignore a packet of a handshake that is not ours."""


@asynccontextmanager
async def connect_quic(
    host: str, port: int, config: QuicConfig, *, timeout_s: float = ATTEMPT_S
) -> AsyncIterator[QuicConnection]:
    """Connect, and at the end close with code 0 unless it was closed before.

    ``host`` is an address or a name (IPv4 is preferred, as hosts of punktfunk/1 expect it). Raises
    `NoAnswer`, `PinMismatch`, `NoCommonProtocol`, or `QuicClosed` with the code that the host refused with.
    The goodbye is on the wire when the block is left, and is repeated for up to 0.5 s.
    """
    family, address = await _resolve(host, port)
    failure: Exception | None = None
    with socket.socket(family, socket.SOCK_DGRAM) as bound:
        bound.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))  # noqa: S104 -- it only sends first
        caller = _Caller(bound, _source_for(family, address), config)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(caller.endpoint.run)
                connection = caller.dial(address)
                nursery.start_soon(caller.link.run_timers)
                try:
                    await _shake_hands(connection, config, timeout_s)
                    yield connection
                except Exception as error:  # noqa: BLE001 -- raised again outside, without the nursery's group
                    failure = error
                nursery.cancel_scope.cancel()
        finally:
            caller.link.close(0, "")
            if caller.core.has_begun:
                await caller.endpoint.linger([caller.link])
            caller.endpoint.close()
    if failure is not None:
        raise failure


async def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise NoAnswer(
            CloseReason(0, f"{host} cannot be resolved: {error.strerror or error}", application=False),
            hint="Check the host's name, or give its address.",
        ) from error
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    return family, address


def _source_for(family: socket.AddressFamily, address: tuple[Any, ...]) -> str:
    """Ask the routing table which of our addresses leads there; the connection's socket stays unconnected.

    A connected one would keep this address when the machine moves to another network.
    """
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0]).partition("%")[0]
    except OSError:
        return ""


async def _shake_hands(connection: QuicConnection, config: QuicConfig, timeout_s: float) -> None:
    with trio.move_on_after(timeout_s):
        await connection.established.wait()
    reason = connection.closed_reason
    if reason is None and connection.link.is_established:
        return
    if reason is None or reason.timed_out:
        silent = CloseReason(0, "no answer", timed_out=True, application=False)
        raise NoAnswer(silent, hint="Is the host running, and does its firewall let UDP through?")
    if config.pin is not None and connection.peer_fingerprint not in {None, config.pin.lower()}:
        assert connection.peer_fingerprint is not None
        raise PinMismatch(reason, seen=connection.peer_fingerprint, pinned=config.pin)
    if reason.code == _NO_APPLICATION_PROTOCOL and not reason.application:
        raise NoCommonProtocol(reason, hint="Host and client speak different versions; update the older one.")
    raise QuicClosed(reason)
