"""The shared clock: the protocol's numbers, series with and without answers, resyncs."""

import pytest

from punktfunk.control.adapt.clock_sync import (
    ClockSeries,
    ClockSync,
    acceptable,
)
from punktfunk.wire.native.clock import Offset

MS = 1_000_000


@pytest.mark.parametrize(
    ("rtt", "floor", "good"),
    [
        (14e6, 10e6, True),
        (16e6, 10e6, False),
        (1.9e6, 0.2e6, True),
        (2.1e6, 0.2e6, False),
        (15e6, 10e6, True),
        (2e6, 0, True),
    ],
)
def test_accepted_series(rtt, floor, good):
    assert acceptable(int(rtt), int(floor)) is good


def test_three_refusals_apply_the_best_of_them():
    sync = ClockSync(Offset(0, 400_000), 0)
    assert sync.offer(Offset(1, 1_500_000)) is not None
    assert sync.offer(Offset(2, 300_000)) is not None
    assert sync.offer(Offset(3, 6_000_000)) is None
    assert sync.offer(Offset(4, 4_000_000)) is None
    assert sync.offer(Offset(5, 5_000_000)) == Offset(4, 4_000_000)
    assert sync.offset_ns == 4
    assert sync.floor_ns == 300_000


def run(series, rtts, spacing=0):
    now = 0
    for t1, rtt in enumerate(rtts):
        assert series.next_ns == now
        series.begin_round(t1, now)
        assert series.next_ns is None
        series.on_echo(t1 + 1000, 0, 0, 0, now)  # of another series
        assert series.next_ns is None
        series.on_echo(t1, t1, t1, t1 + rtt, now)
        now += spacing
    return series


def test_eight_rounds_and_the_best_counts():
    series = run(ClockSeries(0), [9, 8, 7, 3, 5, 6, 7, 8])
    assert series.over
    assert series.best().rtt_ns == 3


def test_a_round_without_answer_ends_the_series():
    series = run(ClockSeries(0), [9, 8])
    series.begin_round(2, 0)
    assert series.deadline_ns() == 2000 * MS
    series.tick(1999 * MS)
    assert not series.over
    series.tick(2000 * MS)
    assert series.over
    assert series.best().rtt_ns == 8
    assert ClockSeries(0).best() is None


def test_resyncs_keep_seven_milliseconds_between_rounds():
    sync = ClockSync(Offset(5, 100), 0)
    assert sync.due_ns == 60_000 * MS
    series = run(sync.start(0), [50] * 8, spacing=7 * MS)
    assert series.over
    assert sync.finish()
    assert sync.rtt_ns == 50
    assert not sync.finish()
