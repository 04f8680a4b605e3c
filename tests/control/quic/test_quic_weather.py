"""Bad networks under the virtual clock: loss, reordering, duplicates, silence, a client that moves."""

import random
from contextlib import asynccontextmanager

import pytest
import trio
from link import MS, Link
from quic_pair import client_config, echo, serving, until_closed
from quic_relay import relaying

from punktfunk.control.quic import CloseReason, connect_quic


@asynccontextmanager
async def through(up=None, down=None, handler=until_closed, host_settings=None, **settings):
    """Give a server, a client's connection to it, and the relay between them."""
    async with (
        serving(handler, **(host_settings or {})) as host,
        relaying(("127.0.0.1", host.port), up or Link(), down or Link()) as relay,
        connect_quic("127.0.0.1", relay.port, client_config(**settings), timeout_s=10) as client,
    ):
        while not host.connections:  # noqa: ASYNC110 - the clock is virtual
            await trio.sleep(0.001)
        yield host, client, relay


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.trio
async def test_streams_survive_any_weather(autojump_clock, seed):
    def bad(which):
        return Link(
            seed=2 * seed + which,
            drop=0.1,
            duplicate=0.1,
            delay_ns=10 * MS,
            jitter_ns=20 * MS,
            burst=0.2,
            burst_length=3,
        )

    sent = random.Random(seed).randbytes(40_000)
    async with through(bad(0), bad(1), echo) as (_, client, relay):
        stream = client.open_stream()
        received = bytearray()

        async def write():
            for start in range(0, len(sent), 7000):
                await stream.send_all(sent[start : start + 7000])
            stream.send_eof()

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(write)
                while data := await stream.receive_some():
                    received += data
        assert bytes(received) == sent
        assert relay.up.dropped > 0
        assert relay.down.dropped > 0


@pytest.mark.trio
async def test_an_idle_connection_lives_and_costs_a_few_packets(autojump_clock):
    async with through() as (host, client, relay):
        await trio.sleep(2)
        relay.passed.clear()
        await trio.sleep(60)
        assert client.closed_reason is host.connections[0].closed_reason is None
        assert len(relay.passed) < 60


@pytest.mark.parametrize("side", ["both", "host", "client"])
@pytest.mark.trio
async def test_silence_ends_a_connection_after_eight_seconds(autojump_clock, side):
    async with through() as (host, client, relay):
        relay.up.open = side == "host"
        relay.down.open = side == "client"
        before = trio.current_time()
        expected = CloseReason(1, "Idle timeout", timed_out=True, application=False)
        waits = {"host": [host.connections[0]], "client": [client], "both": [client, host.connections[0]]}
        for connection in waits["both"]:
            assert await connection.wait_closed() == expected
            # The one that still hears may have sent one ping later than the other.
            assert 7.9 < trio.current_time() - before < 8 + 8 + 0.5
        assert str(expected) == "the peer fell silent"


@pytest.mark.trio
async def test_the_shorter_idle_timeout_holds_and_is_kept_alive(autojump_clock):
    async with through(host_settings={"idle_timeout_s": 2}) as (host, client, relay):
        await trio.sleep(30)
        assert client.closed_reason is None
        relay.up.open = relay.down.open = False
        before = trio.current_time()
        await client.wait_closed()
        await host.connections[0].wait_closed()
        assert trio.current_time() - before < 3


@pytest.mark.trio
async def test_a_lost_goodbye_is_repeated(autojump_clock):
    async with through() as (host, client, relay):
        await trio.sleep(1)
        relay.up.open = False
        client.close(0x51, "bye")
        await trio.sleep(0.012)
        relay.up.open = True
        before = trio.current_time()
        assert await host.connections[0].wait_closed() == CloseReason(0x51, "bye", by_peer=True)
        assert trio.current_time() - before < 0.3


@pytest.mark.trio
async def test_a_closed_side_answers_whoever_missed_it_but_not_every_packet(autojump_clock):
    async with through() as (host, client, relay):
        await trio.sleep(1)
        relay.down.open = False
        host.connections[0].close(0x52, "gone")
        relay.passed.clear()
        for _ in range(64):
            client.send_datagram(b"anyone?")
            client.link.flush()
        await trio.sleep(0.015)
        assert 1 <= sum(way == "down" for way, _ in relay.passed) <= 12
        relay.down.open = True
        assert await client.wait_closed() == CloseReason(0x52, "gone", by_peer=True)


