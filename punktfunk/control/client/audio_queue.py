"""Audio packets in order, with what a redundant copy restores; bounded, the oldest give way.

Nothing waits for a late packet: at 5 ms a packet that is behind its successor is as good as lost, and the
successor often carries a copy of it (tag D2). Source: punktfunk-1 section 2.10.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

PACKETS_MAX: Final = 64
"""320 ms at 5 ms a packet; the oldest gives way."""

_MASK: Final = 0xFFFFFFFF
_HALF: Final = 1 << 31
LARGEST_GAP: Final = 200
"""A larger step is a new beginning (the host's capture restarted), not a second of loss to conceal."""


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """One packet. ``missing`` packets before it never came: conceal them.

    An empty Opus payload is silence. ``pts_ns`` is the host's CLOCK_REALTIME of the first sample.
    """

    sequence: int
    pts_ns: int
    payload: bytes
    is_pcm: bool = False
    missing: int = 0
    restored: bool = False

    @property
    def gap(self) -> bool:
        """Whether something is missing before this packet."""
        return self.missing > 0


class AudioQueue:
    """Puts packets in order. ``frame_ns`` is how long one packet lasts."""

    def __init__(self, frame_ns: int = 5_000_000) -> None:
        self._frame_ns = frame_ns
        self._packets: deque[AudioPacket] = deque()
        self._newest: int | None = None
        self.received_count = 0
        self.restored_count = 0
        self.missing_count = 0
        self.late_count = 0
        self.dropped_count = 0

    def put(
        self, sequence: int, pts_ns: int, payload: bytes, *, previous: bytes = b"", is_pcm: bool = False
    ) -> None:
        """Take a packet as it came; ``previous`` is the copy of the one before, empty if there is none."""
        self.received_count += 1
        missing = 0
        if self._newest is not None:
            step = ((sequence - self._newest + _HALF) & _MASK) - _HALF
            if -LARGEST_GAP <= step <= 0:
                self.late_count += 1
                return
            missing = step - 1 if 0 < step <= LARGEST_GAP else 0
        if missing and previous:
            self.restored_count += 1
            self._append(
                AudioPacket(
                    (sequence - 1) & _MASK,
                    max(0, pts_ns - self._frame_ns),
                    previous,
                    missing=missing - 1,
                    restored=True,
                )
            )
            missing = 0
        self._append(AudioPacket(sequence, pts_ns, payload, is_pcm=is_pcm, missing=missing))

    def take(self) -> list[AudioPacket]:
        """Take all that came."""
        taken = list(self._packets)
        self._packets.clear()
        return taken

    def __len__(self) -> int:
        return len(self._packets)

    def _append(self, packet: AudioPacket) -> None:
        self._newest = packet.sequence
        self.missing_count += packet.missing
        self._packets.append(packet)
        if len(self._packets) > PACKETS_MAX:
            self._packets.popleft()
            self.dropped_count += 1
