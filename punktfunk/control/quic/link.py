"""One connection between its state machine, the clock and the socket.

A link feeds datagrams to the machine, hands on what happened, sends what the machine wants sent and sleeps
until its next deadline: one task and one cancel scope, whose deadline moves. A close is repeated while it may
have been lost, because a peer that misses it waits for the idle timeout.
"""

import logging
import math
from typing import Final, Protocol

import trio
from aioquic.quic.events import ConnectionIdIssued, ConnectionIdRetired, QuicEvent

from punktfunk.control.quic.config import QuicConfig
from punktfunk.control.quic.core import Core
from punktfunk.control.quic.path_size import PathSize
from punktfunk.control.quic.paths import Path

logger = logging.getLogger(__name__)

REASON_BYTES_MAX: Final = 256
_SHORTEST_SLEEP_S: Final = 0.0005
_SLACK_S: Final = 1e-6  # a float short of a deadline would wake us for nothing


class Listener(Protocol):
    """What a link tells its connection."""

    def take_event(self, event: QuicEvent) -> None:
        """Take note of what happened."""

    def after_packets(self) -> None:
        """Take note that all events of some packets have been told."""

    def take_closing(self) -> None:
        """Take note of the end; only goodbyes are on the wire from now on."""


class Surroundings(Protocol):
    """What a link needs of its endpoint."""

    routes: dict[bytes, "Link"]
    received_ns: int

    def send(self, data: bytes, path: Path) -> None:
        """Send one datagram, or lose it."""

    def request_flush(self, link: "Link") -> None:
        """Call the link's `flush` at the end of this turn of the loop."""


