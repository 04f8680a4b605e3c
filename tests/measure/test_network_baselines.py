"""Whole evenings under the virtual clock against stored results, and what must hold whatever the numbers."""

import json
from pathlib import Path

import pytest

from punktfunk.measure.network.host_model import SECOND_NS, StreamSettings
from punktfunk.measure.network.link import LinkSettings
from punktfunk.measure.network.scenarios import SCENARIOS, summary
from punktfunk.measure.network.world import simulate

BASELINES = json.loads((Path(__file__).parents[1] / "golden" / "adapt_baselines.json").read_text("utf-8"))
QUICK = (
    "bursts of eight, 1 %",
    "an encoder that takes invalidations, 2 % loss in bursts",
)


def test_every_scenario_has_a_baseline():
    assert list(BASELINES) == list(SCENARIOS)


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SCENARIOS]
)
def test_it_goes_as_it_went(name):
    """After a change that is wanted: python scripts/adapt_baselines.py."""
    assert summary(SCENARIOS[name].run()) == BASELINES[name]


def test_the_baselines_are_good_ones():
    """What the stored runs must show, so that nobody stores a bad one unseen."""
    rate = {name: values["kbps"] for name, values in BASELINES.items()}
    assert rate["wired: nothing in the way"][5] > 7500
    assert rate["Wi-Fi: 1 % random loss"][-1] > 7500
    assert rate["Wi-Fi: 4 % random loss that no cut lessens"][-1] > 7500
    wall = rate["wall at 5 Mbit/s, half a second of queue"]
    assert 3500 < sum(wall[-20:]) / 20 < 4700
    back = rate["the link drops to a third and comes back"]
    assert min(back[16:32]) <= 2500
    assert max(back[-20:]) > 6000
    assert sum(values["lost"] for values in BASELINES.values()) < 160


STREAM = StreamSettings(bitrate_kbps=12_000, refresh_hz=30, fec_percent=25, audio_kbps=0)


def test_five_percent_loss_with_25_percent_parity_loses_nothing():
    outcome = simulate(STREAM, LinkSettings(loss_ppm=50_000), 6 * SECOND_NS)
    assert outcome.lost_packets > 100
    assert outcome.lost_frames == 0
    assert outcome.recovered_shards > 50


def test_no_loss_needs_no_parity_and_reordering_none_either():
    outcome = simulate(STREAM, LinkSettings(reorder_ppm=30_000, jitter_ns=2_000_000), 3 * SECOND_NS)
    assert outcome.lost_frames == 0
    assert outcome.freezes == 0
    assert outcome.late_shards > 0


def test_a_dead_link_is_nothing_but_asks():
    outcome = simulate(STREAM, LinkSettings(loss_ppm=1_000_000), 6 * SECOND_NS)
    assert outcome.frames == []
    assert outcome.asks == 2
    assert outcome.lost_frames == outcome.sent_frames > 0
