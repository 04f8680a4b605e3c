"""What ``bench displays`` is made of: its options, floors and what it leaves out. Its sessions are run by hand."""

import numpy as np
import pytest

from punktfunk import realtime
from punktfunk.errors import EnvironmentProblem, Misuse
from punktfunk.measure import displays
from punktfunk.measure.options import DisplaysOptions

FIRST = "sway: connect to first picture: median"


def times(count, *, age_us=2000, cpu_us=900):
    """Even pictures; the first ten are slow, as they load everything."""
    captured_ns = np.arange(count, dtype=np.int64) * 16_666_667
    slow = np.where(np.arange(count) < 10, 100, 1)
    return realtime.CaptureTimes(captured_ns, captured_ns + age_us * 1000 * slow, cpu_us * 1000 * slow)


def test_floors_are_for_the_usual_amount():
    assert displays._row(DisplaysOptions(), FIRST, "ms", 700).met
    assert displays._row(DisplaysOptions(), FIRST, "ms", 1100).judgement.startswith("MISSED")
    assert displays._row(DisplaysOptions(seconds=3), FIRST, "ms", 1100).floor is None


def test_the_first_pictures_do_not_count(monkeypatch):
    monkeypatch.setattr(displays.trio, "run", lambda *_: times(600))
    rows = {
        row.case.rpartition(": ")[2]: row.ours for row in displays._capture_rows(DisplaysOptions(), "sway")
    }
    assert rows == {"p50": 2000, "p99": 2000, "CPU of a picture": 900, "pictures a second": 60}


def test_a_desktop_that_shows_nothing_is_no_result(monkeypatch):
    monkeypatch.setattr(displays.trio, "run", lambda *_: times(3))
    with pytest.raises(EnvironmentProblem, match="hardly a picture"):
        list(displays._capture_rows(DisplaysOptions(), "sway"))


def test_desktops_that_are_not_here_are_left_out_with_a_note(monkeypatch):
    monkeypatch.setattr(displays.realtime, "is_warm", lambda: True)
    monkeypatch.setattr(displays.shutil, "which", lambda _name: "/usr/bin/foot")

    def check(kind):
        if kind == "gnome":
            raise EnvironmentProblem("gnome-shell is not installed", hint="sudo apt install gnome-shell")

    monkeypatch.setattr(displays, "_check", check)
    found = displays.benchmark(DisplaysOptions())
    assert [step.title for step in found.steps] == ["sway: capture", "sway: first picture"]
    assert found.notes == ("gnome: left out (gnome-shell is not installed). sudo apt install gnome-shell",)


@pytest.mark.parametrize("wrong", [{"sessions": ("twm",)}, {"seconds": 0}, {"connects": 0}])
def test_wrong_values_are_misuse(wrong):
    with pytest.raises(Misuse):
        DisplaysOptions(**wrong).check()
