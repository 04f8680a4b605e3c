"""Whole conversations between two machines under a virtual clock, over good and bad networks."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from link import MS, SECOND, Link
from world import (
    CLIENT,
    CLIENT6,
    SERVER,
    SERVER6,
    connected,
    endings,
    machine,
    of_kind,
    pair,
    received,
)

from punktfunk.errors import LocalProtocolError
from punktfunk.wire.enet import AddressChanged, Connected, Delivery, Reason, Received

BAD = {"drop": 0.2, "duplicate": 0.1, "jitter_ns": 40 * MS, "burst": 0.3}


def send(network, address, peer, payload, channel=0, delivery=Delivery.RELIABLE):
    return machine(network, address).send(peer, channel, payload, delivery, network.now_ns)


def test_a_client_connects_and_both_sides_know():
    network, peer = pair(connect_data=0xDEADBEEF)
    network.run(SECOND // 5)
    assert network.events[CLIENT] == [Connected(peer, 0xDEADBEEF, SERVER)]
    (event,) = network.events[SERVER]
    assert (event.connect_data, event.address) == (0xDEADBEEF, CLIENT)


def test_the_handshake_survives_a_bad_network():
    for seed in range(60):
        network, _ = pair(Link(seed=seed, drop=0.2, duplicate=0.1, jitter_ns=40 * MS), seed=seed)
        network.run(8 * SECOND)
        assert [type(e) for e in network.events[CLIENT]] == [Connected], seed
        assert [type(e) for e in network.events[SERVER]] == [Connected], seed


@pytest.mark.parametrize(("server", "client"), [(SERVER, CLIENT), (SERVER6, CLIENT6)])
def test_messages_of_every_kind_go_both_ways(server, client):
    network, peer, mirror = connected(server=server, client=client)
    for delivery in Delivery:
        for channel in (0, 5, 47):
            assert send(network, client, peer, b"up", channel, delivery)
            assert send(network, server, mirror, b"down", channel, delivery)
    network.run(SECOND // 2)
    for address, payload in ((server, b"up"), (client, b"down")):
        got = [(e.channel, e.delivery) for e in of_kind(network, address, Received)]
        assert set(got) == {(channel, delivery) for delivery in Delivery for channel in (0, 5, 47)}
        assert len(got) == 9
        assert set(received(network, address)) == {payload}


@given(st.integers(0, 10**6))
@settings(max_examples=15)
def test_reliable_messages_arrive_once_and_in_order_over_a_bad_network(seed):
    network, peer, mirror = connected(Link(seed=seed, **BAD), seed=seed, timeout_ns=60 * SECOND)
    numbers = random.Random(seed)
    up, down = [], []
    for n in range(60):
        up.append(n.to_bytes(2) + numbers.randbytes(numbers.choice([0, 30, 300, 2000])))
        down.append(n.to_bytes(2) + numbers.randbytes(20))
        assert send(network, CLIENT, peer, up[-1], channel=3)
        assert send(network, SERVER, mirror, down[-1])
        network.run(10 * MS)
    network.run(30 * SECOND)
    assert received(network, SERVER, 3) == up
    assert received(network, CLIENT, 0) == down
    assert network.link.dropped > 0


@given(st.integers(0, 10**6))
@settings(max_examples=10)
def test_unreliable_and_unsequenced_messages_never_come_twice_nor_unreliable_ones_late(seed):
    network, peer, _ = connected(Link(seed=seed, **BAD), seed=seed, timeout_ns=60 * SECOND)
    for n in range(150):
        assert send(network, CLIENT, peer, b"u" + bytes([n]), 1, Delivery.UNRELIABLE)
        assert send(network, CLIENT, peer, b"q" + bytes([n]), 2, Delivery.UNSEQUENCED)
        network.run(5 * MS)
    network.run(2 * SECOND)
    unreliable, unsequenced = received(network, SERVER, 1), received(network, SERVER, 2)
    assert unreliable == sorted(set(unreliable))
    assert len(set(unsequenced)) == len(unsequenced)
    assert len(unreliable) > 20
    assert len(unsequenced) > 40


def test_channels_do_not_wait_for_each_other():
    network, peer, _ = connected()
    up = network.links[SERVER] = Link()
    up.open = False
    send(network, CLIENT, peer, b"lost at first", channel=1)
    network.flush()
    up.open = True
    send(network, CLIENT, peer, b"not held up", channel=2)
    network.run(6 * MS)
    assert received(network, SERVER) == [b"not held up"]
    network.run(SECOND)
    assert received(network, SERVER, 1) == [b"lost at first"]


@pytest.mark.parametrize("size", [872, 873, 900, 5000, 65_536])
@pytest.mark.parametrize("delivery", [Delivery.RELIABLE, Delivery.UNRELIABLE])
def test_long_messages_travel_in_fragments(size, delivery):
    network, peer, _ = connected()
    payload = random.Random(size).randbytes(size)
    send(network, CLIENT, peer, payload, delivery=delivery)
    network.run(SECOND)
    assert received(network, SERVER) == [payload]
    assert network.largest_bytes <= 900


def test_what_no_message_can_be_is_refused_at_once():
    network, peer, _ = connected()
    with pytest.raises(LocalProtocolError):
        send(network, CLIENT, peer, b"", channel=48)
    with pytest.raises(LocalProtocolError):
        send(network, CLIENT, peer, bytes(65_537))
    with pytest.raises(LocalProtocolError):
        send(network, CLIENT, peer, bytes(1000), delivery=Delivery.UNSEQUENCED)
    assert not send(network, CLIENT, peer + 1, b"")


def test_unreliable_messages_outlive_their_counter():
    network, peer, _ = connected()
    machine(network, CLIENT)._peers[peer].outbox._sequences[0] = (0, 0xFFF0)
    sent = [bytes([n]) for n in range(40)]
    for payload in sent:
        assert send(network, CLIENT, peer, payload, delivery=Delivery.UNRELIABLE)
        network.run(MS)
    network.run(SECOND)
    assert received(network, SERVER) == sent
    kinds = [event.delivery for event in of_kind(network, SERVER, Received)]
    assert kinds.count(Delivery.RELIABLE) == 1


def test_the_window_and_the_queue_bound_what_an_unresponsive_peer_costs():
    network, _, mirror = connected()
    network.links[CLIENT] = Link(drop=1)
    accepted = 0
    while send(network, SERVER, mirror, bytes(800)):
        accepted += 1
        assert accepted < 5000
    carried_bytes = sum(len(data) for _, data in machine(network, SERVER).datagrams())
    assert carried_bytes <= 70_000
    network.run(11 * SECOND)
    assert endings(network, SERVER) == [(0, Reason.TIMEOUT)]


def test_an_idle_connection_lives_on_pings_alone():
    network, peer, _ = connected()
    before = network.link.carried
    network.run(60 * SECOND)
    assert not endings(network, SERVER)
    assert not endings(network, CLIENT)
    assert network.link.carried - before < 60 * 8 + 20
    send(network, CLIENT, peer, b"still here")
    network.run(SECOND)
    assert received(network, SERVER) == [b"still here"]


@pytest.mark.parametrize("busy", [False, True])
def test_a_silent_peer_is_given_up_after_ten_seconds(busy):
    network, _, mirror = connected()
    network.links = {SERVER: Link(drop=1), CLIENT: Link(drop=1)}
    cut_ns = network.now_ns
    while not endings(network, SERVER):
        if busy:
            send(network, SERVER, mirror, b"rumble")
        network.run(50 * MS)
    assert endings(network, SERVER) == [(0, Reason.TIMEOUT)]
    assert 9.9 * SECOND <= network.now_ns - cut_ns <= 10.8 * SECOND
    assert network.links[CLIENT].carried < (1500 if busy else 40)
    network.run(2 * SECOND)
    assert machine(network, SERVER).peers() == []
    assert machine(network, SERVER).deadline_ns() is None


def test_an_outage_of_eight_seconds_is_survived():
    network, peer, _ = connected()
    network.link.open = False
    send(network, CLIENT, peer, b"patience")
    network.run(8 * SECOND)
    network.link.open = True
    network.run(3 * SECOND)
    assert received(network, SERVER) == [b"patience"]
    assert not endings(network, SERVER)
    assert not endings(network, CLIENT)


def test_connecting_to_nobody_ends_in_a_timeout():
    network, _ = pair(Link(drop=1))
    network.run(11 * SECOND)
    assert endings(network, CLIENT) == [(0, Reason.TIMEOUT)]
    assert machine(network, CLIENT).deadline_ns() is None


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=20)
def test_what_was_sent_before_a_disconnect_is_delivered(seed, server_closes):
    network, peer, mirror = connected(Link(seed=seed, drop=0.1, jitter_ns=10 * MS), seed=seed)
    closer, other = (SERVER, CLIENT) if server_closes else (CLIENT, SERVER)
    mine = mirror if server_closes else peer
    sent = [bytes([n]) * 200 for n in range(20)]
    for payload in sent:
        send(network, closer, mine, payload)
    machine(network, closer).disconnect(mine, 77, network.now_ns)
    network.run(13 * SECOND)
    assert len(endings(network, closer)) == len(endings(network, other)) == 1
    assert endings(network, closer)[0][1] in (Reason.LOCAL, Reason.TIMEOUT)
    if endings(network, other)[0][1] is Reason.REMOTE:
        assert endings(network, other) == [(77, Reason.REMOTE)]
        assert received(network, other) == sent
    assert machine(network, SERVER).deadline_ns() is None
    assert machine(network, CLIENT).deadline_ns() is None


def test_a_lost_acknowledgement_of_disconnect_is_repeated():
    network, peer, _ = connected()
    machine(network, CLIENT).disconnect(peer, 5, network.now_ns)
    network.links[CLIENT] = Link(drop=1)
    network.run(100 * MS)
    assert endings(network, SERVER) == [(5, Reason.REMOTE)]
    del network.links[CLIENT]
    network.run(SECOND)
    assert endings(network, CLIENT) == [(0, Reason.LOCAL)]
    network.run(3 * SECOND)
    assert machine(network, SERVER).deadline_ns() is None


def test_both_sides_may_disconnect_at_once():
    network, peer, mirror = connected()
    machine(network, CLIENT).disconnect(peer, 1, network.now_ns)
    machine(network, SERVER).disconnect(mirror, 2, network.now_ns)
    network.run(5 * SECOND)
    assert [reason for _, reason in endings(network, CLIENT)] == [Reason.LOCAL]
    assert [reason for _, reason in endings(network, SERVER)] == [Reason.LOCAL]


def test_disconnect_now_tells_the_peer_once():
    network, _, mirror = connected()
    machine(network, SERVER).disconnect_now(mirror, 9, network.now_ns)
    assert machine(network, SERVER).peers() == []
    network.run(SECOND)
    assert endings(network, CLIENT) == [(9, Reason.REMOTE)]
    assert endings(network, SERVER) == []


def test_a_connection_can_be_given_up_before_it_stands():
    network, peer = pair()
    machine(network, CLIENT).disconnect(peer, 0, network.now_ns)
    network.run(10 * SECOND)
    assert network.events[CLIENT] == network.events[SERVER] == []


@pytest.mark.parametrize(
    ("server", "client", "moved"),
    [
        (SERVER, CLIENT, (CLIENT[0], 50001)),
        (SERVER, CLIENT, ("198.51.100.7", 50000)),
        (SERVER6, CLIENT6, ("2001:db8::77", 50000, 0, 0)),
    ],
)
def test_a_client_may_change_its_address(server, client, moved):
    network, peer, mirror = connected(server=server, client=client)
    send(network, client, peer, b"before")
    network.run(SECOND // 10)
    network.move(client, moved)
    for n in range(20):
        send(network, moved, peer, bytes([n]))
        network.run(SECOND // 10)
    assert AddressChanged(mirror, moved) in network.events[server]
    assert machine(network, server).address(mirror) == moved
    assert received(network, server) == [b"before", *[bytes([n]) for n in range(20)]]
    assert send(network, server, mirror, b"after")
    network.run(SECOND)
    assert received(network, moved) == [b"after"]
    network.run(20 * SECOND)
    assert not endings(network, server)


def test_an_idle_client_that_moved_is_found_by_its_pings():
    network, _, mirror = connected()
    moved = ("198.51.100.7", 1)
    network.move(CLIENT, moved)
    network.run(5 * SECOND)
    assert machine(network, SERVER).address(mirror) == moved


def test_the_flow_label_of_an_ipv6_sender_does_not_matter():
    network, peer, mirror = connected(server=SERVER6, client=CLIENT6)
    send(network, CLIENT6, peer, b"x")
    ((_, data),) = machine(network, CLIENT6).datagrams()
    network.inject(data, (CLIENT6[0], CLIENT6[1], 12345, 0), SERVER6)
    assert received(network, SERVER6) == [b"x"]
    assert machine(network, SERVER6).address(mirror) == CLIENT6


def test_round_trips_are_measured():
    network, peer, mirror = connected(Link(delay_ns=20 * MS))
    for _ in range(60):
        send(network, SERVER, mirror, b"x")
        send(network, CLIENT, peer, b"x")
        network.run(100 * MS)
    assert 39 * MS <= machine(network, SERVER).round_trip_ns(mirror) <= 60 * MS
    assert machine(network, SERVER).round_trip_ns(mirror + 1) is None
