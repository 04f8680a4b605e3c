"""What strangers, forgers and floods get: nothing, in bounded time and memory, while others go on undisturbed."""

import random
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from link import MS, SECOND, Link
from world import CLIENT, SERVER, connected, endings, machine, of_kind, pair, received, seeded

from punktfunk.errors import LocalProtocolError
from punktfunk.wire.enet import AddressChanged, Connected, Delivery, Host, HostConfig, Reason
from punktfunk.wire.enet import commands as c

STRANGER = ("203.0.113.9", 4444)


def connect_wire(connect_id=1, data=0, peer_id=0, channels=48, mtu=900):
    body = c.Connect(peer_id, 0xFF, 0xFF, mtu, 65536, channels, 0, 0, 5000, 2, 2, connect_id, data)
    wire = c.build_command(c.Command(c.Kind.CONNECT, c.Flags.ACKNOWLEDGE, c.CONTROL_CHANNEL, 1, body))
    return c.build_datagram(c.NO_PEER_ID, 0, 77, [wire])


def wire_for(peer_id, session, kind, body, channel=0, sequence=1, flags=c.Flags.ACKNOWLEDGE):
    return c.build_datagram(
        peer_id, session, 1, [c.build_command(c.Command(kind, flags, channel, sequence, body))]
    )


def captured(network, peer, count=30):
    """Datagrams that a client really sent, each also delivered."""
    kept = []
    for n in range(count):
        machine(network, CLIENT).send(
            peer, n % 4, bytes([n]) * 20, random.Random(n).choice(list(Delivery)), network.now_ns
        )
        sent = machine(network, CLIENT).datagrams()
        for _, data in sent:
            kept.append(data)
            network.inject(data, CLIENT, SERVER)
        network.run(20 * MS)
    return kept


def still_works(network, peer, mirror):
    """The session behind the noise goes on, both ways, at its address."""
    events_before = len(of_kind(network, SERVER, AddressChanged))
    for channel in range(8):
        assert machine(network, CLIENT).send(peer, channel, b"up", Delivery.RELIABLE, network.now_ns)
        assert machine(network, SERVER).send(mirror, channel, b"down", Delivery.RELIABLE, network.now_ns)
    before = len(received(network, SERVER)), len(received(network, CLIENT))
    network.run(SECOND)
    assert received(network, SERVER)[before[0] :] == [b"up"] * 8
    assert received(network, CLIENT)[before[1] :] == [b"down"] * 8
    assert machine(network, SERVER).address(mirror) == CLIENT
    assert len(of_kind(network, SERVER, AddressChanged)) == events_before
    assert not endings(network, SERVER)


@given(st.lists(st.tuples(st.binary(max_size=120), st.booleans()), max_size=60))
@settings(max_examples=40)
def test_garbage_from_anywhere_changes_nothing(noise):
    network, peer, mirror = connected()
    for data, from_stranger in noise:
        assert (
            machine(network, SERVER).receive(data, STRANGER if from_stranger else CLIENT, network.now_ns)
            == []
        )
        network.flush()
    still_works(network, peer, mirror)


@given(st.integers(0, 10**6))
@settings(max_examples=30)
def test_real_datagrams_with_flipped_bits_never_raise(seed):
    network, peer, mirror = connected(seed=seed)
    chance = random.Random(seed)
    for data in captured(network, peer):
        for _ in range(6):
            broken = bytearray(data)
            for _ in range(chance.randint(1, 4)):
                broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
            network.inject(bytes(broken), chance.choice([CLIENT, STRANGER]), SERVER)
    network.run(30 * SECOND)
    assert machine(network, SERVER).address(mirror) in (CLIENT, None)


def test_truncation_at_every_byte_and_garbage_behind_is_harmless():
    network, peer, mirror = connected()
    wire = captured(network, peer, count=10)
    for data in wire:
        for length in range(len(data)):
            assert machine(network, SERVER).receive(data[:length], STRANGER, network.now_ns) == []
            assert machine(network, SERVER).receive(data[:length], CLIENT, network.now_ns) == []
        machine(network, SERVER).receive(data + bytes(5000), CLIENT, network.now_ns)
    still_works(network, peer, mirror)


def test_replayed_datagrams_are_acknowledged_but_not_delivered_again():
    network, peer, mirror = connected()
    kept = captured(network, peer)
    before = len(received(network, SERVER))
    for data in kept * 3:
        network.inject(data, CLIENT, SERVER)
    assert len(received(network, SERVER)) == before
    still_works(network, peer, mirror)


