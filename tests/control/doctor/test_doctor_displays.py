"""What doctor says of displays: the source, a better one that failed, and what the settings come to."""

import pytest

from punktfunk.config import Settings
from punktfunk.control.displays.base import ARRANGEMENTS, Capabilities
from punktfunk.control.displays.choice import Choice
from punktfunk.control.displays.testcard import Testcard
from punktfunk.control.doctor.displays import capture_finding, display_findings
from punktfunk.control.doctor.finding import Status

FOUND = Capabilities(available=True, reason="the test card needs no compositor", arrangements=ARRANGEMENTS)
ABSENT = [
    (
        "sway-attached",
        Capabilities(available=False, reason="no sway session of this user runs", hint="Log in."),
    ),
    (
        "hyprland",
        Capabilities(available=False, reason="no Hyprland session of this user runs", hint="Log in."),
    ),
]
LOCKED = ("kwin", Capabilities(available=False, reason="KWin 6.3 gives no screencast", hint="Run this."))


def findings(*refused, found=FOUND, **settings):
    choice = Choice(Testcard(), found, refused)
    return {finding.check: finding for finding in display_findings(choice, Settings(**settings), "")}


def test_a_desktop_that_runs_and_refuses_is_told_with_its_remedy():
    told = findings(*ABSENT, LOCKED)
    assert list(told) == ["compositor", "display kwin", "displays", "capture"]
    assert told["compositor"].found == (
        "test card: no desktop of this user runs (sway, Hyprland); KWin 6.3 gives no screencast; "
        "the test card needs no compositor"
    )
    assert told["display kwin"].status is Status.DEGRADED
    assert told["display kwin"].remedy == "Run this."
    assert told["display kwin"].consequence == "Clients get the test card instead."


def test_the_options_are_told_in_one_line():
    assert findings()["displays"].found == (
        "extend, to the right of your other displays, scale 1, at most 4 at once, "
        "a second client gets a display of its own"
    )
    told = findings(
        display_arrangement="exclusive",
        display_scale=1.5,
        display_limit=2,
        second_client="refuse",
        found=Capabilities(
            available=True, reason="", arrangements=ARRANGEMENTS, refresh_most_millihertz=60_000
        ),
    )
    assert told["displays"].found == (
        "exclusive: your other displays are off meanwhile, scale 1.5, at most 2 at once, "
        "a second client is refused while the first one streams, up to 60 Hz"
    )


def test_an_arrangement_that_cannot_be_had_is_told():
    told = findings(found=Capabilities(available=True, reason=""), display_arrangement="primary")["displays"]
    assert told.status is Status.DEGRADED
    assert "cannot do" in told.found
    assert told.remedy == 'Set display_arrangement = "extend".'


@pytest.mark.parametrize(
    ("backend", "way"),
    [
        ("gnome", "PipeWire"),
        ("gamescope-attached", "PipeWire"),
        ("wlroots", "wlr-screencopy"),
        ("testcard", "none"),
    ],
)
def test_pictures_come_as_the_backend_gives_them(backend, way):
    assert capture_finding(backend, "").found.startswith(way)
