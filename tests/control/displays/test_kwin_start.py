"""How a Plasma of our own is started, and what becomes of its unseen screen."""

import pytest
from kwin_world import running_kwin

from punktfunk.control.displays.kwin.backend import KWinDisplays
from punktfunk.control.displays.kwin.start import OPEN_TO_ALL, answers, command, compositor
from punktfunk.control.displays.kwin.version import parse_version
from punktfunk.plan import Mode

pytestmark = pytest.mark.trio


async def test_command_knows_whether_there_is_xwayland():
    assert command(xwayland=True)[-1] == "--xwayland"
    assert "--virtual" in command(xwayland=False)


async def test_session_gives_what_the_backend_needs(tmp_path):
    kwin, shell = compositor(tmp_path, {"PATH": str(tmp_path)})
    assert (kwin.name, shell.needs) == ("compositor", {"compositor"})
    assert kwin.starts[0].gives["WAYLAND_DISPLAY"] == "wayland-0"
    assert kwin.starts[0].environment[OPEN_TO_ALL] == "1"
    assert kwin.starts[0].environment["KDE_FULL_SESSION"] == ""
    assert kwin.starts[0].gives["KDE_FULL_SESSION"] == "true"


async def test_readiness_is_an_answer_of_kwin(tmp_path):
    assert not await answers(tmp_path / "wayland-7")()
    with running_kwin(tmp_path):
        assert await answers(tmp_path / "wayland-7")()


async def test_unseen_screen_is_off_while_a_client_is_there(tmp_path):
    with running_kwin(tmp_path, monitors=["Virtual-0"]) as kwin:
        backend = KWinDisplays(kwin.journal, environment={**kwin.environment, OPEN_TO_ALL: "1"})
        async with backend.create(Mode(1280, 720, 60000), "x") as output:
            outputs = kwin.state()["outputs"]
            assert not outputs["Virtual-0"]["enabled"]
            assert outputs[output.name]["place"] == [0, 0]
        assert kwin.state()["outputs"]["Virtual-0"]["enabled"]


async def test_version_is_found_in_what_kwin_says():
    assert (
        parse_version("KWin Support Information:\n...\nVersion\n=======\nKWin version: 6.7.4\nQt\n")
        == "6.7.4"
    )
    assert parse_version("nothing") == ""
