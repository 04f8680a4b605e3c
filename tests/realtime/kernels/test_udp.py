import errno
import os
import socket
import struct
import time
from collections.abc import Iterator

import numpy as np
import pytest

from punktfunk.realtime.kernels import udp
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    COUNT_BYTES,
    COUNT_DATAGRAMS,
    COUNT_LAST_ERRNO,
    COUNT_LOST_DATAGRAMS,
    COUNT_SEND_ERRORS,
    COUNT_WOULD_BLOCK,
    COUNTER_COUNT,
    SEND_BATCHED,
    SEND_SEGMENTED,
    SEND_SINGLE,
    SENDER_WORD_COUNT,
    SOCKET_FAILED,
    WORD_DEPARTURE_NS,
    WORD_SEND_MODE,
    WORD_SOCKET,
    WORD_TRAFFIC_CLASS,
    WORD_TXTIME,
)
from punktfunk.realtime.kernels.mailbox import post_destination, read_destination

ROW_BYTES = 1040


def address_words(family: int, host: str, port: int) -> np.ndarray:
    packed = socket.inet_pton(family, host)
    body = packed + bytes(8) if family == socket.AF_INET else bytes(4) + packed + bytes(4)
    raw = family.to_bytes(2, "little") + port.to_bytes(2, "big") + body
    return np.array([len(raw), *struct.unpack("4q", raw.ljust(32, b"\0"))])


class Link:
    """Two loopback sockets and the arrays of a sender."""

    def __init__(self, family: int = socket.AF_INET, host: str = "127.0.0.1") -> None:
        sent_by = socket.AF_INET6 if ":" in host else family
        self.client = socket.socket(family, socket.SOCK_DGRAM)
        self.client.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self.client.settimeout(5)
        self.sending = socket.socket(sent_by, socket.SOCK_DGRAM)
        self.words = np.zeros(SENDER_WORD_COUNT, np.int64)
        self.words[WORD_SOCKET] = self.sending.fileno()
        self.counters = np.zeros(COUNTER_COUNT, np.int64)
        self.messages = np.zeros(udp.MESSAGE_WORD_COUNT, np.int64)
        self.packets = np.random.default_rng(0).integers(0, 256, (80, ROW_BYTES), dtype=np.uint8)
        self.address = address_words(sent_by, host, self.client.getsockname()[1])

    def send(self, first: int, count: int, depart_ns: int = 0) -> int:
        return udp.send_rows(
            self.words, self.packets, first, count, self.address, self.messages, self.counters, depart_ns
        )

    def close(self) -> None:
        self.client.close()
        self.sending.close()


@pytest.fixture
def link() -> Iterator[Link]:
    opened = Link()
    yield opened
    opened.close()


@pytest.mark.parametrize("mode", [SEND_SEGMENTED, SEND_BATCHED, SEND_SINGLE])
@pytest.mark.parametrize(("first", "count"), [(0, 1), (5, 2), (3, 62), (79, 1)])
def test_send_rows_delivers_every_row_in_every_mode(link: Link, mode: int, first: int, count: int) -> None:
    link.words[WORD_SEND_MODE] = mode
    assert link.send(first, count) == count
    got = [link.client.recv(2000) for _ in range(count)]
    assert got == [link.packets[row].tobytes() for row in range(first, first + count)]
    assert link.words[WORD_SEND_MODE] == mode
    assert (link.counters[COUNT_DATAGRAMS], link.counters[COUNT_BYTES]) == (count, count * ROW_BYTES)


def test_wrong_sizes_send_nothing(link: Link) -> None:
    for first, count in ((-1, 2), (0, 0), (79, 2), (0, 65), (0, 63)):
        assert link.send(first, count) == BAD_SIZE
    link.messages = link.messages[:-1]
    assert link.send(0, 1) == BAD_SIZE
    assert link.counters[COUNT_DATAGRAMS] == 0


def test_a_closed_socket_is_told(link: Link) -> None:
    link.sending.close()
    assert link.send(0, 2) == SOCKET_FAILED
    assert link.counters[COUNT_LAST_ERRNO] == errno.EBADF


