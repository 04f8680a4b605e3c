"""How a client's output joins a real sway with two monitors, and that the monitors come back."""

import subprocess
import sys

import pytest
import trio
from sway_session import SWAYS, flood, needs_sway, program

from punktfunk.control.displays.attached import AttachedSway
from punktfunk.control.displays.base import DisplayOptions, Region
from punktfunk.control.displays.reclaim import reclaim
from punktfunk.control.displays.spawned import SpawnedSway
from punktfunk.control.displays.sway_ipc import connect_sway
from punktfunk.control.displays.topology import add_output, set_mode
from punktfunk.control.system.journal import Journal
from punktfunk.plan import Mode

pytestmark = [pytest.mark.peer, pytest.mark.trio, *needs_sway]

MODE = Mode(800, 600, 60000)
NEWEST = SWAYS[1:]
OWNER = """
import sys, trio
from pathlib import Path
from punktfunk.control.displays.attached import AttachedSway
from punktfunk.control.displays.base import DisplayOptions
from punktfunk.control.system.journal import Journal
from punktfunk.plan import Mode

async def main(folder, socket_path):
    backend = AttachedSway(Journal(Path(folder)), socket_path, options=DisplayOptions("exclusive"))
    async with backend.create(Mode(640, 480, 60000), "client"):
        print("up", flush=True)
        await trio.sleep_forever()

trio.run(main, *sys.argv[1:])
"""


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "run")


@pytest.fixture(params=SWAYS)
async def own(request, tmp_path):
    """A session with two monitors, the left one smaller; its sway is ours to ask."""
    backend = SpawnedSway(Journal(tmp_path / "session"), request.param)
    async with backend.create(MODE, "own") as output, connect_sway(output.ipc_socket_path) as ipc:
        second = await add_output(ipc, {output.name})
        await set_mode(ipc, second, Mode(1000, 700, 60000))
        yield output, ipc


async def layout(ipc):
    return {state.name: state.region for state in await ipc.outputs() if state.active}


@pytest.mark.parametrize(
    ("position", "corner"),
    [("right", (1800, 0)), ("left", (-400, 0)), ("above", (0, -300)), ("below", (800, 700))],
)
async def test_an_output_lies_on_its_side_at_its_scale(own, journal, position, corner):
    output, ipc = own
    before = await layout(ipc)
    options = DisplayOptions(position=position, scale=2.0)
    backend = AttachedSway(journal, output.ipc_socket_path, options=options)
    async with backend.create(MODE, "client") as made:
        assert made.region == Region(*corner, 400, 300)
        assert await layout(ipc) == {**before, made.name: made.region}
        changed = await backend.change_mode(made, Mode(600, 400, 120000))
        assert (changed.region.width, changed.region.height) == (300, 200)
        regions = list((await layout(ipc)).values())
        for one in regions:  # still beside the others, over none
            assert not [other for other in regions if other is not one and overlap(one, other)]
    after = await layout(ipc)
    assert {name: after[name] for name in before} == before


def overlap(one, other):
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


async def test_every_refresh_is_had(own, journal):
    output, _ipc = own
    backend = AttachedSway(journal, output.ipc_socket_path)
    async with backend.create(MODE, "client") as made:
        for refresh in (59_940, 60_000, 120_000, 144_000, 240_000):
            changed = await backend.change_mode(made, Mode(800, 600, refresh))
            assert changed.mode == Mode(800, 600, refresh)
            assert changed.notes == made.notes


async def test_primary_brings_the_windows_over_and_back(own, journal):
    output, ipc = own
    options = DisplayOptions("primary")
    backend = AttachedSway(journal, output.ipc_socket_path, options=options)
    await ipc.run(f"focus output {output.name}")
    with program(output, *flood(0x204060)):
        await until(lambda: holds(ipc, output.name))
        async with backend.create(MODE, "client") as made:
            assert await holds(ipc, made.name)
            assert [state.name for state in await ipc.outputs() if state.focused] == [made.name]
        assert await holds(ipc, output.name)


async def holds(ipc, name):
    return any(contents for place, contents in await ipc.workspaces() if place == name)


async def until(condition):
    with trio.fail_after(10):
        while not await condition():  # noqa: ASYNC110 - an event of the compositor
            await trio.sleep(0.02)


@pytest.mark.parametrize("own", NEWEST, indirect=True)
async def test_exclusive_switches_the_others_off_until_the_last_such_client_leaves(own, journal):
    output, ipc = own
    before = await layout(ipc)
    backend = AttachedSway(journal, output.ipc_socket_path, options=DisplayOptions("exclusive"))
    ended = trio.Event()
    async with trio.open_nursery() as nursery:
        first = await nursery.start(hold, backend, ended)
        assert set(await layout(ipc)) == {first.name}
        assert first.notes == ()
        async with backend.create(MODE, "second") as second:
            assert set(await layout(ipc)) == {first.name, second.name}
            ended.set()
            await until(lambda: gone(ipc, first.name))
            assert set(await layout(ipc)) == {second.name}
    assert await layout(ipc) == before
    assert journal.entries() == ([], [])


async def hold(backend, ended, *, task_status):
    async with backend.create(MODE, "first") as output:
        task_status.started(output)
        await ended.wait()


async def gone(ipc, name):
    return name not in {state.name for state in await ipc.outputs()}


@pytest.mark.parametrize("own", SWAYS[:1], indirect=True)
async def test_a_sway_that_cannot_switch_off_says_so(own, journal):
    output, _ipc = own
    backend = AttachedSway(journal, output.ipc_socket_path, options=DisplayOptions("exclusive"))
    if (await backend.probe()).removes_outputs:
        pytest.skip("this sway can")
    async with backend.create(MODE, "client") as made:
        assert "keeps HEADLESS-1, HEADLESS-2 on" in made.notes[-1]


def start_owner(*arguments):
    command = [sys.executable, "-c", OWNER, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)


@pytest.mark.fault
@pytest.mark.parametrize("own", NEWEST, indirect=True)
async def test_monitors_come_back_after_the_host_was_killed(own, journal):
    output, ipc = own
    before = await layout(ipc)
    with start_owner(journal.runtime_folder, output.ipc_socket_path) as owner:
        assert await trio.to_thread.run_sync(owner.stdout.readline) == b"up\n"
        assert not set(before) & set(await layout(ipc))
        owner.kill()
    (said,) = await reclaim(journal)
    assert said.endswith("and switched HEADLESS-1, HEADLESS-2 on again")
    assert await layout(ipc) == before
    assert journal.entries() == ([], [])
