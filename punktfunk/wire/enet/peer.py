"""One connection: what each command does in each state of `states`.

Behaviour as in cgutman/enet, ``protocol.c``, ``enet_protocol_handle_*``, but that a peer which disconnected
lingers: a lost acknowledgement of its DISCONNECT must not keep it waiting.
"""

from collections.abc import Callable
from dataclasses import dataclass

from punktfunk.errors import LocalProtocolError
from punktfunk.wire.enet.channel import InboundChannel, Message, Store, UnsequencedWindow, sequence_distance
from punktfunk.wire.enet.commands import (
    CONTROL_CHANNEL,
    MAXIMUM_WINDOW_BYTES,
    MINIMUM_MTU_BYTES,
    MINIMUM_WINDOW_BYTES,
    NO_PEER_ID,
    Acknowledge,
    BandwidthLimit,
    Command,
    Connect,
    Datagram,
    Disconnect,
    Flags,
    Kind,
    Ping,
    SendFragment,
    SendReliable,
    SendUnreliable,
    SendUnsequenced,
    VerifyConnect,
    build_command,
    build_datagram,
)
from punktfunk.wire.enet.events import (
    Address,
    Connected,
    Delivery,
    Disconnected,
    Event,
    HostConfig,
    PeerId,
    Reason,
    Received,
)
from punktfunk.wire.enet.outbox import Outbox
from punktfunk.wire.enet.states import ENDINGS, TALKING, TRANSITIONS, Happening, State

THROTTLE = (5000, 2, 2)  # interval in ms, acceleration, deceleration: ENet's own values
_PLAUSIBLE_DISTANCE = 64
_WINDOW_SCALE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Secrets:
    """Random numbers that one who cannot read our datagrams does not know."""

    wire_id: int  # 0..0xFFE, what the peer calls us by
    clock_shift_ms: int  # 0..0xFFFF


