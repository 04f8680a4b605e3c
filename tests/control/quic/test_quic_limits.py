"""What peers may make the host keep: streams and datagrams that nobody reads, writers that nobody reads from."""

import gc
import weakref
from pathlib import Path

import pytest
import trio
from quic_pair import client_config, host_config, serving, talking

from punktfunk.control.quic import CloseReason, QuicClosed, connect_quic, serve_quic
from punktfunk.control.sockets import bound_sockets

WINDOW = 256 << 10


def kept_bytes(connection):
    return sum(len(part) for stream in connection._streams.values() for part, _ in stream._arrived)


@pytest.mark.trio
async def test_a_peer_that_nobody_reads_from_has_to_wait(autojump_clock):
    async with talking() as (host, client):
        stream = client.open_stream()
        there = host.connections[0]
        with trio.move_on_after(30) as scope:
            await stream.send_all(bytes(4 << 20))
        assert scope.cancelled_caught
        assert WINDOW // 2 < kept_bytes(there) <= WINDOW
        reading = await there.accept_stream()
        total = 0
        with trio.move_on_after(5):
            while True:
                total += len(await reading.receive_some(10_000))
        assert total >= 2 * WINDOW - 1  # the writer was cancelled with this much on its way


@pytest.mark.trio
async def test_all_streams_together_have_one_bound(autojump_clock):
    async with talking() as (host, client):

        async def write(stream):
            await stream.send_all(bytes(1 << 20))

        with trio.move_on_after(30):
            async with trio.open_nursery() as nursery:
                for _ in range(16):
                    nursery.start_soon(write, client.open_stream())
        assert (1 << 19) < kept_bytes(host.connections[0]) <= 1 << 20
        assert client.closed_reason is None


@pytest.mark.trio
async def test_megabytes_pass_while_somebody_reads(autojump_clock):
    total = 0

    async def read(connection):
        nonlocal total
        stream = await connection.accept_stream()
        while data := await stream.receive_some():
            assert kept_bytes(connection) <= WINDOW
            total += len(data)
        connection.close(7)

    async with talking(read) as (_, client):
        stream = client.open_stream()
        await stream.send_all(bytes(3 << 19))
        stream.send_eof()
        assert (await client.wait_closed()).code == 7
        assert total == 3 << 19


@pytest.mark.trio
async def test_bytes_that_nobody_wants_do_not_use_up_the_window(autojump_clock):
    async with talking() as (host, client):
        there = host.connections[0]
        for _ in range(12):
            stream = client.open_stream()
            with trio.move_on_after(2):
                await stream.send_all(bytes(WINDOW))
            theirs = await there.accept_stream()
            stream.reset(0x70)
            theirs.stop(0x70)
            theirs.reset(0x70)
            await trio.sleep(0.2)
        assert kept_bytes(there) == 0
        stream = client.open_stream()
        await stream.send_all(b"still works")
        assert await (await there.accept_stream()).receive_some() == b"still works"


@pytest.mark.trio
async def test_more_streams_than_allowed_wait_at_the_peer(autojump_clock):
    async with talking() as (host, client):
        for _ in range(40):
            await client.open_stream().send_all(b"x")
        await trio.sleep(1)
        assert len(host.connections[0]._streams) == 16
        assert client.closed_reason is None


@pytest.mark.trio
async def test_a_peer_that_churns_streams_nobody_accepts_is_closed(autojump_clock):
    async with talking() as (host, client):
        for _ in range(60):
            if client.closed_reason is not None:
                break
            stream = client.open_stream()
            await stream.send_all(b"x")
            stream.send_eof()
            stream.stop(0)
            await trio.sleep(0.05)
        assert client.closed_reason.by_peer
        assert client.closed_reason.text == "too many streams wait"
        assert len(host.connections[0]._streams) <= 17


@pytest.mark.trio
async def test_datagrams_that_nobody_reads_are_bounded(autojump_clock):
    async with talking(datagram_queue_bytes=1 << 20) as (host, client):
        there = host.connections[0]
        for number in range(1500):
            client.send_datagram(number.to_bytes(2, "big") + bytes(600))
            if number % 8 == 0:
                await trio.sleep(0.002)
        await trio.sleep(1)
        got = await there.receive_datagrams()
        assert got == sorted(got)
        assert len(got) == 1024
        assert there.counters["datagrams_not_read"] == 1500 - 1024


@pytest.mark.trio
async def test_the_bytes_of_unread_datagrams_are_bounded_too(autojump_clock):
    config = client_config()
    async with (
        serving(datagrams_unread_bytes_max=10_000) as host,
        connect_quic("127.0.0.1", host.port, config) as client,
    ):
        for _ in range(30):
            client.send_datagram(bytes(1000))
            await trio.sleep(0.01)
        assert len(await host.connections[0].receive_datagrams()) == 10


@pytest.mark.trio
async def test_one_address_has_so_many_connections_and_no_more(autojump_clock):
    async with serving(connections_per_address_max=2) as host:
        config = client_config()
        async with connect_quic("127.0.0.1", host.port, config), connect_quic("127.0.0.1", host.port, config):
            with pytest.raises(QuicClosed):
                async with connect_quic("127.0.0.1", host.port, config, timeout_s=1):
                    raise AssertionError
            assert set(host.server.complaints.counts()) == {"quic-address_full"}
        await trio.sleep(3)
        async with connect_quic("127.0.0.1", host.port, config) as client:
            assert client.closed_reason is None


@pytest.mark.trio
async def test_there_is_a_limit_for_all_addresses(autojump_clock):
    async with serving(connections_max=1) as host, connect_quic("127.0.0.1", host.port, client_config()):
        with pytest.raises(QuicClosed):
            async with connect_quic("127.0.0.1", host.port, client_config(), timeout_s=1):
                raise AssertionError
        assert host.server.endpoint.counters["full"] >= 1


def open_descriptors():
    return {path.name for path in Path("/proc/self/fd").iterdir()}


async def watch_a_server_be_cancelled(bound, references):
    port = bound[0].socket.getsockname()[1]
    scope = trio.CancelScope()

    async def handle(connection):
        references.append(weakref.ref(connection))
        await connection.wait_closed()

    async def serve(task_status):
        with scope:
            await serve_quic(bound, host_config(), handle, task_status=task_status)

    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve)
        config = client_config()
        async with (
            connect_quic("127.0.0.1", port, config) as one,
            connect_quic("127.0.0.1", port, config) as two,
        ):
            await trio.sleep(0.1)
            started = trio.current_time()
            scope.cancel()
            assert await one.wait_closed() == await two.wait_closed() == CloseReason(0, by_peer=True)
    assert trio.current_time() - started < 2
    assert server.endpoint.routes == {}
    assert bound[0].socket.fileno() != -1


@pytest.mark.trio
async def test_cancelling_the_server_closes_everybody_and_leaves_nothing(autojump_clock):
    before = open_descriptors()
    references = []
    with bound_sockets(["127.0.0.1"], 0) as bound:
        await watch_a_server_be_cancelled(bound, references)
    gc.collect()
    assert [reference() for reference in references] == [None, None]
    assert open_descriptors() == before


@pytest.mark.trio
async def test_a_cancelled_client_says_goodbye(autojump_clock):
    async with serving() as host:
        with trio.move_on_after(1):
            async with connect_quic("127.0.0.1", host.port, client_config()):
                await trio.sleep_forever()
        await trio.sleep(1)
        assert host.reasons == [CloseReason(0, by_peer=True)]
