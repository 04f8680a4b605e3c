"""The parts of a session, as processes that only pretend: order, death, restart, end."""

from contextlib import asynccontextmanager
from itertools import count

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from punktfunk.control.desktop import supervisor as module
from punktfunk.control.desktop.parts import Part, Start, at_once
from punktfunk.control.desktop.supervisor import Supervisor
from punktfunk.errors import EnvironmentProblem

pytestmark = pytest.mark.trio
PACKAGES = {"debian": ["any"]}


class FakeProcess:
    def __init__(self, pid, obeys):
        self.pid, self.obeys = pid, obeys
        self.returncode = None
        self._ended = trio.Event()

    def poll(self):
        return self.returncode

    def end(self, status):
        if self.returncode is None:
            self.returncode = status
            self._ended.set()

    def terminate(self):
        if self.obeys:
            self.end(-15)

    def kill(self):
        self.end(-9)

    async def wait(self):
        await self._ended.wait()
        return self.returncode


class World:
    """Starts fake processes; ``refusing`` and ``crashing`` name programs that do not start."""

    def __init__(self, monkeypatch, folder):
        self.started, self.living, self.said, self.changes = [], {}, [], []
        self.refusing, self.crashing, self.stubborn = set(), set(), set()
        self.environments = {}
        self.folder = folder
        self._pids = count(100)
        monkeypatch.setattr(module, "start_process", self.start)

    async def start(self, command, environment, output):
        await trio.lowlevel.checkpoint()
        (program, *_) = command
        if program in self.refusing:
            raise EnvironmentProblem(f"{program} is not installed")
        process = FakeProcess(next(self._pids), program not in self.stubborn)
        self.started.append(program)
        self.environments[program] = environment
        self.living[program] = process
        if program in self.crashing:
            process.end(1)
        return process

    @asynccontextmanager
    async def supervising(self, *parts):
        async with trio.open_nursery() as nursery:
            self.supervisor = Supervisor(
                parts,
                {"PATH": "/bin", "EMPTY": ""},
                self.folder,
                nursery,
                report=self.said.append,
                note=lambda _: None,
            )
            self.supervisor.changed = lambda name: self.changes.append((name, self.supervisor.is_up(name)))
            try:
                yield self.supervisor
            finally:
                with trio.CancelScope(shield=True):
                    await self.supervisor.end_all()
                nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def running(self, *parts):
        async with self.supervising(*parts) as supervisor:
            await supervisor.start_all()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(supervisor.keep_up)
                await wait_all_tasks_blocked()
                yield supervisor
                nursery.cancel_scope.cancel()


@pytest.fixture
def world(monkeypatch, tmp_path):
    return World(monkeypatch, tmp_path)


def part(name, *needs, without="", ready=at_once, gives=None, more=()):
    starts = [Start([name], ready, gives=gives or {}), *more]
    return Part(name, name, PACKAGES, starts, frozenset(needs), without)


def state(supervisor):
    return {row["part"]: row["state"] for row in supervisor.status()}


async def test_parts_start_in_order_and_inherit_what_those_before_gave(autojump_clock, world):
    bus = part("bus", gives={"BUS": "here"})
    async with world.running(bus, part("desktop", "bus")) as supervisor:
        assert world.started == ["bus", "desktop"]
        assert world.environments["bus"] == {"PATH": "/bin"}
        assert world.environments["desktop"] == {"PATH": "/bin", "BUS": "here"}
        assert state(supervisor) == {"bus": "up", "desktop": "up"}
    assert [process.returncode for process in world.living.values()] == [-15, -15]


async def test_a_dead_part_is_started_again_after_a_wait(autojump_clock, world):
    async with world.running(part("bus"), part("desktop")) as supervisor:
        began_s = trio.current_time()
        world.living["desktop"].end(-11)
        await wait_all_tasks_blocked()
        assert state(supervisor)["desktop"] == "down"
        assert "status -11" in supervisor.why_down("desktop")
        await trio.sleep(0.3)
        assert state(supervisor)["desktop"] == "up"
        assert 0.25 <= trio.current_time() - began_s < 1
        assert world.started == ["bus", "desktop", "desktop"]
        assert {row["part"]: row["restarts"] for row in supervisor.status()} == {"bus": 0, "desktop": 1}
    assert world.changes == [("bus", True), ("desktop", True), ("desktop", False), ("desktop", True)]


