"""The driver on real loopback sockets under Trio's virtual clock: streams, datagrams, identities, ends."""

import hashlib
import socket
import sys
import time

import pytest
import trio
from quic_pair import CLIENT, HOST, client_config, create_identity, echo, serving, talking

from punktfunk.control.quic import (
    CloseReason,
    NoAnswer,
    NoCommonProtocol,
    PinMismatch,
    QuicClosed,
    StreamReset,
    connect_quic,
)
from punktfunk.control.sockets import has_ipv6

DECRYPT_ERROR = 0x100 + 51


@pytest.mark.trio
async def test_streams_and_datagrams_go_both_ways(autojump_clock):
    async with talking(echo) as (_, client):
        stream = client.open_stream()
        await stream.send_all(b"hello")
        assert await stream.receive_some() == b"hello"
        assert client.send_datagram(b"one")
        assert await client.receive_datagrams() == [b"one"]
        stream.send_eof()
        assert await stream.receive_some() == b""
        assert await stream.receive_some() == b""


@pytest.mark.trio
async def test_both_sides_know_who_the_other_is(autojump_clock):
    async with talking() as (host, client):
        (there,) = host.connections
        assert client.peer_fingerprint == HOST.fingerprint
        assert client.peer_certificate_der == HOST.certificate_der
        assert (
            there.peer_fingerprint == CLIENT.fingerprint == hashlib.sha256(CLIENT.certificate_der).hexdigest()
        )
        assert client.alpn == there.alpn == "pkf1"
        assert there.remote_address == client.local_address
        assert client.remote_address == there.local_address == ("127.0.0.1", host.port)


@pytest.mark.trio
async def test_a_client_may_be_anonymous(autojump_clock):
    async with talking(anonymous=True) as (host, client):
        assert host.connections[0].peer_fingerprint is None
        assert host.connections[0].peer_certificate_der is None
        assert client.peer_fingerprint == HOST.fingerprint


@pytest.mark.trio
async def test_codes_and_texts_arrive_from_either_side(autojump_clock):
    async with talking() as (host, client):
        client.close(0x51, "goodbye")
        assert await host.connections[0].wait_closed() == CloseReason(0x51, "goodbye", by_peer=True)
        assert client.closed_reason == CloseReason(0x51, "goodbye")
        assert str(client.closed_reason) == "this side closed with code 0x51: goodbye"
    async with talking() as (host, client):
        host.connections[0].close(0x68, "set-up failed: grün")
        with pytest.raises(QuicClosed) as caught:
            await client.accept_stream()
        assert caught.value.reason == CloseReason(0x68, "set-up failed: grün", by_peer=True)


@pytest.mark.trio
async def test_a_long_text_is_cut_between_characters(autojump_clock):
    async with talking() as (host, client):
        client.close(1, "x" + "ü" * 200)
        assert (await host.connections[0].wait_closed()).text == "x" + "ü" * 127


@pytest.mark.trio
async def test_what_was_written_before_the_close_arrives_before_it(autojump_clock):
    async with talking() as (host, client):
        stream = client.open_stream()
        await stream.send_all(b"last words")
        client.send_datagram(b"and these")
        client.close(0x51)
        there = host.connections[0]
        await there.wait_closed()
        assert await (await there.accept_stream()).receive_some() == b"last words"
        assert await there.receive_datagrams() == [b"and these"]
        with pytest.raises(QuicClosed):
            await there.receive_datagrams()


@pytest.mark.trio
async def test_a_handler_that_returns_closes_with_zero(autojump_clock):
    async def nothing(_connection):
        await trio.lowlevel.checkpoint()

    async with serving(nothing) as host, connect_quic("127.0.0.1", host.port, client_config()) as client:
        assert await client.wait_closed() == CloseReason(0, by_peer=True)
        await trio.sleep(5)
        assert host.server.connection_count == 0
        assert host.server.endpoint.routes == {}


@pytest.mark.trio
async def test_every_wait_ends_with_the_connection(autojump_clock):
    outcomes = []

    async def expect(function, *args):
        with pytest.raises(QuicClosed) as caught:
            await function(*args)
        outcomes.append(caught.value.reason.code)

    async with talking() as (host, client):
        stream = client.open_stream()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect, client.accept_stream)
            nursery.start_soon(expect, client.receive_datagrams)
            nursery.start_soon(expect, stream.receive_some)
            nursery.start_soon(expect, stream.send_all, bytes(1 << 20))
            await trio.sleep(0.01)
            host.connections[0].close(0x69, "expired")
        assert outcomes == [0x69] * 4
        await expect(stream.send_all, b"more")
        with pytest.raises(QuicClosed):
            client.open_stream()
        assert not client.send_datagram(b"x")
        client.close(7)
        stream.reset(1)
        stream.stop(1)
        stream.send_eof()
        assert client.closed_reason.code == 0x69


