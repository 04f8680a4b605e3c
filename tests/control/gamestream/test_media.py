"""Ping routing on real loopback sockets: by payload, by address for old clients, and strangers counted."""

import socket

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from punktfunk.control.gamestream.media import DRAIN_COUNT, LOGGED_MOVES, MediaPlane, new_ping_payload
from punktfunk.control.sockets import BoundSocket, bind_udp
from punktfunk.errors import EnvironmentProblem
from punktfunk.wire.gamestream.ping import PING

PAYLOAD = b"0123456789ABCDEF"


def ping(payload=PAYLOAD, counter=1):
    return PING.pack(payload, counter)


@pytest.fixture
def bound():
    with bind_udp("127.0.0.1", 0) as sock:
        yield BoundSocket(sock, "127.0.0.1")


@pytest.fixture
def senders():
    opened = []

    def make(address="127.0.0.1"):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((address, 0))
        opened.append(sock)
        return sock

    yield make
    for sock in opened:
        sock.close()


@pytest.fixture
async def plane(bound, nursery):
    plane = MediaPlane("video", [bound])
    nursery.start_soon(plane.run)
    return plane


async def settle():
    """Loopback delivers at once; let the plane take it."""
    for _ in range(3):
        await wait_all_tasks_blocked()


@pytest.mark.trio
async def test_the_address_is_followed_and_told_once(plane, bound, senders):
    first, second, told = senders(), senders(), []
    target = bound.socket.getsockname()
    with plane.route(PAYLOAD, bound) as route, route.followed_by(lambda *where: told.append(where)):
        for sender, counter in ((first, 1), (first, 2), (second, 3), (second, 4), (first, 5)):
            sender.sendto(ping(counter=counter), target)
            await settle()
    assert told == [(sender.getsockname(), socket.AF_INET) for sender in (first, second, first)]
    assert plane.stray_count == 0


@pytest.mark.trio
async def test_a_ping_before_anybody_follows_is_kept(plane, bound, senders):
    sender, told = senders(), []
    with plane.route(PAYLOAD, bound) as route:
        sender.sendto(ping(), bound.socket.getsockname())
        await settle()
        with route.followed_by(lambda *where: told.append(where)):
            assert told == [(sender.getsockname(), socket.AF_INET)]
        senders().sendto(ping(), bound.socket.getsockname())
        await settle()
        assert len(told) == 1


@pytest.mark.trio
async def test_strangers_are_counted(plane, bound, senders):
    told, target = [], bound.socket.getsockname()
    with plane.route(PAYLOAD, bound) as route, route.followed_by(lambda *where: told.append(where)):
        for datagram in (
            b"",
            b"PING",
            b"PONG",
            ping(b"0123456789ABCDEE"),
            ping() + b"x",
            ping()[:-1],
            bytes(2000),
        ):
            senders().sendto(datagram, target)
        await settle()
    senders().sendto(ping(), target)  # the stream is over
    await settle()
    assert told == []
    assert plane.stray_count == 8


@pytest.mark.trio
async def test_old_clients_are_known_by_address(plane, bound, senders):
    """Only where the client knows no payload: otherwise anybody behind its address could take its picture."""
    told, target = [], bound.socket.getsockname()
    client, neighbour = senders("127.0.0.1"), senders("127.0.0.2")
    with (
        plane.route(PAYLOAD, bound, legacy_address="127.0.0.1") as route,
        route.followed_by(lambda *where: told.append(where)),
    ):
        neighbour.sendto(b"PING", target)
        client.sendto(b"PING", target)
        client.sendto(b"PING", target)
        await settle()
    assert told == [(client.getsockname(), socket.AF_INET)]
    assert plane.stray_count == 1


@pytest.mark.trio
async def test_each_stream_has_its_own_route(plane, bound, senders):
    told, target = [], bound.socket.getsockname()
    payloads = [new_ping_payload().encode() for _ in range(3)]
    with (
        plane.route(payloads[0], bound) as one,
        one.followed_by(lambda *_: told.append(1)),
        plane.route(payloads[1], bound) as two,
        two.followed_by(lambda *_: told.append(2)),
    ):
        for payload in (payloads[1], payloads[2], payloads[0]):
            senders().sendto(ping(payload), target)
            await settle()
    assert told == [2, 1]
    assert plane.stray_count == 1


