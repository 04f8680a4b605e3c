"""What the tests on a real GNOME share: a mutter or GNOME Shell of the Debian 13 tree, and what is on its bus.

Everything of the session runs in the tree (``scripts/trixie_chroot``, ``inside``), on a runtime folder that it shares
with the host outside.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from jeepney import message_bus
from jeepney.io.blocking import open_dbus_connection
from sway_session import TRIXIE

INSIDE = TRIXIE / "inside" if TRIXIE is not None else None
needs_gnome = [
    pytest.mark.skipif(os.geteuid() == 0, reason="compositors refuse to run as root"),
    pytest.mark.skipif(INSIDE is None or not INSIDE.exists(), reason="scripts/trixie_chroot was not run"),
]
no_mutter = pytest.mark.skipif(shutil.which("mutter") is None, reason="mutter is not installed")
FOREIGN = {"DISPLAY", "WAYLAND_DISPLAY", "SWAYSOCK", "DBUS_SESSION_BUS_ADDRESS", "PIPEWIRE_REMOTE"}


def inside(*command: str) -> list[str]:
    """A command that runs in the tree."""
    assert INSIDE is not None
    return [str(INSIDE), *command]


class GnomeSession:
    """A session on a folder of its own; ``environment`` is what programs in it have."""

    def __init__(self, folder: Path, *, installed: bool) -> None:
        self.folder = folder
        self.installed = installed
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            "XDG_RUNTIME_DIR": str(folder),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder}/bus",
            "WAYLAND_DISPLAY": "wayland-0",
        }

    def start(self, name: str, *command: str, ready: str = "") -> None:
        """Start a part, and wait for a socket of it."""
        environment = {
            **{k: v for k, v in os.environ.items() if k not in FOREIGN},
            "XDG_RUNTIME_DIR": str(self.folder),
            "HOME": str(self.folder / "home"),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.folder}/bus",
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.folder}/sysbus",
            "XDG_SESSION_TYPE": "wayland",
            "XDG_CURRENT_DESKTOP": "GNOME",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "GSETTINGS_BACKEND": "memory",
            "LC_ALL": "C.UTF-8",
        }
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                command if self.installed else inside(*command), env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        if ready:
            self.wait_for(self.folder / ready, name)

    def wait_for(self, path: Path, name: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not path.exists():
            assert self.processes[name].poll() is None, f"{name} ended: {self.log(name)}"
            assert time.monotonic() < deadline, f"{name} makes no {path.name}: {self.log(name)}"
            time.sleep(0.05)

    def wait_for_name(self, service: str, seconds: float = 30) -> None:
        """Wait until the compositor offers a service on the session's bus."""
        deadline = time.monotonic() + seconds
        with open_dbus_connection(self.environment["DBUS_SESSION_BUS_ADDRESS"]) as connection:
            while not connection.send_and_get_reply(message_bus.NameHasOwner(service)).body[0]:
                assert time.monotonic() < deadline, f"nobody offers {service}: {self.log('compositor')}"
                time.sleep(0.05)

    def log(self, name: str) -> str:
        """What a part said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def check_alive(self) -> None:
        """The compositor has outlived it all."""
        status = self.processes["compositor"].poll()
        assert status is None, f"the compositor ended with status {status}: {self.log('compositor')}"

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End one part and all that it started."""
        process = self.processes.pop(name)
        for what in (number, signal.SIGKILL):
            try:
                os.killpg(process.pid, what)
                process.wait(5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


@contextmanager
def gnome_session(
    compositor: str = "mutter", *monitors: str, installed: bool = False
) -> Iterator[GnomeSession]:
    """Run buses, PipeWire, WirePlumber and ``mutter`` or ``gnome-shell``, of the tree or those that are installed.

    It has no monitor, or those of ``monitors`` (such as ``1024x768``), which stand for the user's own.
    """
    folder = Path(tempfile.mkdtemp(prefix="gnome-"))  # short: sockets lie in it
    session = GnomeSession(folder, installed=installed)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        (folder / "home").mkdir()
        for name, command in (
            (
                "sysbus",
                [
                    "dbus-daemon",
                    "--session",
                    "--nofork",
                    "--nopidfile",
                    f"--address=unix:path={folder}/sysbus",
                ],
            ),
            (
                "bus",
                ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:path={folder}/bus"],
            ),
        ):
            stack.callback(end_if_there, session, name)
            session.start(name, *command, ready=name)
        stack.callback(end_if_there, session, "pipewire")
        session.start("pipewire", "pipewire", ready="pipewire-0")
        stack.callback(end_if_there, session, "wireplumber")
        session.start("wireplumber", "wireplumber")
        stack.callback(end_if_there, session, "compositor")
        words = [compositor, "--headless", "--wayland", "--no-x11", "--wayland-display", "wayland-0"]
        words += [f"--virtual-monitor={size}" for size in monitors]
        session.start("compositor", *words, ready="wayland-0")
        session.wait_for_name("org.gnome.Mutter.ScreenCast")
        session.wait_for_name("org.gnome.Mutter.DisplayConfig")
        yield session


def end_if_there(session: GnomeSession, name: str) -> None:
    if name in session.processes:
        session.end(name)
