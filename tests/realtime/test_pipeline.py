import gc
import os
import select
import socket
import threading
import weakref
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from loopback_client import LoopbackClient, nothing_left, open_things
from stream_helpers import assert_bars_are_right, decode_one, encode_plan

from punktfunk.errors import ConfigError, EnvironmentProblem, LocalProtocolError, PunktfunkError
from punktfunk.plan import (
    Codec,
    ColourSpace,
    FrameType,
    Mode,
    Pacing,
    RealtimePlan,
    SendPlan,
    TestcardSource,
    VideoPlan,
)
from punktfunk.realtime import Pipeline
from punktfunk.realtime.capture import loop as capture_loop
from punktfunk.realtime.capture.base import CapturedFrame
from punktfunk.realtime.capture.testcard import TestcardCapture
from punktfunk.realtime.encode.lavc import LavcEncoder
from punktfunk.realtime.send.sinks import frame_capacity_bytes
from punktfunk.realtime.variants import Variant, unpack_numbers

JOIN_NS = 3_000_000_000
MODE = Mode(640, 360, 60_000)
KEY = bytes(range(16))


def video_plan(codec=Codec.H264, mode=MODE, key=None, realtime=None):
    send = SendPlan(1024 if key is None else 992, 20, 2, key, Pacing.BURST, mode.frame_interval_ns)
    return VideoPlan(
        TestcardSource(mode), encode_plan(codec, 3_000_000), send, realtime or RealtimePlan(None, 0)
    )


@contextmanager
def running(plan, client, *, address=True, **more):
    pipeline = Pipeline(plan, client.host_socket.fileno(), **more)
    try:
        pipeline.start()
        if address:
            pipeline.set_destination(client.address, client.socket.family)
        yield pipeline
    finally:
        pipeline.stop(JOIN_NS)


@pytest.fixture
def client():
    client = LoopbackClient(Codec.H264)
    yield client
    client.close()


@pytest.mark.parametrize("codec", list(Codec))
def test_every_frame_arrives_in_order_and_undamaged(codec):
    client = LoopbackClient(codec)
    with running(video_plan(codec), client) as pipeline:
        seen = [client.picture() for _ in range(20)]
    counters = pipeline.counters()  # of when the threads have ended
    client.close()
    frames, stamps = [frame for frame, _ in seen], [stamp for _, stamp in seen]
    assert [frame.index for frame in frames] == list(range(1, 21))
    assert frames[0].header.frame_type is FrameType.IDR
    assert {frame.header.frame_type for frame in frames[1:]} == {FrameType.PREDICTED}
    numbers = [stamp.frame_number for stamp in stamps]
    assert numbers == sorted(set(numbers))
    for frame, stamp in seen:
        assert frame.timestamp_90k == stamp.captured_ns * 9 // 100_000 & 0xFFFFFFFF
        assert 0 < frame.header.latency_tenths_ms < 20_000
    assert counters["captured_frames"] >= counters["encoded_frames"] >= 20
    assert counters["oversize_frames"] == counters["ring_drops"] == 0


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_encrypted_and_over_both_families(family):
    client = LoopbackClient(Codec.H264, KEY, family)
    with running(video_plan(key=KEY), client):
        assert all(client.picture()[1] for _ in range(5))
    client.close()


@pytest.mark.parametrize("mode", [Mode(401, 303, 59_940), Mode(360, 640, 120_000)], ids=str)
def test_odd_and_portrait_modes(client, mode):
    with running(video_plan(mode=mode), client):
        assert all(client.picture()[1] for _ in range(5))


def test_nothing_is_encoded_or_sent_before_somebody_listens(client):
    with running(video_plan(), client, address=False) as pipeline:
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.frame()
        assert pipeline.counters()["encoded_frames"] == 0
        assert pipeline.counters()["captured_frames"] > 0
        client.socket.settimeout(10)
        pipeline.set_destination(client.address, client.socket.family)
        frame, stamp = client.picture()
        assert (frame.index, frame.header.frame_type) == (1, FrameType.IDR)
        assert stamp is not None


def test_idr_on_demand_limited_in_rate(client):
    with running(video_plan(), client) as pipeline:
        for _ in range(10):
            client.picture()
        types = []
        for _ in range(30):
            pipeline.request_idr()
            pipeline.request_idr()
            types.append(client.picture()[0].header.frame_type)
    # Half a second of wishes with every frame: at 100 ms distance at most six or seven are granted.
    assert 3 <= types.count(FrameType.IDR) <= 9


def test_a_new_bitrate_begins_with_a_key_frame(client):
    with running(video_plan(), client) as pipeline:
        for _ in range(5):
            client.picture()
        pipeline.set_bitrate(1_500_000)
        types = [client.picture()[0].header.frame_type for _ in range(5)]
        assert FrameType.IDR in types
        assert pipeline.counters()["bitrate_bps"] == 1_500_000


