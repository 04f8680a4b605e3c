"""The backend of a session: it waits for the compositor, and its displays end with it."""

from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from punktfunk.control.desktop.backend import PATIENCE_S, InSession
from punktfunk.control.desktop.kinds import KINDS
from punktfunk.control.desktop.session import OwnSession
from punktfunk.control.displays.base import Capabilities, VirtualOutput
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode, TestcardSource

pytestmark = pytest.mark.trio
MODE = Mode(640, 480, 60_000)


class FakeSupervisor:
    """Says whether the compositor runs."""

    def __init__(self):
        self.environment = {
            "DBUS_SESSION_BUS_ADDRESS": "unix:path=/s/bus",
            "WAYLAND_DISPLAY": "wayland-1",
            "X": "",
        }
        self.up = set()

    def is_up(self, name):
        return name in self.up

    def why_down(self, _name):
        return "sway ended with status -9"

    def status(self):
        return []


class FakeBackend:
    """Makes outputs of nothing and counts those that live."""

    name = "attach"

    def __init__(self):
        self.living = 0

    async def probe(self):
        await trio.lowlevel.checkpoint()
        return Capabilities(available=True, reason="sway runs")

    @asynccontextmanager
    async def create(self, mode, _identity):
        self.living += 1
        try:
            await trio.lowlevel.checkpoint()
            environment = {"WAYLAND_DISPLAY": "wayland-7"}
            yield VirtualOutput("HEADLESS-1", mode, TestcardSource(mode), self.name, environment)
        finally:
            self.living -= 1

    async def change_mode(self, output, mode):
        await trio.lowlevel.checkpoint()
        return output


class World:
    def __init__(self):
        self.supervisor, self.inner = FakeSupervisor(), FakeBackend()
        self.session = OwnSession("sway", KINDS["sway"], Path("/s"), self.supervisor)
        self.backend = InSession(self.session, self.inner)

    def compositor(self, *, runs):
        self.supervisor.up = {"compositor"} if runs else set()
        self.session.part_changed("compositor")


@pytest.fixture
def world():
    made = World()
    made.compositor(runs=True)
    return made


async def test_outputs_lead_into_the_session(world):
    async with world.backend.create(MODE, "client") as output:
        assert output.backend == "session-sway"
        assert output.environment["WAYLAND_DISPLAY"] == "wayland-7"  # the compositor knows it best
        assert (output.pipewire_remote, output.dbus_address) == ("/s/pipewire-0", "unix:path=/s/bus")
    assert world.inner.living == 0
    assert (await world.backend.probe()).reason == "own sway session; sway runs"


async def test_who_comes_while_it_is_down_waits(autojump_clock, world):
    world.compositor(runs=False)
    assert not (await world.backend.probe()).available
    async with trio.open_nursery() as nursery:
        nursery.start_soon(come_back, world, PATIENCE_S - 1)
        async with world.backend.create(MODE, "client"):
            assert trio.current_time() > 0


async def come_back(world, after_s):
    await trio.sleep(after_s)
    world.compositor(runs=True)


async def test_patience_ends_with_the_reason(autojump_clock, world):
    world.compositor(runs=False)
    with pytest.raises(EnvironmentProblem, match="status -9"):
        async with world.backend.create(MODE, "client"):
            pass
    assert world.inner.living == 0


async def show_until_the_compositor_dies(world):
    async with world.backend.create(MODE, "client"):
        world.compositor(runs=False)
        world.compositor(
            runs=True
        )  # there is a new one at once: outputs of the old one are gone all the same
        await trio.sleep_forever()


async def test_displays_end_with_their_compositor(autojump_clock, world):
    with pytest.raises(EnvironmentProblem, match="session ended"):
        await show_until_the_compositor_dies(world)
    assert world.inner.living == 0


async def test_who_leaves_in_time_is_told_nothing(autojump_clock, world):
    async with world.backend.create(MODE, "client"):
        await trio.sleep(3)
    world.compositor(runs=False)


async def test_status_names_the_way_into_the_session(world):
    told = world.session.status()
    assert told["environment"] == {
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/s/bus",
        "WAYLAND_DISPLAY": "wayland-1",
    }
    assert world.session.why_down() == ""