def test_replays_from_elsewhere_neither_deliver_nor_move_the_peer():
    network, peer, mirror = connected()
    kept = captured(network, peer)
    before = len(received(network, SERVER))
    for data in kept * 3:
        network.inject(data, STRANGER, SERVER)
    assert len(received(network, SERVER)) == before
    still_works(network, peer, mirror)


def test_every_peer_number_and_session_can_be_guessed_in_vain():
    network, peer, mirror = connected()
    server = machine(network, SERVER)
    for session in range(4):
        for peer_id in range(c.NO_PEER_ID):
            bye = wire_for(peer_id, session, c.Kind.DISCONNECT, c.Disconnect(1), channel=c.CONTROL_CHANNEL)
            assert server.receive(bye, STRANGER, network.now_ns) == []
            text = wire_for(peer_id, session, c.Kind.SEND_RELIABLE, c.SendReliable(b"forged"))
            assert server.receive(text, STRANGER, network.now_ns) == []
    assert server.datagrams() == []  # the peer was heard just now: not even a probe leaves
    still_works(network, peer, mirror)


def test_a_forger_who_guessed_right_must_still_receive_at_the_address():
    network, peer, mirror = connected()
    server, session = machine(network, SERVER), machine(network, SERVER)._peers[mirror]
    network.link.open = False
    network.run(SECOND)  # the client is silent, so a move is conceivable
    answers = []
    for guess in range(2000):
        forged = wire_for(
            session.wire_id, session.incoming_session, c.Kind.PING, c.Ping(), c.CONTROL_CHANNEL, 3
        )
        server.receive(forged, STRANGER, network.now_ns)
        answers += [address for address, _ in server.datagrams() if address == STRANGER]
        ack = c.Acknowledge(guess, guess)
        lie = wire_for(
            session.wire_id,
            session.incoming_session,
            c.Kind.ACKNOWLEDGE,
            ack,
            c.CONTROL_CHANNEL,
            guess,
            c.Flags.NONE,
        )
        assert server.receive(lie, STRANGER, network.now_ns) == []
    assert len(answers) == 1  # one probe per 100 ms, whatever comes
    assert server.address(mirror) == CLIENT
    network.link.open = True
    network.run(SECOND)
    still_works(network, peer, mirror)


def test_probes_are_few_however_many_addresses_ask():
    network, peer, mirror = connected()
    server, session = machine(network, SERVER), machine(network, SERVER)._peers[mirror]
    network.link.open = False
    network.run(SECOND)
    forged = wire_for(session.wire_id, session.incoming_session, c.Kind.PING, c.Ping(), c.CONTROL_CHANNEL, 3)
    for n in range(1000):
        server.receive(forged, (f"203.0.113.{n % 250}", n), network.now_ns)
    assert len(server._probes[mirror]._probes) == 4
    server.datagrams()
    network.link.open = True
    network.run(SECOND)
    still_works(network, peer, mirror)


def test_forged_acknowledgements_do_not_count():
    network, _, mirror = connected()
    server, session = machine(network, SERVER), machine(network, SERVER)._peers[mirror]
    network.links[CLIENT] = Link(drop=1)
    server.send(mirror, 0, b"must arrive", Delivery.RELIABLE, network.now_ns)
    network.flush()
    (outgoing,) = session.outbox._in_flight.values()
    (right,) = outgoing.transmissions
    for wrong in (right ^ 1, right ^ 0x8000):
        ack = c.Acknowledge(outgoing.sequence, wrong)
        network.inject(
            wire_for(session.wire_id, session.incoming_session, c.Kind.ACKNOWLEDGE, ack, flags=c.Flags.NONE),
            CLIENT,
            SERVER,
        )
    assert session.outbox._in_flight
    del network.links[CLIENT]
    network.run(SECOND)
    assert received(network, CLIENT) == [b"must arrive"]


def test_a_flood_of_connects_is_bounded_and_disturbs_nobody():
    network, peer, mirror = connected()
    server = machine(network, SERVER)
    tracemalloc.start()
    started = time.process_time()
    in_bytes = out_bytes = 0
    for n in range(3000):
        wire = connect_wire(connect_id=n)
        in_bytes += len(wire)
        server.receive(wire, (f"10.{n % 200}.{n % 250}.{n % 256}", n % 60000 + 1), network.now_ns)
        if n % 64 == 0:
            out_bytes += sum(len(data) for _, data in server.datagrams())
    assert time.process_time() - started < 5
    assert tracemalloc.get_traced_memory()[0] < 2_000_000
    tracemalloc.stop()
    assert len(server._peers) <= 1 + 128
    still_works(network, peer, mirror)
    network.run(10 * SECOND)
    assert len(server._peers) == len(server._by_wire_id) == len(server._by_connect) == 1
    assert out_bytes < 3 * in_bytes
    still_works(network, peer, mirror)


