"""How large a session's packets are: up to what the path carries and the client takes. Pure: times come in.

Welcome's size fits every path. It grows once the stream has run well for a while and the route's MTU has
room, which the client must accept first; it shrinks at once where the larger packets do not arrive, and then
stays. Spec: punktfunk-1 sections 2.5 and 2.6.
"""

from typing import Final

from punktfunk.wire.native.packet import (
    HEADER_BYTES,
    MAX_SHARD_BYTES,
    MIN_SHARD_BYTES,
    SEQUENCE_BYTES,
    TAG_BYTES,
)

SETTLED_NS: Final = 3_000_000_000
WORTH_BYTES: Final = 256
BROKEN_PPM: Final = 300_000
SILENT_WINDOWS: Final = 2
UDP_BYTES: Final = 8
IP_BYTES: Final = {4: 20, 6: 40}
_AROUND_BYTES: Final = SEQUENCE_BYTES + HEADER_BYTES + TAG_BYTES


def fitting_shard_bytes(mtu_bytes: int, ip_version: int) -> int:
    """Return the largest shard that a path of this MTU carries whole: even, within the protocol's bounds."""
    room = mtu_bytes - IP_BYTES[ip_version] - UDP_BYTES - _AROUND_BYTES
    return min(max(room, MIN_SHARD_BYTES), MAX_SHARD_BYTES) & ~1


class ShardSize:
    """Decides for one session. ``client_max`` 0: the size must not change at all."""

    def __init__(self, current: int, client_max: int, path_max: int) -> None:
        self.current = current
        self._base = current
        self._target = min(client_max, path_max) & ~1 if client_max else current
        self._client_max = client_max
        self._since_ns: int | None = None
        self._asked: int | None = None
        self._received = 0
        self._silent_windows = 0

    def on_streaming(self, now_ns: int) -> None:
        """Note that video flows."""
        if self._since_ns is None:
            self._since_ns = now_ns

    def wanted(self, now_ns: int) -> int | None:
        """Return a size to ask the client for, once; None to leave things as they are."""
        if self._since_ns is None or now_ns - self._since_ns < SETTLED_NS or self._asked is not None:
            return None
        if self._target < self.current + WORTH_BYTES:
            return None
        self._asked = self._target
        return self._asked

    def on_ack(self, shard_bytes: int) -> int | None:
        """Take the client's word; the size to send by from now on, None for one that was not asked for."""
        if shard_bytes != self._asked or shard_bytes <= self.current:
            return None
        self.current = shard_bytes
        return shard_bytes

    def on_loss(self, loss_ppm: int) -> int | None:
        """Take a LossReport; a smaller size if packets of this one get lost."""
        return self._shrink() if loss_ppm >= BROKEN_PPM else None

    def on_delivery(self, packets_received: int) -> int | None:
        """Take a DeliveryReport; a smaller size if nothing of this one arrives."""
        self._silent_windows = self._silent_windows + 1 if packets_received == self._received else 0
        self._received = packets_received
        return self._shrink() if self._silent_windows >= SILENT_WINDOWS else None

    def on_too_long(self) -> int | None:
        """Take the system's word that packets do not fit; the smaller size."""
        return self._shrink()

    def _shrink(self) -> int | None:
        if self.current <= self._base or not self._client_max:
            return None
        self.current = self._target = self._base
        return self.current
