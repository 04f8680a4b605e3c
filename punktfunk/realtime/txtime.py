"""Whether the queue in front of the network keeps times of departure, and asking a socket for SO_TXTIME.

Only ``fq`` does what a stream wants: it holds a datagram back until its time, and lets a late one go at once.
``etf`` would drop the late ones, and every other queue ignores the times. The route and its queues are asked
for by rtnetlink, which needs no privilege.
"""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

_SO_TXTIME: Final = 61  # of level SOL_SOCKET; Python has no name for it
_CLOCK_MONOTONIC: Final = 1
_NETLINK_ROUTE: Final = 0
_RTM_NEWROUTE, _RTM_GETROUTE, _RTM_NEWQDISC, _RTM_GETQDISC = 24, 26, 36, 38
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQUEST, _DUMP = 0x1, 0x300
_RTA_DST, _RTA_OIF, _TCA_KIND = 1, 4, 1
_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ROUTE: Final = struct.Struct("=8BI")  # rtmsg: family, destination's bits, ...
_QUEUE: Final = struct.Struct("=B3xiIII")  # tcmsg: family, interface, handle, parent, info
_ATTRIBUTE: Final = struct.Struct("=HH")
_PATIENCE_S: Final = 0.25
_INGRESS: Final = frozenset({"ingress", "clsact"})
_TRANSPARENT: Final = frozenset(
    {"mq", "mqprio"}
)  # one queue for each of the card's, and nothing of their own


@dataclass(frozen=True, slots=True)
class TxTime:
    """Whether datagrams may carry a time of departure; ``reason`` is a sentence for doctor and log."""

    useful: bool
    reason: str


def offer(socket_fd: int, host: str, scope_id: int = 0) -> TxTime:
    """Ask the route to a numeric address for its queues and, where they keep times, the socket for SO_TXTIME.

    Takes under a millisecond and raises nothing: whatever is in the way becomes the reason. A socket that was
    told still sends at once what carries no time.
    """
    try:
        interface = scope_id or route_interface(host)
        found = judge(queue_kinds(interface))
        if found.useful:
            with closing(socket.socket(fileno=os.dup(socket_fd))) as same:
                same.setsockopt(socket.SOL_SOCKET, _SO_TXTIME, struct.pack("=ii", _CLOCK_MONOTONIC, 0))
    except OSError as error:
        return TxTime(useful=False, reason=f"times of departure cannot be had: {error.strerror or error}")
    return found


def judge(kinds: list[str]) -> TxTime:
    """Tell what queues of these kinds, all those of one interface, do with times of departure."""
    queues = [kind for kind in kinds if kind not in _INGRESS | _TRANSPARENT]
    if not queues:
        return TxTime(useful=False, reason="the route has no queue that could keep times of departure")
    others = sorted(set(queues) - {"fq"})
    if not others:
        return TxTime(useful=True, reason="the route's queue is fq, which keeps times of departure")
    if "etf" in others:
        return TxTime(useful=False, reason="the route's queue is etf, which drops datagrams that are late")
    return TxTime(useful=False, reason=f"the route's queue is {', '.join(others)}, which knows no times")


def route_interface(host: str) -> int:
    """Index of the interface on which datagrams to a numeric address leave; OSError without a route."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    body = _ROUTE.pack(family, address.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
    body += _attribute(_RTA_DST, address.packed)
    for answer in _ask(_RTM_GETROUTE, _REQUEST, body, _RTM_NEWROUTE):
        interface = _attributes(answer[_ROUTE.size :]).get(_RTA_OIF)
        if interface is not None:
            return int.from_bytes(interface, "little")
    raise OSError(f"there is no route to {host}")


def queue_kinds(interface: int) -> list[str]:
    """Names of an interface's queueing disciplines, those of its hardware queues included."""
    body = _QUEUE.pack(socket.AF_UNSPEC, interface, 0, 0, 0)
    kinds = []
    for answer in _ask(_RTM_GETQDISC, _REQUEST | _DUMP, body, _RTM_NEWQDISC):
        if len(answer) >= _QUEUE.size and _QUEUE.unpack_from(answer)[1] == interface:
            kind = _attributes(answer[_QUEUE.size :]).get(_TCA_KIND, b"")
            kinds.append(kind.rstrip(b"\0").decode("ascii", "replace"))
    return kinds


def _attribute(kind: int, value: bytes) -> bytes:
    return (_ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value).ljust(
        -(-len(value) // 4) * 4 + 4, b"\0"
    )


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(data)
        if size < _ATTRIBUTE.size:
            break
        found[kind & 0x3FFF] = data[_ATTRIBUTE.size : size]
        data = data[-(-size // 4) * 4 :]
    return found


def _ask(kind: int, flags: int, body: bytes, wanted: int) -> Iterator[bytes]:
    """Send one request; the bodies of its answers."""
    with closing(
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_ROUTE)
    ) as link:
        link.settimeout(_PATIENCE_S)
        link.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body)
        ended = False
        while not ended:
            answers, ended = messages(link.recv(1 << 16), wanted)
            yield from answers
            ended |= not flags & _DUMP


def messages(data: bytes, wanted: int) -> tuple[list[bytes], bool]:
    """Split what came from rtnetlink: bodies of the messages of one type, and whether the answer ends there.

    OSError for an error that the kernel reports.
    """
    bodies: list[bytes] = []
    while len(data) >= _HEADER.size:
        size, kind, _, _, _ = _HEADER.unpack_from(data)
        if size < _HEADER.size:
            break
        body = data[_HEADER.size : size]
        if kind == _NLMSG_ERROR:
            number = -int.from_bytes(body[:4], "little", signed=True)
            raise OSError(number, os.strerror(number))
        if kind == _NLMSG_DONE:
            return bodies, True
        if kind == wanted:
            bodies.append(body)
        data = data[-(-size // 4) * 4 :]
    return bodies, False
