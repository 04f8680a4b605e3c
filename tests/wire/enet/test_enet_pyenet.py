"""Real sockets against stock ENet (PyPI pyenet), as client and as server. Each takes some tens of milliseconds.

`service(0)` only: with a timeout pyenet holds the GIL while it waits.
"""

import random
import select
import socket
import time

import pytest

from punktfunk.wire.enet import Connected, Delivery, Disconnected, Host, HostConfig, Reason, Received

enet = pytest.importorskip("enet")

FLAGS = {
    Delivery.RELIABLE: enet.PACKET_FLAG_RELIABLE,
    Delivery.UNRELIABLE: enet.PACKET_FLAG_UNRELIABLE_FRAGMENT,
    Delivery.UNSEQUENCED: enet.PACKET_FLAG_UNSEQUENCED,
}


class Table:
    """Our machine on a socket, opposite pyenet; `drop` loses that share of all datagrams, both ways."""

    def __init__(self, sock, stock, *, accepts, drop=0.0):
        self.sock, self.stock, self.drop = sock, stock, drop
        self.chance = random.Random(1)
        self.ours, self.theirs = [], []
        self.host = Host(HostConfig(accepts=accepts), random.Random(2).randbytes)

    def turn(self):
        event = self.stock.service(0)
        while event.type != enet.EVENT_TYPE_NONE:
            payload = event.packet.data if event.type == enet.EVENT_TYPE_RECEIVE else event.data
            self.theirs.append((event.type, event.channelID, payload, event.peer))
            event = self.stock.service(0)
        select.select([self.sock], [], [], 0.001)
        now_ns = time.monotonic_ns()
        while select.select([self.sock], [], [], 0)[0]:
            data, address = self.sock.recvfrom(4096)
            if self.chance.random() >= self.drop:
                self.ours += self.host.receive(data, address, now_ns)
        self.ours += self.host.advance(now_ns)
        for address, data in self.host.datagrams():
            if self.chance.random() >= self.drop:
                self.sock.sendto(data, address)

    def until(self, condition, seconds=5):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, (self.ours, self.theirs, self.host.counters)
            self.turn()

    def got(self):
        return [(e.channel, e.payload) for e in self.ours if isinstance(e, Received)]

    def stock_got(self):
        return [(channel, data) for kind, channel, data, _ in self.theirs if kind == enet.EVENT_TYPE_RECEIVE]

    def send(self, peer, channel, payload, delivery=Delivery.RELIABLE):
        assert self.host.send(peer, channel, payload, delivery, time.monotonic_ns())


@pytest.fixture(params=["server", "client"])
def table(request):
    """We are the server or the client; connected. Gives the table, our peer and pyenet's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        if request.param == "server":
            stock = enet.Host(None, 1, 48, 0, 0)
            table = Table(sock, stock, accepts=True)
            theirs = stock.connect(enet.Address(b"127.0.0.1", sock.getsockname()[1]), 48, 0xDEADBEEF)
        else:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            stock = enet.Host(enet.Address(b"127.0.0.1", port), 4, 48, 0, 0)
            table = Table(sock, stock, accepts=False)
            table.host.connect(("127.0.0.1", port), 48, 0xDEADBEEF, time.monotonic_ns())
        table.until(lambda: table.ours and table.theirs)
        (ours,) = table.ours
        (arrived,) = table.theirs
        assert isinstance(ours, Connected)
        assert ours.connect_data == 0xDEADBEEF
        assert arrived[0] == enet.EVENT_TYPE_CONNECT
        if request.param == "client":
            theirs = arrived[3]
            assert arrived[2] == 0xDEADBEEF
        yield table, ours.peer, theirs
        del stock, theirs


def test_every_delivery_crosses_both_ways(table):
    table, ours, theirs = table
    assert theirs.mtu == 900
    assert theirs.channelCount == 48
    for delivery, flag in FLAGS.items():
        for channel in (0, 47):
            payload = f"{delivery.value} {channel}".encode()
            table.send(ours, channel, payload, delivery)
            theirs.send(channel, enet.Packet(payload, flag))
    table.until(lambda: len(table.got()) == len(table.stock_got()) == 6)
    assert sorted(table.got()) == sorted(table.stock_got())


@pytest.mark.parametrize("delivery", [Delivery.RELIABLE, Delivery.UNRELIABLE])
def test_fragments_cross_both_ways(table, delivery):
    table, ours, theirs = table
    payload = random.Random(9).randbytes(20_000)
    table.send(ours, 1, payload, delivery)
    theirs.send(1, enet.Packet(payload, FLAGS[delivery]))
    table.until(lambda: table.got() and table.stock_got())
    assert table.got() == table.stock_got() == [(1, payload)]


def test_order_survives_loss(table):
    table, ours, theirs = table
    table.drop = 0.1
    sent = [(0, b"%d" % n * 20) for n in range(60)]
    for _, payload in sent:
        table.send(ours, 0, payload)
        theirs.send(0, enet.Packet(payload, enet.PACKET_FLAG_RELIABLE))
        table.turn()
    table.until(lambda: len(table.got()) == len(table.stock_got()) == 60, seconds=20)
    assert table.got() == table.stock_got() == sent


def test_stock_enet_disconnects_after_its_last_message(table):
    table, ours, theirs = table
    theirs.send(0, enet.Packet(b"last", enet.PACKET_FLAG_RELIABLE))
    theirs.disconnect_later(7)
    table.until(lambda: len(table.ours) == 3 and len(table.theirs) == 2)
    assert table.ours[1:] == [
        Received(ours, 0, b"last", Delivery.RELIABLE),
        Disconnected(ours, 7, Reason.REMOTE),
    ]
    assert table.theirs[-1][0] == enet.EVENT_TYPE_DISCONNECT


def test_we_disconnect_after_our_last_message(table):
    table, ours, _ = table
    table.send(ours, 0, b"last")
    table.host.disconnect(ours, 7, time.monotonic_ns())
    table.until(lambda: len(table.ours) == 2 and len(table.theirs) == 3)
    assert table.stock_got() == [(0, b"last")]
    assert table.theirs[-1][:3] == (enet.EVENT_TYPE_DISCONNECT, 0, 7)
    assert table.ours[-1] == Disconnected(ours, 0, Reason.LOCAL)


def test_disconnect_now_is_understood(table):
    table, ours, _ = table
    table.host.disconnect_now(ours, 9, time.monotonic_ns())
    table.until(lambda: len(table.theirs) == 2)
    assert table.theirs[-1][:3] == (enet.EVENT_TYPE_DISCONNECT, 0, 9)


def test_a_refused_stock_client_knows_at_once():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        stock = enet.Host(None, 1, 48, 0, 0)
        table = Table(sock, stock, accepts=False)
        peer = stock.connect(enet.Address(b"127.0.0.1", sock.getsockname()[1]), 48, 1)
        table.until(lambda: table.theirs)
        assert table.theirs[0][0] == enet.EVENT_TYPE_DISCONNECT
        assert table.ours == []
        del peer
