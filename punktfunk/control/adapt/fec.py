"""How much parity a host sends, decided once per LossReport. Spec: punktfunk-1.md section 2.9.

The percentage follows the reported loss (1.4 times it, and one more), rises by three while a client that
lost frames all the same keeps asking for key frames, and sinks by one a window. On top, where the frame's
shape is known, lies a floor from the average loss of the last 32 windows: enough that of ten minutes'
frames one at most stays broken. LossReport counts what parity repaired; a burst that broke a frame is not
in it, so the asks are the only sign of it.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

LEAST_PERCENT: Final = 5
MOST_PERCENT: Final = 50
INITIAL_PERCENT: Final = 10
ASK_PERCENT: Final = 3
ASK_WINDOWS_MAX: Final = 4
_AVERAGE_WINDOWS: Final = 32
_AVERAGE_LEAST: Final = 8
_AVERAGE_MOST_PERCENT: Final = 25
_CLEAN_S: Final = 600


def target_percent(loss_ppm: int) -> int:
    """Parity for a loss in parts per million: ceil(1.4 x) + 1, within 5 to 50."""
    return min(max(-(-14 * loss_ppm // 100_000) + 1, LEAST_PERCENT), MOST_PERCENT)


def next_percent(loss_ppm: int, previous_percent: int, ask_run: int) -> int:
    """Percentage after one window; ``ask_run`` counts windows with asks in a row, this one included."""
    wanted = target_percent(loss_ppm)
    if 1 <= ask_run <= ASK_WINDOWS_MAX:
        wanted = min(wanted + ASK_PERCENT, MOST_PERCENT)
    return max(wanted, previous_percent - 1)


@dataclass(frozen=True, slots=True)
class FrameShape:
    """What a usual frame looks like: data shards of it, of its largest block, and frames a second."""

    data_count: int
    block_data_count: int
    frames_per_s: float


def lasting_percent(loss_ppm: int, shape: FrameShape) -> int:
    """Least percentage (at most 25) at which random loss breaks one frame in ten minutes; 0 without loss."""
    if not loss_ppm:
        return 0
    blocks = max(1.0, shape.data_count / shape.block_data_count)
    allowed = 1 / (shape.frames_per_s * _CLEAN_S * blocks)
    data_count = min(shape.data_count, shape.block_data_count)
    for percent in range(1, _AVERAGE_MOST_PERCENT):
        parity_count = max(2, -(-data_count * percent // 100))
        if broken_share(data_count, parity_count, loss_ppm / 1e6) <= allowed:
            return percent
    return _AVERAGE_MOST_PERCENT


def broken_share(data_count: int, parity_count: int, loss: float) -> float:
    """Probability that a block loses more than ``parity_count`` shards, each with probability ``loss``."""
    total = data_count + parity_count
    if loss <= 0 or loss >= 1:
        return float(loss >= 1)
    log_term = math.lgamma(total + 1) - math.lgamma(parity_count + 2) - math.lgamma(data_count)
    log_term += (parity_count + 1) * math.log(loss) + (data_count - 1) * math.log1p(-loss)
    term = share = math.exp(log_term)
    odds = loss / (1 - loss)
    for lost in range(parity_count + 2, total + 1):
        term *= odds * (total - lost + 1) / lost
        share += term
        if term < share * 1e-9:
            break
    return min(share, 1.0)


class AdaptiveFec:
    """The host's parity percentage. ``fixed`` is an operator's own number: then nothing adapts."""

    def __init__(
        self, percent: int = INITIAL_PERCENT, *, fixed: bool = False, shape: FrameShape | None = None
    ) -> None:
        self.percent = percent
        self.shape = shape
        self._fixed = fixed
        self._ask_run = 0
        self._history: deque[int] = deque(maxlen=_AVERAGE_WINDOWS)

    def on_loss_report(self, loss_ppm: int, *, keyframe_asked: bool) -> int:
        """Parity in percent from now on. ``keyframe_asked``: since the last report, RFIs included."""
        self._ask_run = self._ask_run + 1 if keyframe_asked else 0
        self._history.append(min(loss_ppm, 1_000_000))
        if self._fixed:
            return self.percent
        wanted = next_percent(min(loss_ppm, 1_000_000), self.percent, self._ask_run)
        if self.shape is not None:
            average_ppm = sum(self._history) // max(len(self._history), _AVERAGE_LEAST)
            wanted = max(wanted, lasting_percent(average_ppm, self.shape))
        self.percent = wanted
        return wanted
