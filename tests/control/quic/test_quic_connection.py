"""The driver on real loopback sockets under Trio's virtual clock: streams, datagrams, identities, ends."""

import pytest
from quic_pair import CLIENT, HOST, echo, talking

from punktfunk.control.quic import (
    CloseReason,
)


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


@pytest.mark.trio
async def test_both_sides_know_who_the_other_is(autojump_clock):
    async with talking() as (host, client):
        (there,) = host.connections
        assert client.peer_fingerprint == HOST.fingerprint
        assert client.peer_certificate_der == HOST.certificate_der
        assert there.peer_fingerprint == CLIENT.fingerprint
        assert client.alpn == there.alpn == "pkf1"
        assert there.remote_address == client.local_address
        assert client.remote_address == there.local_address == ("127.0.0.1", host.port)


@pytest.mark.trio
async def test_codes_and_texts_arrive(autojump_clock):
    async with talking() as (host, client):
        client.close(0x51, "goodbye")
        reason = await host.connections[0].wait_closed()
        assert reason == CloseReason(0x51, "goodbye", by_peer=True)
        assert client.closed_reason == CloseReason(0x51, "goodbye")