class Link:
    """A connection's machine with its timers. Nothing here waits except `run_timers`.

    It enters the endpoint's routes by every connection id that the peer may use, and leaves them at its end.
    """

    def __init__(self, core: Core, config: QuicConfig, endpoint: Surroundings) -> None:
        self.core = core
        self.listener: Listener | None = None
        self.ended = trio.Event()
        """Set when the closing period is over and nothing of the connection is left."""
        self.is_established = False
        self.received_ns = 0
        """When the newest datagram arrived in the kernel (CLOCK_REALTIME), 0 if unknown."""
        self.began_s = trio.current_time()
        self._config = config
        self._endpoint = endpoint
        self._path_size = PathSize(core, config.packet_bytes, config.packet_bytes_max, endpoint.send)
        self._ids: set[bytes] = set()
        self._sleep = trio.CancelScope()
        self._fired_s = -math.inf
        self._pinged_for_s = -math.inf
        self._farewell: list[tuple[bytes, Path]] = []
        self._farewell_at_s: list[float] = []
        self._heard_after_farewell = 0
        self._told_closing = False
        self._awaits_flush = False

    def add_route(self, connection_id: bytes) -> None:
        """Take packets with this id."""
        self._ids.add(connection_id)
        self._endpoint.routes[connection_id] = self

    def feed(self, data: bytes, path: Path, now_s: float) -> None:
        """Take one datagram of this connection."""
        if self._farewell:
            self._answer_late_packet()
            return
        try:
            self.core.receive_datagram(data, path, now_s)
        except Exception as bug:  # noqa: BLE001 -- untrusted bytes; what they break must stay here
            logger.debug("datagram dropped error=%r", bug)
        self.received_ns = self._endpoint.received_ns
        self._tell_events()

    def settle(self) -> None:
        """Hand on what happened, then send."""
        self._tell_events()
        if self.listener is not None:
            self.listener.after_packets()
        if self.core.is_confirmed:
            self._path_size.check(self.core.get_peer_address(), trio.current_time())
        self.flush()
        if self.core.is_terminated:
            self._end()

    def wake(self) -> None:
        """Send at the end of this turn of the loop, together with whatever else is written until then."""
        if not self._awaits_flush:
            self._awaits_flush = True
            self._endpoint.request_flush(self)

    def flush(self) -> None:
        """Send what is to be sent now and set the alarm anew."""
        self._awaits_flush = False
        if self.ended.is_set():
            return
        if self.core.has_begun or self._is_client:
            closing = self.core.has_ended
            try:
                out = self.core.datagrams_to_send(trio.current_time())
            except Exception:
                logger.exception("aioquic failed to build a packet")
                self.abandon()
                return
            if self.core.has_ended and not closing:
                self._remember_farewell(out)
            for data, path in out:
                self._endpoint.send(data, path)
        self._tell_closing()
        self._sleep.deadline = self._deadline_s()

    def close(self, code: int, text: str) -> None:
        """Say goodbye with the application's code; the text is cut to what fits."""
        if self.core.has_ended:
            return
        self.flush()  # once closing, aioquic sends nothing but the close
        short = text.encode()[:REASON_BYTES_MAX].decode(errors="ignore")
        self.core.close(code, None, short)
        self.settle()

    def abandon(self) -> None:
        """End without another word: nothing may go out, or nobody hears it."""
        self._end()

    async def run_timers(self) -> None:
        """Serve the deadlines until nothing of the connection is left."""
        while not self.ended.is_set():
            with trio.CancelScope(deadline=self._deadline_s()) as self._sleep:
                await trio.sleep_forever()
            self._on_time(trio.current_time())

    @property
    def _is_client(self) -> bool:
        return self.core.configuration.is_client

    def _deadline_s(self) -> float:
        if self.ended.is_set():
            return -math.inf
        deadlines = [self.core.deadline_s(), *self._farewell_at_s[:1]]
        if not self.core.has_ended:
            if not self.is_established:
                deadlines.append(self.began_s + self._config.handshake_s)
            elif self.core.idle_deadline_s() != self._pinged_for_s:
                deadlines.append(self._ping_at_s())
            deadlines.append(self._path_size.deadline_s)
        # The floor is a last defence against a deadline that never moves: aioquic computes them from what
        # the peer does.
        return max(min(deadlines) + _SLACK_S, self._fired_s + _SHORTEST_SLEEP_S)

    def _ping_at_s(self) -> float:
        # aioquic moves its idle deadline with each authentic packet, and with our first one after it.
        agreed_s = self.core.idle_timeout_s()
        return self.core.idle_deadline_s() - agreed_s + min(self._config.keep_alive_s, agreed_s / 2)

    def _on_time(self, now_s: float) -> None:
        if self.ended.is_set():
            return
        self._fired_s = now_s
        if not self.is_established and now_s >= self.began_s + self._config.handshake_s:
            self.abandon()
            return
        if self._farewell_at_s and now_s >= self._farewell_at_s[0]:
            self._farewell_at_s.pop(0)
            self._repeat_farewell()
        if now_s >= self.core.deadline_s():
            try:
                self.core.handle_timer(now_s)
            except Exception:
                logger.exception("aioquic failed at a timer")
                self.abandon()
                return
        elif self.is_established and not self.core.has_ended and now_s >= self._ping_at_s():
            self._pinged_for_s = self.core.idle_deadline_s()
            self.core.send_ping(0)
        self.settle()

    def _tell_closing(self) -> None:
        if self._told_closing or not self.core.has_ended:
            return
        self._tell_listener()

    def _end(self) -> None:
        if not self.ended.is_set():
            self.ended.set()
            for connection_id in list(self._ids):
                self._drop_route(connection_id)
            self._tell_listener()
            self._sleep.deadline = -math.inf

    def _tell_listener(self) -> None:
        self._told_closing = True
        if self.listener is not None:
            self.listener.take_closing()

    def _drop_route(self, connection_id: bytes) -> None:
        self._ids.discard(connection_id)
        if self._endpoint.routes.get(connection_id) is self:
            del self._endpoint.routes[connection_id]

    def _tell_events(self) -> None:
        if self.listener is None:
            return
        while (event := self.core.next_event()) is not None:
            if isinstance(event, ConnectionIdIssued):
                self.add_route(event.connection_id)
            elif isinstance(event, ConnectionIdRetired):
                self._drop_route(event.connection_id)
            else:
                self.listener.take_event(event)

    def _remember_farewell(self, out: list[tuple[bytes, Path]]) -> None:
        now_s, period_s = trio.current_time(), self.core.closing_period_s()
        self._farewell = out
        self._farewell_at_s = [now_s + period_s, now_s + 2 * period_s]

    def _answer_late_packet(self) -> None:
        # Ever more rarely (RFC 9000 §10.2.1): a whole window of the peer's may be on its way.
        self._heard_after_farewell += 1
        if self._heard_after_farewell & (self._heard_after_farewell - 1) == 0:
            self._repeat_farewell()

    def _repeat_farewell(self) -> None:
        for data, path in self._farewell:
            self._endpoint.send(data, path)
