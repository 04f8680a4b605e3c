"""The program that KWin knows us by."""

import os
import socket
import stat
import struct
import subprocess
from pathlib import Path

import pytest
import trio

from punktfunk.control.displays.kwin.door import _handed_on
from punktfunk.control.displays.kwin.launcher import (
    INTERFACES,
    Launcher,
    build_entry,
    complaint,
    find_launcher,
    install,
    remove,
)
from punktfunk.errors import EnvironmentProblem


@pytest.fixture(scope="module")
def launcher(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    launcher = find_launcher({"XDG_DATA_HOME": str(folder)})
    install(launcher)
    return launcher


def test_installed_launcher_is_private_and_named(launcher):
    assert complaint(launcher) == ""
    assert stat.S_IMODE(launcher.executable.stat().st_mode) == 0o700
    lines = launcher.desktop_file.read_text().splitlines()
    assert f"Exec={launcher.executable}" in lines
    assert f"X-KDE-Wayland-Interfaces={','.join(INTERFACES)}" in lines
    assert "NoDisplay=true" in lines


def test_launcher_is_no_other_programs_interpreter(launcher):
    words = [launcher.executable, "-I", "-S", "-c", "import os; print(os.readlink('/proc/self/exe'))"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    assert said == str(launcher.executable)


def executable_of(pid):
    return Path(f"/proc/{pid}/exe").readlink()


@pytest.mark.trio
async def test_connection_is_the_launchers(launcher, tmp_path):
    path = str(tmp_path / "wayland-0")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with trio.fail_after(20):
            async with _handed_on(launcher, path) as handle:
                with socket.socket(fileno=handle) as ours, listener.accept()[0] as theirs:
                    pid, uid, _gid = struct.unpack(
                        "=iII", theirs.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                    )
                    assert executable_of(pid) == launcher.executable
                    assert uid == os.getuid()
                    ours.send(b"hello")
                    assert theirs.recv(5) == b"hello"
                    ours.close()
                    assert theirs.recv(1) == b""  # the launcher holds no end of it
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.trio
async def test_launcher_that_connects_to_nobody_is_told(launcher, tmp_path, capfd):
    with pytest.raises(EnvironmentProblem, match="brought no connection"):
        async with _handed_on(launcher, str(tmp_path / "nobody")):
            pass
    assert "FileNotFoundError" in capfd.readouterr().err


def test_what_is_wrong_is_said(launcher, tmp_path):
    other = Launcher(tmp_path / "kwin", tmp_path / "x.desktop")
    assert "not installed" in complaint(other)
    other.folder.mkdir()
    other.executable.write_text("nonsense")
    assert "cannot be read" in complaint(other)
    other.desktop_file.write_text("[Desktop Entry]\n")
    assert "does not name" in complaint(other)
    other.desktop_file.write_text(build_entry(other.executable))
    assert "does not run" in complaint(other)
    assert remove(other)
    assert not remove(other)
    assert not other.folder.exists()


def test_path_that_would_have_to_be_quoted_is_refused(tmp_path):
    with pytest.raises(EnvironmentProblem, match="cannot match the path"):
        install(Launcher(tmp_path / "a b", tmp_path / "x.desktop"))


def test_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentProblem, match="cannot install"):
        install(Launcher(tmp_path / "file" / "kwin", tmp_path / "x.desktop"))
