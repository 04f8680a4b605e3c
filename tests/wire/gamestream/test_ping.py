"""Pings: both forms, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.gamestream.ping import PING, Ping, parse_ping


def test_golden():
    assert parse_ping(b"PING") == Ping(None, 0)
    assert parse_ping(b"0123456789ABCDEF\0\0\0\7") == Ping(b"0123456789ABCDEF", 7)


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**32 - 1))
def test_round_trip(payload, counter):
    assert parse_ping(PING.pack(payload, counter)) == Ping(payload, counter)


@given(st.binary(max_size=64).filter(lambda data: len(data) != 20 and data != b"PING"))
def test_garbage_is_refused(datagram):
    with pytest.raises(RemoteProtocolError):
        parse_ping(datagram)


def test_truncation_at_every_byte():
    for whole in (b"PING", bytes(20)):
        for length in range(len(whole)):
            with pytest.raises(RemoteProtocolError):
                parse_ping(whole[:length])
