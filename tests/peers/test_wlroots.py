"""Real wlroots compositors that are no sway to us: labwc, and sway told what to do by the common protocols."""

import shutil

import pytest
import trio
from sway_session import (
    SWAYS,
    TRIXIE,
    Viewer,
    assert_nothing_left,
    flood,
    most_common,
    needs_sway,
    program,
    save,
)

from punktfunk.control.displays.base import DisplayOptions, Region
from punktfunk.control.displays.wlroots import SpawnedWlroots
from punktfunk.control.displays.wlroots_kinds import COMPOSITORS, Compositor
from punktfunk.control.input.base import open_injector
from punktfunk.control.system.journal import Journal
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode
from punktfunk.wire.input import Key, MouseButton, MouseClick, MouseMoveAbsolute

pytestmark = [
    pytest.mark.peer,
    pytest.mark.trio,
    pytest.mark.usefixtures("own_temporary_folder"),
    *needs_sway,
]

MODE = Mode(1290, 720, 120000)


def generic_sway(command):
    def start(folder, announce):
        config = folder / "sway.conf"
        config.write_text(f"xwayland disable\nexec {announce}\n")
        return [*command, "-c", str(config)]

    return Compositor(command[0], start)


def labwc():
    """The installed labwc, else that of the Debian 13 tree."""
    known = COMPOSITORS[0]
    path = shutil.which("labwc") or (str(TRIXIE / "labwc") if TRIXIE else "labwc")
    return Compositor(path, lambda folder, announce: [path, *known.command(folder, announce)[1:]])


LABWC = labwc()
no_labwc = pytest.mark.skipif(shutil.which(LABWC.program) is None, reason="labwc is not installed")
KINDS = [
    *(
        pytest.param(generic_sway(sway.values[0] or ["sway"]), id=f"sway-{sway.id}", marks=sway.marks)
        for sway in SWAYS
    ),
    pytest.param(LABWC, id="labwc", marks=no_labwc),
]


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "run")


@pytest.mark.parametrize("compositor", KINDS)
async def test_a_session_has_the_clients_mode_and_takes_its_input(journal, compositor):
    backend = SpawnedWlroots(journal, [compositor], options=DisplayOptions(scale=1.5))
    async with backend.create(MODE, "client") as output:
        assert output.mode == MODE
        assert output.region == Region(0, 0, 860, 480)
        assert len(output.notes) == 1
        with program(output, *flood(0x306090)), Viewer(output.source) as viewer:
            pixels = await trio.to_thread.run_sync(viewer.until, lambda seen: most_common(seen) == 0x306090)
            assert pixels.shape == (720, 1290)
            save(pixels, f"wlroots-{compositor.program.rpartition('/')[2]}")
            changed = await backend.change_mode(output, Mode(800, 600, 59940))
            assert changed.mode == changed.source.mode == Mode(800, 600, 59940)
            await trio.to_thread.run_sync(viewer.until, lambda seen: seen.shape == (600, 800))
        with program(changed, "stdbuf", "-oL", "wev") as wev:
            await saw(wev, "xdg_toplevel] configure")
            async with open_injector(changed) as injector:
                await saw(wev, "wl_keyboard] enter")
                injector.inject(MouseMoveAbsolute(400, 300, 800, 600))
                injector.inject(MouseClick(MouseButton.LEFT, pressed=True))
                await saw(wev, "button: 272 (left), state: 1 (pressed)")
                injector.inject(Key(0x41, pressed=True))
                await saw(wev, "utf8: 'a'")
            await saw(wev, "state: 0 (released)")
        token = output.environment["PUNKTFUNK_DISPLAY"]
    assert_nothing_left(journal, token)


async def saw(process, what):
    with trio.fail_after(20):
        while what not in (line := await trio.to_thread.run_sync(read, process, abandon_on_cancel=True)):
            assert line, f"wev ended before {what}"


def read(process):
    return process.stdout.readline().decode(errors="replace")


async def test_one_that_does_not_start_says_why(journal, tmp_path):
    fake = tmp_path / "labwc"
    fake.write_text("#!/bin/sh\necho no luck\nexit 3\n")
    fake.chmod(0o755)
    compositor = Compositor(str(fake), lambda _folder, _announce: [str(fake)])
    with pytest.raises(EnvironmentProblem, match=r"ended with status 3 .* it said: no luck"):
        async with SpawnedWlroots(journal, [compositor]).create(MODE, "client"):
            pass
    assert_nothing_left(journal)


@pytest.mark.parametrize(("version", "is_used"), [("0.1.4", False), ("0.2.0", True), ("of today", True)])
async def test_one_that_is_too_old_is_passed_over(journal, tmp_path, version, is_used):
    fake = tmp_path / "cage"
    fake.write_text(f"#!/bin/sh\necho Cage version {version}\n")
    fake.chmod(0o755)
    compositor = Compositor(str(fake), lambda _folder, _announce: [], oldest=(0, 2))
    found = await SpawnedWlroots(journal, [compositor]).probe()
    assert found.available is is_used
    assert str(fake) in found.reason
