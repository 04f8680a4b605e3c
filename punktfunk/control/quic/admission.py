"""Who may start a handshake: limits on connections and unfinished handshakes, proof of address under load.

A handshake costs milliseconds of CPU, a refusal microseconds. So limits are checked before anything is
computed, from the address alone; who exceeds one hears nothing and tries again. Where a place is wanted, the
oldest unfinished handshake makes room: an honest one is over in a few round trips.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from punktfunk.control.listeners import neighbourhood
from punktfunk.control.quic.config import QuicConfig
from punktfunk.control.quic.link import Link
from punktfunk.control.sockets import plain_address

BURST_COUNT: Final = 8
"""Handshakes begun at once: they hold the event loop, at milliseconds each."""
_ADDRESSES_KEPT: Final = 1024


@dataclass(slots=True)
class Bucket:
    """Allows ``burst`` at once and ``per_s`` in the long run."""

    per_s: float
    burst: float
    _level: float = field(init=False)
    _filled_s: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._level = self.burst

    def level(self, now_s: float) -> float:
        """Return how many may be taken now."""
        if self._filled_s:
            self._level = min(self.burst, self._level + (now_s - self._filled_s) * self.per_s)
        self._filled_s = now_s
        return self._level

    def take(self, now_s: float) -> bool:
        """Take one, if there is one."""
        if self.level(now_s) < 1:
            return False
        self._level -= 1
        return True


class Admission:
    """Gives places by neighbourhood (an IPv4 address or an IPv6 /64), and time for handshakes."""

    def __init__(self, config: QuicConfig) -> None:
        self._config = config
        self._places: dict[Link, str] = {}
        self._handshaking: dict[Link, str] = {}  # oldest first
        self._of_address: Counter[str] = Counter()
        self._handshakes = Bucket(config.handshakes_per_s, BURST_COUNT)
        self._handshakes_of: dict[str, Bucket] = {}
        self._retries = Bucket(config.retries_per_s, config.retries_per_s / 4)

    def __len__(self) -> int:
        return len(self._places)

    def links(self) -> list[Link]:
        """Return every connection that has a place."""
        return list(self._places)

    def refusal(self, host: str) -> str:
        """Return why a client of this address cannot begin; empty once there is a place for it."""
        self._sweep()
        key = _key(host)
        if self._of_address[key] >= self._config.connections_per_address_max and not self._make_room(key):
            return "address_full"
        if len(self._places) >= self._config.connections_max and not self._make_room():
            return "full"
        if len(self._handshaking) >= self._config.handshakes_max:
            self._make_room()
        return ""

    def wants_proof(self, now_s: float) -> bool:
        """Tell whether so much is going on that a client must first prove its address."""
        self._sweep()
        few_left = self._handshakes.level(now_s) < BURST_COUNT / 2
        return few_left or len(self._handshaking) >= self._config.retry_above

    def may_handshake(self, host: str, now_s: float) -> bool:
        """Take one from the budget of handshakes: first this address's own, then everybody's."""
        key = _key(host)
        own = self._handshakes_of.get(key)
        if own is None:
            if len(self._handshakes_of) >= _ADDRESSES_KEPT:
                del self._handshakes_of[next(iter(self._handshakes_of))]
            # Half of everybody's, so that one address alone cannot keep all others out.
            own = self._handshakes_of[key] = Bucket(self._config.handshakes_per_s / 2, BURST_COUNT)
        return own.take(now_s) and self._handshakes.take(now_s)

    def may_answer(self, now_s: float) -> bool:
        """Take one from the budget of stateless answers."""
        return self._retries.take(now_s)

    def enter(self, link: Link, host: str) -> None:
        """Give a place."""
        key = _key(host)
        self._places[link] = self._handshaking[link] = key
        self._of_address[key] += 1

    def leave(self, link: Link) -> None:
        """Take the place back, if it was not given to another already."""
        key = self._places.pop(link, None)
        self._handshaking.pop(link, None)
        if key is None:
            return
        self._of_address[key] -= 1
        if not self._of_address[key]:
            del self._of_address[key]

    def _sweep(self) -> None:
        for link in [link for link in self._handshaking if link.is_established]:
            del self._handshaking[link]

    def _make_room(self, key: str | None = None) -> bool:
        for link, owner in self._handshaking.items():
            if key in {None, owner}:
                self.leave(link)
                link.abandon()
                return True
        return False


def _key(host: str) -> str:
    return neighbourhood(plain_address(host))
