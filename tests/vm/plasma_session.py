"""A KWin as a user's own session in the virtual machine: buses, PipeWire, WirePlumber, kwin_wayland --virtual.

It lets in only whom it knows, as in a real session.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import trio

from punktfunk.control.displays.kwin.outputs import following_outputs
from punktfunk.control.displays.kwin.start import answers
from punktfunk.control.displays.wayland import open_wayland
from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem

FOLDER = Path(os.environ.get("XDG_RUNTIME_DIR", "/run/stream"))
START_S = 90


class PlasmaSession:
    def __init__(self):
        self.processes = {}
        self.environment = {
            "XDG_RUNTIME_DIR": str(FOLDER),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={FOLDER}/bus",
            "WAYLAND_DISPLAY": "wayland-0",
            "XDG_CURRENT_DESKTOP": "KDE",
        }

    def start(self, name, *command, ready=""):
        environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": str(FOLDER),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={FOLDER}/bus",
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={FOLDER}/sysbus",
            "XDG_SESSION_TYPE": "wayland",
            "XDG_CURRENT_DESKTOP": "KDE",
            "LIBGL_ALWAYS_SOFTWARE": "1",
        }
        with (FOLDER / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while ready and not (FOLDER / ready).exists():
            assert self.processes[name].poll() is None, f"{name} ended: {self.log(name)}"
            assert time.monotonic() < deadline, f"{name} makes no {ready}: {self.log(name)}"
            time.sleep(0.1)

    def log(self, name):
        return (FOLDER / f"{name}.log").read_text(errors="replace")[-4000:]

    def end(self):
        for process in reversed(self.processes.values()):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in reversed(self.processes.values()):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for_answer():
    """KWin listens long before it answers."""

    async def ask():
        assert await wait_until(answers(FOLDER / "wayland-0"), START_S)

    trio.run(ask)


@contextmanager
def plasma_session():
    """Run it for the length of the block; its one screen has 640x360."""
    session = PlasmaSession()
    bus = ("dbus-daemon", "--session", "--nofork", "--nopidfile")
    try:
        session.start("sysbus", *bus, f"--address=unix:path={FOLDER}/sysbus", ready="sysbus")
        session.start("bus", *bus, f"--address=unix:path={FOLDER}/bus", ready="bus")
        session.start("pipewire", "pipewire", ready="pipewire-0")
        session.start("wireplumber", "wireplumber")
        session.start(
            "kwin", "kwin_wayland", "--virtual", "--no-lockscreen", "--no-global-shortcuts",
            "--width", "640", "--height", "360", "--socket", "wayland-0", ready="wayland-0",
        )  # fmt: skip
        wait_for_answer()
        yield session
        assert session.processes["kwin"].poll() is None, session.log("kwin")
    finally:
        session.end()


def outputs(session):
    """What KWin itself says of its outputs, by name: mode, place, whether it is on."""

    async def ask():
        path = f"{session.environment['XDG_RUNTIME_DIR']}/wayland-0"
        async with open_wayland(path) as connection, following_outputs(connection) as devices:
            return {d.name: (str(d.mode), (d.x, d.y), d.is_enabled) for d in devices.all()}

    deadline = time.monotonic() + START_S
    while True:
        try:
            return trio.run(ask)
        except EnvironmentProblem as problem:  # emulated, it may be busy with a frame for longer than we wait
            print("KWin:", problem, flush=True)
            if time.monotonic() > deadline:
                raise


def punktfunk(*words, check=True):
    done = subprocess.run(
        [sys.executable, "-m", "punktfunk", *words], capture_output=True, text=True, check=False, timeout=120
    )
    print(done.stdout, done.stderr)
    assert not check or done.returncode == 0, done.stderr
    return done
