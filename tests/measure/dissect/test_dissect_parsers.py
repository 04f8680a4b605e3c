"""Capture files, QUIC frames, secrets and reassembly: strangers' bytes give values or the one error."""

import struct

import pytest
from dissect_world import CLIENT, HOST, Conversation, ethernet, pcap, pcapng
from hypothesis import example, given, settings
from hypothesis import strategies as st

from punktfunk.errors import RemoteProtocolError
from punktfunk.measure.dissect.assembly import AHEAD_MAX_COUNT, Assembly
from punktfunk.measure.dissect.frames import (
    Close,
    CryptoData,
    DatagramData,
    StreamData,
    StreamEnd,
    parse_frames,
)
from punktfunk.measure.dissect.messages import Messages
from punktfunk.measure.dissect.quic import QuicConversation, first_flight_id
from punktfunk.measure.dissect.secrets import parse_secrets
from punktfunk.measure.dissect.session import Dissector
from punktfunk.measure.dissect.show import as_json, as_line
from punktfunk.wire.pcap import Captured, UdpDatagram, parse_udp, read_capture

ROWS = [(1_700_000_000_123_456_000, ethernet(CLIENT, HOST, b"one")), (1_700_000_001_000_000_000, b"short")]
V6 = bytes(15) + b"\1", bytes(15) + b"\2"


def packets(data):
    """Packets of a capture file."""
    at = 0

    def read(count):
        nonlocal at
        at += count
        return data[at - count : at]

    return list(read_capture(read))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "per_second"), [(0xA1B2C3D4, 10**6), (0xA1B23C4D, 10**9)])
def test_pcap(order, magic, per_second):
    read = packets(pcap(ROWS, order, magic, per_second))
    assert [(packet.time_ns, packet.data) for packet in read] == ROWS
    assert parse_udp(read[0]) == UdpDatagram(CLIENT, HOST, b"one")
    assert parse_udp(read[1]) is None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("power", [6, 9])
def test_pcapng(order, power):
    read = packets(pcapng(ROWS, order, power=power))
    assert [(packet.time_ns, packet.data) for packet in read] == ROWS
    two_sections = pcapng(ROWS, order) + pcapng(ROWS, "<" if order == ">" else ">")
    assert len(packets(two_sections)) == 4


def test_simple_packets_and_binary_fractions():
    frame = ROWS[0][1]

    def block(kind, body):
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))

    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    interface = block(1, struct.pack("<HHI", 1, 0, 0) + struct.pack("<HH", 9, 1) + b"\x8a\0\0\0" + bytes(4))
    simple = block(3, struct.pack("<I", len(frame)) + frame)
    enhanced = block(6, struct.pack("<IIIII", 0, 0, 1024 * 5, len(frame), len(frame)) + frame)
    lost = block(6, struct.pack("<IIIII", 7, 0, 0, 4, 4) + b"abcd")
    read = packets(section + interface + simple + enhanced + lost)
    assert [(packet.time_ns, packet.data) for packet in read] == [(0, frame), (5 * 10**9, frame)]


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_a_file_that_is_cut_ends_quietly_or_is_refused(make):
    whole = make(ROWS)
    for length in range(len(whole)):
        try:
            read = packets(whole[:length])
        except RemoteProtocolError:
            continue
        assert len(read) <= 2


def test_bounds():
    huge = pcap([])[:24] + struct.pack("<IIII", 0, 0, 1 << 30, 1 << 30)
    with pytest.raises(RemoteProtocolError):
        packets(huge)
    with pytest.raises(RemoteProtocolError):
        packets(pcapng([]) + struct.pack("<II", 6, 1 << 30))
    with pytest.raises(RemoteProtocolError):
        packets(b"\x0a\x0d\x0d\x0a" + bytes(20))


def udp(payload, count=None):
    return struct.pack(">HHHH", 1, 2, 8 + len(payload) if count is None else count, 0) + payload


def v4(body, protocol=17, flags=0):
    return struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(body), 0, flags, 64, protocol, 0, 1, 2) + body


def v6(body, following=17):
    return struct.pack(">IHBB", 6 << 28, len(body), following, 64) + b"".join(V6) + body


@pytest.mark.parametrize(
    ("link", "head"),
    [
        *((1, bytes(12) + b"\x08\0"), (1, bytes(12) + b"\x81\0\0\5\x08\0"), (113, bytes(14) + b"\x08\0")),
        *((276, b"\x08\0" + bytes(18)), (0, b"\2\0\0\0"), (101, b""), (228, b"")),
    ],
)
def test_links(link, head):
    assert parse_udp(Captured(0, link, head + v4(udp(b"abc")))).payload == b"abc"


def test_ip_version_6():
    assert parse_udp(Captured(0, 101, v6(udp(b"abc")))) == UdpDatagram(("::1", 1), ("::2", 2), b"abc")
    assert parse_udp(Captured(0, 1, bytes(12) + b"\x86\xdd" + v6(udp(b"abc")))).payload == b"abc"


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\x45", v4(udp(b"abc"), protocol=6), v4(udp(b"abc"), flags=0x2000), v4(udp(b"abc"), flags=7)),
        *(v4(udp(b"abc", 40)), v4(udp(b"abc", 7)), v6(udp(b"abc"), following=6), v6(b""), b"\x99" * 60),
    ],
)
def test_what_carries_no_datagram(data):
    assert parse_udp(Captured(0, 101, data)) is None


@settings(max_examples=60)
@given(st.integers(0, 300), st.binary(max_size=80))
def test_no_packet_upsets_the_parser(link, data):
    read = parse_udp(Captured(0, link, data))
    assert read is None or read.payload in data


