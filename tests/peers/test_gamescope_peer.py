"""gamescope's backends against a stand-in with a real PipeWire node: to a stock Moonlight core, and by themselves."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import gamescope_double
import pytest
import trio
from harness import Host, paired
from pictures import desktop
from pipewire_session import needs_pipewire, pipewire_session, session_environment
from sway_session import Viewer, assert_nothing_left
from test_desktop import painted, wait_for_paint

from punktfunk.control.displays.gamescope.attached import AttachedGamescope
from punktfunk.control.displays.gamescope.spawned import SpawnedGamescope
from punktfunk.control.displays.reclaim import reclaim
from punktfunk.control.system.journal import Journal
from punktfunk.control.system.processes import ProcessIdentity, find_by_token
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode

pytestmark = [
    pytest.mark.peer,
    pytest.mark.timeout(150),
    pytest.mark.usefixtures("own_temporary_folder"),
    needs_pipewire,
]
MODE = Mode(640, 360, 60_000)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A session with PipeWire and a gamescope on its PATH: its variables."""
    with pipewire_session() as remote:
        folder = Path(remote).parent
        programs = gamescope_double.install(tmp_path_factory.mktemp("bin"))
        yield {**session_environment(folder), "PATH": f"{programs}:{os.environ['PATH']}"}


def see(source, shape):
    """The first pictures of a source, of that shape."""
    with Viewer(source) as viewer:
        return viewer.until(lambda seen: seen.shape == shape and seen.any())


@pytest.mark.trio
async def test_a_gamescope_of_our_own_comes_and_goes(session, tmp_path):
    journal = Journal(tmp_path)
    backend = SpawnedGamescope(journal, environment=session)
    assert (await backend.probe()).available
    async with backend.create(Mode(640, 360, 59_940), "client") as output:
        assert output.mode == MODE
        assert output.environment["DISPLAY"] == ":9"
        assert "mouse pointer" in output.notes[0]
        token = output.environment["PUNKTFUNK_DISPLAY"]
        await trio.to_thread.run_sync(see, output.source, (360, 640))
        attached = AttachedGamescope(journal, environment=session)
        assert "shows 640x360@60" in (await attached.probe()).reason
        async with attached.create(Mode(1280, 720, 120_000), "another") as shown:
            assert shown.mode == Mode(1280, 720, 60_000)
            assert shown.source.target == output.source.target
            assert shown.environment["DISPLAY"] == ":9"
            assert "gamescope shows 640x360" in shown.notes[1]
    assert_nothing_left(journal, token)
    assert not (await AttachedGamescope(journal, environment=session).probe()).available


@pytest.mark.trio
@pytest.mark.parametrize(
    ("fault", "said"), [("no-gpu", "failed to find physical device"), ("old", "no headless")]
)
async def test_a_gamescope_that_does_not_start_says_why(session, tmp_path, fault, said):
    journal = Journal(tmp_path)
    backend = SpawnedGamescope(journal, environment={**session, "PUNKTFUNK_DOUBLE": fault})
    with pytest.raises(EnvironmentProblem, match=said) as refused:
        async with backend.create(MODE, "client"):
            pass
    assert refused.value.hint
    assert_nothing_left(journal)


@pytest.mark.trio
async def test_a_killed_gamescope_ends_the_pictures_and_a_killed_host_leaves_none(session, tmp_path):
    journal = Journal(tmp_path)
    async with SpawnedGamescope(journal, environment=session).create(MODE, "client") as output:
        token = output.environment["PUNKTFUNK_DISPLAY"]
        (entry,) = journal.entries()[0]
        with Viewer(output.source) as viewer:
            await trio.to_thread.run_sync(viewer.until, lambda seen: seen.shape == (360, 640))
            os.kill(entry.processes[0].pid, signal.SIGKILL)
            with pytest.raises(EnvironmentProblem, match="went away"):
                await trio.to_thread.run_sync(viewer.until, lambda _seen: False)
        # What its first program started is still there: a host that died now leaves that behind.
        assert find_by_token(token) != []
        journal.write(replace(entry, owner=ProcessIdentity(2**22 + 1, 1, "gone")))
        assert "processes of an earlier session" in (await reclaim(journal))[0]
        assert find_by_token(token) == []
    assert_nothing_left(journal, token)


def test_a_moonlight_core_sees_its_pictures(session, tmp_path):
    own = {name: session[name] for name in ("XDG_RUNTIME_DIR", "PATH", "DBUS_SESSION_BUS_ADDRESS")}
    with Host(tmp_path, display="gamescope", **own) as host, paired(tmp_path, host) as client:
        client.stream(desktop(client), width=640, height=360, fps=60)
        wait_for_paint(client)
        client("wait", frames=20, seconds=5)
        painted(client("report"), 640, 360)
        client("stop")
        client("quit")
