"""A session's sink and microphone as people hear of them, with the sound server replaced."""

import os
from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import trio

from punktfunk.control.native import microphone as microphone_module
from punktfunk.control.native.microphone import Microphone
from punktfunk.control.sound import desk as desk_module
from punktfunk.control.sound.desk import Listener, SoundDesk, heard
from punktfunk.control.system.journal import Journal
from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem, PipelineFailed, PunktfunkError
from punktfunk.plan import AudioSource, SoundRole, SoundServerKind
from punktfunk.realtime import NodeState, VoiceEncoder
from punktfunk.realtime.capture.sample_ring import SampleRing
from punktfunk.wire.native.datagrams import MicFrame

ENVIRONMENT = {"XDG_RUNTIME_DIR": "/nowhere"}


class FakeNode:
    """A node whose server does what the test says."""

    def __init__(self, plan, more_rings=()):
        self.plan = plan
        self.ring = SampleRing(plan.channel_count, plan.rate_hz)
        self.more_rings = more_rings
        self.event_fd = os.eventfd(0, os.EFD_NONBLOCK)
        self.now = NodeState()
        self.problem = None
        self.is_started = self.is_stopped = False

    def aim(self, target):
        self.target = target

    def start(self):
        self.is_started = True

    def stop(self, _join_ns):
        self.is_stopped = True
        os.close(self.event_fd)
        if self.problem:
            raise PunktfunkError("pf-node did not stop within 2.0 s")

    def becomes(self, state=None, problem=None):
        self.now, self.problem = state, problem
        os.eventfd_write(self.event_fd, 1)

    def state(self):
        os.eventfd_read(self.event_fd)
        if self.problem:
            raise self.problem
        return self.now

    def counters(self):
        return {"node_generation": self.now.generation}


class World:
    """A desk whose nodes and server are the test's."""

    def __init__(self, tmp_path, mode="client", device="card", refuse=0):
        self.nodes, self.said, self.configured, self.device, self.refuse = [], [], [], device, refuse
        self.desk = SoundDesk(
            Journal(tmp_path), mode, ENVIRONMENT, make_node=self.make, find_changer=lambda _kind: self.change
        )

    def make(self, *arguments):
        self.nodes.append(FakeNode(*arguments))
        return self.nodes[-1]

    def change(self, path, role, name, *, only_if=None):
        if self.refuse:
            self.refuse -= 1
            raise EnvironmentProblem("no session manager")
        self.configured.append((path, role, name))
        return SimpleNamespace(configured="", effective=self.device)

    def sink(self, **options):
        return self.desk.sink(Listener("Anna's Laptop"), 6, 48_000, self.said.append, **options)


async def settle():
    """Let the keeper act: its worker threads are not the clock's."""
    for _ in range(40):
        await trio.testing.wait_all_tasks_blocked(0.002)


THERE = NodeState(SoundServerKind.PIPEWIRE, 1)


@pytest.mark.trio
async def test_a_sink_is_made_the_default_each_time_and_told_once(tmp_path):
    world = World(tmp_path)
    async with world.sink() as node:
        assert node.plan.name.startswith("punktfunk-sink-anna-s-laptop-")
        assert node.plan.description == "punktfunk: stream to Anna's Laptop"
        assert node.plan.pipewire_path == "/nowhere/pipewire-0"
        gone = NodeState(None, 0, "no sound server listens", "Start one.")
        for state in (gone, gone, THERE, gone, NodeState(SoundServerKind.PIPEWIRE, 2)):
            node.becomes(state)
            await settle()
        ((status),) = world.desk.status()
        assert (status["node"], status["role"], status["node_generation"]) == (node.plan.name, "sink", 2)
    silent = "sound: no sound server listens; the stream is silent meanwhile. Start one."
    playing = "sound: programs play into “punktfunk: stream to Anna's Laptop” (PipeWire)"
    assert world.said == [silent, playing, silent, playing]
    assert node.is_stopped
    names = [name for _path, _role, name in world.configured if name]
    assert names == [node.plan.name] * 2
    assert world.desk.status() == []


@pytest.mark.trio
async def test_a_late_session_manager_is_waited_for_and_a_dead_thread_ends_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(desk_module, "TAKE_EVERY_S", 0.001)
    world = World(tmp_path, refuse=3)
    async with world.sink() as node:
        node.becomes(THERE)
        await settle()
        assert len(world.said) == 1
        world.refuse = 99
        node.becomes(NodeState(SoundServerKind.PIPEWIRE, 2))
        await settle()
        assert "cannot be made the default: no session manager" in world.said[-1]
        world.refuse = 0
        node.becomes(problem=PipelineFailed("pf-node stopped: broken"))
        await settle()
        assert world.said[-1] == "the stream is silent: pf-node stopped: broken"