def test_variants_change_while_it_runs(client):
    from punktfunk.realtime.kernels import pace
    from punktfunk.realtime.kernels.jit import address_of_entry

    pacer = Variant("pace", "same", 300, address_of_entry(pace.deadline))
    with running(video_plan(), client) as pipeline:
        for variant in (pacer, None, pacer):
            pipeline.swap("pace", variant)
            for _ in range(5):
                client.picture()
        with pytest.raises(LocalProtocolError):
            pipeline.swap("fec16", None)
        rows = pipeline.latencies()
        assert {unpack_numbers(int(row[4]))["pace"] for row in rows} == {0, 300}
        assert (rows[:, 5] > 0).all()
    pipeline.swap("pace", None)  # after the end: nothing to change


class StillCapture:
    """One picture, then nothing, as a compositor without damage."""

    size = (MODE.height_px, MODE.width_px)

    def __init__(self, _source, _announce):
        self.shown = False
        self.released = 0

    def next(self, timeout_ns, wake_fd):
        if self.shown:
            select.select([wake_fd], [], [], timeout_ns / 1e9)
            return None
        self.shown = True
        card = TestcardCapture(TestcardSource(Mode(self.size[1], self.size[0], 60_000)))
        card.draw_frame(77)
        return CapturedFrame(card._pixels, 1, lambda: None)

    def close(self):
        return


def test_a_still_screen_keeps_the_stream_alive_and_answers_wishes(client, monkeypatch):
    monkeypatch.setattr(capture_loop, "open_capture", StillCapture)
    with running(video_plan(), client) as pipeline:
        seen = [client.picture() for _ in range(4)]
        pipeline.request_idr()
        seen += [client.picture(), client.picture()]
        assert pipeline.counters()["captured_frames"] == 1
        assert pipeline.counters()["repeated_frames"] >= 5
    assert {stamp for _, stamp in seen} == {(0, 77)}
    assert FrameType.IDR in [frame.header.frame_type for frame, _ in seen[1:]]
    times = [frame.timestamp_90k for frame, _ in seen]
    assert len(set(times)) == len(times)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("space", [ColourSpace.BT601, ColourSpace.BT709])
def test_colours_arrive_as_they_were_captured(client, monkeypatch, space, full_range):
    monkeypatch.setattr(capture_loop, "open_capture", StillCapture)
    plan = video_plan()
    encode = replace(plan.encode, colour_space=space, full_range=full_range)
    with running(replace(plan, encode=encode), client):
        for _ in range(4):
            frame = decode_one(client.decoder, client.frame().data)
    assert_bars_are_right(client.decoder, frame, space, full_range=full_range)


class SmallCapture(StillCapture):
    size = (200, 700)


def test_a_picture_of_another_size_is_fitted(client, monkeypatch):
    monkeypatch.setattr(capture_loop, "open_capture", SmallCapture)
    with running(video_plan(), client) as pipeline:
        client.picture()
        assert pipeline.counters()["misfit_frames"] == 1


class WrappedEncoder:
    """libx264 for three pictures."""

    def __init__(self, plan, mode):
        self.inner = LavcEncoder.open(plan, mode)
        self.new_picture = self.inner.new_picture
        self.set_bitrate = self.inner.set_bitrate
        self.close = self.inner.close
        self.left = 3


class BloatedEncoder(WrappedEncoder):
    """The fourth picture becomes more than the protocol can express."""

    def encode(self, picture, *, key):
        self.left -= 1
        (unit,) = self.inner.encode(picture, key=key)
        return [replace(unit, data=bytes(8 << 20)) if self.left == -1 else unit]


def test_after_an_oversize_frame_comes_a_key_frame_at_half_the_rate(client):
    with running(video_plan(), client, open_encoder=BloatedEncoder) as pipeline:
        frames = [client.picture() for _ in range(6)]
        counters = pipeline.counters()
    # The lost frame keeps its index, and nothing that refers to it is sent.
    assert [frame.index for frame, _ in frames] == [1, 2, 3, 5, 6, 7]
    assert frames[3][0].header.frame_type is FrameType.IDR
    assert all(stamp for _, stamp in frames)
    assert counters["bitrate_bps"] == 1_500_000
    assert counters["oversize_frames"] == 1


class FailingEncoder(WrappedEncoder):
    """Then an error."""

    def encode(self, picture, *, key):
        self.left -= 1
        if self.left < 0:
            raise EnvironmentProblem("the driver is gone", hint="Use libx264.")
        return self.inner.encode(picture, key=key)


