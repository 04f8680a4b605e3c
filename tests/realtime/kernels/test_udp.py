import errno
import socket
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
    WORD_SEND_MODE,
    WORD_SOCKET,
)

ROW_BYTES = 1040


class Link:
    """Two loopback sockets and the arrays of a sender."""

    def __init__(self) -> None:
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.bind(("127.0.0.1", 0))
        self.client.settimeout(5)
        self.sending = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.words = np.zeros(SENDER_WORD_COUNT, np.int64)
        self.words[WORD_SOCKET] = self.sending.fileno()
        self.counters = np.zeros(COUNTER_COUNT, np.int64)
        self.messages = np.zeros(udp.MESSAGE_WORD_COUNT, np.int64)
        self.packets = np.random.default_rng(0).integers(0, 256, (80, ROW_BYTES), dtype=np.uint8)
        self.address = np.zeros(5, np.int64)
        port = self.client.getsockname()[1]
        packed = (
            socket.AF_INET.to_bytes(2, "little") + port.to_bytes(2, "big") + socket.inet_aton("127.0.0.1")
        )
        self.address[0] = 16
        self.address[1:] = np.frombuffer(packed.ljust(32, b"\0"), np.int64)

    def send(self, first: int, count: int) -> int:
        return udp.send_rows(
            self.words, self.packets, first, count, self.address, self.messages, self.counters, 0
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