@pytest.mark.trio
@pytest.mark.parametrize(("device", "starts"), [("card", True), ("", False)])
async def test_both_plays_on_the_device_of_before_and_never_on_itself(tmp_path, device, starts):
    world = World(tmp_path, mode="both", device=device)
    async with world.sink() as node:
        echo = world.nodes[0]
        assert (echo.plan.role, node.more_rings) == (SoundRole.PLAYBACK, (echo.ring,))
        node.becomes(THERE)
        await settle()
        assert echo.is_started is starts
        assert not starts or echo.target == "card"
        assert starts or "no device of its own" in world.said[-1]
    assert echo.is_stopped


@pytest.mark.trio
async def test_only_a_desktop_is_heard_and_not_where_it_plays_on_the_host_alone(tmp_path):
    desk, host = World(tmp_path).desk, World(tmp_path, mode="host").desk
    for who, source in ((desk, AudioSource.TONE), (host, AudioSource.DESKTOP), (None, AudioSource.DESKTOP)):
        async with heard(who, source, Listener("x"), 2, 48_000, print) as node:
            assert node is None
    async with heard(
        desk, AudioSource.DESKTOP, Listener("x", "/s/pipewire-0"), 2, 48_000, print, also_here=True
    ) as node:
        assert node.plan.pipewire_path == "/s/pipewire-0"
        assert len(node.more_rings) == 1


async def stopped(node):
    await trio.lowlevel.checkpoint()
    return node.is_stopped


def voice(count):
    """Packets of a tone."""
    encoder, found = VoiceEncoder(), []
    for number in range(count):
        times_s = (np.arange(480) + 480 * number) / 48_000
        samples = (np.sin(2 * np.pi * 700 * times_s) * 8000).astype("<i2")
        found += encoder.encode(samples.tobytes())
    return [MicFrame(sequence, 0, opus) for sequence, opus in enumerate(found)]


@pytest.mark.trio
async def test_a_microphone_is_there_while_somebody_speaks(tmp_path, monkeypatch):
    monkeypatch.setattr(microphone_module, "QUIET_S", 0.05)
    world, told = World(tmp_path), []

    @asynccontextmanager
    async def source(rate_hz):
        async with world.desk.microphone(Listener("anna"), rate_hz, told.append) as node:
            yield node

    microphone = Microphone(told.append, source)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(microphone.run)
        for turn in range(2):
            await trio.testing.wait_all_tasks_blocked(0.005)
            assert len(world.nodes) == turn
            for frame in [MicFrame(0, 0, b""), MicFrame(0, 0, b"x"), *voice(8)]:
                microphone.hear(frame)
                await trio.sleep(0.008)
            node = world.nodes[-1]
            assert node.plan.role is SoundRole.MICROPHONE
            if turn:  # the right to it was taken away; else nothing came any more
                monkeypatch.setattr(microphone_module, "QUIET_S", 60.0)
                microphone.hush()
            assert await wait_until(partial(stopped, node), 5)
            assert node.ring.level() > 480
        nursery.cancel_scope.cancel()
    microphone.hush()
    assert microphone.counts["malformed"] == 2
    assert microphone.counts["heard"] > 4
    assert microphone.status()["unplayed"] >= 2


class BrokenPlayer:
    """A player whose thread dies at once."""

    def __init__(self, _plan, _speaker, _picture, fail):
        self.fail = fail

    def start(self):
        self.fail(ValueError("no decoder"))

    def stop(self, _join_ns):
        """Has ended already."""


@pytest.mark.trio
async def test_a_voice_that_cannot_be_played_ends_no_session(tmp_path, monkeypatch):
    monkeypatch.setattr(microphone_module, "SoundPlayer", BrokenPlayer)
    world, told = World(tmp_path), []
    microphone = Microphone(
        told.append, lambda rate_hz: world.desk.microphone(Listener("a"), rate_hz, told.append)
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(microphone.run)
        await trio.testing.wait_all_tasks_blocked(0.005)
        microphone.hear(MicFrame(1, 0, b"x"))
        with trio.fail_after(5):
            while not told:  # noqa: ASYNC110 - another thread's work
                await trio.sleep(0.005)
        assert told == ["no microphone: its sound cannot be played: no decoder"]
        assert world.nodes[0].is_stopped
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_a_microphone_that_cannot_be_made_is_told_and_tried_again(monkeypatch, autojump_clock):
    told, tries = [], []

    @asynccontextmanager
    async def refuse(rate_hz):
        tries.append(rate_hz)
        raise EnvironmentProblem("no room")
        yield

    microphone = Microphone(told.append, refuse)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(microphone.run)
        for _ in range(2):
            await trio.sleep(6)
            microphone.hear(MicFrame(1, 0, b"x"))
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert told == ["no microphone: no room"] * 2
