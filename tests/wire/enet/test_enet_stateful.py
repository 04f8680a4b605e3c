"""Anything may happen in any order: what was promised still holds."""

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from link import MS, SECOND, Link
from world import CLIENT, SERVER, connected, endings, machine

from punktfunk.wire.enet import Delivery, Received

SIDES = st.sampled_from(["server", "client"])
STRANGER = ("203.0.113.9", 4444)


class Conversation(RuleBasedStateMachine):
    """One client and one server on a network that turns good and bad, among forgers; the client may move."""

    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed):
        self.random = random.Random(seed)
        self.network, client, server = connected(Link(seed=seed), seed=seed % 1000)
        self.address = {"server": SERVER, "client": CLIENT}
        self.peer = {"server": server, "client": client}
        self.sent = {(side, delivery): {} for side in self.address for delivery in Delivery}
        self.seen = []
        self.moves = self.count = 0
        self.over = False

    def host(self, side):
        return machine(self.network, self.address[side])

    @rule(
        side=SIDES,
        channel=st.integers(0, 3),
        size=st.sampled_from([0, 1, 100, 860, 3000]),
        delivery=st.sampled_from(list(Delivery)),
    )
    def send(self, side, channel, size, delivery):
        if delivery is Delivery.UNSEQUENCED:
            size = min(size, 800)
        self.count += 1
        payload = self.count.to_bytes(4) + self.random.randbytes(size)
        host, peer = self.host(side), self.peer[side]
        if host.send(peer, channel, payload, delivery, self.network.now_ns):
            self.sent[side, delivery].setdefault(channel, []).append(payload)

    @rule(duration_ns=st.sampled_from([0, MS, 20 * MS, 300 * MS, 2 * SECOND]))
    def let_time_pass(self, duration_ns):
        self.network.run(duration_ns)

    @rule(
        drop=st.sampled_from([0, 0.1, 0.5]), duplicate=st.sampled_from([0, 0.3]), jitter_ms=st.integers(0, 80)
    )
    def change_the_weather(self, drop, duplicate, jitter_ms):
        link = self.network.link
        link.drop, link.duplicate, link.jitter_ns = drop, duplicate, jitter_ms * MS

    @rule(side=SIDES, flips=st.integers(0, 3), forged=st.booleans())
    def replay_or_forge(self, side, flips, forged):
        """Bytes that really were on the wire, from a wrong address; or broken ones, from anywhere."""
        if not self.seen:
            return
        data = bytearray(self.random.choice(self.seen))
        source = (
            STRANGER if forged or flips == 0 else self.address["client" if side == "server" else "server"]
        )
        if source is not STRANGER:
            del data[self.random.randrange(1, len(data)) :]
            if data and self.random.random() < 0.5:
                data[0] ^= 0x40  # compressed: never agreed
        else:
            for _ in range(flips):
                data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
        before = len(self.network.events[self.address[side]])
        if source is STRANGER:
            self.network.inject(bytes(data), source, self.address[side])
            assert len(self.network.events[self.address[side]]) == before

    @rule(side=SIDES)
    def overhear(self, side):
        """Flush one machine by hand: keep what it sends, and deliver it."""
        host, source = self.host(side), self.address[side]
        for target, data in host.datagrams():
            self.seen = [*self.seen[-50:], data]
            if target in self.network._machines:
                self.network.inject(data, source, target)

    @rule()
    def move_the_client(self):
        self.moves += 1
        fresh = (f"198.51.100.{self.moves % 250}", 1000 + self.moves)
        self.network.move(self.address["client"], fresh)
        self.address["client"] = fresh

    @rule(side=SIDES)
    def disconnect(self, side):
        if self.random.random() < 0.2:
            self.over = True
            self.host(side).disconnect(self.peer[side], 3, self.network.now_ns)

    @invariant()
    def nothing_is_overdue(self):
        self.network.flush()
        for address in self.address.values():
            self.network.events[address] += machine(self.network, address).advance(self.network.now_ns)
        self.network.flush()
        for host in map(self.host, self.address):
            deadline_ns = host.deadline_ns()
            assert deadline_ns is None or deadline_ns > self.network.now_ns

    @invariant()
    def what_arrived_was_sent_and_in_order(self):
        for side, other in (("server", "client"), ("client", "server")):
            got = {}
            for event in self.network.events[self.address[other]]:
                if isinstance(event, Received):
                    got.setdefault((event.delivery, event.channel), []).append(event.payload)
            for (delivery, channel), payloads in got.items():
                sent = self.sent[side, delivery].get(channel, [])
                if delivery is Delivery.RELIABLE:
                    assert payloads == sent[: len(payloads)]
                else:
                    assert len(set(payloads)) == len(payloads)
                    assert set(payloads) <= set(sent)
                if delivery is Delivery.UNRELIABLE:
                    assert payloads == sorted(payloads)

    @invariant()
    def tables_agree(self):
        for host in map(self.host, self.address):
            assert len(host._peers) == len(host._by_wire_id) == len(host._by_connect) <= 2
            assert set(host._probes) <= set(host._peers)
            assert not host._half_open

    def teardown(self):
        if not hasattr(self, "network"):
            return
        self.network.link = Link()
        self.network.run(20 * SECOND)
        if not self.over and not any(endings(self.network, a) for a in self.address.values()):
            for side, other in (("server", "client"), ("client", "server")):
                for channel, sent in self.sent[side, Delivery.RELIABLE].items():
                    events = self.network.events[self.address[other]]
                    got = [e.payload for e in events if isinstance(e, Received)]
                    assert [p for p in got if p in set(sent)] == sent, channel


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
