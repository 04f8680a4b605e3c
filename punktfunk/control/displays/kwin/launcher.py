"""The program that KWin knows us by, and the file that tells KWin so.

KWin gives its screencast and input protocols only to a program whose path stands as ``Exec=`` in an installed
``.desktop`` file that lists them under ``X-KDE-Wayland-Interfaces``; it compares with ``/proc/PID/exe``
(KWin, src/utils/serviceutils.h, src/wayland_server.cpp). For a Python program that is the interpreter, and
naming that one would let every Python program on the machine in. So we keep an interpreter of our own: a copy
in a private folder, with a ``pyvenv.cfg`` that says where its standard library is. It does one thing: connect
to KWin and hand the connection on (``hand_on``).

It names punktfunk; it is no wall. Another program of the same user could run it too, as it could trace us.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from punktfunk.errors import EnvironmentProblem

INTERFACES: Final = ("zkde_screencast_unstable_v1", "org_kde_kwin_fake_input", "kde_output_management_v2")
COMMAND: Final = "punktfunk plasma install"
TRIAL_S: Final = 10.0

DESKTOP_ENTRY: Final = """\
[Desktop Entry]
Type=Application
Name=punktfunk (displays and input)
Comment=Lets punktfunk add displays to this Plasma session and send input to it
Exec={executable}
NoDisplay=true
X-KDE-Wayland-Interfaces={interfaces}
"""


@dataclass(frozen=True, slots=True)
class Launcher:
    """Where the launcher and its ``.desktop`` file are, or would be."""

    folder: Path
    desktop_file: Path

    @property
    def executable(self) -> Path:
        """The copy of the interpreter. Resolved: KWin compares with the path that the kernel knows."""
        return self.folder.resolve() / "punktfunk-kwin"


def find_launcher(environment: Mapping[str, str] | None = None) -> Launcher:
    """Return the places of this user's launcher, installed or not."""
    environment = os.environ if environment is None else environment
    named = environment.get("XDG_DATA_HOME", "")
    data = Path(named) if named.startswith("/") else Path.home() / ".local/share"
    return Launcher(data / "punktfunk" / "kwin", data / "applications" / "punktfunk-kwin.desktop")


def build_entry(executable: Path) -> str:
    """Write the ``.desktop`` file; a path that cannot stand in it raises EnvironmentProblem.

    KWin compares ``Exec=`` as it stands, so there is no way to quote.
    """
    text = os.fspath(executable)
    if any(sign in text for sign in " \t\n\"'\\%$`<>~|&;*?#()"):
        raise EnvironmentProblem(
            f"KWin cannot match the path {text!r}: it has signs that a .desktop file would have to quote",
            hint="Set XDG_DATA_HOME to a folder without them, and install again.",
        )
    return DESKTOP_ENTRY.format(executable=text, interfaces=",".join(INTERFACES))


def install(launcher: Launcher) -> None:
    """Make the launcher and its ``.desktop`` file, or make them anew; EnvironmentProblem if that fails."""
    entry = build_entry(launcher.executable)
    interpreter = Path(getattr(sys, "_base_executable", "") or sys.executable).resolve()
    try:
        launcher.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        launcher.desktop_file.parent.mkdir(parents=True, exist_ok=True)
        # Beside it first: an interpreter that runs cannot be written to, but it can be replaced.
        scratch = launcher.executable.with_suffix(".new")
        shutil.copyfile(interpreter, scratch)
        scratch.chmod(0o700)
        scratch.replace(launcher.executable)
        (launcher.folder / "pyvenv.cfg").write_text(f"home = {interpreter.parent}\n", encoding="utf-8")
        launcher.desktop_file.write_text(entry, encoding="utf-8")
    except OSError as error:
        raise EnvironmentProblem(f"cannot install the launcher for Plasma: {error}") from error
    if problem := trial(launcher):
        remove(launcher)
        raise EnvironmentProblem(
            f"a copy of {interpreter} does not run: {problem}",
            hint="Use punktfunk with the Python of the distribution, and install again.",
        )
    refresh_menu()


def remove(launcher: Launcher) -> bool:
    """Take the launcher and its ``.desktop`` file away; False if there was nothing."""
    was_there = launcher.folder.exists() or launcher.desktop_file.exists()
    try:
        launcher.desktop_file.unlink(missing_ok=True)
        shutil.rmtree(launcher.folder, ignore_errors=True)
    except OSError as error:
        raise EnvironmentProblem(f"cannot remove the launcher for Plasma: {error}") from error
    if was_there:
        refresh_menu()
    return was_there


def trial(launcher: Launcher) -> str:
    """Start the launcher once; return why it does not run, or nothing."""
    words = [str(launcher.executable), "-I", "-S", "-B", "-c", "import contextlib, socket"]
    try:
        ended = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=TRIAL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = ended.stderr.decode(errors="replace").strip().splitlines()
    return "" if ended.returncode == 0 else (said[-1] if said else f"it ended with {ended.returncode}")


def complaint(launcher: Launcher, *, run_it: bool = True) -> str:
    """Say what keeps KWin from knowing the launcher, or it from running; nothing if all is well."""
    if not launcher.executable.exists():
        return "punktfunk's launcher for Plasma is not installed"
    try:
        found = launcher.desktop_file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"{launcher.desktop_file} cannot be read: {error.strerror}"
    if found != build_entry(launcher.executable):
        return f"{launcher.desktop_file} does not name the launcher of this punktfunk"
    if run_it and (problem := trial(launcher)):
        return f"the launcher for Plasma does not run: {problem}"
    return ""


def refresh_menu() -> None:
    """Let KDE read its .desktop files again, which it otherwise does by itself a little later."""
    program = shutil.which("kbuildsycoca6")
    if program is not None:
        # Without a session it fails; then a session that starts later reads the files anyway.
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run([program], capture_output=True, timeout=TRIAL_S, check=False)
