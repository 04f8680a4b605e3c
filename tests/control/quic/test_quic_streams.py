"""Streams and datagrams of one connection, on real loopback sockets under the virtual clock."""

import sys
import time

import pytest
import trio
from quic_pair import echo, talking

from punktfunk.control.quic import (
    QuicClosed,
    StreamReset,
)

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
