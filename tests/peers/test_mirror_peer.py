"""Displays that need a real Wayland desktop behind a stand-in, or one whose monitor is shown as it is."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import hyprland_double
import pytest
import trio
from gnome_session import INSIDE, gnome_session
from harness import Client, Host, paired
from launching import PAINTER, list_apps, wait_for
from pictures import app_number
from sway_session import TRIXIE, Viewer, flood, most_common, needs_sway, no_trixie, program
from test_desktop import keep, painted, wait_for_paint
from users_desktop import outputs, users_sway

from punktfunk.control.displays.base import DisplayOptions
from punktfunk.control.displays.mirror.backend import Mirror
from punktfunk.control.system.journal import Journal
from punktfunk.plan import Mode, WaylandSource
from punktfunk.wire.input import MouseMoveAbsolute

pytestmark = [pytest.mark.peer, pytest.mark.timeout(150), *needs_sway, no_trixie]


@pytest.fixture
def session():
    """A user's own sway, of Debian 13: it removes outputs."""
    with users_sway([str(TRIXIE / "sway")]) as running:
        yield running


@contextmanager
def hyprland(session, dialect):
    """A Hyprland's control socket in front of the session; gives the variables of its children."""
    folder = Path(session["XDG_RUNTIME_DIR"])
    words = ["--dialect", dialect, "--sway", session["SWAYSOCK"], "--wayland", session["WAYLAND_DISPLAY"]]
    with subprocess.Popen([sys.executable, "-B", hyprland_double.__file__, folder, *words]) as process:
        try:
            signature = hyprland_double.SIGNATURE
            wait_for((folder / "hypr" / signature / ".socket.sock").exists, "the control socket")
            yield {"XDG_RUNTIME_DIR": str(folder), "HYPRLAND_INSTANCE_SIGNATURE": signature}
        finally:
            process.terminate()


def test_an_output_in_the_users_hyprland(session, tmp_path):
    list_apps(tmp_path, Painter=PAINTER)
    with (
        hyprland(session, "lua") as variables,
        Host(tmp_path, display="hyprland", **variables) as host,
        paired(tmp_path, host),
        Client(tmp_path / "client", host) as client,
    ):
        client.stream(app_number(client, "Painter"), width=1000, height=700, fps=30)
        wait_for_paint(client)
        client("wait", frames=15, seconds=4)
        painted(client("report"), 1000, 700)
        (name,) = set(outputs(session)) - {"HEADLESS-1"}
        mode = outputs(session)[name]["current_mode"]
        assert (mode["width"], mode["height"], mode["refresh"]) == (1000, 700, 30_000)
        client("stop")
        client("quit")
        wait_for(lambda: set(outputs(session)) == {"HEADLESS-1"}, "the output is gone")


def test_a_monitor_is_shown_as_it_is(session, tmp_path):
    environment = {**os.environ, **session}
    with (
        subprocess.Popen(PAINTER, env=environment, stdout=subprocess.DEVNULL) as painter,
        Host(tmp_path, display="mirror", **session) as host,
        paired(tmp_path, host),
    ):
        try:
            with Client(tmp_path / "client", host) as client:
                client.stream(app_number(client, "Desktop"), width=800, height=600, fps=30)
                wait_for_paint(client)
                client("wait", frames=15, seconds=4)
                painted(client("report"), 800, 600)
                client("stop")
                client("quit")
            # Another size: the same pictures, smaller, with black beside them.
            with Client(tmp_path / "client", host) as client:
                client.stream(app_number(client, "Desktop"), width=640, height=360, fps=30)
                keep(client, tmp_path, "mirrored-smaller")
                assert {(f["width"], f["height"]) for f in client("report")["frames"]} == {(640, 360)}
                client("quit")
        finally:
            painter.terminate()
    assert set(outputs(session)) == {"HEADLESS-1"}


@pytest.mark.trio
async def test_input_into_a_mirrored_monitor(session, tmp_path):
    mirror = Mirror(Journal(tmp_path), options=DisplayOptions(monitor="HEADLESS-1"), environment=session)
    found = await mirror.probe()
    assert "monitor HEADLESS-1 of the desktop (800x600@60) is shown as it is" in found.reason
    async with mirror.create(Mode(1600, 600, 30_000), "client") as output:
        assert isinstance(output.source, WaylandSource)
        assert output.mode == Mode(1600, 600, 30_000)
        assert "800x600 scaled to 1600x600" in output.notes[0]
        async with output.open_input() as injector:
            injector.inject(MouseMoveAbsolute(800, 300, 1600, 600))
            assert injector.injected["MouseMoveAbsolute"] == 1
        with trio.fail_after(5):
            changed = await mirror.change_mode(output, Mode(800, 600, 120_000))
        assert changed.mode == Mode(800, 600, 60_000)
    unknown = Mirror(Journal(tmp_path), options=DisplayOptions(monitor="DP-9"), environment=session)
    assert (await unknown.probe()).hint == "Set display_monitor to one of: HEADLESS-1."


@pytest.mark.trio
@pytest.mark.skipif(INSIDE is None or not INSIDE.exists(), reason="scripts/trixie_chroot was not run")
async def test_a_monitor_of_gnome_is_shown_as_it_is(tmp_path):
    with gnome_session("mutter", "1024x768") as session:
        mirror = Mirror(Journal(tmp_path), environment=session.environment)
        found = await mirror.probe()
        assert "of GNOME (1024x768@60) is shown as it is" in found.reason
        async with mirror.create(Mode(640, 480, 30_000), "client") as output:
            assert output.mode == Mode(640, 480, 30_000)
            assert (output.region.width, output.region.height) == (1024, 768)
            with program(output, *flood(0x2040C0)), Viewer(output.source) as viewer:
                pixels = await trio.to_thread.run_sync(
                    viewer.until, lambda seen: most_common(seen) == 0x2040C0
                )
            assert pixels.shape == (768, 1024)
            async with output.open_input() as injector:
                injector.inject(MouseMoveAbsolute(320, 240, 640, 480))
                assert injector.injected == {"MouseMoveAbsolute": 1}
