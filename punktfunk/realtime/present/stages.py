"""Where the time of a picture went: one row per presented picture, percentiles on request.

    stage       from, to
    ----------  -----------------------------------------------------------
    host        capture .. last packet sent, as the host's timing datagram says
    network     capture .. complete, less the host's part
    reassembly  first packet .. complete
    queue       complete .. decoding began
    decode      decoding began .. decoded
    hold        decoded .. taken for the display
    present     taken .. shown
    total       capture .. shown

A stage that is not known (no host timing, no clock offset yet) is left out of its percentiles.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from punktfunk.realtime.decode.base import DecodedPicture

if TYPE_CHECKING:
    from numpy.typing import NDArray

STAGES: Final = ("host", "network", "reassembly", "queue", "decode", "hold", "present", "total")
ROWS: Final = 600
UNKNOWN: Final = -1
PLAUSIBLE_NS: Final = 10_000_000_000
"""Longer ones are a wrong clock (punktfunk-1 §2.8)."""


class StageTimes(NamedTuple):
    """Percentiles of one stage in ns; ``known_count`` pictures knew it."""

    p50_ns: int
    p99_ns: int
    maximum_ns: int
    known_count: int


class StageRecorder:
    """The last pictures' stages. Written and read by one thread."""

    def __init__(self) -> None:
        self._rows: NDArray[np.int64] = np.full((ROWS, len(STAGES)), UNKNOWN, np.int64)
        self._presented_ns: NDArray[np.int64] = np.zeros(ROWS, np.int64)
        self.count = 0

    def record(self, picture: DecodedPicture, captured_ns: int | None, host_ns: int | None) -> None:
        """Add a presented picture; ``captured_ns`` on this machine's CLOCK_MONOTONIC."""
        unit = picture.unit
        path_ns = UNKNOWN if captured_ns is None else unit.complete_ns - captured_ns
        total_ns = UNKNOWN if captured_ns is None else picture.presented_ns - captured_ns
        host_part_ns = UNKNOWN if host_ns is None else host_ns
        self._rows[self.count % ROWS] = (
            host_part_ns,
            path_ns - max(host_part_ns, 0) if path_ns >= 0 else UNKNOWN,
            unit.complete_ns - unit.first_ns,
            picture.decode_ns - unit.complete_ns,
            picture.decoded_ns - picture.decode_ns,
            picture.taken_ns - picture.decoded_ns,
            picture.presented_ns - picture.taken_ns,
            total_ns,
        )
        self._presented_ns[self.count % ROWS] = picture.presented_ns
        self.count += 1

    def percentiles(self) -> dict[str, StageTimes]:
        """Summarise every stage over the pictures kept."""
        rows = self._rows[: min(self.count, ROWS)]
        found = {}
        for column, stage in enumerate(STAGES):
            values = rows[:, column]
            values = values[(values >= 0) & (values < PLAUSIBLE_NS)]
            if not values.size:
                found[stage] = StageTimes(0, 0, 0, 0)
                continue
            p50, p99 = np.percentile(values, (50, 99))
            found[stage] = StageTimes(round(p50), round(p99), int(values.max()), values.size)
        return found

    def median_total_ns(self, last: int = 60) -> int | None:
        """Capture to screen of the last pictures, for the sound to follow; None while unknown."""
        rows = min(self.count, ROWS, last)
        if not rows:
            return None
        places = np.arange(self.count - rows, self.count) % ROWS
        values = self._rows[places, len(STAGES) - 1]
        values = values[(values >= 0) & (values < PLAUSIBLE_NS)]
        return int(np.median(values)) if values.size else None

    def cadence(self) -> tuple[float, int]:
        """Pictures per second, and p99 of how far apart two were shown, in ns, over those kept."""
        rows = min(self.count, ROWS)
        if rows < 2:
            return 0.0, 0
        times = np.sort(self._presented_ns[:rows])
        steps = np.diff(times)
        span_ns = int(times[-1] - times[0])
        return (rows - 1) * 1e9 / max(span_ns, 1), round(float(np.percentile(steps, 99)))
