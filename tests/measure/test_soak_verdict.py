"""What the soak calls growth. The soak itself: ``nox -s soak``."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "soak.py"
STILL = {
    "descriptors": 34,
    "threads": 4,
    "children": 5,
    "outputs": 1,
    "nodes": 3,
    "journal": 2,
    "host_kib": 400_000,
    "compositor_kib": 19_000,
    "restarts": 0,
}


@pytest.fixture(scope="module")
def soak():
    spec = importlib.util.spec_from_file_location("soak_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def readings(count, **change):
    """A row for each client; ``change`` maps a name to a function of the row's number."""
    return [
        STILL | {"cycle": number} | {name: by(number) for name, by in change.items()}
        for number in range(count)
    ]


def test_what_stays_is_fine(soak):
    assert soak.growth(readings(40)) == []


def test_a_count_that_sways_is_fine_and_one_that_climbs_is_not(soak):
    assert soak.growth(readings(40, threads=lambda number: 4 + number % 3)) == []
    assert soak.growth(readings(40, descriptors=lambda number: 34 + number // 4)) == ["descriptors: 34 -> 41"]


def test_memory_that_finds_its_level_is_fine_and_a_leak_is_not(soak):
    level = readings(60, host_kib=lambda number: 400_000 + 80_000 * (1 - 0.8**number))
    assert soak.growth(level) == []
    assert (
        "host_kib: +29000 KiB"
        in soak.growth(readings(60, host_kib=lambda number: 400_000 + 1000 * number))[0]
    )


def test_few_readings_say_nothing_of_memory(soak):
    assert soak.growth(readings(12, host_kib=lambda number: 400_000 + 9000 * number)) == []


def test_what_mutter_loses_itself_is_allowed_and_twice_that_is_not(soak):
    lost_kib = soak.lost_by_mutter(["1280x720@60", "640x360@30"])
    assert lost_kib == (1280 * 720 + 640 * 360) / 2 * 8 / 1024
    once = readings(60, compositor_kib=lambda number: 300_000 + lost_kib * number)
    assert soak.growth(once, lost_kib) == []
    twice = readings(60, compositor_kib=lambda number: 300_000 + 2 * lost_kib * number)
    assert "compositor_kib" in soak.growth(twice, lost_kib)[0]
