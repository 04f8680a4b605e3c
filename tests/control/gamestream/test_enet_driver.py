"""The driver on real loopback sockets under Trio's virtual clock."""

import errno
import random
import socket
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from punktfunk.control.gamestream import enet_driver
from punktfunk.control.gamestream.enet_driver import EnetEndpoint, run_enet
from punktfunk.wire.enet import Connected, Delivery, Disconnected, Host, HostConfig, Reason, Received

LOOPBACKS = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
IP_RECVERR = 11  # Linux; the socket module does not name it


def bound(family=socket.AF_INET):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((LOOPBACKS[family], 0))
    return sock


class Running:
    """A driver in a nursery, and the events it told."""

    def __init__(self, seed, sock, **config):
        self.events = []
        self.sock = sock
        self.host = Host(HostConfig(**config), random.Random(seed).randbytes)
        self.scope = trio.CancelScope()

    async def run(self, task_status):
        with self.scope:
            await run_enet(self.host, self.sock, self.events.append, task_status=task_status)

    def of_kind(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def payloads(self):
        return [event.payload for event in self.of_kind(Received)]

    async def until(self, kind, count=1):
        with trio.fail_after(60):
            while len(self.of_kind(kind)) < count:  # noqa: ASYNC110 - the clock is virtual
                await trio.sleep(0.01)
        return self.of_kind(kind)


class Mute:
    """A socket that hears and cannot speak."""

    def __init__(self, sock):
        self.fileno, self.recvfrom, self.recvmsg = sock.fileno, sock.recvfrom, sock.recvmsg

    def sendto(self, data, address):
        raise OSError(errno.ENETUNREACH, "made up")


@asynccontextmanager
async def talking(family=socket.AF_INET):
    """Two drivers whose hosts are connected: server, client, the client's name there, the server's here."""
    with bound(family) as server_sock, bound(family) as client_sock:
        server, client = Running(1, server_sock), Running(2, client_sock, accepts=False)
        async with trio.open_nursery() as nursery:
            server.endpoint = await nursery.start(server.run)
            client.endpoint = await nursery.start(client.run)
            peer = client.host.connect(server_sock.getsockname(), 48, 7, enet_driver._now_ns())
            client.endpoint.flush()
            await client.until(Connected)
            (event,) = await server.until(Connected)
            yield server, client, event.peer, peer
            nursery.cancel_scope.cancel()


@pytest.fixture
def turns(monkeypatch):
    """Which endpoints took a turn, in order."""
    taken = []
    turn = enet_driver._turn

    async def counted(endpoint, on_event):
        taken.append(endpoint)
        await turn(endpoint, on_event)

    monkeypatch.setattr(enet_driver, "_turn", counted)
    return taken


@pytest.mark.parametrize("family", list(LOOPBACKS))
@pytest.mark.trio
async def test_messages_go_both_ways(autojump_clock, family):
    async with talking(family) as (server, client, mirror, peer):
        assert server.events == [Connected(mirror, 7, client.sock.getsockname())]
        assert client.endpoint.send(peer, 3, b"up" * 2000)
        assert server.endpoint.send(mirror, 0, b"down", Delivery.UNSEQUENCED)
        await server.until(Received)
        await client.until(Received)
        assert server.payloads() == [b"up" * 2000]
        assert client.payloads() == [b"down"]


@pytest.mark.trio
async def test_a_message_leaves_at_once(autojump_clock):
    async with talking() as (server, client, _, peer):
        before = trio.current_time()
        client.endpoint.send(peer, 0, b"now")
        await wait_all_tasks_blocked()
        await wait_all_tasks_blocked()
        assert server.payloads() == [b"now"]
        assert trio.current_time() == before


@pytest.mark.trio
async def test_either_side_may_end_one_connection(autojump_clock):
    async with talking() as (server, client, mirror, peer):
        client.endpoint.send(peer, 0, b"last")
        client.endpoint.disconnect(peer, 5)
        assert await server.until(Disconnected) == [Disconnected(mirror, 5, Reason.REMOTE)]
        assert await client.until(Disconnected) == [Disconnected(peer, 0, Reason.LOCAL)]
        assert server.payloads() == [b"last"]


@pytest.mark.trio
async def test_cancelling_disconnects_the_peer_within_the_bound(autojump_clock):
    async with talking() as (server, client, mirror, _):
        server.endpoint.send(mirror, 0, b"last words")
        before = trio.current_time()
        server.scope.cancel()
        assert (await client.until(Disconnected))[0].reason is Reason.REMOTE
        assert client.payloads() == [b"last words"]
        assert trio.current_time() - before < enet_driver.CLOSING_BOUND_S
        assert server.host.peers() == []
        assert not server.of_kind(Disconnected)
        assert server.sock.fileno() != -1


@pytest.mark.trio
async def test_cancelling_with_a_dead_peer_takes_no_longer_than_the_bound(autojump_clock):
    async with talking() as (server, client, _, _):
        client.endpoint._sock = Mute(client.endpoint._sock)
        before = trio.current_time()
        server.scope.cancel()
        while server.host.peers():  # noqa: ASYNC110 - the clock is virtual
            await trio.sleep(0.01)
        assert 0.1 < trio.current_time() - before <= enet_driver.CLOSING_BOUND_S + 0.02


@pytest.mark.trio
async def test_an_idle_connection_costs_a_few_turns_per_second(autojump_clock, turns):
    async with talking() as (server, client, _, _):
        turns.clear()
        await trio.sleep(60)
        assert len(turns) < 60 * 12
        assert not server.of_kind(Disconnected)
        assert not client.of_kind(Disconnected)


@pytest.mark.trio
async def test_a_silent_peer_times_out_after_ten_seconds(autojump_clock, turns):
    async with talking() as (server, client, mirror, _):
        client.endpoint._sock = Mute(client.endpoint._sock)
        turns.clear()
        before = trio.current_time()
        assert await server.until(Disconnected) == [Disconnected(mirror, 0, Reason.TIMEOUT)]
        assert 9 < trio.current_time() - before < 12
        assert len(turns) < 300


@pytest.mark.trio
async def test_an_idle_host_sleeps_for_ever(autojump_clock, turns):
    with bound() as sock:
        host = Running(1, sock)
        async with trio.open_nursery() as nursery:
            await nursery.start(host.run)
            await trio.sleep(80_000)
            assert len(turns) == 1
            nursery.cancel_scope.cancel()


SEND_ERRORS = [errno.ENOBUFS, errno.ECONNREFUSED, errno.ENETUNREACH, errno.EPERM, errno.EAGAIN, errno.EINVAL]


@pytest.mark.parametrize("number", SEND_ERRORS)
@pytest.mark.trio
async def test_errors_of_sendto_are_losses(autojump_clock, monkeypatch, number):
    real = socket.socket.sendto
    chance = random.Random(3)

    def sendto(self, data, address):
        if chance.random() < 0.3:
            raise OSError(number, "made up")
        return real(self, data, address)

    async with talking() as (server, client, _, peer):
        monkeypatch.setattr(socket.socket, "sendto", sendto)
        sent = [bytes([n]) for n in range(50)]
        for payload in sent:
            client.endpoint.send(peer, 0, payload)
            await trio.sleep(0.01)
        await server.until(Received, 50)
        assert server.payloads() == sent
        assert client.endpoint.counters[errno.errorcode[number]] > 5


@pytest.mark.trio
async def test_errors_of_recvfrom_pause_but_do_not_end_the_driver(autojump_clock, monkeypatch):
    real = socket.socket.recvfrom
    calls = []
    broken = True

    def recvfrom(self, size):
        calls.append(size)
        if broken:
            raise OSError(errno.ENETDOWN, "made up")
        return real(self, size)

    async with talking() as (server, client, _, peer):
        monkeypatch.setattr(socket.socket, "recvfrom", recvfrom)
        client.endpoint.send(peer, 0, b"through")
        await trio.sleep(2)
        assert 10 < len(calls) <= 2 * 2 / enet_driver.ERROR_PAUSE_S * enet_driver.BATCH_COUNT
        broken = False
        await server.until(Received)
        assert server.payloads() == [b"through"]


@pytest.mark.trio
async def test_refusals_that_the_kernel_reports_are_survived(autojump_clock, turns):
    async with talking() as (server, client, _, peer):
        client.sock.setsockopt(socket.SOL_IP, IP_RECVERR, 1)
        with bound() as gone:
            nowhere = gone.getsockname()
        client.host.connect(nowhere, 48, 0, enet_driver._now_ns())
        client.endpoint.flush()
        await trio.sleep(1)
        assert client.endpoint.counters["ECONNREFUSED"] + client.endpoint.counters["error_queue"] > 0
        assert len(turns) < 100
        client.endpoint.send(peer, 0, b"through")
        await server.until(Received)
        assert server.payloads() == [b"through"]


@pytest.mark.trio
async def test_a_forged_source_port_of_zero_is_survived(autojump_clock):
    async with talking() as (server, client, _, peer):
        server.host._ready.append((("127.0.0.1", 0), b"an answer to port 0"))
        server.endpoint.flush()
        assert server.endpoint.counters["EINVAL"] == 1
        client.endpoint.send(peer, 0, b"through")
        await server.until(Received)
        assert server.payloads() == [b"through"]


def test_a_closed_descriptor_is_our_own_fault():
    with bound() as sock:
        endpoint = EnetEndpoint(Host(HostConfig(), random.randbytes), sock)
    endpoint.host._ready.append((("127.0.0.1", 9), b"x"))
    with pytest.raises(OSError, match="Bad file descriptor"):
        endpoint.flush()


@pytest.mark.trio
async def test_a_flood_leaves_the_session_alone(autojump_clock):
    async with talking() as (server, client, _, peer):
        chance = random.Random(1)
        with bound() as stranger:
            for n in range(3000):
                stranger.sendto(chance.randbytes(chance.randrange(1, 200)), server.sock.getsockname())
                if n % 100 == 0:
                    client.endpoint.send(peer, 0, bytes([n // 100]))
                    await trio.sleep(0.002)
        await server.until(Received, 30)
        assert server.payloads() == [bytes([n]) for n in range(30)]
        assert server.host.counters["malformed"] > 1000


@pytest.mark.trio
async def test_a_client_moves_to_another_socket(autojump_clock):
    async with talking() as (server, client, mirror, peer):
        with bound() as fresh:
            fresh.settimeout(0)
            client.endpoint._sock = fresh  # the driver waits on it from the next ping on
            await trio.sleep(1)
            client.endpoint.send(peer, 0, b"from elsewhere")
            await server.until(Received)
            assert server.payloads() == [b"from elsewhere"]
            assert server.host.address(mirror) == fresh.getsockname()
            client.scope.cancel()
            await server.until(Disconnected)
