"""Envelopes of both versions, replays and forgeries, and the messages inside."""

import contextlib
import struct

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.gamestream.control import (
    MAX_ADVANCE,
    REPLAY_WINDOW,
    ControlCipher,
    FecStatus,
    InputPacket,
    InvalidateReferences,
    LongTermReferenceAck,
    Origin,
    PeriodicPing,
    RequestIdr,
    StartB,
    UnknownMessage,
    parse_message,
)

KEY = bytes(range(16))
PING = bytes.fromhex("0002 0800 0400 00000000 0000".replace(" ", ""))
BOTH = pytest.mark.parametrize("version2", [False, True])


def pair(version2):
    return ControlCipher(KEY, version2), ControlCipher(KEY, version2, origin=Origin.CLIENT)


def envelope(sequence, message, version2, origin=b"C"):
    """Textbook sealing, with the sequence chosen freely as an attacker or a reordering network does."""
    iv = struct.pack("<I6x", sequence) + origin + b"C" if version2 else bytes((sequence & 0xFF,)) + bytes(15)
    sealed = AESGCM(KEY).encrypt(iv, message, None)
    return struct.pack("<HHI", 1, 4 + len(sealed), sequence) + sealed[-16:] + sealed[:-16]


@BOTH
def test_golden_envelope(version2):
    host, client = pair(version2)
    assert client.seal(PING) == envelope(0, PING, version2)
    assert client.seal(PING) == envelope(1, PING, version2)
    assert host.seal(PING) == envelope(0, PING, version2, origin=b"H")
    assert len(client.seal(PING)) == 24 + len(PING)


@BOTH
@given(messages=st.lists(st.binary(min_size=4, max_size=80), max_size=8))
@settings(max_examples=50)
def test_round_trip_both_ways(version2, messages):
    host, client = pair(version2)
    for sequence, message in enumerate(messages):
        assert host.open(client.seal(message)) == (sequence, message)
        assert client.open(host.seal(message)) == (sequence, message)


def test_directions_do_not_mix_in_version_two():
    host, _ = pair(version2=True)
    with pytest.raises(RemoteProtocolError, match="tag"):
        host.open(host.seal(PING))


@BOTH
def test_replay_is_refused_and_harmless(version2):
    host, client = pair(version2)
    packets = [client.seal(PING) for _ in range(5)]
    for packet in packets:
        host.open(packet)
    for packet in packets:
        with pytest.raises(RemoteProtocolError, match="seen"):
            host.open(packet)
    assert host.open(client.seal(PING))[0] == 5


@BOTH
@given(order=st.permutations(range(40)))
@settings(max_examples=30)
def test_any_order_is_opened_once(version2, order):
    host, client = pair(version2)
    packets = [client.seal(PING) for _ in range(40)]
    assert [host.open(packets[n])[0] for n in order] == list(order)
    for packet in packets:
        with pytest.raises(RemoteProtocolError):
            host.open(packet)


def test_a_reliable_straggler_is_opened_but_not_one_behind_the_window():
    host, _ = pair(version2=True)
    host.open(envelope(REPLAY_WINDOW, PING, version2=True))
    host.open(envelope(1, PING, version2=True))
    with pytest.raises(RemoteProtocolError, match="old"):
        host.open(envelope(0, PING, version2=True))
    with pytest.raises(RemoteProtocolError, match="seen"):
        host.open(envelope(1, PING, version2=True))
    host.open(envelope(2**32 - 1, PING, version2=True))
    assert host._seen.bit_length() <= REPLAY_WINDOW


def test_forged_high_sequence_does_not_lock_the_client_out():
    host, client = pair(version2=False)
    packet = bytearray(client.seal(PING))
    packet[4:8] = (256 * 1_000_000).to_bytes(4, "little")  # same low byte: the old tag still fits
    with pytest.raises(RemoteProtocolError, match="ahead"):
        host.open(bytes(packet))
    host.open(envelope(MAX_ADVANCE - 1, PING, version2=False))
    assert host.open(client.seal(PING))[0] == 1


@BOTH
def test_damage_at_every_byte_changes_nothing(version2):
    host, client = pair(version2)
    packet = client.seal(PING)
    for position in range(len(packet)):
        damaged = bytearray(packet)
        damaged[position] ^= 0x40
        if not version2 and 5 <= position < 8:
            continue  # the old version does not authenticate these; the test above bounds what they can do
        with pytest.raises(RemoteProtocolError):
            host.open(bytes(damaged))
        with pytest.raises(RemoteProtocolError):
            host.open(packet[:position])
    with pytest.raises(RemoteProtocolError):
        host.open(packet + b"\0")
    assert host.open(packet) == (0, PING)


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda tail: b"\1\0" + tail))
def test_garbage_only_raises_remote_protocol_error(packet):
    host, _ = pair(version2=True)
    with contextlib.suppress(RemoteProtocolError):
        host.open(packet)
    with contextlib.suppress(RemoteProtocolError):
        parse_message(packet)


def test_sealing_limits():
    host, _ = pair(version2=True)
    with pytest.raises(LocalProtocolError):
        host.seal(bytes(65536))
    host._next_sequence = 2**32
    with pytest.raises(LocalProtocolError):
        host.seal(PING)


def message(kind, payload):
    return struct.pack("<HH", kind, len(payload)) + payload


STATUS = FecStatus(1000, 2, 3, 4, 212, 43, 200, 30, 20, 3, 4)
STATUS_BYTES = bytes.fromhex("000003e8 0002 0003 0004 00d4 002b 00c8 001e 14 03 04".replace(" ", ""))


@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [
        (0x0302, b"\0\0", RequestIdr()),
        (0x0307, b"\0", StartB()),
        (0x0301, struct.pack("<6I", 5, 0, 9, 0, 0, 0), InvalidateReferences(5, 9)),
        (0x0200, PING[4:], PeriodicPing()),
        (0x0206, b"\0\0\0\5\x08\0\0\0\1", InputPacket(b"\0\0\0\5\x08\0\0\0\1")),
        (0x5502, STATUS_BYTES, STATUS),
        (0x0350, struct.pack("<II", 77, 0), LongTermReferenceAck(77)),
        (0x0201, bytes(32), UnknownMessage(0x0201)),
        (0x0204, bytes(80), UnknownMessage(0x0204)),
        (0x7777, b"", UnknownMessage(0x7777)),
    ],
)
def test_messages(kind, payload, expected):
    assert parse_message(message(kind, payload)) == expected
    assert parse_message(message(kind, payload) + b"tail") == expected
    for length in range(4 + len(payload)):
        if length >= 4 and isinstance(expected, UnknownMessage):
            continue  # ignored before it is measured
        with pytest.raises(RemoteProtocolError):
            parse_message(message(kind, payload)[:length])


@pytest.mark.parametrize(
    "packet",
    [
        message(0x0001, bytes(30)),
        message(0x0301, struct.pack("<III", 9, 0, 5)),
        message(0x0301, bytes(11)),
        message(0x5502, bytes(20)),
        message(0x0350, bytes(3)),
    ],
)
def test_malformed_messages_are_refused(packet):
    with pytest.raises(RemoteProtocolError):
        parse_message(packet)


@given(st.integers(0, 65535), st.binary(max_size=40))
def test_any_message_parses_or_is_refused(kind, payload):
    with contextlib.suppress(RemoteProtocolError):
        parse_message(message(kind, payload))
