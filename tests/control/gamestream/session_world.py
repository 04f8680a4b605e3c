"""Sessions with everything around them made up: displays, apps, threads and injectors that only take notes."""

import os
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import trio
from stream_client import OFFER, PORTS, StreamClient, announcement, make_launch, make_peer

from punktfunk.control.apps import App, AppSpec, Catalogue
from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.gamestream import runs, streaming
from punktfunk.control.gamestream.control_stream import ControlPlane
from punktfunk.control.gamestream.media import MediaPlane
from punktfunk.control.gamestream.rtsp_server import reply_to
from punktfunk.control.gamestream.runs import Means
from punktfunk.control.gamestream.sessions import SessionRules, Sessions
from punktfunk.control.gamestream.streaming import Planes
from punktfunk.control.occupancy import Occupancy
from punktfunk.control.sockets import BoundSocket, bind_udp
from punktfunk.plan import AudioSource, TestcardSource
from punktfunk.realtime import Beside, Placement
from punktfunk.wire.enet import PeerId

HOME = "127.0.0.1"
ALICE = make_peer("alice", "aa", HOME, HOME)
BOB = make_peer("bob", "bb", HOME, HOME)
DESKTOP, GAME = 1, 2


class Noted:
    """Counts what is open of each kind, and how often it was opened and closed."""

    def __init__(self):
        self.opened, self.closed = Counter(), Counter()

    @contextmanager
    def hold(self, kind):
        self.opened[kind] += 1
        try:
            yield
        finally:
            self.closed[kind] += 1

    def open_now(self, kind):
        return self.opened[kind] - self.closed[kind]


class FakeBackend:
    """A display; ``refuse`` is raised by create, ``refuse_mode`` by change_mode."""

    name = "fake"

    def __init__(self, noted):
        self.noted = noted
        self.refuse = self.refuse_mode = None
        self.start_s = self.end_s = 0
        self.modes = []

    @asynccontextmanager
    async def create(self, mode, identity):
        with self.noted.hold("display"):
            try:
                await trio.sleep(self.start_s)
                if self.refuse:
                    raise self.refuse
                yield VirtualOutput("fake-1", mode, TestcardSource(mode), self.name)
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(self.end_s)

    async def change_mode(self, output, mode):
        await trio.lowlevel.checkpoint()
        self.modes.append(mode)
        if self.refuse_mode:
            raise self.refuse_mode
        return replace(output, mode=mode, source=TestcardSource(mode))


class FakeThreads:
    """What a pipeline and an audio link have in common, without threads."""

    def __init__(self, plan):
        self.plan = plan
        self.event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.problem = None
        self.idr_count = 0
        self.destinations = []
        self.beside = Beside()

    def fail(self, problem):
        self.problem = problem
        os.eventfd_write(self.event_fd, 1)

    def failure(self):
        return self.problem

    def latencies(self):
        return None

    def request_idr(self):
        self.idr_count += 1

    def set_destination(self, address, family):
        self.destinations.append(address)

    def counters(self):
        return {}

    def placements(self):
        return [Placement("pf-send", "SCHED_OTHER", 0, None, "not allowed here")]

    def placement(self):
        return None


class FakeInjector:
    def __init__(self):
        self.injected, self.unsupported, self.released = [], Counter(), 0

    def inject(self, event):
        self.injected.append(event)

    def release_all(self):
        self.released += 1


class FakeProcess:
    def __init__(self):
        self.ended = trio.Event()

    async def wait(self):
        await self.ended.wait()
        return 0


class FakeEndpoint:
    """Takes what the host says on the control stream."""

    def __init__(self):
        self.sent = []

    def send(self, peer, channel, payload, delivery):
        self.sent.append(payload)
        return True


