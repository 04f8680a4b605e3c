"""Sound that punktfunk makes itself, at any rate and depth: the test tone, or nothing, in any piece sizes."""

from typing import TYPE_CHECKING, Final

import numpy as np

from punktfunk.plan import AudioSource
from punktfunk.realtime.capture.sound import TONE_AMPLITUDE, TONE_FREQUENCIES_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

CYCLES_PER_S: Final = 20
"""All tones repeat every 50 ms, and every rate of punktfunk/1 has whole samples in that."""


class Cycle:
    """50 ms of samples without a seam. ``is_quiet``: there is nothing but zeros, now and later."""

    def __init__(self, source: AudioSource, channel_count: int, rate_hz: int, bits: int) -> None:
        length = rate_hz // CYCLES_PER_S
        self.is_quiet = source is not AudioSource.TONE
        self._position = 0
        kind = np.int16 if bits == 16 else np.int32
        if self.is_quiet:
            self._samples = np.zeros((length, channel_count), kind)
            return
        frequencies_hz = np.array(TONE_FREQUENCIES_HZ[:channel_count])
        times_s = np.arange(length) / rate_hz
        waves = np.sin(2 * np.pi * frequencies_hz * times_s[:, None])
        self._samples = (waves * (TONE_AMPLITUDE << (bits - 16))).astype(kind)

    def take(self, count: int) -> "NDArray[np.int16] | NDArray[np.int32]":
        """Give the next ``count`` samples, (count, channels); 24 bits lie in 32."""
        indices = np.arange(self._position, self._position + count) % len(self._samples)
        self._position = (self._position + count) % len(self._samples)
        taken: NDArray[np.int16] | NDArray[np.int32] = self._samples[indices]
        return taken
