"""Waits between the starts of something that keeps dying."""

from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control.desktop.backoff import Backoff


def test_waits_double_up_to_the_limit():
    backoff = Backoff(first_s=0.25, most_s=30, calm_s=60)
    waits = [backoff.died(now_s) for now_s in range(10)]
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_calm_minute_forgives():
    backoff = Backoff()
    backoff.died(0.0)
    backoff.died(1.0)
    backoff.started(10.0)
    assert backoff.died(69.9) > 0.5
    backoff.started(70.0)
    assert backoff.died(130.0) == 0.25


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1000), max_size=200))
def test_waits_stay_within_their_bounds(gaps):
    backoff, now_s = Backoff(), 0.0
    for gap_s in [*gaps, *[0.0] * 1100]:
        now_s += gap_s
        assert backoff.first_s <= backoff.died(now_s) <= backoff.most_s