class World:
    """One host's sessions. ``refuse_start`` is raised by the video threads, ``stop_s`` how long they take."""

    def __init__(self, **rules):
        self.noted = Noted()
        self.lines = []
        self.videos, self.injectors, self.processes = [], [], []
        self.refuse_start = None
        self.stop_s = 0
        self.backend = FakeBackend(self.noted)
        self.resume_timeout_s = rules.pop("resume_timeout_s", 600)
        offer = replace(OFFER, encryption=rules.pop("encryption", "auto"))
        self.rules = SessionRules(offer, lambda: AudioSource.TONE, PORTS)
        self.linger_s = rules.pop("linger_s", None)
        self.occupancy = Occupancy(rules.pop("second", "takeover"), rules.pop("limit", 4))
        self.clients = {}

    @asynccontextmanager
    async def running(self):
        with bind_udp(HOME, 0) as video, bind_udp(HOME, 0) as audio:
            planes = Planes(
                MediaPlane("video", [BoundSocket(video, HOME)]),
                MediaPlane("audio", [BoundSocket(audio, HOME)]),
                ControlPlane(),
            )
            catalogue = Catalogue([App(DESKTOP, AppSpec("Desktop")), App(GAME, AppSpec("Game", ("game",)))])
            means = Means(
                *(self.backend, planes, OFFER.realtime, self.resume_timeout_s, Path("/tmp")),
                *(self.lines.append, self.linger_s, self.occupancy),
            )
            self.sessions = Sessions(catalogue, self.rules, means)
            self.planes = planes
            async with trio.open_nursery() as nursery:
                self.nursery = nursery
                nursery.start_soon(self.sessions.serve)
                yield self
                nursery.cancel_scope.cancel()
        self.assert_nothing_left()

    def assert_nothing_left(self):
        assert self.noted.opened == self.noted.closed
        assert self.sessions.run is None
        assert self.sessions.stream is None
        for plane in (self.planes.video, self.planes.audio):
            assert not plane._routes
        assert not self.planes.control._streams
        assert not self.planes.control._peers

    # -- what the product would have opened

    @asynccontextmanager
    async def video(self, plan, socket_fd):
        threads = FakeThreads(plan)
        with self.noted.hold("video"):
            try:
                await trio.lowlevel.checkpoint()
                if self.refuse_start:
                    raise self.refuse_start
                self.videos.append(threads)
                yield threads
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(self.stop_s)
                os.close(threads.event_fd)

    @asynccontextmanager
    async def audio(self, plan, socket_fd):
        threads = FakeThreads(plan)
        with self.noted.hold("audio"):
            try:
                await trio.lowlevel.checkpoint()
                yield threads
            finally:
                os.close(threads.event_fd)

    @asynccontextmanager
    async def injector(self, output):
        with self.noted.hold("injector"):
            self.injectors.append(FakeInjector())
            await trio.lowlevel.checkpoint()
            yield self.injectors[-1]

    @asynccontextmanager
    async def awake(self, output):
        with self.noted.hold("inhibition"):
            yield "inhibited"

    async def unlocked(self, output):
        await trio.lowlevel.checkpoint()
        return ""

    @asynccontextmanager
    async def app(self, app, environment, log_path):
        with self.noted.hold("app"):
            await trio.lowlevel.checkpoint()
            self.processes.append(FakeProcess() if app.spec.command else None)
            yield self.processes[-1]

    def patch(self, monkeypatch):
        monkeypatch.setattr(streaming, "running_video", self.video)
        monkeypatch.setattr(streaming, "running_audio", self.audio)
        monkeypatch.setattr(streaming, "open_session_input", lambda output, *_: self.injector(output))
        monkeypatch.setattr(streaming, "inhibited", self.awake)
        monkeypatch.setattr(streaming, "locked_screen", self.unlocked)
        monkeypatch.setattr(runs, "run_app", self.app)
        return self

    # -- what clients do

    async def launch(self, peer=ALICE, app_id=DESKTOP, **query):
        await self.sessions.launch(peer, make_launch(appid=str(app_id), **query))
        return self.sessions.stream

    async def resume(self, peer=ALICE, key=None):
        await self.sessions.resume(peer, make_launch(key or os.urandom(16)))
        return self.sessions.stream

    def play(self, stream, **announced):
        """Hold the RTSP conversation."""
        client = StreamClient(stream.launch.key)
        client.converse(lambda message: reply_to(stream, message), announced=announcement(**announced))

    async def join(self, stream, **announced):
        """RTSP, threads, control connection: the stream runs when this returns."""
        self.play(stream, **announced)
        await trio.sleep(0.001)
        stream.join_control(FakeEndpoint(), PeerId(1))
        await trio.sleep(0.001)
        return stream