class Peer:
    """One connection. Bytes are the host's business; this takes parsed datagrams and fills its outbox."""

    def __init__(
        self, peer_id: PeerId, address: Address, secrets: Secrets, config: HostConfig, now_ns: int
    ) -> None:
        self.peer_id = peer_id
        self.address = address
        self.wire_id = secrets.wire_id
        self.incoming_session: int | None = None  # None: any
        self.outgoing_session = 0
        self.remote_id = NO_PEER_ID
        self.connect_id = 0
        self.connect_data = 0
        self.channel_count = 0
        self.state = State.GONE
        self.started_ns = self.heard_ns = now_ns
        self.outbox = Outbox(config.mtu_bytes, secrets.clock_shift_ms, config.send_limit_bytes)
        self._config = config
        self._expires_ns: int | None = None
        self._close_reason = 0
        self._store = Store(config.waiting_limit_bytes)
        self._channels: dict[int, InboundChannel] = {}
        self._unsequenced = UnsequencedWindow()
        self._control_sequence = 0  # the newest that the peer used on the control channel

    def start_connecting(self, connect_id: int, channel_count: int, data: int, now_ns: int) -> None:
        """Become a client: send CONNECT."""
        self.state = State.CONNECTING
        self._expires_ns = now_ns + self._config.timeout_ns
        self.connect_id, self.connect_data, self.channel_count = connect_id, data, channel_count
        mtu_bytes, window_bytes = self.outbox.mtu_bytes, self.outbox.window_bytes
        body = Connect(
            self.wire_id,
            0xFF,
            0xFF,
            mtu_bytes,
            window_bytes,
            channel_count,
            0,
            0,
            *THROTTLE,
            connect_id,
            data,
        )
        self.outbox.command(Kind.CONNECT, body)

    def start_half_open(self, connect: Connect, session: int, unprompted_limit: int, now_ns: int) -> None:
        """Become a server: answer CONNECT by VERIFY, at most ``unprompted_limit`` times by ourselves."""
        self.state = State.HALF_OPEN
        self._expires_ns = now_ns + self._config.half_open_timeout_ns
        self.remote_id = connect.peer_id & NO_PEER_ID
        self.incoming_session, self.outgoing_session = session, (session + 1) & 3
        self.connect_id, self.connect_data = connect.connect_id, connect.data
        self.channel_count = min(connect.channel_count, self._config.channel_limit)
        self._agree(connect.mtu_bytes, connect.window_bytes)
        self.outbox.unprompted_limit = unprompted_limit
        body = VerifyConnect(
            self.wire_id,
            self.outgoing_session,
            self.incoming_session,
            self.outbox.mtu_bytes,
            self.outbox.window_bytes,
            self.channel_count,
            0,
            0,
            *connect[8:11],  # the throttle must come back as it went, or the client gives up
            connect.connect_id,
        )
        self.outbox.command(Kind.VERIFY_CONNECT, body)

    def _agree(self, mtu_bytes: int, window_bytes: int) -> None:
        self.outbox.mtu_bytes = min(self.outbox.mtu_bytes, max(mtu_bytes, MINIMUM_MTU_BYTES))
        self.outbox.window_bytes = min(max(window_bytes, MINIMUM_WINDOW_BYTES), MAXIMUM_WINDOW_BYTES)

    def is_plausible(self, datagram: Datagram) -> bool:
        """Whether a reliable command in it is near what this peer would send next."""
        for command in datagram.commands:
            if not command.flags & Flags.ACKNOWLEDGE:
                continue
            if command.channel == CONTROL_CHANNEL:
                near = self._control_sequence
            else:
                channel = self._channels.get(command.channel)
                near = channel.reliable_sequence if channel else 0
            if abs(sequence_distance(command.sequence, near)) <= _PLAUSIBLE_DISTANCE:
                return True
        return False

    def receive(self, datagram: Datagram, now_ns: int) -> list[Event]:
        """Take a datagram that carries this peer's number, session and address."""
        self.heard_ns = now_ns
        events: list[Event] = []
        for command in datagram.commands:
            happened, accepted = self._handlers[command.kind](self, command, now_ns)
            events += happened
            if accepted and datagram.sent_time is not None and command.flags & Flags.ACKNOWLEDGE:
                self.outbox.acknowledge(command.channel, command.sequence, datagram.sent_time)
                if command.channel == CONTROL_CHANNEL:
                    self._control_sequence = command.sequence
        if self.state is State.HALF_OPEN:  # they go on without having confirmed: our VERIFY was lost, or this
            self.outbox.send_again(now_ns)
        self._close_when_flushed()
        return events

    def _acknowledged(self, command: Command, now_ns: int) -> tuple[list[Event], bool]:
        assert isinstance(command.body, Acknowledge)
        kind = self.outbox.answered(command.channel, command.body, now_ns)
        events: list[Event] = []
        if kind is Kind.VERIFY_CONNECT and self.state is State.HALF_OPEN:
            self._move(Happening.CONFIRMED)
            self._expires_ns = self.outbox.unprompted_limit = None
            events = [Connected(self.peer_id, self.connect_data, self.address)]
        elif kind is Kind.DISCONNECT:
            events = self._move(Happening.DISCONNECT_CONFIRMED)
        return events, False

    def _verified(self, command: Command, now_ns: int) -> tuple[list[Event], bool]:
        body = command.body
        assert isinstance(body, VerifyConnect)
        if self.state is not State.CONNECTING:
            return [], self.state in TALKING  # they missed our acknowledgement
        fits = 1 <= body.channel_count <= self.channel_count and body.peer_id < NO_PEER_ID
        if not fits or body.connect_id != self.connect_id:
            return [], False
        self.outbox.settle(CONTROL_CHANNEL, 1)
        self.remote_id, self.channel_count = body.peer_id, body.channel_count
        self.incoming_session, self.outgoing_session = body.incoming_session & 3, body.outgoing_session & 3
        self._agree(body.mtu_bytes, body.window_bytes)
        self._move(Happening.VERIFIED)
        self._expires_ns = None
        self.outbox.last_answer_ns = now_ns
        return [Connected(self.peer_id, self.connect_data, self.address)], True

    def _disconnected(self, command: Command, now_ns: int) -> tuple[list[Event], bool]:
        assert isinstance(command.body, Disconnect)
        events = self._move(Happening.DISCONNECT_SEEN, command.body.reason)
        if events and self.state is State.LINGERING:
            self.outbox.clear()
            self._expires_ns = now_ns + self._config.closing_timeout_ns
        return events, self.state is State.LINGERING

    def _pinged(self, command: Command, now_ns: int) -> tuple[list[Event], bool]:
        del command, now_ns
        return [], self.state in TALKING

    def _limited(self, command: Command, now_ns: int) -> tuple[list[Event], bool]:
        del now_ns
        assert isinstance(command.body, BandwidthLimit)
        if self.state not in TALKING:
            return [], False
        if command.body.incoming_bandwidth:
            scaled_bytes = command.body.incoming_bandwidth // _WINDOW_SCALE_BYTES * MINIMUM_WINDOW_BYTES
            self.outbox.window_bytes = min(max(scaled_bytes, MINIMUM_WINDOW_BYTES), MAXIMUM_WINDOW_BYTES)
        return [], True

    def _ignored(self, command: Command, now_ns: int) -> tuple[list[Event], bool]:
        del command, now_ns
        return [], False

    def _message(self, command: Command, now_ns: int) -> tuple[list[Event], bool]:
        del now_ns
        if self.state not in TALKING or command.channel >= self.channel_count:
            return [], False
        messages = self._deliver(command)
        if messages is None or self.state is State.CLOSING:
            return [], messages is not None
        return [Received(self.peer_id, command.channel, *message) for message in messages], True

    def _deliver(self, command: Command) -> list[Message] | None:
        channel = self._channels.get(command.channel)
        if channel is None:
            channel = self._channels[command.channel] = InboundChannel(self._store)
        match command.body:
            case SendReliable(data):
                return channel.reliable(command.sequence, data) if self._fits(len(data)) else None
            case SendUnreliable(sequence, data):
                return channel.unreliable(command.sequence, sequence, data) if self._fits(len(data)) else None
            case SendUnsequenced(group, data):
                new = self._fits(len(data)) and self._unsequenced.is_new(group)
                return [(data, Delivery.UNSEQUENCED)] if new else None
            case SendFragment() as piece if self._fits(piece.total_bytes):
                if command.kind is Kind.SEND_FRAGMENT:
                    return channel.fragment(command.sequence, piece)
                return channel.unreliable_fragment(command.sequence, piece)
        return None

    def _fits(self, message_bytes: int) -> bool:
        return message_bytes <= self._config.message_limit_bytes

    def send(self, channel: int, payload: bytes, delivery: Delivery) -> bool:
        """Queue a message; False if the connection is not up or too much waits already."""
        if self.state is not State.CONNECTED:
            return False
        if not 0 <= channel < self.channel_count:
            raise LocalProtocolError(f"channel {channel} of {self.channel_count}")
        if not self._fits(len(payload)):
            raise LocalProtocolError(f"{len(payload)} bytes, the limit is {self._config.message_limit_bytes}")
        return self.outbox.send(channel, payload, delivery)

    def close(self, reason: int, now_ns: int) -> None:
        """Deliver what is queued, then disconnect; both within the closing timeout."""
        before = self.state
        self._move(Happening.CLOSE_WANTED)
        if self.state is State.CLOSING and before is not State.CLOSING:
            self._close_reason = reason
            self._expires_ns = now_ns + self._config.closing_timeout_ns
            self._close_when_flushed()

    def _close_when_flushed(self) -> None:
        if self.state is State.CLOSING and self.outbox.idle:
            self._move(Happening.FLUSHED)
            self.outbox.command(Kind.DISCONNECT, Disconnect(self._close_reason))

    def build_farewell(self, reason: int) -> bytes:
        """Build a DISCONNECT that nobody acknowledges, for `Host.disconnect_now`."""
        command = Command(Kind.DISCONNECT, Flags.UNSEQUENCED, CONTROL_CHANNEL, 0, Disconnect(reason))
        return build_datagram(self.remote_id, self.outgoing_session, None, [build_command(command)])

    def drain(self, now_ns: int) -> list[bytes]:
        """Build every datagram that may go now."""
        return self.outbox.drain(now_ns, self.remote_id, self.outgoing_session)

    def advance(self, now_ns: int) -> list[Event]:
        """Let time pass: give up, or send again, or ping."""
        silent_ns = self.outbox.silent_since_ns(now_ns)
        given_up = silent_ns is not None and now_ns - silent_ns >= self._config.timeout_ns
        if given_up or (self._expires_ns is not None and now_ns >= self._expires_ns):
            return self._move(Happening.EXPIRED)
        ping_ns = self._ping_ns()
        if ping_ns is not None and now_ns >= ping_ns:
            self.outbox.command(Kind.PING, Ping())
        return []

    def _ping_ns(self) -> int | None:
        if self.state is not State.CONNECTED or not self.outbox.idle:
            return None
        answer_ns = self.outbox.last_answer_ns
        return (self.started_ns if answer_ns is None else answer_ns) + self._config.ping_interval_ns

    def deadline_ns(self) -> int | None:
        """When `advance` has something to do."""
        times = (self._expires_ns, self._ping_ns(), self.outbox.deadline_ns(self._config.timeout_ns))
        return min((t for t in times if t is not None), default=None)

    def _move(self, happening: Happening, reason_data: int = 0) -> list[Event]:
        step = (self.state, happening)
        self.state = TRANSITIONS.get(step, self.state)
        reason = ENDINGS.get(step)
        if reason is None:
            return []
        data = reason_data if reason in (Reason.REMOTE, Reason.REFUSED) else 0
        return [Disconnected(self.peer_id, data, reason)]

    _handlers: dict[Kind, Callable[["Peer", Command, int], tuple[list[Event], bool]]] = {  # noqa: RUF012
        Kind.ACKNOWLEDGE: _acknowledged,
        Kind.CONNECT: _ignored,
        Kind.VERIFY_CONNECT: _verified,
        Kind.DISCONNECT: _disconnected,
        Kind.PING: _pinged,
        Kind.SEND_RELIABLE: _message,
        Kind.SEND_UNRELIABLE: _message,
        Kind.SEND_FRAGMENT: _message,
        Kind.SEND_UNSEQUENCED: _message,
        Kind.BANDWIDTH_LIMIT: _limited,
        Kind.THROTTLE_CONFIGURE: _pinged,
        Kind.SEND_UNRELIABLE_FRAGMENT: _message,
    }
