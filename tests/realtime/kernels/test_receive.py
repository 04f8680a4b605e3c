"""receive_rows through DatagramReceiver, over loopback: what was sent comes in, in order and from whom."""

import errno
import socket
import struct
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError, PipelineFailed
from punktfunk.realtime.kernels import receive
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    DESTINATION_WORD_COUNT,
    RECEIVE_DATAGRAMS,
    RECEIVE_WORD_COUNT,
)
from punktfunk.realtime.receiver import DatagramReceiver

SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
LONG_NS = 20_000_000_000
FAMILIES = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


class Pair:
    def __init__(
        self, family: socket.AddressFamily, row_bytes: int, row_count: int, *, glue: bool = True
    ) -> None:
        self.client = socket.socket(family, socket.SOCK_DGRAM)
        self.host = socket.socket(family, socket.SOCK_DGRAM)
        for end in (self.client, self.host):
            end.bind((FAMILIES[family], 0))
        self.receiver = DatagramReceiver(self.client, row_bytes, row_count)
        if not glue:
            self.client.setsockopt(SOL_UDP, UDP_GRO, 0)

    def send(self, *datagrams: bytes, segment_bytes: int = 0) -> None:
        control = [(SOL_UDP, UDP_SEGMENT, struct.pack("H", segment_bytes))] if segment_bytes else []
        for datagram in datagrams:
            self.host.sendmsg([datagram], control, 0, self.client.getsockname())

    def receive_all(self) -> list[bytes]:
        """What waits, in calls as small as the rows make them."""
        got = []
        while count := self.receiver.receive():
            assert {self.receiver.source(row) for row in range(count)} == {self.host.getsockname()}
            got += [self.receiver.datagram(row) for row in range(count)]
        return got

    def close(self) -> None:
        self.client.close()
        self.host.close()