LATER, NEVER = 1 << 62, 0


@pytest.mark.parametrize(
    ("problem", "mode", "patience_ns", "verdict", "mode_after"),
    [
        (errno.EINTR, SEND_SEGMENTED, NEVER, 1, SEND_SEGMENTED),
        (errno.EAGAIN, SEND_SEGMENTED, LATER, 1, SEND_SEGMENTED),
        (errno.EAGAIN, SEND_SEGMENTED, NEVER, 0, SEND_SEGMENTED),
        (errno.ENOBUFS, SEND_BATCHED, LATER, 1, SEND_BATCHED),
        (errno.ENOBUFS, SEND_BATCHED, NEVER, 0, SEND_BATCHED),
        (errno.EIO, SEND_SEGMENTED, NEVER, 1, SEND_BATCHED),
        (errno.EINVAL, SEND_SEGMENTED, NEVER, 1, SEND_BATCHED),
        (errno.EMSGSIZE, SEND_SEGMENTED, NEVER, 1, SEND_BATCHED),
        (errno.EMSGSIZE, SEND_BATCHED, LATER, 0, SEND_BATCHED),
        (errno.ENOSYS, SEND_BATCHED, NEVER, 1, SEND_SINGLE),
        (errno.ENETUNREACH, SEND_SEGMENTED, LATER, 0, SEND_SEGMENTED),
        (errno.ECONNREFUSED, SEND_SEGMENTED, LATER, 1, SEND_SEGMENTED),
        (errno.ECONNREFUSED, SEND_SEGMENTED, NEVER, 0, SEND_SEGMENTED),
        (errno.EBADF, SEND_SEGMENTED, LATER, SOCKET_FAILED, SEND_SEGMENTED),
    ],
)
def test_what_follows_an_error(
    link: Link, problem: int, mode: int, patience_ns: int, verdict: int, mode_after: int
) -> None:
    link.words[WORD_SEND_MODE] = mode
    assert udp._may_retry(link.words, problem, patience_ns, link.counters) == verdict
    assert link.words[WORD_SEND_MODE] == mode_after
    waited = problem in (errno.EAGAIN, errno.ENOBUFS)
    assert link.counters[COUNT_WOULD_BLOCK] == waited
    assert link.counters[COUNT_SEND_ERRORS] == (verdict == 0 or problem == errno.ECONNREFUSED)


def test_no_route_loses_the_group_and_counts_it(link: Link) -> None:
    link.address.view(np.uint8)[12:16] = 255
    assert link.send(0, 10) == 0  # 255.255.255.255 without SO_BROADCAST
    assert link.counters[COUNT_LOST_DATAGRAMS] == 10
    assert link.counters[COUNT_LAST_ERRNO] == errno.EACCES


