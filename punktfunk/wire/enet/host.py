"""ENet 1.3 for one socket, server and client at once: routes datagrams, bounds what strangers cost.

The owner feeds datagrams and the time, and after every call sends what `Host.datagrams` gives. Nothing here
raises for what a peer does: what is wrong is dropped and counted. A stranger's CONNECT costs one small table
entry, for at most five seconds, of which there are 128; a newer one takes the place of the oldest, and three
datagrams of ours at most leave for it, so spoofed addresses gain less than three bytes per byte.
"""

from collections import Counter
from collections.abc import Callable

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.enet.commands import (
    CONTROL_CHANNEL,
    NO_PEER_ID,
    Command,
    Connect,
    Datagram,
    Disconnect,
    Flags,
    Kind,
    build_command,
    build_datagram,
    parse_datagram,
)
from punktfunk.wire.enet.events import Address, AddressChanged, Delivery, Event, HostConfig, PeerId
from punktfunk.wire.enet.paths import SILENCE_NS, PathProbes, address_key
from punktfunk.wire.enet.peer import Peer, Secrets
from punktfunk.wire.enet.states import TALKING, State

_VERIFY_LIMIT = 3


def _admit_all(address: Address, connect_data: int) -> bool:
    del address, connect_data
    return True


class Host:
    """All connections of one socket.

    ``random_bytes(n)`` gives unpredictable bytes. ``admit(address, connect_data)`` says whether a stranger's
    CONNECT may cost anything at all; where it says no, the stranger is told once, by a DISCONNECT.
    ``counters`` names what was dropped and why.
    """

    def __init__(
        self,
        config: HostConfig,
        random_bytes: Callable[[int], bytes],
        admit: Callable[[Address, int], bool] = _admit_all,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._config = config
        self._random_bytes = random_bytes
        self._admit = admit
        self._now_ns = 0
        self._last_peer_id = 0
        self._peers: dict[PeerId, Peer] = {}
        self._by_wire_id: dict[int, Peer] = {}
        self._by_connect: dict[tuple[tuple[str, int, int], int], Peer] = {}
        self._half_open: dict[PeerId, Peer] = {}  # oldest first
        self._probes: dict[PeerId, PathProbes] = {}
        self._dirty: dict[PeerId, Peer] = {}
        self._ready: list[tuple[Address, bytes]] = []

    def receive(self, data: bytes, address: Address, now_ns: int) -> list[Event]:
        """Take one datagram from the socket."""
        self._now_ns = max(now_ns, self._now_ns)
        try:
            datagram = parse_datagram(data)
        except RemoteProtocolError:
            self.counters["malformed"] += 1
            return []
        if datagram.peer_id == NO_PEER_ID:
            self._receive_connect(datagram, address)
            return []
        peer = self._by_wire_id.get(datagram.peer_id)
        if peer is None or peer.incoming_session not in (None, datagram.session):
            self.counters["unknown_peer"] += 1
            return []
        events: list[Event] = []
        if address_key(address) != address_key(peer.address):
            if not self._moves(peer, datagram, address):
                return []
            events.append(AddressChanged(peer.peer_id, address))
        was_half_open = peer.state is State.HALF_OPEN
        events += peer.receive(datagram, self._now_ns)
        self._dirty[peer.peer_id] = peer
        if was_half_open and peer.state is not State.HALF_OPEN:
            del self._half_open[peer.peer_id]
            if self._standing_count() > self._config.peer_limit:
                self.counters["refused"] += 1
                self.disconnect_now(peer.peer_id, 0, self._now_ns)
                return []
        if peer.state is State.GONE:
            self._remove(peer)
        return events

    def _receive_connect(self, datagram: Datagram, address: Address) -> None:
        connect = datagram.commands[0].body
        if not isinstance(connect, Connect) or not 1 <= connect.channel_count <= 255:
            self.counters["malformed"] += 1
            return
        known = self._by_connect.get((address_key(address), connect.connect_id))
        if known is not None:
            if known.state is State.HALF_OPEN:  # they sent again, so may we
                known.outbox.send_again(self._now_ns)
                self._dirty[known.peer_id] = known
            return
        full = self._standing_count() >= self._config.peer_limit
        if not self._config.accepts or full or not self._admit(address, connect.data):
            self.counters["refused"] += 1
            command = Command(Kind.DISCONNECT, Flags.UNSEQUENCED, CONTROL_CHANNEL, 0, Disconnect(0))
            refusal = build_datagram(connect.peer_id & NO_PEER_ID, 0, None, [build_command(command)])
            self._ready.append((address, refusal))
            return
        self._make_room(address)
        peer = self._new_peer(address, connect.connect_id)
        self._half_open[peer.peer_id] = peer
        session = self._random_bytes(1)[0] & 3
        peer.start_half_open(connect, session, _VERIFY_LIMIT, self._now_ns)

    def _make_room(self, address: Address) -> None:
        same_host = [peer for peer in self._half_open.values() if peer.address[0] == address[0]]
        if len(same_host) >= self._config.half_open_limit_per_host:
            self.counters["half_open_evicted"] += 1
            self._remove(same_host[0])
        elif len(self._half_open) >= self._config.half_open_limit:
            self.counters["half_open_evicted"] += 1
            self._remove(next(iter(self._half_open.values())))

    def _standing_count(self) -> int:
        return len(self._peers) - len(self._half_open)

    def _new_peer(self, address: Address, connect_id: int) -> Peer:
        random = self._random_bytes(4)
        wire_id = int.from_bytes(random[:2]) % NO_PEER_ID
        while wire_id in self._by_wire_id:
            wire_id = (wire_id + 1) % NO_PEER_ID
        secrets = Secrets(wire_id, int.from_bytes(random[2:4]))
        self._last_peer_id += 1
        peer = Peer(PeerId(self._last_peer_id), address, secrets, self._config, self._now_ns)
        peer.connect_id = connect_id
        self._peers[peer.peer_id] = self._by_wire_id[wire_id] = self._dirty[peer.peer_id] = peer
        self._by_connect[address_key(address), connect_id] = peer
        return peer

    def _remove(self, peer: Peer) -> None:
        del self._peers[peer.peer_id], self._by_wire_id[peer.wire_id]
        self._by_connect.pop((address_key(peer.address), peer.connect_id), None)
        for table in (self._half_open, self._probes, self._dirty):
            table.pop(peer.peer_id, None)

    def _moves(self, peer: Peer, datagram: Datagram, address: Address) -> bool:
        quiet = self._now_ns - peer.heard_ns >= SILENCE_NS
        if peer.state not in TALKING or not quiet:
            self.counters["wrong_address"] += 1
            return False
        probes = self._probes.setdefault(peer.peer_id, PathProbes())
        if probes.is_answered(address, datagram, self._now_ns):
            self._by_connect.pop((address_key(peer.address), peer.connect_id), None)
            peer.address = address
            self._by_connect[address_key(address), peer.connect_id] = peer
            del self._probes[peer.peer_id]
            self.counters["address_changed"] += 1
            return True
        self.counters["wrong_address"] += 1
        if peer.is_plausible(datagram):
            random = self._random_bytes(4)
            ping = probes.probe(address, random, self._now_ns, peer.remote_id, peer.outgoing_session)
            if ping is not None:
                self._ready.append((address, ping))
        return False

    def connect(self, address: Address, channel_count: int, data: int, now_ns: int) -> PeerId:
        """Open a connection; `Connected` or `Disconnected` follows within ``timeout_ns``."""
        self._now_ns = max(now_ns, self._now_ns)
        if self._standing_count() >= self._config.peer_limit:
            raise LocalProtocolError(f"all {self._config.peer_limit} ENet peers are in use")
        connect_id = int.from_bytes(self._random_bytes(4))
        peer = self._new_peer(address, connect_id)
        peer.start_connecting(connect_id, channel_count, data, self._now_ns)
        return peer.peer_id

    def send(self, peer_id: PeerId, channel: int, payload: bytes, delivery: Delivery, now_ns: int) -> bool:
        """Queue a message; False if the connection is not up, or too much waits already.

        A channel that was not agreed on or a message over the limit raises LocalProtocolError.
        """
        self._now_ns = max(now_ns, self._now_ns)
        peer = self._peers.get(peer_id)
        if peer is None or not peer.send(channel, payload, delivery):
            self.counters["send_refused"] += 1
            return False
        self._dirty[peer_id] = peer
        return True

    def disconnect(self, peer_id: PeerId, data: int, now_ns: int) -> None:
        """Deliver what is queued, then disconnect; `Disconnected` follows within ``closing_timeout_ns``.

        A connection that is not up yet is forgotten at once, without an event. An unknown one is ignored.
        """
        self._now_ns = max(now_ns, self._now_ns)
        peer = self._peers.get(peer_id)
        if peer is not None:
            peer.close(data, self._now_ns)
            self._dirty[peer_id] = peer
            if peer.state is State.GONE:
                self._remove(peer)

    def disconnect_now(self, peer_id: PeerId, data: int, now_ns: int) -> None:
        """Tell the peer once and forget it at once; no event follows."""
        self._now_ns = max(now_ns, self._now_ns)
        peer = self._peers.get(peer_id)
        if peer is not None:
            if peer.state not in (State.CONNECTING, State.LINGERING):
                self._ready.append((peer.address, peer.build_farewell(data)))
            self._remove(peer)

    def datagrams(self) -> list[tuple[Address, bytes]]:
        """Give what is to be sent now; call it after every other call."""
        ready, self._ready = self._ready, []
        for peer in self._dirty.values():
            ready += [(peer.address, data) for data in peer.drain(self._now_ns)]
        self._dirty.clear()
        return ready

    def deadline_ns(self) -> int | None:
        """When `advance` has something to do."""
        times = (peer.deadline_ns() for peer in self._peers.values())
        return min((time for time in times if time is not None), default=None)

    def advance(self, now_ns: int) -> list[Event]:
        """Let time pass: retransmissions, pings, timeouts."""
        self._now_ns = max(now_ns, self._now_ns)
        events: list[Event] = []
        for peer in list(self._peers.values()):
            deadline_ns = peer.deadline_ns()
            if deadline_ns is not None and deadline_ns <= self._now_ns:
                events += peer.advance(self._now_ns)
                self._dirty[peer.peer_id] = peer
                if peer.state is State.GONE:
                    self._remove(peer)
        return events

    def peers(self) -> list[PeerId]:
        """Name the connections that stand, or that we are opening or closing."""
        silent = (State.HALF_OPEN, State.LINGERING)
        return [peer_id for peer_id, peer in self._peers.items() if peer.state not in silent]

    def address(self, peer_id: PeerId) -> Address | None:
        """Say where a peer is now."""
        peer = self._peers.get(peer_id)
        return None if peer is None else peer.address

    def round_trip_ns(self, peer_id: PeerId) -> int | None:
        """Say how long an answer of a peer takes, on average."""
        peer = self._peers.get(peer_id)
        return None if peer is None else peer.outbox.round_trip.mean_ns
