"""A service of punktfunk/1 on loopback with doubled pipelines and displays, and clients that speak the wire."""

import os
import socket
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import ClassVar

import trio

from punktfunk.control.apps import App, AppSpec, Catalogue
from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.native.desks import DeskMeans, Desks
from punktfunk.control.native.door import open_door
from punktfunk.control.native.identity import create_identity
from punktfunk.control.native.messages import MessageStream
from punktfunk.control.native.service import NativeService
from punktfunk.control.native.session import SessionMeans
from punktfunk.control.native.terms import NativeOffer
from punktfunk.control.occupancy import Occupancy
from punktfunk.control.quic import QuicConfig, connect_quic
from punktfunk.control.readiness import Readiness
from punktfunk.control.sockets import bound_sockets
from punktfunk.control.trust import ClientBook
from punktfunk.errors import EnvironmentProblem, PipelineFailed
from punktfunk.plan import Codec, Mode, Pacing, RealtimePlan, StreamPosition, TestcardSource
from punktfunk.realtime import SentFrame
from punktfunk.wire.native.capabilities import ALPN, PUNCH, CodecBit, CompositorKind
from punktfunk.wire.native.control import build_control, parse_control
from punktfunk.wire.native.handshake import Hello, Start, build_hello, build_start
from punktfunk.wire.native.welcome import parse_welcome

OFFER = NativeOffer(
    encoders={Codec.H264: "libx264"},
    fec_percent=None,
    pacing=Pacing.CAPPED,
    forced_pacing=False,
    cipher="auto",
    aes_is_fast=True,
    compositor=CompositorKind.AUTO,
    realtime=RealtimePlan(),
)
HELLO = Hello(
    width_px=1280, height_px=720, refresh_hz=60, bitrate_kbps=20_000, name="laptop", codecs=CodecBit.H264
)
CLIENTS = [create_identity("punktfunk-client") for _ in range(3)]
GAME = App(7, AppSpec("Game"))
SHORT = App(8, AppSpec("Short", command=("sleep", "0.2")))


class FakePipeline:
    """A pipeline without threads; what it is told is in ``calls``."""

    made: ClassVar[list["FakePipeline"]] = []
    refuse_mode: Mode | None = None

    def __init__(self, plan, _socket_fd):
        self.plan = plan
        self.calls = []
        self.event_fd = os.eventfd(0, os.EFD_NONBLOCK)
        self.sent_fd = os.eventfd(0, os.EFD_NONBLOCK)
        self.send_thread_id = -1
        self.position = StreamPosition()
        self.problem = None
        self.frames = []
        self.filled = 0
        self.stopped = False
        FakePipeline.made.append(self)

    def prepare(self, _picture_ns=0):
        if self.plan.source.mode == FakePipeline.refuse_mode:
            raise EnvironmentProblem("the encoder does not take this mode")

    def start(self, position=None):
        self.position = replace(
            position or StreamPosition(), sequence=(position.sequence if position else 0) + 100
        )
        self.calls.append(("start", position))

    def stop(self, _join_ns):
        if not self.stopped:
            os.close(self.event_fd)
            os.close(self.sent_fd)
        self.stopped = True

    def __getattr__(self, name):
        if name not in {
            "set_destination",
            "request_idr",
            "set_bitrate",
            "set_fec_percent",
            "set_pace",
            "change_send",
        }:
            raise AttributeError(name)
        return lambda *arguments: self.calls.append((name, *arguments))

    def wind_down(self):
        self.calls.append(("wind_down",))

    def fill(self, _unit_bytes):
        self.filled += 1
        return True

    def counters(self):
        return {"filler_datagrams": self.filled, "lost_datagrams": 0}

    def placements(self):
        return []

    def failure(self):
        return self.problem

    def sent_frames(self):
        os.eventfd_read(self.sent_fd)
        frames, self.frames = self.frames, []
        return frames

    # What a test does to it.

    def send(self, pts_ns, encode_ns=2_000_000):
        begun_ns = pts_ns + 1_000_000
        stamps = pts_ns, begun_ns, begun_ns + encode_ns, begun_ns + encode_ns, begun_ns + encode_ns + 500_000
        self.frames.append(SentFrame(pts_ns, *stamps, 5000, 4))
        os.eventfd_write(self.sent_fd, 1)

    def fail(self, text):
        self.problem = PipelineFailed(text)
        os.eventfd_write(self.event_fd, 1)

    def said(self, name):
        return [call[1:] for call in self.calls if call[0] == name]


