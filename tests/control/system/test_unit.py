"""The systemd units: what they say, and that the examples in packaging/ are what the command prints."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from punktfunk.commands import service as module
from punktfunk.commands.service import ordinary_user, show_service
from punktfunk.control.system.unit import Unit, build_unit
from punktfunk.errors import Misuse

PACKAGING = Path(__file__).parents[3] / "packaging"
SYSTEM = Unit("/usr/bin/punktfunk", "punktfunk", "sway", ("render", "video", "input"))


def test_the_examples_are_what_is_printed():
    assert (PACKAGING / "punktfunk.service").read_text() == build_unit(SYSTEM)
    assert (PACKAGING / "punktfunk-user.service").read_text() == build_unit(Unit("/usr/bin/punktfunk"))


def test_a_unit_of_a_user_with_a_session_of_its_own_starts_at_boot():
    text = build_unit(Unit("/usr/bin/punktfunk", session="gnome"))
    assert "ExecStart=/usr/bin/punktfunk serve --session gnome\n" in text
    assert "WantedBy=default.target" in text
    assert "enable-linger" in text
    assert "User=" not in text


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/opt/my games/punktfunk", '"/opt/my games/punktfunk"'),
        ("/opt/50%/punktfunk", "/opt/50%%/punktfunk"),
        ("/opt/$x/punktfunk", "/opt/$$x/punktfunk"),
    ],
)
def test_odd_paths_are_written_as_systemd_reads_them(path, written):
    assert f"ExecStart={written} serve" in build_unit(Unit(path))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize(
    "unit", [SYSTEM, Unit("/usr/bin/punktfunk", session="sway"), Unit("/usr/bin/punktfunk")]
)
def test_systemd_understands_them(unit, tmp_path):
    path = tmp_path / "punktfunk.service"
    path.write_text(build_unit(unit).replace("/usr/bin/punktfunk", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, check=False
    )
    assert "Unknown" not in done.stderr, done.stderr


def test_root_and_strangers_are_refused(monkeypatch):
    with pytest.raises(Misuse, match="root"):
        ordinary_user("root")
    with pytest.raises(Misuse, match="no such user"):
        ordinary_user("nobody-of-that-name")
    monkeypatch.setenv("SUDO_USER", "root")
    with pytest.raises(Misuse, match="root"):
        ordinary_user("")


def test_the_command_prints_a_unit_for_this_machine(capsys, monkeypatch):
    monkeypatch.setattr(module, "program_path", lambda: "/here/punktfunk")
    show_service("sway", user="", as_user_unit=True)
    assert "ExecStart=/here/punktfunk serve --session sway" in capsys.readouterr().out
    with pytest.raises(Misuse, match="twm"):
        show_service("twm", user="", as_user_unit=True)


def test_groups_exist_here():
    assert set(module.groups_here()) <= {"render", "video", "input"}
    assert os.access(module.program_path(), os.X_OK)