@pytest.mark.trio
async def test_a_flood_is_served_in_batches(autojump_clock, plane, bound, senders):
    told, target, sender = [], bound.socket.getsockname(), senders()
    with plane.route(PAYLOAD, bound) as route, route.followed_by(lambda *_: told.append(trio.current_time())):
        for _ in range(DRAIN_COUNT + 10):
            sender.sendto(b"garbage", target)
        senders().sendto(ping(), target)
        await trio.sleep(0.01)
    assert len(told) == 1
    assert told[0] > 0
    assert plane.stray_count == DRAIN_COUNT + 10


@pytest.mark.trio
async def test_moves_cannot_fill_the_log(plane, bound, senders, caplog):
    caplog.set_level("DEBUG", logger="punktfunk.control.gamestream.media")
    pair, told = [senders(), senders()], []
    with plane.route(PAYLOAD, bound) as route, route.followed_by(lambda *_: told.append(1)):
        for number in range(4 * LOGGED_MOVES):
            pair[number % 2].sendto(ping(), bound.socket.getsockname())
            await settle()
    assert len(told) == 4 * LOGGED_MOVES
    assert len(caplog.records) == LOGGED_MOVES


@pytest.mark.trio
async def test_a_ping_on_another_bind_address_is_a_stranger(nursery, senders):
    with bind_udp("127.0.0.1", 0) as one, bind_udp("127.0.0.2", 0) as two:
        bound = [BoundSocket(one, "127.0.0.1"), BoundSocket(two, "127.0.0.2")]
        plane, told = MediaPlane("audio", bound), []
        nursery.start_soon(plane.run)
        assert plane.socket_for("127.0.0.2") is bound[1]
        with plane.route(PAYLOAD, bound[1]) as route, route.followed_by(lambda *_: told.append(1)):
            senders().sendto(ping(), one.getsockname())
            await settle()
            assert (told, plane.stray_count) == ([], 1)
            senders().sendto(ping(), two.getsockname())
            await settle()
            assert told == [1]
        nursery.cancel_scope.cancel()
        await wait_all_tasks_blocked()


@pytest.mark.trio
async def test_an_unreachable_client_does_not_end_the_plane(plane, bound, senders):
    """The ICMP error of a datagram to a closed port surfaces at the next receive."""
    gone = senders()
    address = gone.getsockname()
    gone.close()
    bound.socket.sendto(b"frame", address)
    told = []
    with plane.route(PAYLOAD, bound) as route, route.followed_by(lambda *_: told.append(1)):
        senders().sendto(ping(), bound.socket.getsockname())
        await settle()
    assert told == [1]


@given(st.lists(st.binary(max_size=24), max_size=8))
def test_garbage_never_moves_a_stream(datagrams):
    with bind_udp("127.0.0.1", 0) as sock:
        bound = BoundSocket(sock, "127.0.0.1")
        plane, told = MediaPlane("video", [bound]), []
        with plane.route(PAYLOAD, bound) as route, route.followed_by(lambda *_: told.append(1)):
            for datagram in datagrams:
                plane._take(bound, datagram, ("192.0.2.9", 4000))
        assert told == []
        assert plane.stray_count == len(datagrams)


def test_truncation_at_every_byte():
    with bind_udp("127.0.0.1", 0) as sock:
        bound = BoundSocket(sock, "127.0.0.1")
        plane, told = MediaPlane("video", [bound]), []
        with plane.route(PAYLOAD, bound) as route, route.followed_by(lambda *_: told.append(1)):
            for end in range(PING.size):
                plane._take(bound, ping()[:end], ("192.0.2.9", 4000))
            assert told == []
            plane._take(bound, ping(), ("192.0.2.9", 4000))
            assert told == [1]


def test_an_address_that_nothing_is_bound_to(bound):
    with pytest.raises(EnvironmentProblem, match=r"192\.0\.2\.1"):
        MediaPlane("video", [bound]).socket_for("192.0.2.1")
