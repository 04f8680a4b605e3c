"""The state table, the round trip estimate, and well-formed nonsense from the right address."""

from hypothesis import given, settings
from hypothesis import strategies as st
from link import MS, SECOND
from test_enet_commands import BODIES
from world import CLIENT, SERVER, connected, endings, machine

from punktfunk.wire.enet import Delivery, HostConfig
from punktfunk.wire.enet import commands as c
from punktfunk.wire.enet.outbox import Outbox
from punktfunk.wire.enet.roundtrip import MAXIMUM_TIMEOUT_NS, MINIMUM_TIMEOUT_NS, RoundTrip
from punktfunk.wire.enet.states import ENDINGS, TRANSITIONS, Happening, State


def test_every_state_but_the_last_ends_some_day():
    for state in set(State) - {State.GONE}:
        expired = TRANSITIONS.get((state, Happening.EXPIRED))
        assert expired is State.GONE
    assert not [step for step in TRANSITIONS if step[0] is State.GONE]
    assert set(ENDINGS) <= set(TRANSITIONS)


def test_a_connection_that_stood_ends_with_exactly_one_event():
    standing = (State.CONNECTED, State.CLOSING, State.DISCONNECTING)
    for step, after in TRANSITIONS.items():
        leaves = step[0] in standing and after not in standing
        if step[0] in (*standing, State.LINGERING):
            assert (step in ENDINGS) == leaves


@given(st.lists(st.integers(0, 10 * SECOND), min_size=1, max_size=200), st.integers(1, 1000))
def test_the_round_trip_stays_among_its_samples_and_timeouts_in_bounds(samples, attempts):
    trip = RoundTrip()
    for sample in samples:
        trip.measured(sample)
    assert min(samples) - 1 <= trip.mean_ns <= max(samples)
    assert MINIMUM_TIMEOUT_NS <= trip.timeout_ns(attempts) <= MAXIMUM_TIMEOUT_NS
    assert trip.timeout_ns(attempts) <= trip.timeout_ns(attempts + 1)


def test_a_steady_round_trip_is_learnt_and_a_lan_is_retried_soon():
    trip = RoundTrip()
    for _ in range(50):
        trip.measured(2 * MS)
    assert trip.mean_ns == 2 * MS
    assert [trip.timeout_ns(n) // MS for n in (1, 2, 3, 9)] == [20, 40, 80, 1000]


def test_datagrams_are_filled_in_order_and_never_over_the_mtu():
    outbox = Outbox(900, 0, 1 << 20)
    for n in range(100):
        assert outbox.send(n % 3, bytes([n]) * 50, Delivery.RELIABLE)
    datagrams = [c.parse_datagram(data) for data in outbox.drain(SECOND, 5, 2)]
    commands = [command for datagram in datagrams for command in datagram.commands]
    assert [command.body.data[0] for command in commands] == list(range(100))
    assert len(datagrams) == 7
    assert {(d.peer_id, d.session, d.sent_time) for d in datagrams} == {(5, 2, 1000)}


def test_a_small_window_lets_one_message_through_at_a_time():
    outbox = Outbox(900, 0, 1 << 20)
    outbox.window_bytes = 4096
    for _ in range(20):
        outbox.send(0, bytes(800), Delivery.RELIABLE)
    assert len(outbox.drain(SECOND, 5, 2)) == 5
    assert outbox.drain(SECOND, 5, 2) == []
    assert outbox.answered(0, c.Acknowledge(1, 1000), SECOND + MS) is c.Kind.SEND_RELIABLE
    assert len(outbox.drain(SECOND + MS, 5, 2)) == 1


NONSENSE = st.one_of(
    [
        st.tuples(
            st.just(kind),
            st.sampled_from(list(c.Flags)),
            st.integers(0, 50) | st.just(255),
            st.integers(0, 300),
            body,
        )
        for kind, body in BODIES.items()
        if kind is not c.Kind.DISCONNECT
    ]
)


@given(st.lists(NONSENSE, min_size=1, max_size=80), st.booleans())
@settings(max_examples=100)
def test_wellformed_nonsense_from_the_right_address_costs_bounded_memory(nonsense, from_server):
    network, client, server = connected()
    source, target, peer = (SERVER, CLIENT, client) if from_server else (CLIENT, SERVER, server)
    victim = machine(network, target)._peers[peer]
    for parts in nonsense:
        wire = c.build_command(c.Command(*parts))
        network.inject(c.build_datagram(victim.wire_id, victim.incoming_session, 5, [wire]), source, target)
    config = HostConfig()
    assert victim._store.used_bytes <= config.waiting_limit_bytes
    network.run(SECOND)
    assert not endings(network, target)
    kept = sum(len(x._reliable) + len(x._unreliable) for x in victim._channels.values())
    assert kept <= len(nonsense)


@given(st.integers(0, 2**32))
@settings(max_examples=20)
def test_both_sides_agree_on_numbers_and_sessions(seed):
    network, client, server = connected(seed=seed % 10**6)
    ours, theirs = machine(network, SERVER)._peers[server], machine(network, CLIENT)._peers[client]
    assert ours.remote_id == theirs.wire_id
    assert theirs.remote_id == ours.wire_id
    assert ours.outgoing_session == theirs.incoming_session
    assert theirs.outgoing_session == ours.incoming_session
