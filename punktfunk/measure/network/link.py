"""One direction of a network under a virtual clock: rate, queue, delay, jitter, loss, bursts, reordering.

Everything random comes from one seed, and times are whole nanoseconds: the same settings give the same
fates on every machine. Loss in bursts is Gilbert's model: a good state that loses nothing and a bad one
that loses all, whose mean length is ``burst_packets``.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from punktfunk.errors import Misuse

IP_UDP_BYTES: Final = 28
_PPM: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """What the network does. A rate of 0 is no limit; ``queue_ns`` is how long a packet waits at most.

    ``capacity`` are later rates: (from when on, kbit/s). A stall holds everything up for ``stall_ns``, once
    in ``stall_every_ns``. Jitter alone never changes the order; a reordered packet comes ``reorder_ns``
    late.
    """

    rate_kbps: int = 0
    queue_ns: int = 100_000_000
    delay_ns: int = 5_000_000
    jitter_ns: int = 0
    loss_ppm: int = 0
    burst_packets: int = 1
    reorder_ppm: int = 0
    reorder_ns: int = 3_000_000
    duplicate_ppm: int = 0
    capacity: tuple[tuple[int, int], ...] = ()
    stall_every_ns: int = 0
    stall_ns: int = 0

    def check(self) -> None:
        """Misuse for what no network does."""
        for name in ("loss_ppm", "reorder_ppm", "duplicate_ppm"):
            if not 0 <= getattr(self, name) <= _PPM:
                raise Misuse(f"{name} of {getattr(self, name)} is no share", hint="It may be 0 to 1000000.")
        if self.burst_packets < 1:
            raise Misuse(f"bursts of {self.burst_packets} packets lose nothing", hint="It may be 1 or more.")
        good = _PPM - self.loss_ppm
        if self.burst_packets > 1 and good and self.burst_packets * good < self.loss_ppm:
            raise Misuse(
                f"bursts of {self.burst_packets} cannot lose {self.loss_ppm / 10_000:g} %",
                hint="Make them longer, or the loss smaller.",
            )


class Link:
    """``send`` packets in the order of their times; it answers when they arrive."""

    def __init__(self, settings: LinkSettings, seed: int) -> None:
        settings.check()
        self._settings = settings
        self._chance = Random(seed).random  # noqa: S311 - repeatable, not secret
        self._free_ns = 0
        self._last_ns = 0
        self._bad = False
        self._capacity = [(0, settings.rate_kbps), *settings.capacity]
        good = _PPM - settings.loss_ppm
        self._to_bad = settings.loss_ppm / (settings.burst_packets * good) if good else 1.0
        self._to_good = 1 / settings.burst_packets if good else 0.0
        self.sent_count = self.lost_count = self.overflow_count = 0

    def begin_frame(self, now_ns: int, packet_count: int) -> None:
        """Do nothing: this network does not know what frames are."""

    def send(self, now_ns: int, packet_bytes: int) -> tuple[int, ...]:
        """When a packet of so many bytes of UDP payload, sent now, arrives: never, once or twice."""
        self.sent_count += 1
        settings = self._settings
        left_ns = self._transmit(now_ns, packet_bytes + IP_UDP_BYTES)
        if left_ns is None:
            self.overflow_count += 1
            return ()
        if settings.loss_ppm and self._loses():
            self.lost_count += 1
            return ()
        arrival_ns = left_ns + settings.delay_ns
        if settings.jitter_ns:
            arrival_ns += int(self._chance() * settings.jitter_ns)
        if settings.stall_every_ns:
            into_ns = arrival_ns % settings.stall_every_ns
            arrival_ns += max(0, settings.stall_ns - into_ns) if arrival_ns >= settings.stall_every_ns else 0
        if settings.reorder_ppm and self._chance() * _PPM < settings.reorder_ppm:
            return (max(arrival_ns, self._last_ns) + settings.reorder_ns,)
        arrival_ns = self._last_ns = max(arrival_ns, self._last_ns)
        if settings.duplicate_ppm and self._chance() * _PPM < settings.duplicate_ppm:
            return (arrival_ns, arrival_ns)
        return (arrival_ns,)

    def _transmit(self, now_ns: int, wire_bytes: int) -> int | None:
        """When the packet has left the bottleneck; None where its queue is full."""
        while len(self._capacity) > 1 and now_ns >= self._capacity[1][0]:
            del self._capacity[0]
        rate_kbps = self._capacity[0][1]
        if not rate_kbps:
            return now_ns
        begin_ns = max(now_ns, self._free_ns)
        if begin_ns - now_ns > self._settings.queue_ns:
            return None
        self._free_ns = begin_ns + wire_bytes * 8_000_000 // rate_kbps
        return self._free_ns

    def _loses(self) -> bool:
        if self._settings.burst_packets == 1:
            return self._chance() * _PPM < self._settings.loss_ppm
        self._bad = self._chance() >= self._to_good if self._bad else self._chance() < self._to_bad
        return self._bad
