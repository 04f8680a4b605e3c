"""TCP listeners that stay up: how many connections, from whom, and who makes room when it gets tight.

A connection holds a place. It is *busy* from the moment that its request is understood until the reply is
out; before and after it is idle. When an address or the whole gate is full, the longest idle connection makes
room for the new one, so a thousand silent connections can neither fill memory nor lock a client out.
"""

import errno
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import trio

from punktfunk.control.complaints import Complaints
from punktfunk.control.sockets import EVERY_ADDRESS, plain_address
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError

logger = logging.getLogger(__name__)

BACKLOG: Final = 128
_OUT_OF_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})


@dataclass(eq=False, slots=True)
class Place:
    """One connection's place in a gate, which ends it by cancelling ``scope``. Its handler marks it busy."""

    address: str
    idle_since_s: float
    busy: bool = False
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    def set_busy(self) -> None:
        """Keep the connection until it is answered: a whole request has come in."""
        self.busy = True

    def set_idle(self) -> None:
        """Let the connection make room for others: its reply is out."""
        self.busy = False
        self.idle_since_s = trio.current_time()


class ConnectionGate:
    """Admits connections up to ``total`` at once and ``per_address`` of one IPv4 address or IPv6 /64."""

    def __init__(self, *, total: int, per_address: int) -> None:
        self._total = total
        self._per_address = per_address
        self._places: set[Place] = set()

    def __len__(self) -> int:
        return len(self._places)

    def admit(self, address: str) -> Place | None:
        """Give a place, ending the longest idle connection if need be; None when everyone is busy."""
        key = neighbourhood(address)
        same = [place for place in self._places if place.address == key]
        if len(same) >= self._per_address:
            if not self._evict(same):
                return None
        elif len(self._places) >= self._total and not self._evict(self._places):
            return None
        place = Place(key, trio.current_time())
        self._places.add(place)
        return place

    def leave(self, place: Place) -> None:
        """Give the place back."""
        self._places.discard(place)

    def _evict(self, among: Sequence[Place] | set[Place]) -> bool:
        idle = [place for place in among if not place.busy]
        if not idle:
            return False
        crowds: dict[str, int] = {}
        for place in self._places:
            crowds[place.address] = crowds.get(place.address, 0) + 1
        victim = min(idle, key=lambda place: (-crowds.get(place.address, 0), place.idle_since_s))
        self._places.discard(victim)
        victim.scope.cancel()
        return True


ConnectionHandler = Callable[[trio.SocketStream, Place], Awaitable[None]]


def open_tcp(addresses: Sequence[str], port: int) -> list[trio.SocketListener]:
    """Listen on every address (``::`` takes IPv4 too). Port 0 takes one free port for all addresses.

    A taken port is an EnvironmentProblem (``holders.refuse_held_ports`` can say who has it).
    """
    listeners: list[trio.SocketListener] = []
    try:
        for address in addresses:
            listeners.append(_listen(address, port))
            port = port or int(listeners[0].socket.getsockname()[1])
    except BaseException:
        for listener in listeners:
            listener.socket.close()
        raise
    return listeners


async def serve_gated(
    listeners: Sequence[trio.SocketListener],
    handler: ConnectionHandler,
    gate: ConnectionGate,
    *,
    name: str,
    complaints: Complaints,
) -> None:
    """Accept for ever. Each connection runs ``handler`` in its own task; what it breaks ends with it."""
    async with trio.open_nursery() as connections, trio.open_nursery() as acceptors:
        for listener in listeners:
            acceptors.start_soon(
                _accept, listener, connections, partial(_serve_one, handler, gate, name, complaints)
            )


async def _accept(
    listener: trio.SocketListener,
    connections: trio.Nursery,
    serve_one: Callable[[trio.SocketStream], Awaitable[None]],
) -> None:
    async with listener:
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                if error.errno not in _OUT_OF_RESOURCES:
                    raise
                logger.warning("accept paused reason=%s", error.strerror)
                await trio.sleep(0.2)  # connections that end give descriptors back
                continue
            connections.start_soon(serve_one, stream)


async def _serve_one(
    handler: ConnectionHandler,
    gate: ConnectionGate,
    name: str,
    complaints: Complaints,
    stream: trio.SocketStream,
) -> None:
    address = peer_address(stream)
    place = gate.admit(address)
    if place is None:
        complaints.note(f"{name}-full", peer=address)
        await trio.aclose_forcefully(stream)
        return
    try:
        with place.scope:
            await handler(stream, place)
    except* (
        RemoteProtocolError,
        OSError,
        trio.BrokenResourceError,
        trio.ClosedResourceError,
        trio.TooSlowError,
    ) as problems:
        complaints.note(f"{name}-broken", peer=address, reason=problems.exceptions[0])
    finally:
        gate.leave(place)
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)


def peer_address(stream: trio.SocketStream) -> str:
    """Return the peer's IP address without zone; empty for a unix socket or a peer that has gone."""
    try:
        name = stream.socket.getpeername()
    except OSError:
        return ""
    return plain_address(name[0]) if isinstance(name, tuple) else ""


def local_address(stream: trio.SocketStream) -> str:
    """Return the address that the client reached us on, without zone."""
    return plain_address(stream.socket.getsockname()[0])


def neighbourhood(address: str) -> str:
    """Return what limits count: an IPv4 address or an IPv6 /64, in which a peer can choose at will."""
    if ":" not in address:
        return address
    return str(ipaddress.IPv6Network((address, 64), strict=False))


def _listen(address: str, port: int) -> trio.SocketListener:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address != EVERY_ADDRESS))
        bound.bind((address, port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise EnvironmentProblem(
            f"cannot listen on {address} TCP port {port}: {error.strerror or error}",
            hint="run `punktfunk doctor` to see who holds the port, or choose another --port",
        ) from error
    return trio.SocketListener(trio.socket.from_stdlib_socket(bound))