@pytest.mark.trio
async def test_a_wait_for_something_else_ends_with_the_connection(autojump_clock):
    async with talking() as (host, client):
        host.connections[0].close(0x64)
        with pytest.raises(QuicClosed), client.raising_when_closed():
            await trio.sleep_forever()
        with pytest.raises(QuicClosed), client.raising_when_closed():
            raise AssertionError


@pytest.mark.trio
async def test_a_block_that_is_done_is_not_cancelled(autojump_clock):
    async with talking() as (_, client):
        with client.raising_when_closed():
            await trio.lowlevel.checkpoint()


@pytest.mark.trio
async def test_a_pinned_host_is_accepted_and_another_is_not(autojump_clock):
    async with talking(pin=HOST.fingerprint.upper()) as (_, client):
        assert client.peer_fingerprint == HOST.fingerprint
    async with serving() as host:
        with pytest.raises(PinMismatch) as caught:
            async with connect_quic("127.0.0.1", host.port, client_config(pin=CLIENT.fingerprint)):
                raise AssertionError
        assert caught.value.seen == HOST.fingerprint
        assert caught.value.pinned == CLIENT.fingerprint
        assert "pair again" in caught.value.hint
        await trio.sleep(1)
        assert host.connections == []  # and it never saw who called
        assert host.server.complaints.counts() == {"quic-handshake": 1}


@pytest.mark.trio
async def test_a_host_takes_the_first_of_its_own_protocols_that_is_offered(autojump_clock):
    async with serving(alpn=("pkf2", "pkf1")) as host:
        async with connect_quic("127.0.0.1", host.port, client_config(alpn=("pkf1", "pkf2"))) as client:
            assert client.alpn == "pkf2"
        async with connect_quic("127.0.0.1", host.port, client_config(alpn=("pkf1",))) as client:
            assert client.alpn == "pkf1"


@pytest.mark.parametrize("offered", [("h3",), ()])
@pytest.mark.trio
async def test_without_a_common_protocol_there_is_no_connection(autojump_clock, monkeypatch, offered):
    if not offered:  # a client that offers nothing at all: aioquic then sends no ALPN extension
        monkeypatch.setattr(
            "punktfunk.control.quic.config.list", lambda names: list(names) or None, raising=False
        )
    async with serving() as host:
        with pytest.raises(NoCommonProtocol) as caught:
            async with connect_quic("127.0.0.1", host.port, client_config(alpn=offered)):
                raise AssertionError
        assert caught.value.reason.code == 0x178
        assert "update" in caught.value.hint
        assert host.connections == []


@pytest.mark.trio
async def test_a_certificate_without_its_key_is_refused_on_both_sides(autojump_clock):
    thief = create_identity("punktfunk-client")
    async with serving() as host:
        stolen = client_config(private_key=thief.private_key)
        async with connect_quic("127.0.0.1", host.port, stolen) as client:
            reason = await client.wait_closed()
        assert (reason.code, reason.by_peer, reason.application) == (DECRYPT_ERROR, True, False)
        assert host.connections == []
    async with serving(private_key=thief.private_key) as host:
        with pytest.raises(QuicClosed) as caught:
            async with connect_quic("127.0.0.1", host.port, client_config()):
                raise AssertionError
        assert caught.value.reason.code == DECRYPT_ERROR


@pytest.mark.trio
async def test_nobody_there_is_no_answer(autojump_clock):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        before = trio.current_time()
        with pytest.raises(NoAnswer) as caught:
            async with connect_quic("127.0.0.1", mute.getsockname()[1], client_config(), timeout_s=3):
                raise AssertionError
        assert caught.value.reason.timed_out
        assert "firewall" in caught.value.hint
        assert 3 <= trio.current_time() - before < 4


@pytest.mark.trio
async def test_a_name_that_means_nothing_is_no_answer():
    with pytest.raises(NoAnswer, match="cannot be resolved"):
        async with connect_quic("no-such-host.invalid", 9777, client_config()):
            raise AssertionError


@pytest.mark.trio
async def test_the_error_of_the_block_comes_out_as_it_is(autojump_clock):
    async with serving() as host:
        with pytest.raises(ZeroDivisionError):
            async with connect_quic("127.0.0.1", host.port, client_config()):
                raise ZeroDivisionError
        await trio.sleep(1)
        assert host.reasons == [CloseReason(0, by_peer=True)]


