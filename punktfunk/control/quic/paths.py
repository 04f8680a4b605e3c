"""UDP sockets as QUIC needs them: who sent a datagram, to which of our addresses, and answers from there."""

import errno
import socket
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from punktfunk.control.sockets import EVERY_ADDRESS, EVERY_IPV4_ADDRESS, plain_address

RECEIVE_BUFFER_BYTES: Final = 2 << 20
_DATAGRAM_BYTES_MAX: Final = 65_535
_FATAL: Final = frozenset({errno.EBADF, errno.ENOTSOCK})  # a bug of ours, not of the network
_LINUX: Final = sys.platform == "linux"
# <linux/in.h>, <linux/in6.h>; the socket module names only some of them, and not in every version.
_SO_TIMESTAMPNS: Final = 35
_IP_PKTINFO: Final = 8
_IP_MTU_DISCOVER: Final = 10
_IPV6_MTU_DISCOVER: Final = 23
_PMTUDISC_DO: Final = 2
_IPV6_RECVPKTINFO: Final = 49
_IPV6_PKTINFO: Final = 50
_PKTINFO4: Final = struct.Struct("=I4s4s")
_PKTINFO6: Final = struct.Struct("=16sI")
_TIMESPEC: Final = struct.Struct("@ll")
_ANCILLARY_BYTES: Final = 256
_NS_PER_S: Final = 1_000_000_000


class Path(NamedTuple):
    """Both ends of one way between the peer and us. aioquic carries it as an address, host and port first."""

    host: str
    port: int
    flow: int
    scope: int
    local: str
    socket_index: int


class Datagram(NamedTuple):
    """One datagram. ``received_ns``: CLOCK_REALTIME of its arrival in the kernel, 0 where that is unknown."""

    data: bytes
    path: Path
    received_ns: int


class DatagramSocket:
    """One bound, non-blocking UDP socket of an endpoint.

    ``local`` names the socket's own end where every peer reaches the same, as clients' do. A datagram that
    the kernel does not take is lost, like any other on its way, and QUIC repairs that. So no error of one
    datagram ends the endpoint; ``counters`` has them by name.
    """

    def __init__(
        self, bound: socket.socket, index: int, *, counters: Counter[str], local: str | None = None
    ) -> None:
        self.socket = bound
        self._index = index
        self._counters = counters
        name = bound.getsockname()
        self.port: int = name[1]
        # A socket of one address knows where a datagram came to; one of all addresses must be told.
        if local is None and name[0] not in {EVERY_ADDRESS, EVERY_IPV4_ADDRESS}:
            local = str(name[0])
        self._local = local or ""
        self._asks_local = _LINUX and local is None
        self._is_six = bound.family == socket.AF_INET6
        self._prepare()

    def _prepare(self) -> None:
        self.socket.setblocking(False)  # noqa: FBT003 -- its only argument
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        if not _LINUX:
            return
        # Between the wire and our reading lie scheduling and the GIL; clock rounds must not see them.
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        # QUIC forbids fragments (RFC 9000 §14).
        self.socket.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DO)
        if self._is_six:
            self.socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_DO)
        if self._asks_local and self._is_six:
            self.socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)
        elif self._asks_local:
            self.socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)

    def lane_to(self, path: Path) -> "DatagramSocket | None":
        """Open a socket for what this one peer sends; None where the system has no such thing.

        The kernel prefers a connected socket, and it has a buffer of its own: strangers who fill the common
        one cannot push out the packets of those who are connected. Everything is sent by the common socket.
        """
        if not _LINUX or not path.local:
            return None
        address = (path.host, path.port, path.flow, path.scope)
        lane = socket.socket(self.socket.family, socket.SOCK_DGRAM)
        try:
            if self._is_six:
                lane.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            for each in (self.socket, lane):  # both must agree; other users' processes still cannot join
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            lane.bind((path.local, self.port, 0, path.scope) if self._is_six else (path.local, self.port))
            lane.connect(address if self._is_six else address[:2])
        except OSError as error:
            lane.close()
            self._count("lane", error)
            return None
        return DatagramSocket(lane, self._index, counters=self._counters, local=path.local)

    def path_to(self, address: tuple[Any, ...]) -> Path:
        """Return the path to a peer that has not sent anything yet."""
        return self._path(address, self._local)

    def receive(self, count_max: int) -> Iterator[Datagram | None]:
        """Give what has arrived, at most ``count_max`` items; None stands for an error of one datagram."""
        for _ in range(count_max):
            try:
                yield self._receive_one()
            except BlockingIOError:
                return
            except OSError as error:
                self._count("receive", error)
                yield None

    def send(self, data: bytes, path: Path) -> None:
        """Send one datagram from the address that the peer knows us by; failures are counted."""
        address = (path.host, path.port, path.flow, path.scope) if self._is_six else (path.host, path.port)
        try:
            if self._asks_local and path.local:
                self.socket.sendmsg([data], [self._source(path)], 0, address)
            else:
                self.socket.sendto(data, address)
        except OSError as error:
            self._count("send", error)

    def _count(self, what: str, error: OSError) -> None:
        if error.errno in _FATAL:
            raise error
        self._counters[f"{what}_{errno.errorcode.get(error.errno or 0, 'unknown')}"] += 1

    def _receive_one(self) -> Datagram:
        if not _LINUX:
            data, address = self.socket.recvfrom(_DATAGRAM_BYTES_MAX)
            return Datagram(data, self._path(address, self._local), 0)
        data, ancillary, _, address = self.socket.recvmsg(_DATAGRAM_BYTES_MAX, _ANCILLARY_BYTES)
        local = _reached(ancillary) if self._asks_local else self._local
        return Datagram(data, self._path(address, local), _arrival_ns(ancillary))

    def _path(self, address: tuple[Any, ...], local: str) -> Path:
        flow, scope = address[2:4] if len(address) > 2 else (0, 0)
        return Path(address[0].partition("%")[0], address[1], flow, scope, local, self._index)

    def _source(self, path: Path) -> tuple[int, int, bytes]:
        if not self._is_six:
            source = socket.inet_aton(path.local)
            return socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO4.pack(0, source, bytes(4))
        source = socket.inet_pton(socket.AF_INET6, path.local)
        # The interface is fixed only where the address alone means nothing.
        return socket.IPPROTO_IPV6, _IPV6_PKTINFO, _PKTINFO6.pack(source, path.scope)


def _reached(ancillary: list[tuple[int, int, bytes]]) -> str:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IPV6, _IPV6_PKTINFO) and len(data) >= _PKTINFO6.size:
            return socket.inet_ntop(socket.AF_INET6, data[:16])
        if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO) and len(data) >= _PKTINFO4.size:
            return socket.inet_ntoa(data[4:8])
    return ""


def _arrival_ns(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds * _NS_PER_S + nanoseconds)
    return 0


def shown(host: str, port: int) -> tuple[str, int]:
    """Return an address as people and sessions know it: no zone, IPv4 as IPv4."""
    return plain_address(host) if host else "", port
