"""Parity: the protocol's numbers, and the floor from the average loss."""

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control.adapt.fec import (
    LEAST_PERCENT,
    MOST_PERCENT,
    AdaptiveFec,
    FrameShape,
    broken_share,
    lasting_percent,
    next_percent,
    target_percent,
)


@pytest.mark.parametrize(
    ("ppm", "percent"), [(0, 5), (1, 5), (30_000, 6), (50_000, 8), (100_000, 15), (1_000_000, 50)]
)
def test_target(ppm, percent):
    assert target_percent(ppm) == percent


def test_asks_raise_it_four_windows_long():
    percent, seen = 5, []
    for run in range(1, 7):
        percent = next_percent(3000, percent, run)
        seen.append(percent)
    assert seen == [8, 8, 8, 8, 7, 6]


def test_it_sinks_by_one_a_window():
    assert next_percent(0, 12, 0) == 11


def test_the_same_by_reports():
    fec = AdaptiveFec(5)
    assert [fec.on_loss_report(3000, keyframe_asked=True) for _ in range(6)] == [8, 8, 8, 8, 7, 6]
    assert fec.on_loss_report(3000, keyframe_asked=False) == 5
    assert fec.on_loss_report(3000, keyframe_asked=True) == 8  # a new run


def test_an_operators_percentage_stays():
    fec = AdaptiveFec(20, fixed=True)
    assert fec.on_loss_report(500_000, keyframe_asked=True) == 20


@given(st.lists(st.tuples(st.integers(0, 1 << 40), st.booleans()), max_size=60))
@settings(max_examples=40)
def test_it_stays_within_its_bounds(windows):
    fec, before = AdaptiveFec(shape=FrameShape(500, 500, 120.0)), 10
    for ppm, asked in windows:
        percent = fec.on_loss_report(ppm, keyframe_asked=asked)
        assert LEAST_PERCENT <= percent <= MOST_PERCENT
        assert percent >= before - 1
        before = percent


def test_broken_share_is_the_binomial_tail():
    for data, parity, loss in ((10, 2, 0.05), (50, 10, 0.1), (3, 2, 0.5), (200, 10, 0.01)):
        total = data + parity
        exact = sum(
            math.comb(total, lost) * loss**lost * (1 - loss) ** (total - lost)
            for lost in range(parity + 1, total + 1)
        )
        assert broken_share(data, parity, loss) == pytest.approx(exact, rel=1e-6)
    assert broken_share(10, 2, 0.0) == 0
    assert broken_share(10, 2, 1.0) == 1


def test_lasting_parity_keeps_ten_minutes_whole():
    shape = FrameShape(data_count=100, block_data_count=4096, frames_per_s=60)
    percent = lasting_percent(10_000, shape)
    assert 3 < percent < 25
    frames = 60 * 600
    assert broken_share(100, math.ceil(100 * percent / 100), 0.01) * frames <= 1
    assert broken_share(100, math.ceil(100 * (percent - 1) / 100), 0.01) * frames > 1
    assert lasting_percent(0, shape) == 0
    assert lasting_percent(400_000, shape) == 25


def test_average_counts_only_from_a_full_history():
    """One bad window of 32 is a thirty-second of it."""
    fec = AdaptiveFec(5, shape=FrameShape(100, 4096, 60.0))
    for _ in range(31):
        fec.on_loss_report(0, keyframe_asked=False)
    assert fec.on_loss_report(32_000, keyframe_asked=False) >= lasting_percent(
        1000, FrameShape(100, 4096, 60.0)
    )


def test_a_simulated_link_agrees_with_the_formula():
    random, data, parity, loss = Random(1), 40, 4, 0.05
    rounds = 4000
    broken = sum(sum(random.random() < loss for _ in range(data + parity)) > parity for _ in range(rounds))
    assert broken / rounds == pytest.approx(broken_share(data, parity, loss), abs=0.02)
