"""The statistics of paired timings, on made-up times and a made-up clock."""

import json
from dataclasses import replace

import numpy as np
import pytest

from punktfunk.measure import paired
from punktfunk.measure.floors import FEC, MEMCPY, Floor, judged


class Clock:
    """A nanosecond clock that only works move; notes who ran, and how often in a row."""

    def __init__(self, monkeypatch):
        self.now_ns = 0
        self.calls = []
        monkeypatch.setattr(paired, "wall_ns", self.read)

    def read(self):
        return self.now_ns

    def work(self, name, cost_ns):
        def run(count):
            self.calls.append((name, count))
            self.now_ns += count * cost_ns

        return run


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_noise_that_meets_both_sides_of_a_round_leaves_no_trace():
    noise = np.random.default_rng(1).lognormal(0, 1, 200)
    row = paired.paired("x", "case", "us", "other", 3 * noise, noise)
    assert (row.ratio, row.low, row.high) == pytest.approx((3, 3, 3))
    assert row.ours == pytest.approx(np.median(noise))
    assert (row.ours_least, row.baseline_least) == pytest.approx((noise.min(), 3 * noise.min()))


def test_a_few_disturbed_rounds_do_not_move_the_median():
    theirs, ours = np.full(60, 4.0), np.full(60, 2.0)
    ours[:5] = 1000
    row = paired.paired("x", "case", "us", "other", theirs, ours)
    assert (row.ratio, row.low, row.high) == (2, 2, 2)


def test_the_interval_holds_the_median_as_often_as_it_says():
    random = np.random.default_rng(2)
    inside = 0
    for _ in range(100):
        _, low, high = paired.interval(random.normal(5, 1, 40))
        inside += low <= 5 <= high
    assert 88 <= inside <= 100  # 95 expected; fixed seeds


def test_an_interval_is_the_same_every_time():
    values = np.random.default_rng(3).normal(1, 0.1, 30)
    assert paired.interval(values) == paired.interval(values)
    median, low, high = paired.interval(values)
    assert low <= median <= high


def test_order_flips_with_every_round(clock):
    baseline, ours = clock.work("baseline", 10), clock.work("ours", 10)
    paired.measure(lambda: baseline(1), lambda: ours(1), rounds=4, repeats=2)
    names = [name for name, _ in clock.calls[2:]]
    assert names == ["ours"] * 2 + ["baseline"] * 4 + ["ours"] * 4 + ["baseline"] * 4 + ["ours"] * 2


def test_works_are_repeated_until_a_turn_lasts_long_enough(clock):
    theirs_s, ours_s = paired.measure_works(
        clock.work("baseline", 30_000), clock.work("ours", 7), rounds=6, timed_s=1e-3, clock=clock.read
    )
    assert theirs_s.tolist() == pytest.approx([30e-6] * 6)
    assert ours_s.tolist() == pytest.approx([7e-9] * 6)
    counts = dict(clock.calls[-12:])
    assert 1e6 / 30_000 <= counts["baseline"] < 4e6 / 30_000
    assert 1e6 / 7 <= counts["ours"] < 4e6 / 7


def test_a_slow_work_is_called_once_a_turn(clock):
    paired.measure_works(clock.work("baseline", 10**7), clock.work("ours", 10**8), rounds=2, clock=clock.read)
    assert {count for _, count in clock.calls} == {1}


def test_compare_works_makes_a_row_in_microseconds(clock):
    row = paired.compare_works(
        "fec", "20:4", "memcpy", clock.work("b", 500), clock.work("o", 1000),
        rounds=5, work_bytes=28160, clock=clock.read,
    )  # fmt: skip
    assert (row.ours, row.baseline, row.ratio) == pytest.approx((1.0, 0.5, 0.5))
    assert (row.unit, row.baseline_name, row.work_bytes) == ("us", "memcpy", 28160)


def test_looped_calls_as_often_as_asked():
    calls = []
    paired.looped(lambda: calls.append(1))(7)
    assert len(calls) == 7


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (1.01, 1.2, "faster"),
        (0.8, 0.99, "slower"),
        (0.9, 1.1, "no difference shown"),
        (1, 1, "no difference shown"),
    ],
)
def test_verdicts(low, high, words):
    assert paired.verdict(low, high) == words


def test_floors_are_met_by_medians():
    row = paired.paired("fec", "gf16 encode 20:4", "us", MEMCPY, np.full(5, 0.6), np.full(5, 1.0))
    assert row.met is None
    assert judged(row, FEC).met is True
    assert judged(row, FEC, asked=False).met is None
    slower = paired.paired("fec", "gf16 encode 20:4", "us", MEMCPY, np.full(5, 0.59), np.full(5, 1.0))
    assert judged(slower, FEC).met is False
    late = paired.single("frame", "late frames", "", 0)
    floors = {("late frames", ""): Floor(0, "ours")}
    assert judged(late, floors).met is True
    assert judged(paired.single("frame", "late frames", "", 1), floors).met is False
    assert judged(paired.single("frame", "other", "", 1), floors).floor is None


@pytest.mark.parametrize(
    ("ours", "control", "judgement"),
    [
        (0, None, "met"),
        (0, 3, "met"),
        (1, None, "MISSED"),
        (1, 0, "MISSED"),
        (9, 1, "MISSED (control too)"),
    ],
)
def test_a_miss_says_whether_the_control_misses_too(ours, control, judgement):
    floors = {("late frames", ""): Floor(0, "ours")}
    row = judged(paired.single("frame", "late frames", "", ours), floors, control=control)
    assert row.judgement == judgement
    assert row.as_json()["judgement"] == judgement
    assert row.as_json()["control"] == control


def test_a_control_stands_in_rows_that_have_no_floor():
    row = judged(paired.single("frame", "late frames", "", 1), {}, control=2.0)
    assert (row.control, row.judgement) == (2.0, None)


def test_rows_survive_json():
    row = judged(
        paired.single("frame", "late", "", 1, np.ones(3)), {("late", ""): Floor(0, "ours")}, control=1
    )
    assert paired.Row.from_json(json.loads(json.dumps(row.as_json()))) == row


def test_a_floor_inside_the_interval_is_doubtful():
    row = paired.Row("fec", "case", "us", 1, 1, "memcpy", 5.2, 4.9, 5.5, floor=5.0)
    assert row.met
    assert row.doubtful
    assert not replace(row, low=5.0).doubtful
    assert not replace(row, ratio=4.0, low=3.9, high=4.9).doubtful
    assert not replace(row, floor=None).doubtful
    assert not replace(row, floor_on="ours").doubtful


def test_samples_are_kept_as_plain_numbers():
    row = paired.single("frame", "case", "us", 2.0, np.array([1.0, 2.0, 3.0]))
    assert row.samples == (1.0, 2.0, 3.0)
    assert row.as_json()["met"] is None
