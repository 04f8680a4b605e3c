"""A made-up link does what its settings say, and the same each time."""

import itertools

import pytest

from punktfunk.errors import Misuse
from punktfunk.measure.network.link import Link, LinkSettings

MS = 1_000_000


def fates(settings, count=20_000, every_ns=100_000, seed=1):
    link = Link(settings, seed)
    return [link.send(place * every_ns, 1472) for place in range(count)]


def runs(lost):
    return [len(list(group)) for gone, group in itertools.groupby(lost) if gone]


def test_nothing_happens_on_a_clean_link():
    assert fates(LinkSettings(), 100) == [(place * 100_000 + 5 * MS,) for place in range(100)]


@pytest.mark.parametrize("burst", [1, 4, 12])
def test_loss_and_its_bursts(burst):
    lost = [not fate for fate in fates(LinkSettings(loss_ppm=50_000, burst_packets=burst), 90_000)]
    assert sum(lost) / len(lost) == pytest.approx(0.05, abs=0.01)
    assert sum(runs(lost)) / len(runs(lost)) == pytest.approx(max(burst, 1.05), rel=0.15)


def test_a_rate_limit_delays_and_then_drops():
    settings = LinkSettings(rate_kbps=12_000, queue_ns=20 * MS, delay_ns=0)
    seen = fates(settings, 200, every_ns=500_000)  # twice what the link carries
    arrivals = [fate[0] for fate in seen if fate]
    assert arrivals[0] == 1_000_000
    assert all(later - earlier >= 1_000_000 for earlier, later in itertools.pairwise(arrivals))
    assert max(fate[0] - place * 500_000 for place, fate in enumerate(seen) if fate) <= 21 * MS
    assert 60 < sum(not fate for fate in seen) < 100


def test_capacity_changes():
    settings = LinkSettings(rate_kbps=12_000, capacity=((50 * MS, 1200),), delay_ns=0)
    link = Link(settings, 1)
    assert link.send(0, 1472) == (1_000_000,)
    assert link.send(50 * MS, 1472) == (60 * MS,)


def test_jitter_keeps_the_order_and_reordering_does_not():
    steady = [fate[0] for fate in fates(LinkSettings(jitter_ns=4 * MS), 2000)]
    assert steady == sorted(steady)
    mixed = [fate[0] for fate in fates(LinkSettings(reorder_ppm=100_000, reorder_ns=3 * MS), 2000)]
    late = sum(later < earlier for earlier, later in itertools.pairwise(mixed))
    assert 120 < late < 280


def test_duplicates_and_stalls():
    assert sum(len(fate) == 2 for fate in fates(LinkSettings(duplicate_ppm=500_000), 1000)) > 400
    stalled = Link(LinkSettings(stall_every_ns=100 * MS, stall_ns=30 * MS, delay_ns=0), 1)
    assert [stalled.send(at * MS, 100)[0] // MS for at in (50, 101, 129, 140)] == [50, 130, 130, 140]


def test_the_same_seed_gives_the_same_fates():
    settings = LinkSettings(loss_ppm=30_000, jitter_ns=MS, reorder_ppm=10_000, duplicate_ppm=10_000)
    assert fates(settings, 2000) == fates(settings, 2000)
    assert fates(settings, 2000) != fates(settings, 2000, seed=2)


@pytest.mark.parametrize(
    "settings",
    [
        LinkSettings(loss_ppm=-1),
        LinkSettings(burst_packets=0),
        LinkSettings(loss_ppm=900_000, burst_packets=2),
    ],
)
def test_what_no_network_does(settings):
    with pytest.raises(Misuse):
        Link(settings, 1)
