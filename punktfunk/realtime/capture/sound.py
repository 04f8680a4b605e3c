"""Where pf-audio gets its samples: an interface, the test tone, and silence."""

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from punktfunk.plan import AudioPlan, AudioSource
from punktfunk.wire.gamestream.audio import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

TONE_FREQUENCIES_HZ: Final = (440, 1000, 620, 80, 760, 880, 1240, 1480)
"""One per channel, FL FR C LFE BL BR SL SR. Multiples of 20 Hz: the tones repeat every 50 ms."""

TONE_AMPLITUDE: Final = 3000
"""About -21 dB: audible, and not unpleasant in headphones."""

_CYCLE_MS: Final = 50


class Sound(Protocol):
    """A source of samples, 48 kHz, channels in the order FL FR C LFE BL BR SL SR."""

    def next(self) -> "NDArray[np.int16]":
        """Give the next packet's samples, (samples, channels); never wait: silence where there is nothing."""

    def close(self) -> None:
        """Give everything back."""


class Tone:
    """A sine per channel, computed once and repeated without a seam."""

    def __init__(self, channel_count: int, packet_duration_ms: int) -> None:
        times_s = np.arange(SAMPLE_RATE_HZ * _CYCLE_MS // 1000) / SAMPLE_RATE_HZ
        frequencies_hz = np.array(TONE_FREQUENCIES_HZ[:channel_count])
        waves = np.sin(2 * np.pi * frequencies_hz * times_s[:, None]) * TONE_AMPLITUDE
        self._packets = np.split(waves.astype(np.int16), _CYCLE_MS // packet_duration_ms)
        self._index = 0

    def next(self) -> "NDArray[np.int16]":
        """See ``Sound``."""
        packet = self._packets[self._index]
        self._index = (self._index + 1) % len(self._packets)
        return packet

    def close(self) -> None:
        """See ``Sound``."""


class Silence:
    """Zeros, for sessions whose sound does not come from here."""

    def __init__(self, channel_count: int, packet_duration_ms: int) -> None:
        self._packet = np.zeros((SAMPLE_RATE_HZ * packet_duration_ms // 1000, channel_count), np.int16)

    def next(self) -> "NDArray[np.int16]":
        """See ``Sound``."""
        return self._packet

    def close(self) -> None:
        """See ``Sound``."""


def open_sound(plan: AudioPlan) -> Sound:
    """Open the source that a plan names."""
    kind = Tone if plan.source is AudioSource.TONE else Silence
    return kind(plan.channel_count, plan.packet_duration_ms)
