"""A whole session under a virtual clock: model host, link, model client, and the way back.

Exact and repeatable: the same settings and seed give the same result to the last digit, on every machine.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from punktfunk.measure.network.client_model import Delivered, ModelClient, Says
from punktfunk.measure.network.engines import CountingEngine, Engine, Packet
from punktfunk.measure.network.host_model import PACE_SHARE, SECOND_NS, ModelHost, StreamSettings, Told
from punktfunk.measure.network.link import Link, LinkSettings

_OVERHEAD_BYTES: Final = 64
GROUP_MAX: Final = 64
GROUP_BYTES_MAX: Final = 65_000
_TRAIL_NS: Final = 500_000_000
"""After the last frame packets may still come."""


class Way(Protocol):
    """What a link and a recorded one have in common."""

    def begin_frame(self, now_ns: int, packet_count: int) -> None:
        """Say that so many packets follow, of a frame captured now."""

    def send(self, now_ns: int, packet_bytes: int) -> tuple[int, ...]:
        """When a packet sent now arrives: never, once or twice."""


@dataclass(frozen=True, slots=True)
class Window:
    """One report window of the run, for curves."""

    at_ns: int
    budget_kbps: int
    delivered_kbps: int
    loss_ppm: int
    fec_percent: int
    latency_ns: int | None


@dataclass(slots=True)
class Outcome:
    """What became of a session."""

    sent_frames: int
    sent_packets: int
    parity_packets: int
    lost_packets: int
    frames: list[Delivered]
    freezes: int
    frozen_ns: int
    key_frames: int
    asks: int
    recovered_shards: int
    late_shards: int
    duration_ns: int
    last_kbps: int
    corrupt_frames: int = 0
    windows: list[Window] = field(default_factory=list)

    @property
    def lost_frames(self) -> int:
        """Frames that never came whole."""
        return self.sent_frames - len(self.frames)

    @property
    def recovered_frames(self) -> int:
        """Frames that parity completed."""
        return sum(frame.recovered_count > 0 for frame in self.frames)

    @property
    def parity_share(self) -> float:
        """Parity packets for each data packet."""
        return self.parity_packets / max(1, self.sent_packets - self.parity_packets)

    def latency_ns(self, share: float) -> int:
        """Latency, capture to whole, that this share of frames keeps to; 0 without any."""
        ordered = sorted(frame.latency_ns for frame in self.frames)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0


@dataclass
class World:
    """``run`` it once."""

    stream: StreamSettings
    link: Way
    back_ns: int = 5_000_000
    seed: int = 1
    told: Iterator[Told] | None = None
    """Recorded frames, in place of the modelled encoder's; the session ends with them."""
    engine: Engine | None = None

    def __post_init__(self) -> None:
        self._engine = self.engine or counting_engine(self.stream)
        self._host = ModelHost(self.stream, self._engine, self.seed)
        self._client = ModelClient(self.stream, self._engine)
        self._events: list[tuple[int, int, Callable[[int], None]]] = []
        self._arrivals: list[tuple[int, int, Packet]] = []
        self._order = 0
        self._lost_packets = 0
        self._next: Told | None = None
        self._windows: list[Window] = []

    def run(self, duration_ns: int) -> Outcome:
        """Let so much time pass, and half a second for what is on its way."""
        self._schedule()
        end_ns = duration_ns + _TRAIL_NS
        while True:
            deadline_ns = self._client.deadline_ns()
            event_ns = self._events[0][0] if self._events else end_ns
            arrival_ns = self._arrivals[0][0] if self._arrivals else end_ns
            now_ns = min(deadline_ns, event_ns, arrival_ns)
            if now_ns >= end_ns:
                break
            if now_ns == arrival_ns:
                _, _, packet = heapq.heappop(self._arrivals)
                self._hear(self._client.on_packet(packet, now_ns), now_ns)
            elif now_ns == event_ns:
                _, _, call = heapq.heappop(self._events)
                if now_ns < duration_ns or call != self._tick_host:
                    call(now_ns)
            else:
                seen = len(self._client.windows_seen)
                self._hear(self._client.tick(now_ns), now_ns)
                if len(self._client.windows_seen) > seen and now_ns < duration_ns:
                    self._note_window(now_ns)
        return self._outcome(duration_ns)

    def _schedule(self) -> None:
        """Plan the next frame: where it was recorded, else an interval after the last."""
        if self.told is None:
            next_ns = self._host.counts.frames * SECOND_NS // self.stream.refresh_hz
            self._at(next_ns, self._tick_host)
        elif (frame := next(self.told, None)) is not None:
            self._next = frame
            self._at(frame.at_ns, self._tick_host)

    def _tick_host(self, now_ns: int) -> None:
        packets = self._host.frame(now_ns, self._next)
        total, packet_bytes = len(packets), self.stream.shard_bytes + _OVERHEAD_BYTES
        window_ns = self.stream.interval_ns * PACE_SHARE[0] // PACE_SHARE[1] if self.stream.smooth else 0
        # As pf-send does: a group of datagrams leaves in one call, and only what is more is spread.
        group = min(GROUP_MAX, GROUP_BYTES_MAX // packet_bytes)
        self.link.begin_frame(now_ns, total)
        for place, packet in enumerate(packets):
            arrivals = self.link.send(now_ns + window_ns * (place // group * group) // total, packet_bytes)
            self._lost_packets += not arrivals
            for arrival_ns in arrivals:
                self._order += 1
                heapq.heappush(self._arrivals, (arrival_ns, self._order, packet))
        self._schedule()

    def _hear(self, says: Says | None, now_ns: int) -> None:
        if says is not None:
            self._at(now_ns + self.back_ns, lambda at_ns: self._obey(says, at_ns))

    def _obey(self, says: Says, now_ns: int) -> None:
        for ask in says.asks:
            self._host.on_ask(ask, now_ns)
        if says.loss_ppm is not None:
            self._host.on_loss_report(says.loss_ppm)
        if says.bitrate_kbps is not None:
            granted_kbps = self._host.on_set_bitrate(says.bitrate_kbps)
            self._at(
                now_ns + self.back_ns, lambda at_ns: self._client.on_bitrate_changed(granted_kbps, at_ns)
            )

    def _at(self, when_ns: int, call: Callable[[int], None]) -> None:
        self._order += 1
        heapq.heappush(self._events, (when_ns, self._order, call))

    def _note_window(self, now_ns: int) -> None:
        sample = self._client.windows_seen[-1].sample
        if sample is not None:
            percent, budget_kbps = self._host.fec.percent, self._host.budget_kbps
            numbers = sample.delivered_kbps, sample.loss_ppm, percent, sample.latency_ns
            self._windows.append(Window(now_ns, budget_kbps, *numbers))

    def _outcome(self, duration_ns: int) -> Outcome:
        host, client, received = self._host.counts, self._client.counts, self._engine.counts()
        return Outcome(
            host.frames,
            host.data_packets + host.parity_packets,
            host.parity_packets,
            self._lost_packets,
            self._client.frames,
            client.freezes,
            client.frozen_ns,
            host.key_frames,
            host.asks,
            received["recovered_shards"],
            received["late_shards"],
            duration_ns,
            self._host.budget_kbps,
            self._engine.corrupt_count,
            self._windows,
        )


def counting_engine(stream: StreamSettings) -> CountingEngine:
    """Make the engine that knows headers only."""
    kbps = stream.ceiling_kbps if stream.automatic else stream.bitrate_kbps
    return CountingEngine(stream.geometry(), kbps, stream.refresh_hz)


def simulate(
    stream: StreamSettings, link: LinkSettings, duration_ns: int, seed: int = 1, back_ns: int | None = None
) -> Outcome:
    """Run a session over a made-up link; the way back takes the link's delay unless told otherwise."""
    way = Link(link, seed)
    return World(stream, way, link.delay_ns if back_ns is None else back_ns, seed).run(duration_ns)