@pytest.mark.trio
async def test_a_stream_can_be_given_up_by_either_end(autojump_clock):
    async with talking() as (host, client):
        there = host.connections[0]
        ours = client.open_stream()
        await ours.send_all(b"x" * 100)
        theirs = await there.accept_stream()
        ours.reset(0x70)
        await trio.sleep(0.1)
        with pytest.raises(StreamReset) as caught:
            await theirs.receive_some()
        assert (caught.value.code, caught.value.stream_id) == (0x70, theirs.stream_id)
        ours.stop(0x70)
        await trio.sleep(0.1)
        with pytest.raises(StreamReset):
            await theirs.send_all(b"unwanted")
        with pytest.raises(StreamReset):
            await theirs.wait_delivered()
        with pytest.raises(StreamReset):
            await ours.receive_some()
        await trio.sleep(1)
        assert client.link.core._streams == there.link.core._streams == {}
        assert client._streams == there._streams == {}


@pytest.mark.trio
async def test_a_finished_stream_is_forgotten(autojump_clock):
    async with talking(echo) as (host, client):
        for _ in range(40):  # more than may be open at once
            stream = client.open_stream()
            await stream.send_all(b"x")
            stream.send_eof()
            assert await stream.receive_some() == b"x"
            assert await stream.receive_some() == b""
            await stream.wait_delivered()
        await trio.sleep(1)
        assert client._streams == host.connections[0]._streams == {}


@pytest.mark.trio
async def test_delivered_means_acknowledged(autojump_clock):
    async with talking() as (host, client):
        stream = client.open_stream()
        await stream.send_all(bytes(100_000))
        stream.send_eof()
        assert client.link.core.unacknowledged_bytes(stream.stream_id) > 0
        await stream.wait_delivered()
        assert client.link.core.unacknowledged_bytes(stream.stream_id) == 0
        client.close()
        received = await (await host.connections[0].accept_stream()).receive_some()
        assert set(received) == {0}


@pytest.mark.trio
async def test_oversize_datagrams_are_refused_and_block_nothing(autojump_clock):
    async with talking(echo) as (_, client):
        largest = client.datagram_bytes_max
        assert not client.send_datagram(bytes(largest + 1))
        assert not client.send_datagram(bytes(70_000))
        assert client.counters["datagrams_oversize"] == 2
        assert client.send_datagram(bytes(largest))
        assert await client.receive_datagrams() == [bytes(largest)]


@pytest.mark.trio
async def test_the_synchronous_listener_gets_every_datagram(autojump_clock):
    async with talking() as (host, client):
        got = []
        client.on_datagram = got.append
        for number in range(20):
            host.connections[0].send_datagram(bytes([number]))
            await trio.sleep(0.01)
        assert got == [bytes([number]) for number in range(20)]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not stamp datagrams")
@pytest.mark.trio
async def test_what_arrives_is_stamped_by_the_kernel(autojump_clock):
    async with talking() as (host, client):
        there = host.connections[0]
        stream = client.open_stream()
        before_ns = time.time_ns()
        await stream.send_all(b"first")
        theirs = await there.accept_stream()
        assert await theirs.receive_some(2) == b"fi"
        first_ns = theirs.received_ns
        assert before_ns - 1_000_000 <= first_ns <= time.time_ns()
        await stream.send_all(b"second")
        await trio.sleep(0.1)
        client.send_datagram(b"later")
        await there.receive_datagrams()
        assert await theirs.receive_some() == b"rst"
        assert theirs.received_ns == first_ns
        assert await theirs.receive_some() == b"second"
        assert first_ns < theirs.received_ns < there.received_ns


@pytest.mark.trio
async def test_a_datagram_can_leave_at_once(autojump_clock):
    async with talking() as (_host, client):
        sent = []
        client.link._endpoint.send = lambda data, path: sent.append(data)
        client.send_datagram(b"x")
        assert not sent
        client.flush()
        assert len(sent) == 1
        client.close()
        client.flush()


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
@pytest.mark.parametrize(
    ("bind", "dial", "seen"),
    [
        ("::1", "::1", "::1"),
        ("::", "::1", "::1"),
        ("::", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.2", "127.0.0.2"),
    ],
)
@pytest.mark.trio
async def test_wildcard_sockets_answer_from_the_address_that_was_called(autojump_clock, bind, dial, seen):
    async with (
        serving(echo, addresses=(bind,)) as host,
        connect_quic(dial, host.port, client_config()) as client,
    ):
        client.send_datagram(b"x")
        assert await client.receive_datagrams() == [b"x"]
        assert host.connections[0].local_address == (seen, host.port) == client.remote_address
        assert host.connections[0].remote_address == client.local_address


@pytest.mark.trio
async def test_several_sockets_make_one_server(autojump_clock):
    async with serving(echo, addresses=("127.0.0.1", "127.0.0.2")) as host:
        for address, port in zip(("127.0.0.1", "127.0.0.2"), host.ports, strict=True):
            async with connect_quic(address, port, client_config()) as client:
                client.send_datagram(address.encode())
                assert await client.receive_datagrams() == [address.encode()]
        assert [one.local_address[0] for one in host.connections] == ["127.0.0.1", "127.0.0.2"]