def test_an_encoder_error_is_told_by_event_and_leaves_nothing(client):
    before = open_things()
    with running(video_plan(), client, open_encoder=FailingEncoder) as pipeline:
        for _ in range(3):
            client.picture()
        assert select.select([pipeline.event_fd], [], [], 10)[0]
        failure = pipeline.failure()
        assert str(failure) == "pf-encode stopped: the driver is gone"
        assert failure.hint == "Use libx264."
    assert nothing_left(before)
    with running(video_plan(), client):
        assert client.frame().index in {1, 2, 3}


def test_a_lost_source_is_told_by_event(client, monkeypatch):
    def refuse(_source, _announce):
        raise EnvironmentProblem("no compositor answers")

    monkeypatch.setattr(capture_loop, "open_capture", refuse)
    with running(video_plan(), client) as pipeline:
        assert select.select([pipeline.event_fd], [], [], 10)[0]
        assert "pf-capture stopped: no compositor answers" in str(pipeline.failure())


def test_a_start_that_fails_leaves_nothing(client):
    before = open_things()

    def refuse(_plan, _mode):
        raise ConfigError("no such encoder")

    with pytest.raises(ConfigError), running(video_plan(), client, open_encoder=refuse):
        pass
    assert nothing_left(before)


def test_stop_leaves_nothing_and_may_come_twice_or_first(client):
    before = open_things()
    pipeline = Pipeline(video_plan(), client.host_socket.fileno())
    pipeline.start()
    pipeline.set_destination(client.address, client.socket.family)
    client.picture()
    pipeline.stop(JOIN_NS)
    assert nothing_left(before)
    counters = pipeline.counters()
    assert counters["frames"] >= 1
    pipeline.stop(JOIN_NS)
    pipeline.request_idr()
    pipeline.set_bitrate(1)
    assert pipeline.counters() == counters
    unused = Pipeline(video_plan(), client.host_socket.fileno())
    unused.stop(JOIN_NS)
    assert nothing_left(before)


def test_a_thread_that_hangs_is_named_and_what_it_uses_stays_open(client, monkeypatch):
    entered, release = threading.Event(), threading.Event()

    class Hanging(StillCapture):
        def next(self, _timeout_ns, _wake_fd):
            entered.set()
            release.wait(10)

    monkeypatch.setattr(capture_loop, "open_capture", Hanging)
    pipeline = Pipeline(video_plan(), client.host_socket.fileno())
    pipeline.start()
    entered.wait(10)
    with pytest.raises(PunktfunkError, match="pf-capture did not stop within"):
        pipeline.stop(50_000_000)
    release.set()
    pipeline.stop(JOIN_NS)


@pytest.mark.parametrize("codec", list(Codec))
def test_only_the_sending_thread_is_realtime_and_pinned(codec):
    client = LoopbackClient(codec)
    cpus = os.sched_getaffinity(0)
    plan = video_plan(codec, realtime=RealtimePlan(max(cpus), 10))
    with running(plan, client) as pipeline:
        client.picture()
        pipeline.set_bitrate(2_000_000)
        while client.picture()[0].header.frame_type is not FrameType.IDR:
            pass
        (placement,) = pipeline.placements()
        found = {}
        for task in Path("/proc/self/task").iterdir():
            name = (task / "comm").read_text().strip()
            place = os.sched_getscheduler(int(task.name)), frozenset(os.sched_getaffinity(int(task.name)))
            found.setdefault(name, set()).add(place)
    client.close()
    (sending,) = found.pop("pf-send")
    assert sending[1] == {max(cpus)}
    if placement.reason == "":
        assert sending[0] == os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        assert (placement.policy, placement.priority) == ("SCHED_FIFO", 10)
    assert {"pf-encode", "pf-capture"} <= set(found)
    policies = {(policy & ~os.SCHED_RESET_ON_FORK, where) for policy, where in set().union(*found.values())}
    assert policies == {(os.SCHED_OTHER, frozenset(cpus))}


def test_room_for_a_frame_follows_the_rate_but_not_beyond_what_can_be_sent():
    send = SendPlan(1392, 20, 2, None, Pacing.FRAME, 16_666_667)
    assert frame_capacity_bytes(send, 10_000_000) == 1 << 21
    assert frame_capacity_bytes(send, 100_000_000) == 16 * 208_333
    assert frame_capacity_bytes(send, 10**10) == 4092 * 1376 - 8


def test_a_stopped_pipeline_gives_its_memory_back_at_once(client):
    gc.disable()
    try:
        with running(video_plan(), client) as pipeline:
            client.picture()
            left = [
                weakref.ref(part) for part in (pipeline._sink.sender, pipeline._latest, pipeline._encode_loop)
            ]
        assert [part() for part in left] == [None, None, None]
    finally:
        gc.enable()
