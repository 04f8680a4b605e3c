"""The video and audio sockets: pings tell where a client wants its datagrams.

Each plane (video, audio) has one socket for each bind address. A client pings every 500 ms with the payload
that RTSP SETUP gave it; the source address of a ping is where the plane's datagrams go, and it may change
(NAT, Wi-Fi to cable). Old clients send the four bytes ``PING``: those are matched by address. Spec:
gamestream.md section 4.1.
"""

import logging
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import trio

from punktfunk.control.sockets import BoundSocket, pick, plain_address
from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.gamestream.ping import parse_ping

logger = logging.getLogger(__name__)

SocketAddress = tuple[str, int] | tuple[str, int, int, int]
Follow = Callable[[SocketAddress, socket.AddressFamily], None]

LARGEST_PING_BYTES = 64
DRAIN_COUNT = 64
FLOOD_PAUSE_S = 0.001
"""After a full batch, which only a flood brings: the loop serves others meanwhile."""
LOGGED_MOVES = 8
"""Whoever can forge pings of a stream could fill the log with its moves."""


@dataclass(slots=True)
class Route:
    """Where the pings with one payload come from, and who wants to know.

    ``legacy_address`` is where the four bytes PING may come from, for a client that knows no payload; empty
    for all others, whose pings nobody can claim by address alone.
    """

    local: BoundSocket
    legacy_address: str
    last_address: SocketAddress | None = None
    move_count: int = 0
    follow: Follow | None = None

    def move(self, address: SocketAddress) -> None:
        """Take a ping from ``address``."""
        if address == self.last_address:
            return
        self.last_address = address
        self.move_count += 1
        if self.follow is not None:
            self.follow(address, self.local.socket.family)

    @contextmanager
    def followed_by(self, follow: Follow) -> Iterator[None]:
        """Call ``follow(address, family)`` at once, if the client has pinged already, and for every move."""
        self.follow = follow
        if self.last_address is not None:
            follow(self.last_address, self.local.socket.family)
        try:
            yield
        finally:
            self.follow = None


class MediaPlane:
    """Ping routing for one plane. Own it for the host's life; sessions take a :meth:`route` each."""

    def __init__(self, name: str, sockets: Sequence[BoundSocket]) -> None:
        self.name = name
        self._sockets = tuple(sockets)
        self._routes: dict[bytes, Route] = {}
        self.stray_count = 0

    def socket_for(self, local_address: str) -> BoundSocket:
        """Return the socket that a client of ``local_address`` is served from."""
        return pick(self._sockets, local_address)

    @contextmanager
    def route(self, payload: bytes, local: BoundSocket, *, legacy_address: str = "") -> Iterator[Route]:
        """Take pings with ``payload`` on ``local``, and those without that come from ``legacy_address``."""
        self._routes[payload] = route = Route(local, legacy_address)
        try:
            yield route
        finally:
            del self._routes[payload]

    async def run(self) -> None:
        """Receive pings on all sockets until cancelled."""
        async with trio.open_nursery() as nursery:
            for bound in self._sockets:
                nursery.start_soon(self._receive, bound)

    async def _receive(self, bound: BoundSocket) -> None:
        while True:
            await trio.lowlevel.wait_readable(bound.socket)
            flooded = True
            for _ in range(DRAIN_COUNT):
                try:
                    datagram, address = bound.socket.recvfrom(LARGEST_PING_BYTES)
                except BlockingIOError:
                    flooded = False
                    break
                except OSError as error:  # an ICMP error of an earlier send surfaces here
                    logger.debug("plane=%s receive error=%s", self.name, error)
                    continue
                self._take(bound, datagram, address)
            if flooded:
                await trio.sleep(FLOOD_PAUSE_S)

    def _take(self, bound: BoundSocket, datagram: bytes, address: SocketAddress) -> None:
        try:
            ping = parse_ping(datagram)
        except RemoteProtocolError:
            self.stray_count += 1
            return
        route = self._find(ping.payload, plain_address(address[0]))
        if route is None or route.local is not bound:
            self.stray_count += 1
            return
        if address != route.last_address and route.move_count < LOGGED_MOVES:
            logger.debug("plane=%s client=%s port=%d", self.name, plain_address(address[0]), address[1])
        route.move(address)

    def _find(self, payload: bytes | None, address: str) -> Route | None:
        if payload is not None:
            return self._routes.get(payload)
        return next((route for route in self._routes.values() if route.legacy_address == address), None)


def new_ping_payload() -> str:
    """Return 16 characters that nobody guesses: clients echo exactly 16 (Sunshine, rtsp.cpp, cmd_setup)."""
    return secrets.token_hex(8).upper()
