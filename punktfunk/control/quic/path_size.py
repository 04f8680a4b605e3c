"""How large a packet the path carries: asked with padded pings, as aioquic does not ask.

A host's audio frames grow with it (punktfunk-1 §2.10), and a packet costs the same whatever its size. Probes
are outside of congestion control and nobody waits for them: a lost one only says that the path is narrower,
or had a bad moment, so each size is tried twice. When large packets stop arriving, or the peer moves to
another network, all begins anew with the size that is safe. RFC 8899 in brief; source: punktfunk-1 §2.2.
"""

import math
from collections.abc import Callable
from typing import Final

from punktfunk.control.quic.core import Core
from punktfunk.control.quic.paths import Path

SIZES_BYTES: Final = (1472, 1452, 1400, 1300)
"""UDP payloads: Ethernet with IPv4, with IPv6, tunnels."""
TRIES_COUNT: Final = 2
ANSWER_S: Final = 0.5
AGAIN_S: Final = 60.0
LOST_COUNT: Final = 4
_ETHERNET_IPV6_BYTES: Final = 1452


class PathSize:
    """Asks until a size is answered for; `Core.packet_bytes` is the answer."""

    def __init__(
        self, core: Core, base_bytes: int, largest_bytes: int, send: Callable[[bytes, Path], None]
    ) -> None:
        self._core = core
        self._base_bytes = base_bytes
        self._largest_bytes = largest_bytes
        self._send = send
        self._path: Path | None = None
        self._left: list[int] = []
        self._round = 0
        self.deadline_s = math.inf
        """When `check` wants to be called."""

    def check(self, path: Path | None, now_s: float) -> None:
        """Take note of where the peer is and whether it answers; ask if it is time."""
        if path is None or self._core.has_ended:
            self.deadline_s = math.inf
            return
        if path != self._path:
            self._path = path
            self._begin(now_s)
        elif self._core.large_lost_count >= LOST_COUNT:
            self._core.set_packet_bytes(self._base_bytes)
            self._round += 1
            self._left = []
            self.deadline_s = now_s + AGAIN_S
        elif now_s >= self.deadline_s:
            if self._left:
                self._ask(now_s)
            else:
                self._begin(now_s)

    def _begin(self, now_s: float) -> None:
        self._core.set_packet_bytes(self._base_bytes)
        self._round += 1
        assert self._path is not None
        limit = self._largest_bytes
        if ":" in self._path.host and "." not in self._path.host:
            limit = min(limit, _ETHERNET_IPV6_BYTES)
        sizes = [size for size in SIZES_BYTES if self._base_bytes < size <= limit]
        self._left = [size for size in sizes for _ in range(TRIES_COUNT)]
        self._ask(now_s)

    def _ask(self, now_s: float) -> None:
        if not self._left:
            self.deadline_s = math.inf
            return
        size, number = self._left.pop(0), self._round
        self.deadline_s = now_s + ANSWER_S if self._left else math.inf

        def arrived() -> None:
            if number == self._round:
                self._round += 1  # answers to smaller or older probes say nothing any more
                self._left = []
                self.deadline_s = math.inf
                self._core.set_packet_bytes(size)

        for data, path in self._core.build_probe(size, arrived, now_s):
            self._send(data, path)
