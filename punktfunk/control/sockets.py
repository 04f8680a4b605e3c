"""UDP sockets of the host, bound once and shared by all sessions: one for each plane and bind address."""

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from punktfunk.errors import EnvironmentProblem

EVERY_ADDRESS = "::"
"""Bind address that means all interfaces, IPv4 and IPv6."""
EVERY_IPV4_ADDRESS = "0.0.0.0"  # noqa: S104 -- a value of the settings

SEND_BUFFER_BYTES = 4 << 20
RECEIVE_BUFFER_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class BoundSocket:
    """A bound UDP socket and the address that it was asked to bind to."""

    socket: socket.socket
    bind_address: str

    def serves(self, local_address: str) -> bool:
        """Tell whether a client that reached ``local_address`` can be served from this socket."""
        bound = plain_address(self.bind_address)
        local = plain_address(local_address)
        if bound in {local, EVERY_ADDRESS}:
            return True
        return bound == EVERY_IPV4_ADDRESS and ip_address(local).version == 4


def plain_address(address: str) -> str:
    """Return the address without zone, and an IPv4-mapped IPv6 address as IPv4.

    A dual-stack socket shows IPv4 peers as ``::ffff:a.b.c.d``; sessions are keyed by what people type.
    """
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(parsed)


def bind_udp(address: str, port: int) -> socket.socket:
    """Bind a non-blocking UDP socket; ``::`` also takes IPv4. A taken port is an EnvironmentProblem."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound: socket.socket | None = None
    try:
        bound = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address != EVERY_ADDRESS))
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        bound.setblocking(False)  # noqa: FBT003 -- its only argument
        bound.bind((address, port))
    except OSError as error:
        if bound is not None:
            bound.close()
        raise EnvironmentProblem(
            f"cannot bind UDP {address} port {port}: {error.strerror or error}",
            hint="run `punktfunk doctor` to see who holds it; port and native_port are settings",
        ) from error
    return bound


def resolve_bind(addresses: Sequence[str]) -> list[str]:
    """Return what to bind: no address twice, and none that collides with a wildcard beside it.

    ``::`` becomes ``0.0.0.0`` where the kernel has no IPv6, as in many containers.
    """
    wanted = list(dict.fromkeys(addresses or [EVERY_ADDRESS]))
    if EVERY_ADDRESS in wanted:
        if has_ipv6():
            return [EVERY_ADDRESS]
        wanted[wanted.index(EVERY_ADDRESS)] = EVERY_IPV4_ADDRESS
    if EVERY_IPV4_ADDRESS in wanted:
        return [EVERY_IPV4_ADDRESS, *(address for address in wanted if ":" in address)]
    return wanted


def has_ipv6() -> bool:
    """Try it: ``socket.has_ipv6`` only says what Python was compiled with."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::", 0))
    except OSError as error:
        if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            return False
        raise
    return True


@contextmanager
def bound_sockets(addresses: Sequence[str], port: int) -> Iterator[list[BoundSocket]]:
    """Bind one socket for each address, and close them all at the end."""
    opened: list[BoundSocket] = []
    try:
        for address in addresses:
            opened.append(BoundSocket(bind_udp(address, port), address))  # noqa: PERF401 -- closed on failure
        yield opened
    finally:
        for bound in opened:
            with suppress(OSError):
                bound.socket.close()


def pick(sockets: Sequence[BoundSocket], local_address: str) -> BoundSocket:
    """Return the socket that a client of ``local_address`` talks to."""
    for bound in sockets:
        if bound.serves(local_address):
            return bound
    raise EnvironmentProblem(
        f"no media socket is bound to {local_address}",
        hint="add the address to `bind` in the settings, or leave `bind` empty for all addresses",
    )
