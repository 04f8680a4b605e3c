"""What one peer is still owed: acknowledgements, commands that wait, commands that wait to be acknowledged.

Sent times run on a clock of this peer's own, shifted by random milliseconds, and an acknowledgement counts
only if it echoes the sent time of a datagram that did carry the command. So one who cannot read our datagrams
must guess 16 bits to acknowledge anything.

A command is sent again after the measured round trip, then ever less often, up to once a second. That is not
cgutman/enet's rule: with Moonlight's limit of two it would send hundreds of datagrams per second on a LAN to
a client that was switched off.
"""

from collections import deque
from dataclasses import dataclass, field

from punktfunk.errors import LocalProtocolError
from punktfunk.wire.enet.commands import (
    COMMANDS_PER_DATAGRAM,
    CONTROL_CHANNEL,
    DATAGRAM_HEADER_BYTES,
    FRAGMENT_HEADER_BYTES,
    MAXIMUM_WINDOW_BYTES,
    Acknowledge,
    Body,
    Command,
    Flags,
    Kind,
    SendFragment,
    SendReliable,
    SendUnreliable,
    SendUnsequenced,
    build_command,
    build_datagram,
)
from punktfunk.wire.enet.events import Delivery
from punktfunk.wire.enet.roundtrip import MINIMUM_TIMEOUT_NS, RoundTrip

_ACKNOWLEDGEMENT_LIMIT = 1024  # the peer sends again what was not acknowledged
_IN_FLIGHT_LIMIT = 256
_TRANSMISSION_LIMIT = 32
_COMMAND_OVERHEAD_BYTES = 256  # what Python spends on a waiting command, so that empty ones are not free
_NS_PER_MS = 1_000_000
_NEVER_NS = 1 << 63


@dataclass(slots=True)
class _Outgoing:
    kind: Kind
    channel: int
    sequence: int
    reliable: bool
    wire: bytes
    payload_bytes: int
    attempts: int = 0
    sent_ns: int = 0
    again_ns: int = 0
    transmissions: dict[int, int] = field(default_factory=dict)  # sent time on the wire -> ns