def test_one_host_cannot_take_the_places_of_others():
    network, _ = pair()
    server = machine(network, SERVER)
    for n in range(1000):
        server.receive(connect_wire(connect_id=n), (STRANGER[0], n), network.now_ns)
    assert len(server._half_open) == 16
    network.run(SECOND)
    assert len(of_kind(network, CLIENT, Connected)) == 1


def test_a_connect_that_is_not_followed_up_is_answered_three_times_and_forgotten():
    network, _, _ = connected()
    network.add(STRANGER, Host(HostConfig(accepts=False), seeded(5)))
    network.links[STRANGER] = Link(drop=1)
    network.inject(connect_wire(), STRANGER, SERVER)
    network.run(10 * SECOND)
    assert network.links[STRANGER].carried == 3
    assert len(machine(network, SERVER)._peers) == 1


def test_who_is_not_admitted_is_told_so_and_costs_nothing():
    network, _ = pair(connect_data=0x1111)
    asked = []

    def admit(address, data):
        asked.append((address, data))
        return data == 0x2222

    server = Host(HostConfig(), seeded(9), admit)
    network.add(SERVER, server)
    network.run(SECOND)
    assert asked == [(CLIENT, 0x1111)]
    assert endings(network, CLIENT) == [(0, Reason.REFUSED)]
    assert not server._peers
    assert server.counters["refused"] == 1
    machine(network, CLIENT).connect(SERVER, 48, 0x2222, network.now_ns)
    network.run(SECOND)
    assert len(of_kind(network, SERVER, Connected)) == 1


def test_a_full_host_refuses_and_a_client_host_accepts_nobody():
    network, _, _ = connected(peer_limit=1)
    other = ("192.0.2.3", 1)
    network.add(other, Host(HostConfig(accepts=False, peer_limit=1), seeded(4)))
    machine(network, other).connect(SERVER, 48, 0, network.now_ns)
    network.run(SECOND)
    assert endings(network, other) == [(0, Reason.REFUSED)]
    machine(network, other).connect(CLIENT, 48, 0, network.now_ns)
    network.run(SECOND)
    assert endings(network, other) == [(0, Reason.REFUSED)] * 2
    machine(network, other).connect(CLIENT, 48, 0, network.now_ns)
    with pytest.raises(LocalProtocolError):
        machine(network, other).connect(CLIENT, 48, 0, network.now_ns)


def test_clients_that_race_for_the_last_place_do_not_exceed_the_limit():
    network, _ = pair(Link(delay_ns=20 * MS), peer_limit=2)
    for n in range(6):
        address = (f"192.0.2.{n + 10}", 7)
        network.add(address, Host(HostConfig(accepts=False), seeded(100 + n)))
        machine(network, address).connect(SERVER, 48, n, network.now_ns)
    network.run(2 * SECOND)
    assert len(of_kind(network, SERVER, Connected)) == 2
    assert len(machine(network, SERVER).peers()) == 2


@pytest.mark.parametrize(
    "wire", [connect_wire(channels=0), connect_wire(channels=256), connect_wire(channels=2**31)]
)
def test_impossible_connects_are_dropped(wire):
    server = Host(HostConfig(), seeded(1))
    assert server.receive(wire, STRANGER, 1) == []
    assert server.datagrams() == []
    assert not server._peers


@pytest.mark.parametrize(("mtu", "agreed"), [(0, 576), (1392, 900), (2**32 - 1, 900)])
def test_absurd_mtus_are_brought_into_range(mtu, agreed):
    server = Host(HostConfig(), seeded(1))
    server.receive(connect_wire(mtu=mtu), STRANGER, 1)
    ((_, data),) = server.datagrams()
    assert c.parse_datagram(data).commands[0].body.mtu_bytes == agreed


def test_a_peer_that_never_sends_what_is_due_costs_bounded_memory():
    network, peer, mirror = connected()
    session = machine(network, SERVER)._peers[mirror]
    for n in range(2, 4000):
        for channel in range(48):
            wire = wire_for(
                session.wire_id,
                session.incoming_session,
                c.Kind.SEND_RELIABLE,
                c.SendReliable(bytes(700)),
                channel,
                n,
            )
            if n % 40 == channel % 40:
                machine(network, SERVER).receive(wire, CLIENT, network.now_ns)
    assert session._store.used_bytes <= 262_144
    assert not received(network, SERVER)
    machine(network, SERVER).datagrams()
    assert len(session.outbox._acknowledgements) == 0
    network.events[CLIENT].clear()
    del peer
