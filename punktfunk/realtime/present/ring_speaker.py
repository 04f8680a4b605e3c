"""A speaker that is a ring: what is played into it comes out of a microphone for programs to record."""

import time
from typing import TYPE_CHECKING, Final

from punktfunk.realtime.capture.sample_ring import SampleRing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

IDLE_NS: Final = 100_000_000
"""Nobody took anything for so long: no program records."""

KEPT_NS: Final = 20_000_000
"""What a program that begins to record hears first; older sound is dropped while nobody records."""


class RingSpeaker:
    """Plays mono, a mean of the channels. For the one thread that plays; see ``present.sound.Speaker``."""

    latency_ns = 0

    def __init__(self, ring: SampleRing) -> None:
        self._ring = ring
        self._taken = ring.taken_count
        self._taken_ns = time.monotonic_ns()

    def waiting_ns(self) -> int:
        """Tell how much is queued. While nobody records it is a fixed amount, as if somebody did."""
        return KEPT_NS if self._is_idle() else self._ring.level() * 1_000_000_000 // self._ring.rate_hz

    def play(self, samples: "Samples") -> None:
        """Append samples, (count, channels)."""
        if self._is_idle():
            self._ring.leave(self._ring.rate_hz * KEPT_NS // 1_000_000_000)
        self._ring.write(samples.mean(axis=1, keepdims=True), time.monotonic_ns())

    def _is_idle(self) -> bool:
        now_ns, taken = time.monotonic_ns(), self._ring.taken_count
        if taken != self._taken:
            self._taken, self._taken_ns = taken, now_ns
        return now_ns - self._taken_ns > IDLE_NS
