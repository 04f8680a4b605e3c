"""A bad network in a virtual world: seeded loss, bursts, reordering and duplication, no real time.

`Link` decides what happens to one datagram; `Network` moves datagrams between machines that speak
``receive(data, address, now_ns)``, ``datagrams()``, ``deadline_ns()`` and ``advance(now_ns)``.
"""

import heapq
import itertools
import random
from dataclasses import dataclass, field
from typing import Any

MS = 1_000_000
SECOND = 1_000_000_000


@dataclass
class Link:
    """One direction. Shares are 0..1; ``burst`` is the share of drops that take the next ones with them."""

    seed: int = 0
    drop: float = 0.0
    duplicate: float = 0.0
    delay_ns: int = 5 * MS
    jitter_ns: int = 0
    burst: float = 0.0
    burst_length: int = 5
    open: bool = True
    carried: int = 0
    dropped: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._burst_left = 0

    def arrivals(self, now_ns: int) -> list[int]:
        """When a datagram sent now arrives: never, once or twice."""
        self.carried += 1
        chance = self._random.random
        lost = chance() < self.drop
        if lost and chance() < self.burst:
            self._burst_left = self.burst_length
        if self._burst_left > 0:
            self._burst_left -= 1
            lost = True
        if lost or not self.open:
            self.dropped += 1
            return []
        copies = 2 if chance() < self.duplicate else 1
        return [now_ns + self.delay_ns + round(chance() * self.jitter_ns) for _ in range(copies)]


@dataclass
class Network:
    """Machines by address, under one virtual clock. ``links`` overrides ``link`` for one receiver."""

    link: Link = field(default_factory=Link)
    now_ns: int = SECOND
    links: dict[Any, Link] = field(default_factory=dict)
    events: dict[Any, list[Any]] = field(default_factory=dict)
    on_event: Any = None
    largest_bytes: int = 0

    def __post_init__(self) -> None:
        self._machines: dict[Any, Any] = {}
        self._addresses: dict[int, Any] = {}
        self._in_flight: list[tuple[int, int, Any, Any, bytes]] = []
        self._count = itertools.count()

    def add(self, address: Any, machine: Any) -> None:
        self._machines[address] = machine
        self._addresses[id(machine)] = address
        self.events.setdefault(address, [])

    def move(self, old: Any, new: Any) -> None:
        """A machine goes on at another address; its events stay under the old name as well."""
        machine = self._machines.pop(old)
        self.events[new] = self.events[old]
        self.add(new, machine)

    def inject(self, data: bytes, source: Any, target: Any) -> None:
        """A datagram out of nowhere arrives at once."""
        self._note(target, self._machines[target].receive(data, source, self.now_ns))
        self.flush()

    def flush(self) -> None:
        """Put everything that the machines want sent on the wire."""
        for source, machine in self._machines.items():
            for target, data in machine.datagrams():
                self.largest_bytes = max(self.largest_bytes, len(data))
                for when_ns in self.links.get(target, self.link).arrivals(self.now_ns):
                    heapq.heappush(self._in_flight, (when_ns, next(self._count), source, target, data))

    def step(self, until_ns: int) -> bool:
        """Go to the next thing that happens before ``until_ns``; False if nothing does."""
        self.flush()
        deadlines = [m.deadline_ns() for m in self._machines.values()]
        times = [d for d in deadlines if d is not None] + [entry[0] for entry in self._in_flight[:1]]
        next_ns = min(times, default=until_ns + 1)
        if next_ns > until_ns:
            self.now_ns = until_ns
            return False
        self.now_ns = max(self.now_ns, next_ns)
        while self._in_flight and self._in_flight[0][0] <= self.now_ns:
            _, _, source, target, data = heapq.heappop(self._in_flight)
            if target in self._machines:
                self._note(target, self._machines[target].receive(data, source, self.now_ns))
        for address, machine in list(self._machines.items()):
            deadline = machine.deadline_ns()
            if deadline is not None and deadline <= self.now_ns:
                self._note(address, machine.advance(self.now_ns))
        self.flush()
        return True

    def run(self, duration_ns: int, step_limit: int = 200_000) -> None:
        """Let time pass; a machine that never rests is an error."""
        until_ns = self.now_ns + duration_ns
        for _ in range(step_limit):
            if not self.step(until_ns):
                return
        raise AssertionError(f"more than {step_limit} steps: some machine spins")

    def _note(self, address: Any, events: list[Any]) -> None:
        self.events[address] += events
        if self.on_event is not None:
            for event in events:
                self.on_event(address, event)
