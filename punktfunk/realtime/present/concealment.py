"""Sound for packets that did not come: the last period of what was heard, repeated and fading.

libavcodec's Opus decoder cannot be asked to conceal (an empty packet means the end to it), so it is done on
samples, for PCM too. The period is the lag at which the end of the past resembles itself best; a repetition
by it has no seam. It fades after ten milliseconds, as a held note soon sounds like a machine.
"""

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

SHORTEST_S: Final = 0.0025
LONGEST_S: Final = 0.016
TEMPLATE_S: Final = 0.005
FULL_S: Final = 0.010
SILENT_S: Final = 0.060
BLEND_S: Final = 0.0025


class Concealer:
    """For one thread. Samples are float32, (count, channels)."""

    def __init__(self, channel_count: int, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._past = np.zeros((round((LONGEST_S + TEMPLATE_S) * rate_hz), channel_count), np.float32)
        self._cycle: Samples | None = None
        self._position = 0

    @property
    def extending(self) -> bool:
        """Whether what was made last was concealment."""
        return self._cycle is not None

    @property
    def exhausted(self) -> bool:
        """Whether the concealment has faded to nothing."""
        return self._position >= SILENT_S * self._rate_hz

    def heard(self, samples: "Samples") -> "Samples":
        """Take real samples; give them back, blended with the concealment if that was just heard."""
        if self._cycle is not None:
            count = min(round(BLEND_S * self._rate_hz), len(samples))
            rise = np.linspace(0, 1, count, endpoint=False, dtype=np.float32)[:, None]
            blended = samples.copy()
            blended[:count] = samples[:count] * rise + self._continued(count) * (1 - rise)
            samples = blended
            self._cycle = None
            self._position = 0
        keep = len(self._past)
        self._past = np.concatenate((self._past, samples))[-keep:]
        return samples

    def extend(self, count: int) -> "Samples":
        """Make ``count`` samples that continue what was heard."""
        if self._cycle is None:
            self._cycle = self._past[-self._period() :]
        return self._continued(count)

    def _continued(self, count: int) -> "Samples":
        assert self._cycle is not None
        places = np.arange(self._position, self._position + count)
        self._position += count
        full, silent = FULL_S * self._rate_hz, SILENT_S * self._rate_hz
        gain = np.clip((silent - places) / (silent - full), 0, 1).astype(np.float32)
        made: Samples = self._cycle[places % len(self._cycle)] * gain[:, None]
        return made

    def _period(self) -> int:
        """Lag in samples at which the last milliseconds resemble what was before them best."""
        mono = self._past.sum(axis=1, dtype=np.float64)
        length = round(TEMPLATE_S * self._rate_hz)
        shortest = round(SHORTEST_S * self._rate_hz)
        template = mono[-length:]
        likeness = np.correlate(mono[:-shortest], template, "valid")
        squares = np.concatenate(([0.0], np.cumsum(mono[:-shortest] ** 2)))
        energy = squares[length:] - squares[:-length]
        score = likeness / np.sqrt(energy + 1e-9)
        # Of equally good lags the longest, whose repetition is heard least: argmax takes the first.
        start = int(np.argmax(score > 0.999 * score.max())) if score.max() > 0 else 0
        return len(mono) - length - start
