"""Measure what the decoders over GF(2^16) cost on this machine, and fit the words of their cost model to it.

The model is linear (``kernels.choose16``), so asking it with one word at 1 and the others at 0 gives the
factor of that word. Relative errors are minimised, as the model must tell decoders of a small block apart as
well as those of a large one, and no cost may be negative.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.code16 import Code16, entry_at
from punktfunk.realtime.decoder16 import Costs
from punktfunk.realtime.kernels.choose16 import estimate
from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.kernels.layout16 import CODE16_WORD_COUNT
from punktfunk.realtime.kernels.layout_decode import CHOOSE, CHOOSE_CONTEXT, COST_WORD_COUNT, TRANSPOSED
from punktfunk.realtime.kernels.repeat import choose_always, repeat_entry
from punktfunk.realtime.reference import memory

_BATCH_NS = 200_000  # calls are timed in batches at least that long
_LONGEST_NS = 20_000_000  # a decoder that must take longer than that is not worth measuring: others win


@dataclass(frozen=True, slots=True)
class Case:
    """A code, and how many of its data shards are missing."""

    data_count: int
    parity_count: int
    missing_count: int
    shard_bytes: int = 1408


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one decoder took for a case, and how long by the fitted model."""

    case: Case
    decoder: int
    measured_ns: float
    model_ns: float


@dataclass(frozen=True, slots=True)
class Fit:
    """Costs of this machine, and what they were fitted to."""

    costs: Costs
    timings: tuple[Timing, ...]

    def regret(self) -> float:
        """How much longer what the model takes needs than the best: the ratio of the worst case."""
        worst = 1.0
        for case in {timing.case for timing in self.timings}:
            mine = [timing for timing in self.timings if timing.case == case]
            taken = min(mine, key=lambda timing: timing.model_ns)
            worst = max(worst, taken.measured_ns / min(timing.measured_ns for timing in mine))
        return worst


CASES = (
    *(Case(20, 4, count) for count in (1, 2, 4)),
    *(Case(50, 10, count) for count in (1, 3, 10)),
    *(Case(100, 20, count) for count in (2, 8, 20)),
    *(Case(200, 40, count) for count in (1, 4, 10, 40)),
    *(Case(500, 100, count) for count in (2, 20, 100)),
    *(Case(1000, 200, count) for count in (1, 3, 50, 200)),
    *(Case(40, 200, count) for count in (4, 40)),
    Case(20, 4, 3, 64),
    Case(200, 40, 20, 256),
)
Timer = Callable[[Case, tuple[int, ...]], list[float]]


def fit(cases: Iterable[Case] = CASES, *, timer: Timer | None = None) -> Fit:
    """Time all decoders for all cases, a few seconds in all, and fit the costs.

    ``timer`` gives the ns that some decoders take for a case; the default runs them.
    """
    timed = []
    for case in cases:
        decoders = tuple(d for d in range(TRANSPOSED + 1) if _model_ns(Costs(), case, d) < _LONGEST_NS)
        timed += [
            (case, *pair) for pair in zip(decoders, (timer or time_decoders)(case, decoders), strict=True)
        ]
    factors = np.array([_factors(case, decoder) for case, decoder, _ in timed], np.float64)
    measured = np.array([ns for _, _, ns in timed])
    values = _least_squares(factors / measured[:, None], np.ones(len(timed)))
    names = [field.name for field in fields(Costs)]
    costs = Costs(**dict(zip(names, map(float, values), strict=True)))
    return Fit(costs, tuple(Timing(c, d, ns, _model_ns(costs, c, d)) for c, d, ns in timed))


def time_decoders(case: Case, decoders: tuple[int, ...], rounds: int = 7) -> list[float]:
    """Least time of each decoder in ns; they take turns, as other work only ever makes one slower."""
    random = np.random.default_rng(case.missing_count)
    shape = case.data_count, case.parity_count, case.shard_bytes
    data = random.integers(0, 256, (case.data_count, case.shard_bytes), dtype=np.uint8)
    parity = random.integers(0, 256, (case.parity_count, case.shard_bytes), dtype=np.uint8)
    present = np.ones(case.data_count + case.parity_count, np.uint8)
    present[random.permutation(case.data_count)[: case.missing_count]] = 0
    code, answer = Code16(*shape), np.zeros(1, np.int64)
    address = code.decode_address
    words = memory.words_at(code.context, CODE16_WORD_COUNT)
    words[CHOOSE], words[CHOOSE_CONTEXT] = address_of_entry(choose_always), answer.ctypes.data
    arguments = np.array(
        [code.context, data.ctypes.data, data.strides[0], parity.ctypes.data, parity.strides[0],
         present.ctypes.data, *shape], np.int64,
    )  # fmt: skip
    best, times = [float("inf")] * len(decoders), [1] * len(decoders)
    for _ in range(rounds):
        for index, decoder in enumerate(decoders):
            answer[0] = decoder
            start = perf_counter_ns()
            repeat_entry(address, arguments, times[index])
            took = perf_counter_ns() - start
            best[index] = min(best[index], took / times[index])
            times[index] = max(times[index], min(1000, int(_BATCH_NS / best[index])))
    return best


_estimate = entry_at(address_of_entry(estimate), 6)


def _asked(words: NDArray[np.int64], case: Case, decoder: int) -> int:
    counts = case.data_count, case.parity_count, case.missing_count, case.shard_bytes
    return _estimate(words.ctypes.data, *counts, decoder)


def _factors(case: Case, decoder: int) -> list[int]:
    """How often each word counts."""
    return [_asked(row, case, decoder) for row in np.eye(COST_WORD_COUNT, dtype=np.int64)]


def _model_ns(costs: Costs, case: Case, decoder: int) -> float:
    values = [getattr(costs, field.name) for field in fields(costs)]
    return float(np.dot(_factors(case, decoder), values))


def _least_squares(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve matrix * x = right as well as possible with no x below 0: leave out what would be."""
    used = np.ones(matrix.shape[1], bool)
    while True:
        values = np.zeros(matrix.shape[1])
        values[used] = np.linalg.lstsq(matrix[:, used], right, rcond=None)[0]
        if (values >= 0).all():
            return values
        used[np.argmin(values)] = False
