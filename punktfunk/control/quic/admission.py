"""Who may start a handshake: limits on connections and unfinished handshakes, proof of address under load.

A handshake costs milliseconds of CPU and about 100 KB until it is over, a refusal microseconds. So limits are
checked before anything is computed, from the addresses alone; who exceeds one hears nothing and tries again.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from punktfunk.control.listeners import neighbourhood
from punktfunk.control.quic.config import QuicConfig
from punktfunk.control.quic.link import Link
from punktfunk.control.sockets import plain_address


@dataclass(slots=True)
class Bucket:
    """Allows ``burst`` at once and ``per_s`` in the long run."""

    per_s: float
    burst: float
    _level: float = field(init=False)
    _filled_s: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._level = self.burst

    def take(self, now_s: float) -> bool:
        """Take one, if there is one."""
        if self._filled_s is not None:
            self._level = min(self.burst, self._level + (now_s - self._filled_s) * self.per_s)
        self._filled_s = now_s
        if self._level < 1:
            return False
        self._level -= 1
        return True


class Admission:
    """Counts connections by neighbourhood (an IPv4 address or an IPv6 /64)."""

    def __init__(self, config: QuicConfig) -> None:
        self._config = config
        self._places: dict[Link, str] = {}
        self._handshaking: set[Link] = set()
        self._of_address: Counter[str] = Counter()
        self._handshakes = Bucket(config.handshakes_per_s, config.handshakes_per_s)
        self._retries = Bucket(config.retries_per_s, config.retries_per_s / 4)

    def __len__(self) -> int:
        return len(self._places)

    def links(self) -> Iterable[Link]:
        """Return every connection that has a place."""
        return list(self._places)

    def refusal(self, host: str) -> str:
        """Return why a client of this address may not begin now; empty if it may."""
        self._handshaking = {link for link in self._handshaking if not link.is_established}
        if len(self._places) >= self._config.connections_max:
            return "full"
        if self._of_address[_key(host)] >= self._config.connections_per_address_max:
            return "address_full"
        if len(self._handshaking) >= self._config.handshakes_max:
            return "handshakes_full"
        return ""

    def wants_proof(self) -> bool:
        """Tell whether so much is going on that a client must first prove its address."""
        self._handshaking = {link for link in self._handshaking if not link.is_established}
        return len(self._handshaking) >= self._config.retry_above

    def may_handshake(self, now_s: float) -> bool:
        """Take one from the budget of handshakes."""
        return self._handshakes.take(now_s)

    def may_retry(self, now_s: float) -> bool:
        """Take one from the budget of stateless answers."""
        return self._retries.take(now_s)

    def enter(self, link: Link, host: str) -> None:
        """Give a place."""
        key = _key(host)
        self._places[link] = key
        self._handshaking.add(link)
        self._of_address[key] += 1

    def leave(self, link: Link) -> None:
        """Take the place back."""
        key = self._places.pop(link)
        self._handshaking.discard(link)
        self._of_address[key] -= 1
        if not self._of_address[key]:
            del self._of_address[key]


def _key(host: str) -> str:
    return neighbourhood(plain_address(host))
