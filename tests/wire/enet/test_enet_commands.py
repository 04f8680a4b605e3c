"""Every layout there and back, golden bytes of real peers, and everything that is not a datagram."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.enet import commands as c

U8, U16, U32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
DATA = st.binary(max_size=80)


@st.composite
def fragments(draw):
    data = draw(st.binary(min_size=1, max_size=60))
    offset = draw(st.integers(0, 5000))
    total = offset + len(data) + draw(st.integers(0, 5000))
    count = draw(st.integers(1, total // 512 + 1))
    return c.SendFragment(draw(U16), count, draw(st.integers(0, count - 1)), total, offset, data)


BODIES = {
    c.Kind.ACKNOWLEDGE: st.builds(c.Acknowledge, U16, U16),
    c.Kind.CONNECT: st.builds(c.Connect, U16, U8, U8, *[U32] * 10),
    c.Kind.VERIFY_CONNECT: st.builds(c.VerifyConnect, U16, U8, U8, *[U32] * 9),
    c.Kind.DISCONNECT: st.builds(c.Disconnect, U32),
    c.Kind.PING: st.just(c.Ping()),
    c.Kind.SEND_RELIABLE: st.builds(c.SendReliable, DATA),
    c.Kind.SEND_UNRELIABLE: st.builds(c.SendUnreliable, U16, DATA),
    c.Kind.SEND_FRAGMENT: fragments(),
    c.Kind.SEND_UNSEQUENCED: st.builds(c.SendUnsequenced, U16, DATA),
    c.Kind.BANDWIDTH_LIMIT: st.builds(c.BandwidthLimit, U32, U32),
    c.Kind.THROTTLE_CONFIGURE: st.builds(c.ThrottleConfigure, U32, U32, U32),
    c.Kind.SEND_UNRELIABLE_FRAGMENT: fragments(),
}
FLAGS = st.sampled_from([c.Flags.NONE, c.Flags.ACKNOWLEDGE, c.Flags.UNSEQUENCED])


@st.composite
def command(draw):
    kind = draw(st.sampled_from(list(c.Kind)))
    return c.Command(kind, draw(FLAGS), draw(U8), draw(U16), draw(BODIES[kind]))


COMMANDS = st.lists(command(), min_size=1, max_size=c.COMMANDS_PER_DATAGRAM)


def build(datagram):
    wire = [c.build_command(one) for one in datagram.commands]
    return c.build_datagram(datagram.peer_id, datagram.session, datagram.sent_time, wire)


def wants_answer(commands):
    return any(one.flags & c.Flags.ACKNOWLEDGE for one in commands)


@given(st.integers(0, 0xFFE), st.integers(0, 3), st.none() | U16, COMMANDS)
@settings(max_examples=200)
def test_parse_is_the_inverse_of_build(peer_id, session, sent_time, commands):
    if sent_time is None and wants_answer(commands):
        sent_time = 1
    datagram = c.Datagram(peer_id, session, sent_time, tuple(commands))
    assert c.parse_datagram(build(datagram)) == datagram


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_garbage_raises_only_remote_protocol_error(data):
    with contextlib.suppress(RemoteProtocolError):
        c.parse_datagram(data)


@given(
    st.sampled_from(list(c.Kind)), st.sampled_from([0, 0x40, 0x80, 0xC0]), st.binary(max_size=64), st.binary()
)
@settings(max_examples=200)
def test_garbage_behind_a_valid_header_raises_only_remote_protocol_error(kind, flags, body, more):
    with contextlib.suppress(RemoteProtocolError):
        c.parse_datagram(b"\x80\x01\x00\x00" + bytes([kind | flags]) + body + more)


@given(COMMANDS, st.data())
@settings(max_examples=60)
def test_truncation_at_every_byte_raises_or_ends_between_commands(commands, data):
    whole = build(c.Datagram(7, 1, 9, tuple(commands)))
    ends = set()
    end = c.DATAGRAM_HEADER_BYTES
    for one in commands:
        end += len(c.build_command(one))
        ends.add(end)
    for length in range(len(whole)):
        if length in ends:
            assert (
                c.parse_datagram(whole[:length]).commands == tuple(commands)[: sorted(ends).index(length) + 1]
            )
        else:
            with pytest.raises(RemoteProtocolError):
                c.parse_datagram(whole[:length])


def test_every_layout_has_the_size_of_the_specification():
    sizes = {1: 8, 2: 48, 3: 44, 4: 8, 5: 4, 6: 6, 7: 8, 8: 24, 9: 8, 10: 12, 11: 16, 12: 24}
    for kind, layout in c._LAYOUTS.items():
        assert c.COMMAND_HEADER.size + layout.struct.size == sizes[kind]


def test_connect_of_stock_enet_is_understood():
    # What pyenet 1.3.17 (stock ENet) sent for connect(address, 48, 0xDEADBEEF).
    wire = bytes.fromhex(
        "8fff513782ff00010000ffff000005780001000000000030000000000000000000001388000000020000000"
        "25481f221deadbeef"
    )
    datagram = c.parse_datagram(wire)
    assert (datagram.peer_id, datagram.session, datagram.sent_time) == (c.NO_PEER_ID, 0, 0x5137)
    (connect,) = datagram.commands
    assert connect[:4] == (c.Kind.CONNECT, c.Flags.ACKNOWLEDGE, c.CONTROL_CHANNEL, 1)
    assert connect.body == c.Connect(0, 0xFF, 0xFF, 1400, 65536, 48, 0, 0, 5000, 2, 2, 0x5481F221, 0xDEADBEEF)
    assert build(datagram) == wire


def fragment(count=1, number=0, total=10, offset=0, data=b"x" * 10):
    body = c.SendFragment(1, count, number, total, offset, data)
    wire = c.build_command(c.Command(c.Kind.SEND_FRAGMENT, c.Flags.ACKNOWLEDGE, 0, 1, body))
    return c.build_datagram(0, 0, 1, [wire])


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"\x80",
        b"\x00\x01",
        b"\x80\x01\x00\x00",
        b"\xc0\x01\x00\x00\x05\xff\x00\x01",  # compressed
        b"\x00\x01\x85\xff\x00\x01",  # wants an acknowledgement, but gives no time
        b"\x80\x01\x00\x00\x00\xff\x00\x01",  # kinds 0 and 13 do not exist
        b"\x80\x01\x00\x00\x0d\xff\x00\x01",
        b"\x80\x01\x00\x00\x86\x00\x00\x01\xff\xff" + bytes(100),
        b"\x80\x01\x00\x00" + b"\x85\xff\x00\x01" * 33,
        b"\x80\x01\x00\x00" + b"\x85\xff\x00\x01" * 2000,
        fragment(count=0),
        fragment(number=1),
        fragment(count=0x100000, total=32 << 20),
        fragment(count=2, total=10),
        fragment(total=9),
        fragment(offset=0xFFFFFFFF),
        fragment(data=b""),
    ],
)
def test_what_is_not_enet_is_refused(wire):
    with pytest.raises(RemoteProtocolError):
        c.parse_datagram(wire)


def test_a_value_that_does_not_fit_is_our_own_fault():
    with pytest.raises(LocalProtocolError):
        c.build_command(c.Command(c.Kind.SEND_RELIABLE, c.Flags.NONE, 0, 1, c.SendReliable(bytes(65536))))
    with pytest.raises(LocalProtocolError):
        c.build_command(c.Command(c.Kind.DISCONNECT, c.Flags.NONE, 256, 1, c.Disconnect(0)))
