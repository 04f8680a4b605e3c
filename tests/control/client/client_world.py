"""A host made of a few lines on real QUIC, and a receiver that receives nothing, for tests of the client."""

import os
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import trio

from punktfunk import realtime
from punktfunk.control.client.dial import Target
from punktfunk.control.client.opening import open_session
from punktfunk.control.client.options import SessionOptions
from punktfunk.control.native.identity import create_identity
from punktfunk.control.native.messages import MessageStream
from punktfunk.control.quic import QuicClosed, QuicConfig, serve_quic
from punktfunk.control.sockets import bound_sockets
from punktfunk.wire.native.capabilities import ALPN, CodecBit, HostCap2
from punktfunk.wire.native.control import ClockEcho, ClockProbe, build_control, parse_control
from punktfunk.wire.native.handshake import parse_hello, parse_start
from punktfunk.wire.native.packet import FecScheme
from punktfunk.wire.native.welcome import Welcome, build_welcome

HOST = create_identity("punktfunk")
CLIENT = create_identity("punktfunk-client")
WELCOME = Welcome(
    media_port=1,
    width_px=1280,
    height_px=720,
    refresh_hz=60,
    fec_scheme=FecScheme.GF8,
    fec_percent=10,
    data_max=200,
    shard_bytes=1408,
    key=bytes(16),
    salt=bytes(4),
    bitrate_kbps=20_000,
    codec=CodecBit.H264,
    host_caps2=HostCap2.EXTENSIONS | HostCap2.INPUT_EDGES,
)
FIXED = SessionOptions(bitrate_kbps=20_000, name="test")


class NoReceiver:
    """What a session asks of a receiver; tests set the counts."""

    def __init__(self, plan, socket_fd, realtime, **_more):
        self.plan = plan
        self.event_fd = os.eventfd(0)
        self.failure_fd = os.eventfd(0)
        self.problem = None
        self.flush_count = 0
        self.counts = dict.fromkeys(
            ("packets", "bytes", "media_bytes", "recovered_shards", "late_shards", "frames", "dropped_frames",
             "probe_packets", "probe_bytes", "flushed_frames", "flushed_datagrams", "ring_drops"), 0
        )  # fmt: skip

    def start(self):
        pass

    def stop(self, join_ns):
        os.close(self.event_fd)
        os.close(self.failure_fd)

    def counters(self):
        return dict(self.counts)

    def failure(self):
        return self.problem

    def flush(self):
        self.flush_count += 1

    def open_probe(self):
        pass

    def probe_window_ns(self):
        return 1_000, 1_001_000


class Frame:
    """A received frame, as far as the session looks."""

    def __init__(self, frame_index, user_flags=1, pts_ns=None):
        now_ns = time.monotonic_ns()
        self.frame_index, self.user_flags = frame_index, user_flags
        self.pts_ns = time.time_ns() if pts_ns is None else pts_ns
        self.first_ns = self.complete_ns = now_ns
        self.packet_count, self.data_count, self.recovered_count = 3, 1, 0


class Peer:
    """The host's side of one connection. ``before`` runs instead of Welcome if it is given."""

    def __init__(self, welcome, before=None):
        self.welcome = welcome
        self.before = before
        self.hello = self.start = self.connection = self.messages = self.reason = None
        self.punched = trio.Event()
        self.came, self.heard = trio.open_memory_channel(1000)
        self.on_probe = lambda: None

    async def handle(self, connection):
        self.connection = connection
        try:
            self.messages = MessageStream(await connection.accept_stream())
            self.hello = parse_hello(await self.messages.receive())
            if self.before is not None:
                await self.before(self)
                return
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
                media.bind(("127.0.0.1", 0))
                media.setblocking(0)
                port = media.getsockname()[1]
                await self.messages.send(build_welcome(replace(self.welcome, media_port=port)))
                self.start = parse_start(await self.messages.receive())
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._hear_punch, media)
                    await self._read()
                    nursery.cancel_scope.cancel()
        except QuicClosed as closed:
            self.reason = closed.reason

    async def _hear_punch(self, media):
        await trio.lowlevel.wait_readable(media)
        self.punch = media.recvfrom(100)
        self.punched.set()

    async def _read(self):
        while (payload := await self.messages.receive()) is not None:
            message = parse_control(payload)
            if isinstance(message, ClockProbe):
                self.on_probe()
                now_ns = time.time_ns()
                await self.say(ClockEcho(message.t1_ns, now_ns, time.time_ns()))
            else:
                self.came.send_nowait(message)

    async def say(self, message):
        await self.messages.send(build_control(message))

    async def next(self, kind):
        """The next message of a kind; others are passed over."""
        with trio.fail_after(5):
            async for message in self.heard:
                if isinstance(message, kind):
                    return message
        raise AssertionError(kind)


@asynccontextmanager
async def serving(peer):
    config = QuicConfig(alpn=(ALPN,), certificate=HOST.certificate, private_key=HOST.private_key)
    with bound_sockets(["127.0.0.1"], 0) as bound:
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_quic, bound, config, peer.handle)
            yield Target("127.0.0.1", bound[0].socket.getsockname()[1], "desk")
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def streaming(monkeypatch, welcome=WELCOME, options=FIXED, said=None):
    """A session and its host."""
    monkeypatch.setattr(realtime, "VideoReceiver", NoReceiver, raising=False)
    peer = Peer(welcome)
    lines = [] if said is None else said
    async with serving(peer) as target, open_session(target, CLIENT, options, lines.append) as session:
        yield session, peer
