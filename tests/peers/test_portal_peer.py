"""A screen shared by the portal, seen by a stock Moonlight core: a stand-in for the portal, a real PipeWire node."""

import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from gamescope_double import paint
from harness import Host, paired
from pictures import desktop
from pipewire_session import needs_pipewire, pipewire_session, session_environment
from portal_double import PortalDouble
from test_desktop import painted, wait_for_paint
from video_node import VideoNode

from punktfunk.commands.portal import ask, forget
from punktfunk.errors import EnvironmentProblem

pytestmark = [pytest.mark.peer, pytest.mark.timeout(150), needs_pipewire]


@contextmanager
def portal(double, address):
    """The portal on a bus, in a thread of its own."""
    ready, scopes = threading.Event(), []

    async def serve():
        async with trio.open_nursery() as nursery:
            await nursery.start(double.run, address)
            scopes.append((trio.lowlevel.current_trio_token(), nursery.cancel_scope))
            ready.set()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    try:
        assert ready.wait(10)
        yield double
    finally:
        token, scope = scopes[0]
        token.run_sync_soon(scope.cancel)
        thread.join(10)


@contextmanager
def screen(remote, ended):
    """A monitor's node that shows the test card's barcode."""
    with VideoNode(remote, (640, 360), rate=1000) as node:
        painter = threading.Thread(target=paint, args=(node, ended, 60))
        painter.start()
        try:
            yield node
        finally:
            ended.set()
            painter.join()


def test_a_moonlight_core_sees_the_screen_that_was_chosen(tmp_path):
    with pipewire_session() as remote, screen(remote, threading.Event()) as node:
        session = session_environment(Path(remote).parent)
        own = {name: session[name] for name in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")}
        double = PortalDouble(remote, node.node_id, remote_version=1)
        with (
            portal(double, own["DBUS_SESSION_BUS_ADDRESS"]),
            Host(tmp_path, display="portal", **own) as host,
            paired(tmp_path, host) as client,
        ):
            client.stream(desktop(client), width=640, height=360, fps=60)
            wait_for_paint(client)
            client("wait", frames=20, seconds=5)
            painted(client("report"), 640, 360)
            assert len(double.sessions) == 1
            client.calls(["LiSendMousePositionEvent", 320, 180, 640, 360], ["sleep", 0.3])
            client("stop")
            client("quit")
        assert double.dialogs == 1
        assert double.sessions == set()
        moved = [body[2:] for member, body in double.asked if member.endswith("MotionAbsolute")]
        assert moved[-1] == (node.node_id, 640.0, 360.0)


def test_the_dialog_can_be_answered_before_a_client_comes(tmp_path, monkeypatch, capsys):
    with pipewire_session() as remote:
        address = session_environment(Path(remote).parent)["DBUS_SESSION_BUS_ADDRESS"]
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        monkeypatch.setenv("PUNKTFUNK_CONFIG", str(tmp_path / "none.toml"))
        with portal(PortalDouble(clicks=["yes", "no"]), address) as double:
            ask(tmp_path)
            assert "A screen of 1280x720 is shared, with keyboard and mouse." in capsys.readouterr().out
            ask(tmp_path)
            assert double.dialogs == 1
            forget(tmp_path)
            forget(tmp_path)
            assert capsys.readouterr().out.endswith("forgotten\nnothing was kept\n")
            with pytest.raises(EnvironmentProblem, match="did not allow it"):
                ask(tmp_path)
