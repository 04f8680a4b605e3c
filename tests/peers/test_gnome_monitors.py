"""How a client's monitor joins those of a GNOME user, and that the user gets the own ones back. A real mutter."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trio
from gnome_session import GnomeSession, gnome_session, needs_gnome, no_mutter
from sway_session import Viewer

from punktfunk.control.displays.base import DisplayOptions, Region
from punktfunk.control.displays.mutter.backend import Gnome
from punktfunk.control.displays.mutter.display_config import change_layout, read_state
from punktfunk.control.displays.mutter.monitors import State, same_layout
from punktfunk.control.displays.reclaim import reclaim
from punktfunk.control.system.dbus_link import open_link
from punktfunk.control.system.journal import Journal
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import CursorMode, Mode
from punktfunk.wire.input import Key, MouseMoveAbsolute

pytestmark = [pytest.mark.peer, pytest.mark.trio, pytest.mark.timeout(90), *needs_gnome]

MODE = Mode(1280, 720, 60000)


class Desk:
    """A user with two monitors. Mutter 48.7 dies (SIGSEGV) now and then when a monitor is taken away right after its mode
    changed. The backend waits a moment then; if it happens all the same, the next test has another mutter, and what that
    means for a host has a test of its own."""

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.session: GnomeSession | None = None

    def living(self) -> GnomeSession:
        if self.session is None or self.session.processes["compositor"].poll() is not None:
            self.stack.close()
            self.session = self.stack.enter_context(gnome_session("mutter", "1024x768", "800x600"))
        return self.session


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    kept = Desk()
    with kept.stack:
        yield kept


@pytest.fixture
def session(desk: Desk) -> GnomeSession:
    return desk.living()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def backend(session: GnomeSession, journal: Journal, **options: Any) -> Gnome:
    return Gnome(journal, options=DisplayOptions(**options), environment=session.environment)


async def state(session: GnomeSession) -> State:
    async with open_link(session.environment["DBUS_SESSION_BUS_ADDRESS"]) as link:
        return await read_state(link)


def places(found: State) -> dict[str, tuple[int, int, int, int, bool]]:
    return {
        "+".join(logical.connectors): (logical.x, logical.y, *found.size(logical), logical.primary)
        for logical in found.logicals
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {},
            {"Meta-0": (0, 0, 1024, 768, True), "Meta-1": (1024, 0, 800, 600, False), "Meta-2": (1824, 0, 1280, 720, False)},
        ),
        (
            {"position": "left", "arrangement": "primary"},
            {"Meta-0": (1280, 0, 1024, 768, False), "Meta-1": (2304, 0, 800, 600, False), "Meta-2": (0, 0, 1280, 720, True)},
        ),
        (
            {"position": "below", "scale": 1.5},
            {"Meta-0": (0, 0, 1024, 768, True), "Meta-1": (1024, 0, 800, 600, False), "Meta-2": (0, 768, 848, 477, False)},
        ),
        ({"arrangement": "exclusive"}, {"Meta-2": (0, 0, 1280, 720, True)}),
    ],
    ids=["extend", "primary on the left", "below, larger", "exclusive"],
)  # fmt: skip
async def test_arrangements_and_what_was_before(
    session: GnomeSession, journal: Journal, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    before = await state(session)
    assert len(before.logicals) == 2
    async with backend(session, journal, **options).create(MODE, "client") as output:
        found = await state(session)
        assert places(found) == expected
        assert output.region == found.region(output.name)
        assert output.mode == MODE
    after = await state(session)
    assert same_layout(after.logicals, before.logicals)
    assert journal.entries() == ([], [])


async def test_two_clients_share_an_exclusive_desktop(session: GnomeSession, journal: Journal) -> None:
    before = await state(session)
    gnome = backend(session, journal, arrangement="exclusive")
    async with gnome.create(MODE, "first"):
        async with gnome.create(Mode(640, 480, 30000), "second") as second:
            assert len(places(await state(session))) == 2
            assert second.mode == Mode(640, 480, 30000)
        assert [place[2:] for place in places(await state(session)).values()] == [(1280, 720, True)]
    assert same_layout((await state(session)).logicals, before.logicals)


async def test_every_rate(session: GnomeSession, journal: Journal) -> None:
    gnome = backend(session, journal)
    async with gnome.create(Mode(800, 600, 144000), "client") as output:
        assert output.mode.refresh_millihertz == 144000
        for wanted in (Mode(800, 600, 59940), Mode(1280, 720, 240000)):
            changed = await gnome.change_mode(output, wanted)
            assert changed.mode == changed.source.mode == wanted
            assert changed.notes == ()


async def test_a_scale_that_mutter_does_not_allow_is_named(session: GnomeSession, journal: Journal) -> None:
    async with backend(session, journal, scale=3.0).create(Mode(800, 600, 60000), "client") as output:
        assert [note for note in output.notes if "not 3" in note] == list(output.notes)
        assert len(output.notes) == 1


async def test_a_user_who_rearranges_keeps_it(session: GnomeSession, journal: Journal) -> None:
    """Monitors that are moved by hand meanwhile stay there, until ours changes."""
    async with backend(session, journal).create(MODE, "client") as output:
        async with open_link(session.environment["DBUS_SESSION_BUS_ADDRESS"]) as link:
            turned = await change_layout(
                link, lambda found: [row for row in found.logicals if output.name not in row.connectors]
            )
        assert output.name not in places(turned)
        await trio.sleep(0.3)
        assert output.name not in places(await state(session))


async def test_a_mode_that_changes_while_pictures_are_taken(session: GnomeSession, journal: Journal) -> None:
    gnome = backend(session, journal, arrangement="primary", position="left")
    async with gnome.create(MODE, "client") as output:
        with Viewer(output.source) as viewer:
            await trio.to_thread.run_sync(viewer.picture)
            same = await gnome.change_mode(output, Mode(1280, 720, 30000))
            assert same.mode == MODE, "a rate alone cannot be had while somebody looks"
            assert "30 Hz" in " ".join(same.notes)
            changed = await gnome.change_mode(output, Mode(640, 480, 30000))
            assert changed.mode == Mode(640, 480, 30000)
        with Viewer(changed.source) as viewer:
            pixels = await trio.to_thread.run_sync(viewer.picture)
            assert pixels is not None
            assert pixels.shape == (480, 640)
        with trio.fail_after(15):
            while places(await state(session)).get(output.name) != (0, 0, 640, 480, True):  # noqa: ASYNC110 - mutter's state
                await trio.sleep(0.05)
            while (await gnome.change_mode(output, changed.mode)).region != Region(0, 0, 640, 480):  # noqa: ASYNC110
                await trio.sleep(0.05)


async def test_the_pointer_beside_the_pictures(session: GnomeSession, journal: Journal) -> None:
    """For clients that draw it: where it is."""
    async with backend(session, journal, cursor=CursorMode.METADATA).create(MODE, "client") as output:
        with Viewer(output.source) as viewer:
            await trio.to_thread.run_sync(viewer.picture)
            async with output.open_input() as injector:
                pointer = viewer.capture._pointer
                for place in ((640, 360), (100, 50)):
                    injector.inject(MouseMoveAbsolute(*place, 1280, 720))
                    with trio.fail_after(6):
                        while (pointer.state.x_px, pointer.state.y_px) != place:
                            await trio.to_thread.run_sync(viewer.picture, 0.1)


@no_mutter
async def test_the_mutter_that_is_installed(journal: Journal) -> None:
    """An older one, as Debian 12 has: no EIS, the same monitors."""
    with gnome_session("mutter", "1024x768", installed=True) as session:
        before = await state(session)
        gnome = backend(session, journal, arrangement="exclusive")
        async with gnome.create(Mode(1280, 720, 120000), "client") as output:
            assert list(places(await state(session)).values()) == [(0, 0, 1280, 720, True)]
            assert output.mode.refresh_millihertz == 120000
            async with output.open_input() as injector:
                injector.inject(Key(0x41, pressed=True))
                assert injector.injected == {"Key": 1}
            changed = await gnome.change_mode(output, Mode(1280, 720, 59940))
            assert changed.mode.refresh_millihertz == 59940
        assert same_layout((await state(session)).logicals, before.logicals)


KILLED = """
import os, sys, trio
from pathlib import Path
from punktfunk.control.displays.base import DisplayOptions
from punktfunk.control.displays.mutter.backend import Gnome
from punktfunk.control.system.journal import Journal
from punktfunk.plan import Mode