class FakeBackend:
    """Displays that only exist in ``living``."""

    name = "testcard"

    def __init__(self):
        self.living = []
        self.broken = self.dead = False
        self.changes = []
        self.refresh_most = None

    @asynccontextmanager
    async def create(self, mode, identity):
        await trio.lowlevel.checkpoint()
        if self.refresh_most is not None:
            mode = replace(mode, refresh_millihertz=min(mode.refresh_millihertz, self.refresh_most))
        if self.broken:
            raise EnvironmentProblem("no display can be made")
        self.living.append(identity)
        try:
            yield VirtualOutput("card", mode, TestcardSource(mode), self.name)
        finally:
            self.living.remove(identity)

    async def change_mode(self, output, mode):
        await trio.lowlevel.checkpoint()
        self.changes.append(mode)
        if self.broken or self.dead:
            raise EnvironmentProblem("the compositor is gone")
        return replace(output, mode=mode, source=TestcardSource(mode))


class SilentSound:
    """The sound of a session that has none."""

    def __init__(self, *_arguments, **_more):
        pass

    async def run(self):
        await trio.sleep_forever()

    def status(self):
        return {}


@asynccontextmanager
async def no_inhibition(_output):
    yield "nothing is inhibited"


class World:
    """A running service; ``lines`` is what its owner reads."""

    def __init__(self, folder, *, open_host=True, linger_s=600, slots=4, occupancy=None, drop_linger_s=None):
        self.lines = []
        self.backend = FakeBackend()
        self.book = ClientBook(folder)
        self.door = open_door(folder, self.book, open_host=open_host, report=self.lines.append)
        self.readiness = Readiness()
        desktop = App(1, AppSpec("Desktop"))
        means = DeskMeans(
            *(self.backend, Catalogue([desktop, GAME, SHORT]), linger_s, folder, self.lines.append),
            drop_linger_s=drop_linger_s,
            occupancy=occupancy or Occupancy(),
        )
        self.desks = Desks(means)
        self.service = NativeService(self.door.identity, self.door.front, self.readiness, session_count=slots)
        self.means = SessionMeans(OFFER, self.desks, self.lines.append, make_pipeline=FakePipeline)
        self.port = 0

    async def until(self, true):
        """Wait for what tasks of the host are about to do."""
        with trio.fail_after(5):
            while not true():  # noqa: ASYNC110
                await trio.sleep(0.002)

    async def heard(self, text, count=1):
        """Wait until the owner has read a line with ``text``."""
        await self.until(lambda: sum(text in line for line in self.lines) >= count)
        return [line for line in self.lines if text in line][-1]

    async def pipeline(self, count=1):
        """Wait for the pipeline of this number (from 1) to have a destination; give it."""
        await self.until(
            lambda: len(FakePipeline.made) >= count and FakePipeline.made[count - 1].said("set_destination")
        )
        return FakePipeline.made[count - 1]

    @asynccontextmanager
    async def client(self, which=0, hello=HELLO, extensions=None, *, punch=True):
        """A client that is streamed to; ``with`` ends it as a network does: it falls silent or closes with 0."""
        identity = CLIENTS[which]
        config = QuicConfig(alpn=(ALPN,), certificate=identity.certificate, private_key=identity.private_key)
        async with connect_quic("127.0.0.1", self.port, config) as connection:
            talk = Talk(connection)
            try:
                await talk.open(hello, extensions, punch=punch)
                yield talk
            finally:
                talk.media.close()


class Talk:
    """The client's end of a session."""

    def __init__(self, connection):
        self.connection = connection
        self.messages = MessageStream(connection.open_stream())
        self.media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.media.bind(("127.0.0.1", 0))
        self.welcome = None

    async def open(self, hello, extensions, *, punch):
        await self.messages.send(build_hello(hello))
        with trio.fail_after(5):
            self.welcome = parse_welcome(await self.messages.receive())
        await self.messages.send(build_start(Start(self.media.getsockname()[1], extensions)))
        if punch:
            self.punch()

    def punch(self):
        self.media.sendto(PUNCH, ("127.0.0.1", self.welcome.media_port))

    async def say(self, *messages):
        for message in messages:
            await self.messages.send(build_control(message))

    async def hear(self, kind):
        """The next message of this kind; others are passed over."""
        with trio.fail_after(5):
            while not isinstance(message := parse_control(await self.messages.receive()), kind):
                pass
        return message


@asynccontextmanager
async def serving(folder, **options):
    """A world that serves."""
    FakePipeline.made, FakePipeline.refuse_mode = [], None
    world = World(folder, **options)
    with bound_sockets(["127.0.0.1"], 0) as sockets:
        world.port = sockets[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.desks.serve)
            await nursery.start(world.service.run, sockets)
            world.service.means = world.means
            world.readiness.ready.set()
            yield world
            nursery.cancel_scope.cancel()