MODES = [SEND_SEGMENTED, SEND_BATCHED, SEND_SINGLE]
ROUTES = {
    "ipv4": (socket.AF_INET, "127.0.0.1", (socket.IPPROTO_IP, socket.IP_RECVTOS, socket.IP_TOS)),
    "ipv6": (socket.AF_INET6, "::1", (socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, socket.IPV6_TCLASS)),
    "mapped": (socket.AF_INET, "::ffff:127.0.0.1", (socket.IPPROTO_IP, socket.IP_RECVTOS, socket.IP_TOS)),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("traffic_class", [0, 40 << 2])
def test_every_route_delivers_and_carries_the_mark(route: str, mode: int, traffic_class: int) -> None:
    family, host, (level, wanted, kind) = ROUTES[route]
    link = Link(family, host)
    try:
        link.client.setsockopt(level, wanted, 1)
        link.words[WORD_SEND_MODE], link.words[WORD_TRAFFIC_CLASS] = mode, traffic_class
        assert link.send(4, 20) == 20
        for row in range(4, 24):
            data, ancillary, _, _ = link.client.recvmsg(2000, 100)
            assert data == link.packets[row].tobytes()
            assert [(entry[:2], entry[2][0]) for entry in ancillary] == [((level, kind), traffic_class)]
        assert link.words[WORD_SEND_MODE] == mode
        assert link.counters[COUNT_SEND_ERRORS] == 0
    finally:
        link.close()


@pytest.mark.parametrize("mode", MODES)
def test_times_of_departure_never_go_back_and_lose_nothing(link: Link, mode: int) -> None:
    """Loopback keeps no times: all that can be seen here is that the system takes them."""
    link.sending.setsockopt(socket.SOL_SOCKET, 61, struct.pack("ii", 1, 0))  # SO_TXTIME, CLOCK_MONOTONIC
    link.words[WORD_SEND_MODE], link.words[WORD_TXTIME] = mode, 1
    began_ns = time.monotonic_ns()
    later_ns = began_ns + 1_000_000_000
    for depart_ns, expected_ns in ((0, None), (later_ns, later_ns), (later_ns - 5, later_ns), (0, later_ns)):
        assert link.send(0, 3, depart_ns) == 3
        given_ns = link.words[WORD_DEPARTURE_NS]
        assert began_ns <= given_ns <= time.monotonic_ns() if expected_ns is None else given_ns == expected_ns
    assert [link.client.recv(2000) for _ in range(12)] == [
        link.packets[row].tobytes() for row in range(3)
    ] * 4
    assert (link.words[WORD_SEND_MODE], link.words[WORD_TXTIME]) == (mode, 1)
    assert link.counters[COUNT_SEND_ERRORS] == 0


@pytest.mark.parametrize("mode", MODES)
def test_a_socket_that_knows_no_times_sends_without(link: Link, mode: int) -> None:
    link.words[WORD_SEND_MODE], link.words[WORD_TXTIME] = mode, 1
    assert link.send(0, 5, 1) == 5
    assert [link.client.recv(2000) for _ in range(5)] == [link.packets[row].tobytes() for row in range(5)]
    assert (link.words[WORD_SEND_MODE], link.words[WORD_TXTIME]) == (mode, 0)
    assert link.counters[COUNT_LAST_ERRNO] == errno.EINVAL


@pytest.mark.parametrize("mode", [SEND_BATCHED, SEND_SINGLE])
def test_a_full_receiver_is_waited_for_and_then_given_up(link: Link, mode: int) -> None:
    """A Unix socket really says EAGAIN, and takes only some of what sendmmsg brings."""
    name = b"\0pf" + os.urandom(8)
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sending,
    ):
        client.bind(name)
        link.words[WORD_SOCKET], link.words[WORD_SEND_MODE] = sending.fileno(), mode
        raw = socket.AF_UNIX.to_bytes(2, "little") + name
        link.address = np.array([len(raw), *struct.unpack("4q", raw.ljust(32, b"\0"))])
        began_ns = time.monotonic_ns()
        sent = link.send(0, 60)
        assert 0 < sent < 60
        assert time.monotonic_ns() - began_ns >= 4_000_000
        assert link.counters[COUNT_WOULD_BLOCK] > 1
        assert link.counters[COUNT_LOST_DATAGRAMS] == 60 - sent
        assert link.counters[COUNT_LAST_ERRNO] == errno.EAGAIN
        assert [client.recv(2000) for _ in range(sent)] == [
            link.packets[row].tobytes() for row in range(sent)
        ]
        assert link.send(0, 5) == 5


def test_a_changed_address_takes_effect_with_the_next_group_and_resets_the_mode(link: Link) -> None:
    link.words[WORD_SEND_MODE] = SEND_SINGLE
    assert link.send(0, 1) == 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(5)
        post_destination(link.words, address_words(socket.AF_INET, *other.getsockname()))
        link.address = np.concatenate([link.address, np.zeros(5, np.int64)])
        assert read_destination(link.words, link.address) == 2
        assert link.send(1, 2) == 2
        assert link.client.recv(2000) == link.packets[0].tobytes()
        assert [other.recv(2000) for _ in range(2)] == [link.packets[row].tobytes() for row in (1, 2)]
    assert link.words[WORD_SEND_MODE] == SEND_SEGMENTED
