"""A real KWin, in the virtual machine: whom it lets in, its outputs, their modes, how a desktop is put back."""

import os
import subprocess
import sys

import pytest
import trio
from launching import wait_for
from plasma_session import outputs, plasma_session, punktfunk
from vm_pictures import SLOW_S

from punktfunk.control.displays.base import DisplayOptions
from punktfunk.control.displays.kwin.backend import KWinDisplays
from punktfunk.control.displays.kwin.door import open_kwin
from punktfunk.control.displays.reclaim import reclaim
from punktfunk.control.system.journal import Journal
from punktfunk.plan import Mode

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

OLDEST = (6, 5, 6)


@pytest.fixture(scope="module")
def session():
    with plasma_session() as running:
        yield running


@pytest.fixture(scope="module")
def let_in(session):
    punktfunk("plasma", "install")
    return session


def backend(session, folder, **options):
    return KWinDisplays(Journal(folder), options=DisplayOptions(**options), environment=session.environment)


def near(shown, asked):
    """KWin times its own modes as monitors are timed, and rounds the rate."""
    return (shown.width_px, shown.height_px) == (asked.width_px, asked.height_px) and abs(
        shown.refresh_millihertz - asked.refresh_millihertz
    ) < 500


def test_kwin_knows_only_the_launcher(session, tmp_path):
    punktfunk("plasma", "remove")
    found = trio.run(backend(session, tmp_path).probe)
    print("probe before:", found.reason)
    assert not found.available
    assert "not installed" in found.reason
    punktfunk("plasma", "install")
    found = trio.run(backend(session, tmp_path).probe)
    print("probe after:", found.reason, found.version)
    assert found.available
    assert tuple(int(part) for part in found.version.split(".")) >= OLDEST

    async def connect():
        async with open_kwin(f"{session.environment['XDG_RUNTIME_DIR']}/wayland-0") as connection:
            assert connection.alive

    trio.run(connect)


@pytest.mark.parametrize("millihertz", [60000, 120000, 59940])
def test_output_of_any_mode_comes_and_goes(let_in, tmp_path, millihertz):
    mode = Mode(800, 450, millihertz)

    async def look():
        async with backend(let_in, tmp_path, scale=1.5, position="below").create(mode, "a client") as output:
            print(output.name, output.mode, output.region, output.notes, output.source)
            with trio.fail_after(30):
                seen = await trio.to_thread.run_sync(outputs, let_in)
            print(seen)
            return output, seen

    before = outputs(let_in)
    output, seen = trio.run(look)
    assert near(output.mode, mode)
    assert output.notes == ()
    assert seen[output.name] == (str(output.mode), (0, 360), True)
    assert (output.region.width, output.region.height) == (533, 300)
    assert outputs(let_in) == before
    assert Journal(tmp_path).entries() == ([], [])


def test_mode_change_and_exclusive_display(let_in, tmp_path):
    async def look():
        kwin = backend(let_in, tmp_path, arrangement="exclusive")
        async with kwin.create(Mode(640, 360, 60000), "a client") as output:
            first = await trio.to_thread.run_sync(outputs, let_in)
            changed = await kwin.change_mode(output, Mode(1024, 576, 60000))
            return output.name, first, changed, await trio.to_thread.run_sync(outputs, let_in)

    before = outputs(let_in)
    name, first, changed, second = trio.run(look)
    print(first, second)
    assert [screen for screen, (_mode, _place, is_on) in first.items() if is_on] == [name]
    assert near(changed.mode, Mode(1024, 576, 60000))
    assert second[changed.name][:2] == (str(changed.mode), (0, 0))
    assert outputs(let_in) == before


HOLDER = """
import sys
from pathlib import Path
import trio
from punktfunk.control.displays.base import DisplayOptions
from punktfunk.control.displays.kwin.backend import KWinDisplays
from punktfunk.control.system.journal import Journal
from punktfunk.plan import Mode
import os

async def hold():
    kwin = KWinDisplays(
        Journal(Path(sys.argv[1])), options=DisplayOptions(arrangement="exclusive"), environment=os.environ
    )
    async with kwin.create(Mode(640, 360, 60000), "a client"):
        print("made", flush=True)
        await trio.sleep_forever()

trio.run(hold)
"""


def test_other_displays_are_on_again_after_a_crash(let_in, tmp_path):
    before = outputs(let_in)
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    environment = {**os.environ, **let_in.environment}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "made\n"
        assert not outputs(let_in)["Virtual-0"][2]
        holder.kill()
    print("after the crash:", outputs(let_in))
    print(trio.run(reclaim, Journal(tmp_path)))
    wait_for(lambda: outputs(let_in) == before, "all is as before", SLOW_S)
    assert Journal(tmp_path).entries() == ([], [])


def test_launcher_is_removed_again(let_in, tmp_path):
    punktfunk("plasma", "remove")
    assert punktfunk("plasma", "status", check=False).returncode == 1