async def main():
    options = DisplayOptions(arrangement="exclusive")
    gnome = Gnome(Journal(Path(sys.argv[1])), options=options, environment=os.environ)
    async with gnome.create(Mode(1280, 720, 60000), "client"):
        print("there", flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


async def test_a_killed_host_gives_the_monitors_back(session: GnomeSession, journal: Journal) -> None:
    before = await state(session)
    command = [sys.executable, "-c", KILLED, str(journal.runtime_folder)]
    environment = {**os.environ, **session.environment}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as host:  # noqa: ASYNC220 - starts at once
        assert host.stdout is not None
        assert await trio.to_thread.run_sync(host.stdout.readline) == b"there\n"
        assert list(places(await state(session))) == ["Meta-2"]
        host.send_signal(signal.SIGKILL)
        await trio.to_thread.run_sync(host.wait)
    (said,) = await reclaim(journal)
    assert said == "put back the monitors of GNOME (Meta-0, Meta-1)"
    assert same_layout((await state(session)).logicals, before.logicals)
    assert journal.entries() == ([], [])


async def test_a_desktop_that_dies_is_named_and_leaves_nothing(journal: Journal) -> None:
    with gnome_session("mutter") as session:
        gnome = backend(session, journal, arrangement="exclusive")
        async with gnome.create(MODE, "client") as output, output.open_input() as injector:
            session.end("compositor", signal.SIGKILL)
            injector.release_all()
            with pytest.raises(EnvironmentProblem):
                await gnome.change_mode(output, Mode(640, 480, 60000))
        found = await gnome.probe()
        assert not found.available
        assert "no GNOME" in found.reason
        session.end("bus", signal.SIGKILL)
        assert "no D-Bus" in (await gnome.probe()).reason
        with pytest.raises(EnvironmentProblem):
            async with gnome.create(MODE, "client"):
                pass
    for said in await reclaim(journal):
        assert "gone" in said
    assert journal.entries() == ([], [])
