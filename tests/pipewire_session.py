"""A PipeWire daemon and its session manager in a runtime folder of their own, for tests that need them."""

import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_pipewire = pytest.mark.skipif(
    shutil.which("pipewire") is None or shutil.which("wireplumber") is None,
    reason="pipewire and wireplumber are not installed",
)
START_S = 10.0


def session_environment(folder: Path) -> dict[str, str]:
    """What the daemons of a session in ``folder`` and its clients need; nothing of this user's."""
    (folder / "home").mkdir(exist_ok=True)
    return {
        **{
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("DBUS_", "PIPEWIRE_", "XDG_"))
        },
        "XDG_RUNTIME_DIR": str(folder),
        "HOME": str(folder / "home"),
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder}/bus",
        "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/bus",
    }


@contextmanager
def daemon(environment: dict[str, str], name: str, *words: str):
    """Run one daemon; it is gone when the block ends."""
    log = Path(environment["XDG_RUNTIME_DIR"]) / f"{name}.log"
    with (
        log.open("wb") as output,
        subprocess.Popen([name, *words], env=environment, stdout=output, stderr=output) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def await_socket(path: Path) -> None:
    """Wait until a daemon listens."""
    end = time.monotonic() + START_S
    while not path.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing listens on {path}")
        time.sleep(0.01)


@contextmanager
def pipewire_session():
    """Run both daemons; gives the path of the socket."""
    with tempfile.TemporaryDirectory(prefix="pf-pipewire-") as name:
        folder = Path(name)
        folder.chmod(0o700)
        environment = session_environment(folder)
        bus = ("--session", "--nofork", "--nopidfile", f"--address=unix:path={folder}/bus")
        with daemon(environment, "dbus-daemon", *bus), daemon(environment, "pipewire"):
            await_socket(folder / "bus")  # WirePlumber ends without one
            await_socket(folder / "pipewire-0")
            with daemon(environment, "wireplumber"):
                yield str(folder / "pipewire-0")


def kill_daemon(path: str) -> None:
    """Kill the PipeWire daemon that listens on ``path``, as a crash would."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        pid, _uid, _gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    os.kill(pid, signal.SIGKILL)
