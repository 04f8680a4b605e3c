"""A session without a network: the test card and its tone, encoded here, handed over as a session would."""

import queue
import threading
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from punktfunk.control.client.audio_queue import AudioPacket
from punktfunk.plan import Codec, ColourSpace, EncodePlan, Mode, TestcardSource
from punktfunk.realtime.capture.converter import Converter
from punktfunk.realtime.capture.sound import Tone
from punktfunk.realtime.capture.testcard import TestcardCapture
from punktfunk.realtime.encode.lavc import LavcEncoder
from punktfunk.realtime.encode.opus import OpusEncoder
from punktfunk.wire.native.capabilities import CodecBit, HostCap, HostCap2
from punktfunk.wire.native.datagrams import HostTiming
from punktfunk.wire.native.welcome import FecScheme, Welcome

REALTIME_NS = time.time_ns() - time.monotonic_ns()
FRAME_NS = 5_000_000


@dataclass(frozen=True)
class FakeUnit:
    frame_index: int
    pts_ns: int
    user_flags: int
    access_unit: bytes
    first_ns: int
    complete_ns: int


class Card:
    """Draws and encodes one picture after the other."""

    def __init__(self, mode):
        plan = EncodePlan(Codec.H264, "libx264", 8_000_000, ColourSpace.BT709, full_range=False)
        self._card = TestcardCapture(TestcardSource(mode))
        self._encoder = LavcEncoder.open(plan, mode)
        self._picture = self._encoder.new_picture()
        self._index = 0

    def unit(self, *, key=False, now_ns=None):
        captured_ns = time.monotonic_ns() if now_ns is None else now_ns
        self._card.draw_frame(captured_ns)
        Converter(ColourSpace.BT709, full_range=False).convert(self._card._pixels, self._picture)
        (unit,) = self._encoder.encode(self._picture, key=key)
        done_ns = time.monotonic_ns() if now_ns is None else now_ns + 1_000_000
        flags = 5 if unit.is_key else 1
        made = FakeUnit(self._index, captured_ns + REALTIME_NS, flags, unit.data, done_ns, done_ns)
        self._index += 1
        return made

    def close(self):
        self._encoder.close()


class FakeVideo:
    def __init__(self, mode):
        self._units = queue.Queue()
        self._card = Card(mode)
        self._interval_s = mode.frame_interval_ns / 1e9
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def pop(self, timeout_ns):
        try:
            return self._units.get(timeout=timeout_ns / 1e9)
        except queue.Empty:
            return None

    def stop(self):
        self._ended.set()
        self._thread.join()
        self._card.close()

    def _run(self):
        due_s = time.monotonic()
        while not self._ended.wait(max(0, due_s - time.monotonic())):
            due_s += self._interval_s
            self._units.put(self._card.unit())


class Watch:
    """Lets a script wait for what happens in other threads."""

    def __init__(self):
        self._changed = threading.Condition()

    def note(self):
        with self._changed:
            self._changed.notify_all()

    async def until(self, condition):
        def wait():
            with self._changed:
                assert self._changed.wait_for(condition, 20)

        await trio.to_thread.run_sync(wait)


class Desk:
    def __init__(self, watch):
        self.presented_count = 0
        self._watch = watch

    def arrived(self, frame):
        return True

    def decoded(self, frame, *, produced, is_key=False):
        return produced

    def presented(self, frame, now_ns):
        self.presented_count += 1
        self._watch.note()


@dataclass
class FakeSession:
    mode: Mode
    welcome: Welcome
    video: FakeVideo
    watch: Watch
    inputs: list = field(default_factory=list)
    datagrams: list = field(default_factory=list)
    modes: list = field(default_factory=list)
    clock_offset_ns: int = 0

    def __post_init__(self):
        self.closed = trio.Event()
        self.frames = Desk(self.watch)
        self.say, self._news = trio.open_memory_channel(16)
        self._opus = OpusEncoder(2, high_quality=False, packet_duration_ms=5)
        self._tone = Tone(2, 5)
        self._sequence = 0
        self._due_s = None

    def capture_ns(self, pts_ns):
        return pts_ns - REALTIME_NS

    def host_timing(self, pts_ns):
        return HostTiming(pts_ns, 1500)

    def statistics(self):
        return {
            "bitrate_kbps": 8000,
            "loss_ppm": 1200,
            "fec_percent": 10,
            "rtt_ns": 800_000,
            "recovered_shards": 12,
            "dropped_frames": 0,
            "late_shards": 1,
        }

    def send_input(self, event):
        self.inputs.append(event)
        self.watch.note()

    def send_datagram(self, value):
        self.datagrams.append(value)
        self.watch.note()

    async def reconfigure(self, mode):
        self.modes.append(mode)
        self.watch.note()
        return mode

    async def receive_audio(self):
        if self._due_s is None:
            self._due_s = trio.current_time()
        self._due_s += 0.005
        await trio.sleep_until(self._due_s)
        captured_ns = time.monotonic_ns()
        packet = AudioPacket(self._sequence, captured_ns + REALTIME_NS, self._opus.encode(self._tone.next()))
        self._sequence += 1
        return [packet]

    async def receive_news(self):
        return [await self._news.receive()]


def welcome_of(mode, **changes):
    words = {
        "media_port": 1,
        "width_px": mode.width_px,
        "height_px": mode.height_px,
        "refresh_hz": mode.refresh_millihertz // 1000,
        "fec_scheme": FecScheme.GF8,
        "fec_percent": 10,
        "data_max": 200,
        "shard_bytes": 1408,
        "key": bytes(16),
        "salt": bytes(4),
        "bitrate_kbps": 8000,
        "codec": CodecBit.H264,
        "host_caps": HostCap.PAD_SNAPSHOTS | HostCap.TEXT,
        "host_caps2": HostCap2.TOUCH | HostCap2.SCROLL | HostCap2.INPUT_EDGES,
    }
    return Welcome(**words | changes)


def factory_of(mode, sessions, watch=None, **changes):
    @asynccontextmanager
    async def factory():
        video = await trio.to_thread.run_sync(FakeVideo, mode)
        session = FakeSession(mode, welcome_of(mode, **changes), video, watch or Watch())
        sessions.append(session)
        try:
            yield session
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(video.stop)

    return factory


async def keep(factory, use, report):
    """What the client's keep_connected does, without its patience."""
    while True:
        report("Connecting to the fake host…")
        async with factory() as session, trio.open_nursery() as nursery:
            nursery.start_soon(use, session)
            await session.closed.wait()
            nursery.cancel_scope.cancel()
        report("Reconnecting to the fake host…")