async def test_what_needs_a_dead_part_is_ended_and_comes_back_after_it(autojump_clock, world):
    chain = [part("bus"), part("shell", "bus"), part("panel", "shell"), part("sound")]
    async with world.running(*chain) as supervisor:
        panel, sound = world.living["panel"], world.living["sound"]
        world.living["bus"].end(1)
        await trio.sleep(0.3)
        assert panel.returncode == -15
        assert sound.returncode is None
        assert world.started[4:] == ["bus", "shell", "panel"]
        assert set(state(supervisor).values()) == {"up"}


async def test_waits_grow_while_it_keeps_dying(autojump_clock, world):
    async with world.running(part("desktop")) as supervisor:
        world.crashing.add("desktop")
        world.living["desktop"].end(1)
        await trio.sleep(3.5)  # 0.25, 0.5, 1 and 2 seconds of waiting begin within it
        assert world.started.count("desktop") == 4
        world.crashing.clear()
        await trio.sleep(1)
        assert state(supervisor) == {"desktop": "up"}


async def test_a_part_in_trouble_does_not_keep_others_down(autojump_clock, world):
    async with world.running(part("bus"), part("desktop")) as supervisor:
        world.crashing.add("desktop")
        world.living["desktop"].end(1)
        await trio.sleep(10)
        world.living["bus"].end(1)
        await trio.sleep(0.5)
        assert state(supervisor) == {"bus": "up", "desktop": "down"}


async def test_the_next_way_to_start_is_tried(autojump_clock, world):
    world.crashing.add("desktop")
    second = Start(["plain"], at_once, note="drawn by the CPU")
    async with world.running(part("desktop", more=[second])) as supervisor:
        assert world.started == ["desktop", "plain"]
        assert supervisor.status()[0]["note"] == "drawn by the CPU"


async def test_a_vital_part_that_does_not_start_is_an_error(autojump_clock, world):
    world.crashing.add("desktop")
    async with world.supervising(part("bus"), part("desktop")) as supervisor:
        with pytest.raises(EnvironmentProblem, match="desktop ended with status 1 while it started"):
            await supervisor.start_all()
    assert world.living["bus"].returncode == -15


async def test_an_optional_part_that_does_not_start_is_tried_again(autojump_clock, world):
    world.refusing.add("sound")
    async with world.running(part("sound", without="silence"), part("desktop")) as supervisor:
        assert state(supervisor) == {"sound": "down", "desktop": "up"}
        world.refusing.clear()
        await trio.sleep(1)
        assert state(supervisor) == {"sound": "up", "desktop": "up"}


async def test_a_part_that_never_gets_ready_is_ended(autojump_clock, world):
    async def never():
        await trio.lowlevel.checkpoint()
        return False

    async with world.supervising(part("desktop", ready=never)) as supervisor:
        with pytest.raises(EnvironmentProblem, match="was not ready within 15 s"):
            await supervisor.start_all()
        assert world.living["desktop"].returncode == -15


async def test_what_does_not_obey_is_killed_at_the_end(autojump_clock, world):
    world.stubborn.add("desktop")
    async with world.running(part("desktop")):
        pass
    assert world.living["desktop"].returncode == -9


async def test_missing_parts_are_skipped(autojump_clock, world):
    async with world.supervising(part("sound", without="silence"), part("mixer", "sound")) as supervisor:
        supervisor.mark_missing("sound")
        await supervisor.start_all()
        assert state(supervisor) == {"sound": "missing", "mixer": "up"}
        assert supervisor.why_down("sound") == "silence"


async def test_stale_files_are_gone_before_the_start(autojump_clock, world, tmp_path):
    stale = tmp_path / "socket"
    stale.touch()
    start = Start(["desktop"], at_once, leftovers=[stale, tmp_path / "none"])
    async with world.running(Part("desktop", "desktop", PACKAGES, [start])):
        assert not stale.exists()


async def test_cancelled_while_it_starts_leaves_no_process(autojump_clock, world):
    async def slow():
        await trio.sleep(100)
        return True

    with trio.move_on_after(3):
        async with world.running(part("bus"), part("desktop", ready=slow)):
            raise AssertionError("it is never ready")
    assert [process.returncode for process in world.living.values()] == [-15, -15]
