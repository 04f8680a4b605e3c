"""The driver on real loopback sockets under Trio's virtual clock: streams, datagrams, identities, ends."""

import hashlib
import socket

import pytest
import trio
from quic_pair import CLIENT, HOST, client_config, create_identity, echo, serving, talking

from punktfunk.control.quic import (
    CloseReason,
    NoAnswer,
    NoCommonProtocol,
    PinMismatch,
    QuicClosed,
    connect_quic,
)
from punktfunk.control.sockets import has_ipv6
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError

DECRYPT_ERROR = 0x100 + 51


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
async def test_a_handler_that_returns_closes_with_zero(autojump_clock):
    async def nothing(_connection):
        await trio.lowlevel.checkpoint()

    async with serving(nothing) as host, connect_quic("127.0.0.1", host.port, client_config()) as client:
        assert await client.wait_closed() == CloseReason(0, by_peer=True)
        await trio.sleep(5)
        assert host.server.connection_count == 0
        assert host.server.endpoint.routes == {}


@pytest.mark.parametrize(
    "problem",
    [RemoteProtocolError("nonsense"), EnvironmentProblem("no display"), TimeoutError(), trio.TooSlowError()],
)
@pytest.mark.trio
async def test_what_fails_for_one_client_ends_only_its_connection(autojump_clock, problem):
    async def fail_at_a_stream(connection):
        stream = await connection.accept_stream()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.receive_some)
            raise problem

    config = client_config()
    async with (
        serving(fail_at_a_stream) as host,
        connect_quic("127.0.0.1", host.port, config) as one,
        connect_quic("127.0.0.1", host.port, config) as two,
    ):
        await one.open_stream().send_all(b"x")
        assert await one.wait_closed() == CloseReason(1, str(problem), by_peer=True)
        assert host.server.complaints.counts() == {"quic-broken": 1}
        assert two.closed_reason is None


@pytest.mark.trio
async def test_a_bug_of_a_handler_comes_out(autojump_clock):
    async def fail(_connection):
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError

    async def be_served():
        async with serving(fail) as host, connect_quic("127.0.0.1", host.port, client_config()) as client:
            await client.wait_closed()
            await trio.sleep(1)

    with pytest.raises(ExceptionGroup) as caught:
        await be_served()
    assert caught.value.subgroup(ZeroDivisionError) is not None


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