@settings(max_examples=60)
@given(st.sampled_from([b"\xd4\xc3\xb2\xa1", b"\x0a\x0d\x0d\x0a", b""]), st.binary(max_size=120))
@example(b"\x0a\x0d\x0d\x0a", struct.pack("<II", 28, 0x1A2B3C4D) + bytes(20))
def test_no_file_upsets_the_parser(magic, data):
    try:
        packets(magic + data)
    except RemoteProtocolError:
        return


# QUIC


def test_frames_that_carry_something():
    payload = b"".join(
        (
            b"\0\0\1",  # padding, PING
            b"\x06\x00\x03abc",
            b"\x0f\x04\x41\x00\x02xy",  # STREAM 4 at 256, with length and FIN
            b"\x02\x05\x00\x01\x00\x00\x00",  # ACK of two ranges
            b"\x1e\x10\x05\x11\x04\x05",
            b"\x04\x04\x40\x70\x05",
            b"\x05\x04\x40\x70",
            b"\x18\x01\x00\x02ab" + bytes(16),
            b"\x1a" + bytes(8),
            b"\x07\x01t",
            b"\x1d\x40\x51\x03bye",
            b"\x1c\x01\x06\x00",
            b"\x31\x02dg",
            b"\x30rest",
        )
    )
    assert list(parse_frames(payload)) == [
        CryptoData(0, b"abc"),
        StreamData(4, 256, b"xy", is_last=True),
        StreamEnd(4, 0x70, by_sender=True),
        StreamEnd(4, 0x70, by_sender=False),
        Close(0x51, "bye", is_application=True),
        Close(1, "", is_application=False),
        DatagramData(b"dg"),
        DatagramData(b"rest"),
    ]


@pytest.mark.parametrize(
    "payload", [b"\x21", b"\x06\x00\x05abc", b"\x02\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff", b"\x40"]
)
def test_bad_frames(payload):
    with pytest.raises(RemoteProtocolError):
        list(parse_frames(payload))


@settings(max_examples=60)
@given(st.binary(max_size=60))
def test_no_payload_upsets_the_parser(payload):
    messages = Messages()
    try:
        for frame in parse_frames(payload):
            list(messages.read(frame, from_client=True))
    except RemoteProtocolError:
        return


@settings(max_examples=50)
@given(st.data(), st.binary(min_size=1, max_size=60))
def test_pieces_in_any_order(data, stream):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    ends = [*cuts, len(stream)]
    pieces = [
        (max(0, start - 3), stream[max(0, start - 3) : end])
        for start, end in zip([0, *cuts], ends, strict=True)
    ]
    assembly = Assembly()
    shuffled = data.draw(st.permutations(pieces + pieces[:2]))
    assert b"".join(assembly.feed(*piece) for piece in shuffled) == stream


def test_assembly_is_bounded():
    assembly = Assembly()
    for offset in range(1, 3 * AHEAD_MAX_COUNT):
        assert assembly.feed(offset, b"x") == b""
    assert len(assembly.feed(0, b"x")) == AHEAD_MAX_COUNT + 1


def test_secrets():
    text = f"# comment\nCLIENT_TRAFFIC_SECRET_0 {'aa' * 32} {'bb' * 32}\nnonsense\nCLIENT_TRAFFIC_SECRET_0 zz zz\n"
    assert parse_secrets(text) == {b"\xaa" * 32: {"CLIENT_TRAFFIC_SECRET_0": b"\xbb" * 32}}
    with pytest.raises(RemoteProtocolError):
        parse_secrets("CLIENT_RANDOM aa bb")


def test_secrets_of_another_connection_open_nothing():
    talk, other = Conversation(), Conversation()
    first = first_flight_id(parse_udp(Captured(0, 1, talk.rows[0][1])).payload)
    conversation = QuicConversation(first, parse_secrets(other.secrets.getvalue()))
    opened = []
    for _, data in talk.rows:
        datagram = parse_udp(Captured(0, 1, data))
        opened += conversation.feed(datagram.payload, from_client=datagram.source == CLIENT)
    assert {packet.kind for packet in opened if packet.frames is not None} == {"Initial"}
    assert not conversation.is_open


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=80)), max_size=6), st.data())
def test_no_datagram_upsets_the_dissector(strange, data):
    """Bytes of nobody, and a real handshake with bytes changed."""
    dissector = Dissector()
    for from_client, payload in strange:
        ways = (CLIENT, HOST) if from_client else (HOST, CLIENT)
        for event in dissector.feed(0, UdpDatagram(*ways, payload)):
            as_line(event, 0)
            as_json(event, 0)
    for datagram in HANDSHAKE:
        changed = bytearray(datagram.payload)
        place = data.draw(st.integers(0, len(changed) - 1))
        changed[place] ^= data.draw(st.integers(0, 255))
        list(dissector.feed(0, UdpDatagram(datagram.source, datagram.destination, bytes(changed))))
    list(dissector.finish())


HANDSHAKE = [parse_udp(Captured(0, 1, data)) for _, data in Conversation().rows]


def test_only_a_first_flight_begins_a_connection():
    begun = [first_flight_id(datagram.payload) is not None for datagram in HANDSHAKE]
    assert begun == [True] + [False] * (len(HANDSHAKE) - 1)
    for payload in (b"", b"\x40" + bytes(20), b"\xc0\0\0\0\1" + bytes(40), HANDSHAKE[0].payload[:-700]):
        assert first_flight_id(payload) is None
