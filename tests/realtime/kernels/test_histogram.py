from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from punktfunk.realtime.histogram import Histogram
from punktfunk.realtime.kernels import histogram as kernels
from punktfunk.realtime.kernels.layout import BAD_SIZE, HISTOGRAM_WORD_COUNT
from punktfunk.realtime.reference import histogram as reference

LIMIT_NS = 1 << 40
VALUES = st.one_of(
    st.integers(-10, 5000), st.integers(0, LIMIT_NS - 1), st.integers(0, 39).map(lambda octave: 1 << octave)
)


def test_every_bucket_begins_where_the_last_one_ends() -> None:
    bounds = [reference.lowest_ns(bucket) for bucket in range(reference.BUCKET_COUNT + 1)]
    assert bounds[0] == 0
    assert bounds[-1] == LIMIT_NS
    for bucket, (low, end) in enumerate(pairwise(bounds)):
        assert low < end <= low + max(low // 64, 1)
        assert kernels.bucket_of(low) == kernels.bucket_of(end - 1) == bucket


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_bucket_of_equals_its_twin(value_ns: int) -> None:
    assert kernels.bucket_of(value_ns) == reference.bucket_of(value_ns)


@given(st.lists(VALUES, max_size=40))
def test_record_equals_its_twin(values: list[int]) -> None:
    left, right = (np.zeros(HISTOGRAM_WORD_COUNT, np.int64) for _ in range(2))
    for value_ns in values:
        assert kernels.record(left, value_ns) == reference.record(right, value_ns) == 0
    assert np.array_equal(left, right)
    assert kernels.record(left[:-1], 1) == reference.record(left[:-1], 1) == BAD_SIZE


class HistogramModel(RuleBasedStateMachine):
    """A sorted list of everything that was recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.histogram, self.values = Histogram(), []

    @rule(value_ns=VALUES)
    def record(self, value_ns: int) -> None:
        self.histogram.record(value_ns)
        self.values.append(max(value_ns, 0))

    @rule(values=st.lists(VALUES, max_size=5))
    def merge(self, values: list[int]) -> None:
        other = Histogram()
        for value_ns in values:
            other.record(value_ns)
        self.histogram.merge(other)
        self.values += [max(value_ns, 0) for value_ns in values]

    @rule()
    def go_on_with_a_copy(self) -> None:
        copied = self.histogram.copy()
        self.histogram.record(1)
        self.histogram = copied

    @rule(percent=st.floats(0, 100))
    def percentile(self, percent: float) -> None:
        got = self.histogram.percentile_ns(percent)
        if not self.values:
            assert got == 0
            return
        exact = sorted(self.values)[max(int(np.ceil(len(self.values) * percent / 100)), 1) - 1]
        assert exact <= got <= exact + exact // 64

    @invariant()
    def extremes_and_mean_are_exact(self) -> None:
        assert self.histogram.count == len(self.values)
        assert self.histogram.minimum_ns == min(self.values, default=0)
        assert self.histogram.maximum_ns == max(self.values, default=0)
        assert self.histogram.mean_ns == pytest.approx(sum(self.values) / max(len(self.values), 1))


TestHistogramModel = HistogramModel.TestCase
TestHistogramModel.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_values_beyond_the_last_bucket_are_in_it_and_exact_as_extremes() -> None:
    counted = Histogram()
    for value_ns in (LIMIT_NS * 8, 5):
        counted.record(value_ns)
    assert counted.percentile_ns(100) == LIMIT_NS - 1
    assert counted.percentile_ns(50) == 5
    assert counted.maximum_ns == LIMIT_NS * 8