class Outbox:
    """Queues, windows and timers of what goes to one peer."""

    def __init__(self, mtu_bytes: int, clock_shift_ms: int, send_limit_bytes: int) -> None:
        self.mtu_bytes = mtu_bytes
        self.window_bytes = MAXIMUM_WINDOW_BYTES
        self.round_trip = RoundTrip()
        self.last_answer_ns: int | None = None  # when an acknowledgement last counted
        self.unprompted_limit: int | None = None  # how often a command may go out without being asked for
        self._clock_shift_ms = clock_shift_ms
        self._send_limit_bytes = send_limit_bytes
        self._acknowledgements: deque[bytes] = deque()
        self._queue: deque[_Outgoing] = deque()
        self._queued_bytes = 0
        self._in_flight: dict[tuple[int, int], _Outgoing] = {}
        self._in_flight_bytes = 0
        self._unanswered_ns: int | None = None  # first sending of what timed out since the last answer
        self._sequences: dict[int, tuple[int, int]] = {}  # channel -> last reliable, last unreliable
        self._group = 0

    @property
    def idle(self) -> bool:
        """Whether everything queued was sent, and acknowledged if it had to be."""
        return not self._queue and not self._in_flight

    def acknowledge(self, channel: int, sequence: int, sent_time: int) -> None:
        """Owe the peer an acknowledgement."""
        if len(self._acknowledgements) < _ACKNOWLEDGEMENT_LIMIT:
            body = Acknowledge(sequence, sent_time)
            command = Command(Kind.ACKNOWLEDGE, Flags.NONE, channel, sequence, body)
            self._acknowledgements.append(build_command(command))

    def send(self, channel: int, payload: bytes, delivery: Delivery) -> bool:
        """Queue a message; False if too much waits already."""
        most = self.mtu_bytes - DATAGRAM_HEADER_BYTES - FRAGMENT_HEADER_BYTES
        count = max(1, -(-len(payload) // most))
        if self._queued_bytes + len(payload) + count * _COMMAND_OVERHEAD_BYTES > self._send_limit_bytes:
            return False
        if delivery is Delivery.UNRELIABLE and self._sequences.get(channel, (0, 0))[1] == 0xFFFF:
            delivery = Delivery.RELIABLE  # its counter starts again behind a reliable command, and only there
        if count > 1:
            self._send_fragments(channel, payload, delivery, count, most)
        elif delivery is Delivery.RELIABLE:
            self._queue_reliable(Kind.SEND_RELIABLE, channel, SendReliable(payload), len(payload))
        elif delivery is Delivery.UNRELIABLE:
            reliable, unreliable = self._next_unreliable(channel)
            message = SendUnreliable(unreliable, payload)
            self._enqueue(Kind.SEND_UNRELIABLE, Flags.NONE, channel, reliable, message, len(payload))
        else:
            self._group = (self._group + 1) & 0xFFFF
            body = SendUnsequenced(self._group, payload)
            self._enqueue(Kind.SEND_UNSEQUENCED, Flags.UNSEQUENCED, channel, 0, body, len(payload))
        return True

    def _send_fragments(
        self, channel: int, payload: bytes, delivery: Delivery, count: int, most: int
    ) -> None:
        if delivery is Delivery.UNSEQUENCED:
            raise LocalProtocolError(
                f"an unsequenced message has one datagram: {len(payload)} > {most} bytes"
            )
        if delivery is Delivery.UNRELIABLE:
            reliable, start = self._next_unreliable(channel)
        else:
            start = (self._sequences.get(channel, (0, 0))[0] + 1) & 0xFFFF
        for number in range(count):
            data = payload[number * most : (number + 1) * most]
            body = SendFragment(start, count, number, len(payload), number * most, data)
            if delivery is Delivery.UNRELIABLE:
                kind = Kind.SEND_UNRELIABLE_FRAGMENT
                self._enqueue(kind, Flags.NONE, channel, reliable, body, len(data))
            else:
                self._queue_reliable(Kind.SEND_FRAGMENT, channel, body, len(data))

    def _next_unreliable(self, channel: int) -> tuple[int, int]:
        reliable, unreliable = self._sequences.get(channel, (0, 0))
        self._sequences[channel] = (reliable, unreliable + 1)
        return reliable, unreliable + 1

    def command(self, kind: Kind, body: Body) -> None:
        """Queue a reliable command of the connection itself."""
        self._queue_reliable(kind, CONTROL_CHANNEL, body, 0)

    def _queue_reliable(self, kind: Kind, channel: int, body: Body, payload_bytes: int) -> None:
        sequence = (self._sequences.get(channel, (0, 0))[0] + 1) & 0xFFFF
        self._sequences[channel] = (sequence, 0)
        self._enqueue(kind, Flags.ACKNOWLEDGE, channel, sequence, body, payload_bytes)

    def _enqueue(
        self, kind: Kind, flags: Flags, channel: int, sequence: int, body: Body, payload_bytes: int
    ) -> None:
        wire = build_command(Command(kind, flags, channel, sequence, body))
        reliable = bool(flags & Flags.ACKNOWLEDGE)
        self._queue.append(_Outgoing(kind, channel, sequence, reliable, wire, payload_bytes))
        self._queued_bytes += payload_bytes + _COMMAND_OVERHEAD_BYTES

    def clear(self) -> None:
        """Forget everything but the acknowledgements."""
        self._queue.clear()
        self._queued_bytes = 0
        self._in_flight.clear()
        self._in_flight_bytes = 0
        self._unanswered_ns = None

    def answered(self, channel: int, answer: Acknowledge, now_ns: int) -> Kind | None:
        """Settle what an acknowledgement names; None if it names nothing that we sent."""
        key = (channel, answer.received_sequence)
        outgoing = self._in_flight.get(key)
        if outgoing is None:
            return None
        sent_ns = outgoing.transmissions.get(answer.received_sent_time)
        if sent_ns is None:
            return None
        del self._in_flight[key]
        self._in_flight_bytes -= outgoing.payload_bytes
        self.round_trip.measured(now_ns - sent_ns)
        self.last_answer_ns = now_ns
        self._unanswered_ns = None
        return outgoing.kind

    def settle(self, channel: int, sequence: int) -> None:
        """Drop a command that something else than an acknowledgement answered."""
        outgoing = self._in_flight.pop((channel, sequence), None)
        if outgoing is not None:
            self._in_flight_bytes -= outgoing.payload_bytes

    def send_again(self, now_ns: int) -> None:
        """Make everything in flight due now, unless it went out a moment ago."""
        for outgoing in self._in_flight.values():
            if now_ns - max(outgoing.transmissions.values()) >= MINIMUM_TIMEOUT_NS:
                outgoing.again_ns = now_ns

    def silent_since_ns(self, now_ns: int) -> int | None:
        """Since when the peer owes an answer that is late; None if none is."""
        if self._unanswered_ns is None:
            late = [o.sent_ns for o in self._in_flight.values() if o.again_ns <= now_ns]
            if late:
                self._unanswered_ns = max(min(late), self.last_answer_ns or 0)
        return self._unanswered_ns

    def deadline_ns(self, timeout_ns: int) -> int | None:
        """When something must be sent again, or the peer be given up ``timeout_ns`` after it fell silent."""
        times = [outgoing.again_ns for outgoing in self._in_flight.values()]
        if self._unanswered_ns is not None:
            times.append(self._unanswered_ns + timeout_ns)
        return min(times, default=None)

    def drain(self, now_ns: int, peer_id: int, session: int) -> list[bytes]:
        """Build every datagram that may go now."""
        sent_time = (now_ns // _NS_PER_MS + self._clock_shift_ms) & 0xFFFF
        datagrams: list[bytes] = []
        batch: list[bytes] = []
        batch_bytes = DATAGRAM_HEADER_BYTES
        stamped = False
        for wire, reliable in self._due(now_ns, sent_time):
            if batch and (batch_bytes + len(wire) > self.mtu_bytes or len(batch) == COMMANDS_PER_DATAGRAM):
                datagrams.append(build_datagram(peer_id, session, sent_time if stamped else None, batch))
                batch, batch_bytes, stamped = [], DATAGRAM_HEADER_BYTES, False
            batch.append(wire)
            batch_bytes += len(wire)
            stamped = stamped or reliable
        if batch:
            datagrams.append(build_datagram(peer_id, session, sent_time if stamped else None, batch))
        return datagrams

    def _due(self, now_ns: int, sent_time: int) -> list[tuple[bytes, bool]]:
        due = [(wire, False) for wire in self._acknowledgements]
        self._acknowledgements.clear()
        self.silent_since_ns(now_ns)  # what is sent again below was late: note since when
        for outgoing in self._in_flight.values():
            if outgoing.again_ns <= now_ns:
                self._stamp(outgoing, now_ns, sent_time)
                due.append((outgoing.wire, True))
        held: deque[_Outgoing] = deque()
        while self._queue:
            outgoing = self._queue.popleft()
            if not outgoing.reliable:
                due.append((outgoing.wire, False))
            elif self._window_takes(outgoing) and not (held and outgoing.payload_bytes):
                self._in_flight[outgoing.channel, outgoing.sequence] = outgoing
                self._in_flight_bytes += outgoing.payload_bytes
                self._stamp(outgoing, now_ns, sent_time)
                due.append((outgoing.wire, True))
            else:
                held.append(outgoing)
                continue
            self._queued_bytes -= outgoing.payload_bytes + _COMMAND_OVERHEAD_BYTES
        self._queue = held
        return due

    def _window_takes(self, outgoing: _Outgoing) -> bool:
        if outgoing.channel == CONTROL_CHANNEL:
            return True
        window_bytes = max(self.window_bytes, self.mtu_bytes)
        fits = self._in_flight_bytes + outgoing.payload_bytes <= window_bytes
        return fits and len(self._in_flight) < _IN_FLIGHT_LIMIT

    def _stamp(self, outgoing: _Outgoing, now_ns: int, sent_time: int) -> None:
        outgoing.attempts += 1
        outgoing.sent_ns = outgoing.sent_ns or now_ns
        limit = self.unprompted_limit
        spent = limit is not None and outgoing.attempts >= limit
        outgoing.again_ns = _NEVER_NS if spent else now_ns + self.round_trip.timeout_ns(outgoing.attempts)
        if len(outgoing.transmissions) == _TRANSMISSION_LIMIT:
            del outgoing.transmissions[next(iter(outgoing.transmissions))]
        outgoing.transmissions[sent_time] = now_ns
