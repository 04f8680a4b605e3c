"""What people read of a session of the host's own: in status, in doctor, in refusals."""

import os

import pytest

from punktfunk.commands.status import describe
from punktfunk.config import Settings
from punktfunk.control.desktop.opening import check_agreement
from punktfunk.control.doctor.finding import Status
from punktfunk.control.doctor.session import examine_session
from punktfunk.errors import ConfigError

HOST = {
    "name": "box",
    "version": "1",
    "pid": 5,
    "ready": True,
    "display": "attach",
    "gamestream": [],
    "native": [],
}


def part(name, **changes):
    row = {
        "part": name,
        "program": name,
        "state": "up",
        "pid": 7,
        "note": "",
        "restarts": 0,
        "why": "",
        "log": "/l",
    }
    return row | changes


def test_status_lists_the_parts():
    parts = [
        part("session bus", program="dbus-daemon"),
        part("PipeWire", program="pipewire", state="missing", pid=0, why="applications have no sound"),
        part("compositor", program="sway", note="drawn by pixman", restarts=2, why="killed"),
    ]
    assert describe(HOST | {"session": {"kind": "sway", "parts": parts}}) == [
        "box: punktfunk 1, process 5, display attach, ready",
        "sway session:",
        "  session bus: dbus-daemon runs as process 7",
        "  PipeWire: pipewire is missing (applications have no sound)",
        "  compositor: sway runs as process 7, drawn by pixman, started again 2 times (the last time: killed)",
        "nobody streams",
    ]


@pytest.fixture
def path(tmp_path, monkeypatch):
    """An empty folder as PATH, and an ordinary user."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return tmp_path


def install(folder, *names):
    for name in names:
        (folder / name).touch(0o755)


def test_doctor_names_a_missing_compositor(path):
    (finding,) = examine_session("sway")
    assert (finding.status, finding.vital) == (Status.MISSING, True)
    assert finding.found == "session = sway: not installed: sway"
    assert "sway" in finding.remedy


def test_doctor_says_what_a_session_does_without(path):
    install(path, "sway", "dbus-daemon", "pipewire", "wireplumber")
    there, less = examine_session("sway")
    assert there.found == "sway, of its own: dbus-daemon, pipewire, wireplumber, sway"
    assert less.status is Status.DEGRADED
    assert less.remedy.endswith(("pipewire-pulse", "pipewire-pulseaudio"))


def test_a_session_and_another_display_contradict():
    check_agreement(Settings(session="sway", display="auto"))
    check_agreement(Settings(session="sway", display="sway"))
    with pytest.raises(ConfigError, match="contradict"):
        check_agreement(Settings(session="sway", display="testcard"))
