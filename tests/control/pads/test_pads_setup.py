"""Access for ordinary users: what is done, what is undone, and what doctor says of it."""

from pathlib import Path

import pytest

from punktfunk.commands import pads as command
from punktfunk.control.doctor.finding import Status
from punktfunk.control.doctor.input import input_finding, pads_finding
from punktfunk.control.pads.access import Access
from punktfunk.control.pads.setup import (
    GROUP,
    MODULES_FILE,
    RULES_FILE,
    RULES_TEXT,
    Step,
    as_root,
    setup_steps,
    undo_steps,
)
from punktfunk.errors import EnvironmentProblem

GOOD, BAD = Access(Path("/dev/uinput"), ""), Access(Path("/dev/uhid"), "the kernel module uhid is not loaded")


def programs(steps):
    return [step.words[0] for step in steps]


def test_first_set_up():
    steps = setup_steps("ann", None)
    assert programs(steps) == ["groupadd", "usermod", "tee", "tee", "modprobe", "udevadm", "udevadm"]
    assert setup_steps("ann", ["ann"])[0].words == ("tee", str(RULES_FILE))
    assert 'KERNEL=="uhid"' in RULES_TEXT
    assert str(steps[2]).endswith("END")


def test_undo_takes_away_what_was_made():
    assert undo_steps("ann", ["ann"])[0].words == ("rm", "-f", str(RULES_FILE), str(MODULES_FILE))
    assert undo_steps("ann", ["ann"])[-1].words == ("groupdel", GROUP)
    assert undo_steps("ann", ["ann", "bob"])[-1].words == ("gpasswd", "-d", "ann", GROUP)
    assert programs(undo_steps("ann", None)) == ["rm", "udevadm", "udevadm"]


def test_sudo_only_where_needed(monkeypatch):
    step = Step("why", ("true",))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert as_root(step) == ("true",)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert as_root(step) == ("sudo", "true")


def test_printing_runs_nothing(monkeypatch, capsys):
    monkeypatch.setattr(command, "_run_one", lambda _step: pytest.fail("ran"))
    command.setup(only_print=True)
    command.undo(only_print=True)
    assert "modprobe -a uinput uhid" in capsys.readouterr().out


def test_what_fails_is_said(monkeypatch, capsys):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    command._run_one(Step("not so important", ("false",), needed=False))
    assert "not done: false ended with status 1" in capsys.readouterr().out
    with pytest.raises(EnvironmentProblem, match="false failed"):
        command._run_one(Step("important", ("false",)))
    with pytest.raises(EnvironmentProblem, match="cannot run"):
        command._run_one(Step("important", ("/nonexistent/program",)))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(EnvironmentProblem, match="no sudo"):
        command.setup(only_print=False)


def test_what_doctor_says_of_pads():
    assert pads_finding("auto", GOOD, GOOD).status is Status.OK
    partly = pads_finding("auto", GOOD, BAD)
    assert (partly.status, partly.consequence) == (Status.DEGRADED, "Every pad becomes an Xbox 360 pad.")
    assert "stream" in pads_finding("auto", BAD, BAD).consequence
    assert pads_finding("off", BAD, BAD).status is Status.OK


def test_what_doctor_says_of_input(monkeypatch):
    def missing():
        raise EnvironmentProblem("libei.so.1 is not installed")

    monkeypatch.setattr("punktfunk.control.doctor.input.import_libei", missing)
    assert "GNOME's own calls (libei.so.1 is not installed)" in input_finding("gnome", "auto", GOOD).found
    monkeypatch.setattr("punktfunk.control.doctor.input.import_libei", lambda: None)
    assert input_finding("gnome", "auto", GOOD).found == "by EIS, else by uinput (input = auto)"
    assert input_finding("mirror", "eis", BAD).found == "by what the desktop gives (input = eis)"
    assert "KWin" in input_finding("kwin", "compositor", BAD).found
    assert "not loaded" in input_finding("sway", "auto", BAD).found
    assert input_finding("sway", "eis", GOOD).status is Status.MISSING
    assert input_finding("sway", "uinput", BAD).status is Status.MISSING
    assert input_finding("testcard", "auto", BAD).status is Status.OK
