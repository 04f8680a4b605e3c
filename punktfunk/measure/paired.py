"""Compare two works honestly: both in every round, order flipped each time. And the row that comes of it.

A ratio is baseline's time over ours, so above 1 ours is faster; against a memcpy it is our share of memcpy's
speed. It is the median of the rounds' own ratios, and its interval is the 95 % bootstrap interval of that
median: what else the machine does meets both sides of a round. Minima stand beside the medians, as the figure
that a busy machine disturbs least.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from time import perf_counter_ns, thread_time_ns
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

RESAMPLE_COUNT = 2000
TIMED_S = 1e-3
"""What one side of a round lasts at least, where counts are found by ``measure_works``: a thousand times the
clock's own cost, and short enough for both sides of a round to meet the same neighbours."""

Clock = Callable[[], int]
"""Nanoseconds: ``wall_ns``, or ``own_ns``, which stands still while other processes have the CPU."""
wall_ns: Clock = perf_counter_ns
own_ns: Clock = thread_time_ns

Work = Callable[[int], object]
"""Does the same thing so many times in a row."""
F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a benchmark's result: medians in ``unit``, with what they are compared to.

    ratio, low, high    baseline / ours where ``unit`` is a time, and its 95 % interval; None without baseline
    ours_least, baseline_least    minima over the rounds, in ``unit``
    mode                SIMD mode of the kernels; empty where none took part
    work_bytes          payload of one call, for GB/s; 0 where that says nothing
    floor, floor_on     what ``ratio`` must reach, or what ``ours`` may be at most; None: nothing is asked
    control             what a control without punktfunk came to in the same run, in ``unit``
    samples             single measurements in ``unit`` where their distribution is the result
    """

    name: str
    case: str
    unit: str
    ours: float
    baseline: float | None
    baseline_name: str
    ratio: float | None
    low: float | None
    high: float | None
    ours_least: float | None = None
    baseline_least: float | None = None
    mode: str = ""
    work_bytes: int = 0
    floor: float | None = None
    floor_on: Literal["ratio", "ours"] = "ratio"
    control: float | None = None
    samples: tuple[float, ...] = ()

    @property
    def met(self) -> bool | None:
        """Whether the median keeps to the floor; None where there is none."""
        if self.floor is None:
            return None
        if self.floor_on == "ours":
            return self.ours <= self.floor
        return self.ratio is not None and self.ratio >= self.floor

    @property
    def doubtful(self) -> bool:
        """Whether the floor lies inside the interval, so that another run may say otherwise."""
        if self.low is None or self.high is None or self.floor is None or self.floor_on == "ours":
            return False
        return self.low < self.floor <= self.high

    @property
    def judgement(self) -> str | None:
        """``met``, ``MISSED``, or ``MISSED (control too)``: then the machine keeps nobody to this floor."""
        if self.floor is None or self.met:
            return None if self.floor is None else "met"
        control_missed = self.floor_on == "ours" and self.control is not None and self.control > self.floor
        return "MISSED (control too)" if control_missed else "MISSED"

    def as_json(self) -> dict[str, Any]:
        """Every field, and what became of the floor: ``met`` and ``judgement``."""
        return asdict(self) | {"met": self.met, "judgement": self.judgement}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Make a row of what ``as_json`` left."""
        found = {key: value for key, value in values.items() if key not in ("met", "judgement")}
        return cls(**found | {"samples": tuple(found["samples"])})


def measure(
    baseline: Callable[[], object], ours: Callable[[], object], *, rounds: int = 60, repeats: int = 1
) -> tuple[F64, F64]:
    """Time both in every round, flipping which goes first: seconds per call of both, per round."""
    baseline()
    ours()
    return _rounds(looped(baseline), looped(ours), (repeats, repeats), rounds, wall_ns)


def measure_works(
    baseline: Work, ours: Work, *, rounds: int = 60, timed_s: float = TIMED_S, clock: Clock = wall_ns
) -> tuple[F64, F64]:
    """Do as ``measure``, with counts for each side that make it last about ``timed_s`` by ``clock``."""
    counts = _count_for(baseline, timed_s, clock), _count_for(ours, timed_s, clock)
    return _rounds(baseline, ours, counts, rounds, clock)


def _rounds(
    baseline: Work, ours: Work, counts: tuple[int, int], rounds: int, clock: Clock
) -> tuple[F64, F64]:
    spent_s = np.empty((2, rounds))
    works = (baseline, ours)
    for turn in range(rounds):
        for which in (0, 1) if turn % 2 else (1, 0):
            work, count = works[which], counts[which]
            started_ns = clock()
            work(count)
            spent_s[which, turn] = (clock() - started_ns) / count / 1e9
    return spent_s[0], spent_s[1]


def _count_for(work: Work, timed_s: float, clock: Clock) -> int:
    """How many times in a row last about so long; the first call, which may fill caches, does not count."""
    work(1)
    count = 1
    while True:
        started_ns = clock()
        work(count)
        spent_s = (clock() - started_ns) / 1e9
        if spent_s >= timed_s:
            return count
        count = max(count + 1, min(count * 10, int(count * timed_s / max(spent_s, 1e-9) * 1.2)))


def looped(call: Callable[[], object]) -> Work:
    """Make a work of something that is called from Python each time."""

    def work(count: int) -> None:
        for _ in range(count):
            call()

    return work


def interval(values: F64) -> tuple[float, float, float]:
    """Median of some values, and its 95 % bootstrap interval."""
    resampled = np.random.default_rng(0).choice(values, (RESAMPLE_COUNT, len(values)))
    low, high = np.quantile(np.median(resampled, axis=1), (0.025, 0.975))
    return float(np.median(values)), float(low), float(high)


def verdict(low: float, high: float) -> str:
    """Say what an interval of ratios shows: ``faster``, ``slower`` or ``no difference shown``."""
    if low > 1:
        return "faster"
    return "slower" if high < 1 else "no difference shown"


def compare(
    name: str,
    case: str,
    baseline_name: str,
    baseline: Callable[[], object],
    ours: Callable[[], object],
    *,
    rounds: int = 60,
    repeats: int = 1,
) -> Row:
    """Time two calls and make a row in microseconds."""
    theirs_s, ours_s = measure(baseline, ours, rounds=rounds, repeats=repeats)
    return paired(name, case, "us", baseline_name, theirs_s * 1e6, ours_s * 1e6)


def compare_works(
    name: str,
    case: str,
    baseline_name: str,
    baseline: Work,
    ours: Work,
    *,
    rounds: int,
    work_bytes: int = 0,
    clock: Clock = wall_ns,
) -> Row:
    """Time two works and make a row in microseconds for each time that they did it."""
    theirs_s, ours_s = measure_works(baseline, ours, rounds=rounds, clock=clock)
    row = paired(name, case, "us", baseline_name, theirs_s * 1e6, ours_s * 1e6)
    return replace(row, work_bytes=work_bytes)


def paired(name: str, case: str, unit: str, baseline_name: str, theirs: F64, ours: F64) -> Row:
    """Make a row of two measurements per round, both in ``unit``."""
    ratio, low, high = interval(theirs / ours)
    return Row(
        name,
        case,
        unit,
        float(np.median(ours)),
        float(np.median(theirs)),
        baseline_name,
        ratio,
        low,
        high,
        float(ours.min()),
        float(theirs.min()),
    )


def single(name: str, case: str, unit: str, value: float, samples: F64 | None = None) -> Row:
    """Make a row of something that has no baseline."""
    kept = () if samples is None else tuple(float(sample) for sample in samples)
    return Row(name, case, unit, value, None, "", None, None, None, samples=kept)
