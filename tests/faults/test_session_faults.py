"""A host with a desktop session of its own: parts of it die, the host itself dies; clients come back to it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from gnome_programs import gnome_environment
from launching import PAINTER
from leftovers import short_folder
from native_harness import NativeClient, native_port
from native_host import NativeHost
from pipewire_session import needs_pipewire
from sway_session import needs_sway

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120), *needs_sway, needs_pipewire]


class SessionHost(NativeHost):
    """Serves a desktop session of its own."""

    def __init__(self, folder: Path, kind: str = "sway", **more: str) -> None:
        super().__init__(folder, display="auto", PUNKTFUNK_SESSION=kind, PUNKTFUNK_AUDIO="silence", **more)

    def status(self) -> dict[str, Any]:
        asked = [sys.executable, "-m", "punktfunk", "status", "--json", "--state", str(self.state)]
        return dict(
            json.loads(subprocess.run(asked, env=self.environment, capture_output=True, check=True).stdout)
        )

    def stream_once(self) -> None:
        """Few frames: a still desktop gives no more than it must."""
        with self.connect(frames=3) as client:
            assert client.finish()["sessions"]

    def part(self, name: str) -> dict[str, Any]:
        return next(part for part in self.status()["session"]["parts"] if part["part"] == name)

    @contextmanager
    def painting(self) -> Iterator[None]:
        """Something moves on the newest display of the session, as fast as its compositor takes it."""
        environment = {**os.environ, **self.status()["session"]["environment"]}
        with subprocess.Popen(
            PAINTER, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                yield
            finally:
                process.terminate()

    def kill(self, name: str) -> None:
        os.kill(self.part(name)["pid"], signal.SIGKILL)


@pytest.fixture(scope="module")
def host() -> Iterator[SessionHost]:
    with short_folder() as folder, SessionHost(folder) as running:
        running.settle()
        yield running


def recover(host: SessionHost) -> None:
    """What must be true after every fault: the same parts as before, no more, and pictures again."""
    host.begin()
    host.stream_once()
    host.assert_nothing_left()
    assert not any("Traceback" in line for line in host.lines.seen), host.lines.seen


def test_killed_compositor(host: SessionHost) -> None:
    host.begin()
    with host.streaming() as client:
        host.kill("compositor")
        assert "status -9" in host.hear("session: compositor:", 5)
        host.hear("compositor runs again", 10)
        host.hear("ended (", 15)
        host.hear("inhibit", 15)  # the client came back by itself, to a new display
        client.process.kill()
    recover(host)
    assert host.part("compositor")["restarts"] == 1


@pytest.mark.slow
def test_buses_and_sound_die_under_a_stream(host: SessionHost) -> None:
    """Sway's pictures need neither: the stream goes on, and both come back with what depends on them."""
    host.begin()
    with host.connect(frames=100) as client:
        host.hear("inhibit", 20)
        with host.painting():
            host.kill("PipeWire")
            host.kill("session bus")
            for name in ("PipeWire", "Pulse server", "session bus"):
                host.hear(f"session: {name} runs again", 10)
            assert len(client.finish()["sessions"]) == 1
    assert {part["state"] for part in host.status()["session"]["parts"]} == {"up"}
    recover(host)


@pytest.mark.slow
def test_modes_change_under_load(host: SessionHost) -> None:
    """Another size again and again, while pictures flow: each is what was asked for, and nothing piles up."""
    sizes = [(800, 600), (1280, 720), (640, 360), (1024, 768), (960, 540)]
    modes = [(*size, 60_000) for size in sizes]
    host.begin()
    changing = {"frames": 330, "modes": modes}
    with NativeClient(host.folder / "changing", native_port(host), **changing) as client:
        host.hear("inhibit", 20)
        with host.painting():
            said = [client.wait_for("mode")["mode"] for _ in modes]
            (take,) = client.finish()
    assert said == [f"{width}x{height}@60" for width, height, _ in modes]
    assert take["sizes"][-1] == [960, 540]
    assert take["wrong"] == 0
    recover(host)


def test_killed_host_is_cleaned_up_after(host: SessionHost) -> None:
    """SIGKILL in the middle of a stream: the next start ends what was left, down to the last process."""
    host.begin()
    with host.streaming() as client:
        left = psutil.Process(host.pid).children(recursive=True)
        assert {"sway", "pipewire", "wireplumber", "dbus-daemon"} <= {process.name() for process in left}
        host.stop(signal.SIGKILL)
        client.process.kill()
    assert any(process.is_running() for process in left)
    host.start()
    assert any("of an earlier session" in line for line in host.lines.seen)
    assert not [
        process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    ]
    recover(host)


def test_sigterm_leaves_nothing(host: SessionHost) -> None:
    """The last test of this host: it ends here, in order and soon."""
    host.begin()
    with host.streaming():
        children = psutil.Process(host.pid).children(recursive=True)
        began_s = time.monotonic()
        assert host.stop() == 0
        assert time.monotonic() - began_s < 15
    assert not [process for process in children if process.is_running()]
    assert not list((host.folder / "run").rglob("*.json"))
    assert not list((host.folder / "run").rglob("s-*"))
    assert (host.state / "session/compositor.log").exists()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_gnome_shell_and_its_bus() -> None:
    """GNOME Shell does not outlive its bus: both come back, once each, and so do clients."""
    with short_folder() as folder:
        gnome = gnome_environment(folder)
        if gnome is None:
            pytest.skip("neither gnome-shell nor the tree of scripts/trixie_chroot is here")
        with SessionHost(folder, "gnome", **gnome) as host:
            host.settle()
            for name in ("compositor", "session bus"):
                host.begin()
                with host.streaming() as client:
                    host.kill(name)
                    host.hear("session: compositor runs again", 40)
                    host.hear("ended (", 15)
                    client.process.kill()
                host.begin()
                host.stream_once()
            assert {part["part"]: part["restarts"] for part in host.status()["session"]["parts"]} == {
                **dict.fromkeys(("system bus", "PipeWire", "WirePlumber", "Pulse server"), 0),
                "session bus": 1,
                "compositor": 2,
            }
            assert host.stop() == 0