@pytest.fixture(params=FAMILIES, ids=["ipv4", "ipv6"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    opened = Pair(request.param, 1400, 64)
    yield opened
    opened.close()


def pattern(count: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, count, dtype=np.uint8).tobytes()


def test_single_datagrams_come_as_they_are_even_empty_ones(pair: Pair) -> None:
    datagrams = [pattern(size, size) for size in (1, 1400, 0, 17)]
    pair.send(*datagrams)
    assert pair.receiver.receive(LONG_NS) == 4
    assert [pair.receiver.datagram(row) for row in range(4)] == datagrams
    assert pair.receiver.receive() == 0
    assert pair.receiver.counters() == {
        "calls": pair.receiver.counters()["calls"],
        "datagrams": 4,
        "bytes": 1418,
        "truncated": 0,
        "receive_errors": 0,
        "last_errno": 0,
    }


def test_glued_segments_are_cut_again_and_wait_for_room(pair: Pair) -> None:
    """46 segments per message, the last one shorter, three messages: more than the 64 rows of one call."""
    assert pair.receiver.glued
    whole = pattern(45 * 1400 + 333)
    pair.send(whole, whole, whole, segment_bytes=1400)
    expected = [whole[start : start + 1400] for start in range(0, len(whole), 1400)]
    assert pair.receiver.receive() == 64
    first = [pair.receiver.datagram(row) for row in range(64)]
    assert first + pair.receive_all() == expected * 3
    assert pair.receiver.counters()["calls"] < 6


def test_longer_datagrams_are_thrown_away_and_counted() -> None:
    for glue in (True, False):
        pair = Pair(socket.AF_INET, 100, 8, glue=glue)
        try:
            pair.send(pattern(100), pattern(101), pattern(60_000), pattern(7))
            assert pair.receive_all() == [pattern(100), pattern(7)]
            assert pair.receiver.counters()["truncated"] == 2
        finally:
            pair.close()


def test_a_buffer_that_cuts_off_the_end_loses_only_the_last_segment() -> None:
    """Buffers of 1000 bytes: of five glued segments of 300 bytes three came whole."""
    pair = Pair(socket.AF_INET, 300, 8)
    pair.receiver._buffers = np.zeros((16, 1000), np.uint8)
    try:
        whole = pattern(1500)
        pair.send(whole, segment_bytes=300)
        pair.send(b"next")
        assert pair.receive_all() == [whole[:300], whole[300:600], whole[600:900], b"next"]
        assert pair.receiver.counters()["truncated"] == 1
    finally:
        pair.close()


@settings(max_examples=30, deadline=None)
@given(
    sent=st.lists(st.tuples(st.integers(1, 700), st.integers(1, 128)), min_size=1, max_size=12),
    row_count=st.integers(1, 40),
    glue=st.booleans(),
)
def test_whatever_is_sent_comes_in_order(sent: list[tuple[int, int]], row_count: int, *, glue: bool) -> None:
    """Each pair is a message: bytes of a segment, and how many (at most 64 at once, and 64 KiB)."""
    pair, expected = Pair(socket.AF_INET, 700, row_count, glue=glue), []
    try:
        for number, (size, count) in enumerate(sent):
            whole = pattern(size * min(count, 64, 60_000 // size), number)
            pair.send(whole, segment_bytes=size if len(whole) > size else 0)
            expected += [whole[start : start + size] for start in range(0, len(whole), size)]
            if number % 2:
                assert pair.receive_all() == expected
                expected = []
        assert pair.receive_all() == expected
    finally:
        pair.close()


def test_an_echo_of_a_refused_datagram_is_counted_and_passes(pair: Pair) -> None:
    with socket.socket(pair.client.family, socket.SOCK_DGRAM) as gone:
        gone.bind((FAMILIES[pair.client.family], 0))
        address = gone.getsockname()
    pair.client.connect(address)
    pair.client.send(b"to nobody")
    assert pair.receiver.receive() == 0
    assert pair.receiver.counters()["receive_errors"] == 1
    assert pair.receiver.counters()["last_errno"] == errno.ECONNREFUSED
    pair.client.connect(pair.host.getsockname())
    pair.send(b"still here")
    assert pair.receiver.receive(LONG_NS) == 1


def test_waiting_ends_with_a_datagram_or_the_time(pair: Pair) -> None:
    assert pair.receiver.receive(1) == 0
    sender = threading.Thread(target=pair.send, args=(b"x",))
    sender.start()
    assert pair.receiver.receive(LONG_NS) == 1
    sender.join()


def test_two_senders_are_told_apart() -> None:
    pair = Pair(socket.AF_INET6, 100, 8)
    client = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        client.bind(("::", 0))
        receiver, port = DatagramReceiver(client, 100, 8), client.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            for _ in range(2):
                other.sendto(b"a", ("127.0.0.1", port))
                pair.host.sendto(b"b", ("::1", port))
            assert receiver.receive(LONG_NS) == 4
            mapped = ("::ffff:127.0.0.1", other.getsockname()[1], 0, 0)
            assert [(receiver.datagram(row), receiver.source(row)) for row in range(4)] == [
                (b"a", mapped),
                (b"b", pair.host.getsockname()),
            ] * 2
    finally:
        client.close()
        pair.close()


def test_a_closed_socket_is_told(pair: Pair) -> None:
    pair.client.close()
    with pytest.raises(PipelineFailed):
        pair.receiver.receive()


def test_wrong_sizes_receive_nothing(pair: Pair) -> None:
    right = {
        "fd": pair.client.fileno(),
        "words": np.zeros(RECEIVE_WORD_COUNT, np.int64),
        "buffers": np.zeros((4, 100), np.uint8),
        "messages": np.zeros(4 * receive.RECEIVE_MESSAGE_WORDS, np.int64),
        "rows": np.zeros((8, 100), np.uint8),
        "lengths": np.zeros(8, np.int64),
        "sources": np.zeros((8, DESTINATION_WORD_COUNT), np.int64),
        "timeout_ms": 0,
    }
    pair.send(b"x")
    wrong = {
        "words": right["words"][:-1],
        "buffers": right["buffers"][:0],
        "messages": right["messages"][:-1],
        "rows": np.zeros((9, 100), np.uint8),
        "lengths": right["lengths"][:-1],
        "sources": np.zeros((8, DESTINATION_WORD_COUNT - 1), np.int64),
    }
    for name, value in wrong.items():
        assert receive.receive_rows(*(right | {name: value}).values()) == BAD_SIZE
    assert receive.receive_rows(*right.values()) == 1
    assert right["words"][RECEIVE_DATAGRAMS] == 1
    for row_bytes, row_count in ((0, 1), (65_536, 1), (1, 0)):
        with pytest.raises(LocalProtocolError):
            DatagramReceiver(pair.client, row_bytes, row_count)