@pytest.mark.trio
async def test_a_client_may_move_to_another_address(autojump_clock):
    async with through(handler=echo) as (host, client, relay):
        there = host.connections[0]
        stream = client.open_stream()
        await stream.send_all(b"before")
        assert await stream.receive_some() == b"before"
        old = there.remote_address
        relay.move()
        await stream.send_all(b"after")
        assert await stream.receive_some() == b"after"
        assert there.remote_address != old
        client.send_datagram(b"datagram")
        assert await client.receive_datagrams() == [b"datagram"]
        await trio.sleep(30)
        assert client.closed_reason is None


@pytest.mark.trio
async def test_waiting_datagrams_are_bounded_and_the_oldest_goes(autojump_clock):
    async with through(Link(delay_ns=100 * MS)) as (host, client, _):
        got = []
        host.connections[0].on_datagram = got.append
        sent = [number.to_bytes(2, "big") + bytes(998) for number in range(100)]
        for data in sent:
            assert client.send_datagram(data)
        assert client.link.core.datagrams_waiting_bytes() <= 4096
        await trio.sleep(5)
        assert got[-1] == sent[-1]
        assert got == sorted(got)
        assert len(got) + client.counters["datagrams_not_sent"] == 100
        assert client.counters["datagrams_not_sent"] > 50  # the window takes a dozen packets at first


@pytest.mark.trio
async def test_round_trip_time_is_measured(autojump_clock):
    async with through(Link(delay_ns=20 * MS), Link(delay_ns=30 * MS), echo) as (_, client, _):
        for _ in range(5):
            client.send_datagram(b"x")
            await client.receive_datagrams()
        assert 50 * MS <= client.round_trip_ns < 60 * MS


@pytest.mark.parametrize(("carried", "found"), [(65536, 1472), (1460, 1452), (1399, 1300), (1299, 1200)])
@pytest.mark.trio
async def test_packets_grow_to_what_the_path_carries(autojump_clock, carried, found):
    async with through(Link(delay_ns=10 * MS), Link(delay_ns=10 * MS), echo) as (host, client, relay):
        relay.largest_bytes = carried
        client.link._path_size._path = None  # the first answers came before the relay was told
        host.connections[0].link._path_size._path = None
        client.send_datagram(b"x")
        await trio.sleep(10)
        assert client.link.core.packet_bytes == host.connections[0].link.core.packet_bytes == found
        assert client.datagram_bytes_max == found - 30
        client.send_datagram(bytes(found - 30))
        assert len(await client.receive_datagrams()) == 1
        (got,) = await client.receive_datagrams()
        assert len(got) == found - 30
        assert client.link.core._loss.congestion_window >= 12000


@pytest.mark.trio
async def test_large_packets_that_stop_arriving_are_given_up(autojump_clock):
    async with through(handler=echo) as (_host, client, relay):
        await trio.sleep(1)
        assert client.link.core.packet_bytes == 1472
        relay.largest_bytes = 1250
        stream = client.open_stream()
        await stream.send_all(bytes(20_000))
        received = 0
        with trio.fail_after(7):
            while received < 20_000:
                received += len(await stream.receive_some())
        assert client.link.core.packet_bytes == 1200


@pytest.mark.trio
async def test_a_client_that_moves_is_asked_anew(autojump_clock):
    async with through(handler=echo) as (host, client, relay):
        await trio.sleep(1)
        core = host.connections[0].link.core
        assert core.packet_bytes == 1472
        relay.largest_bytes = 1350
        relay.move()
        client.send_datagram(b"x")
        await trio.sleep(6)
        assert core.packet_bytes == 1300


@pytest.mark.trio
async def test_a_settled_connection_asks_nothing(autojump_clock):
    async with through() as (_host, _client, relay):
        await trio.sleep(30)
        relay.passed.clear()
        await trio.sleep(300)
        assert max(len(data) for _, data in relay.passed) < 100


@pytest.mark.trio
async def test_acknowledgements_are_few_and_travel_with_answers(autojump_clock):
    async with through() as (_, client, relay):
        await trio.sleep(1)
        relay.passed.clear()
        for _ in range(100):
            client.send_datagram(b"mouse")
            await trio.sleep(0.001)
        assert 10 <= sum(way == "down" for way, _ in relay.passed) <= 30
    async with through(Link(delay_ns=1 * MS), Link(delay_ns=1 * MS), echo) as (_, client, relay):
        await trio.sleep(1)
        relay.passed.clear()
        for _ in range(50):
            client.send_datagram(b"question")
            await client.receive_datagrams()
            await trio.sleep(0.002)
        assert sum(way == "down" for way, _ in relay.passed) <= 60  # each answer carries one
