"""What a client's microphone sends, on a host that has no virtual microphone to play it on yet.

The client's right to send it was checked before (``hands``). Packets are read as if they were played, so that
what arrives can be counted and told; none of it is kept. Spec: punktfunk-1 section 2.10, tag CB.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from punktfunk.wire.native.datagrams import MicFrame

OPUS_BYTES_MAX: Final = 1275
"""The longest frame that Opus has (RFC 6716 section 3.2.1)."""
_HALF: Final = 1 << 31


class Microphone:
    """Counts packets by what they are: ``unplayed`` are sound. ``tell`` hears of the first."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._newest: int | None = None
        self.counts: Counter[str] = Counter()

    def hear(self, frame: MicFrame) -> None:
        """Take one packet; never waits, raises nothing."""
        if not 0 < len(frame.opus) <= OPUS_BYTES_MAX:
            self.counts["malformed"] += 1
            return
        if self._newest is not None and not 0 < (frame.sequence - self._newest) % (1 << 32) < _HALF:
            self.counts["late"] += 1
            return
        self._newest = frame.sequence
        if not self.counts["unplayed"]:
            self._tell("the client sends its microphone; this host has no virtual microphone to play it on")
        self.counts["unplayed"] += 1
