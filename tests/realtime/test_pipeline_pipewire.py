"""From a node of a real PipeWire daemon through the whole pipeline to what a client decodes."""

import time

import numpy as np
import pytest
from loopback_client import LoopbackClient, nothing_left, open_things
from pipewire_session import needs_pipewire, pipewire_session
from stream_helpers import decode_one, encode_plan
from video_node import VideoNode

from punktfunk.plan import Codec, CursorMode, Mode, Pacing, PipeWireSource, RealtimePlan, SendPlan, VideoPlan
from punktfunk.realtime import Pipeline
from punktfunk.realtime.capture import barcode

pytestmark = [pytest.mark.peer, needs_pipewire]
MODE = Mode(640, 360, 60_000)
JOIN_NS = 3_000_000_000


def barcoded(number, colour=0x808080):
    pixels = np.full((MODE.height_px, MODE.width_px), colour, np.uint32)
    barcode.draw(pixels, barcode.Stamp(number, number))
    return pixels


def test_pictures_pointer_and_still_screens_reach_a_client():
    client = LoopbackClient(Codec.H264)
    before = open_things()
    with pipewire_session() as remote, VideoNode(remote, None) as node:
        source = PipeWireSource(MODE, node.node_id, remote=remote, cursor=CursorMode.METADATA)
        send = SendPlan(1024, 20, 2, None, Pacing.BURST, MODE.frame_interval_ns)
        plan = VideoPlan(
            source, encode_plan(Codec.H264, 8_000_000, chroma_444=True), send, RealtimePlan(None, 0)
        )
        pipeline = Pipeline(plan, client.host_socket.fileno())
        try:
            pipeline.start()
            pipeline.set_destination(client.address, client.socket.family)
            node.await_streaming()
            assert (node.width, node.height) == (640, 360)
            for number in range(1, 6):
                node.show(barcoded(number), pts_ns=time.monotonic_ns())
                while client.picture()[1] != (number, number):
                    continue
            for number in range(6, 10):  # only the barcode changes, and that is said
                node.show(barcoded(number), damage=[(0, 0, 640, 120)])
                while client.picture()[1] != (number, number):
                    continue
            assert pipeline.counters()["part_frames"] >= 1
            node.show(cursor=(320, 240, 0, 0, np.full((40, 40), 0xFFFF0000, np.uint32)))
            deadline_s = time.monotonic() + 10
            while True:  # the picture stands still: only the pointer is new, and it is drawn over it
                frame = decode_one(client.decoder, client.frame().data)
                red = np.frombuffer(frame.planes[2], np.uint8).reshape(360, -1)
                if red[250, 330] > 200:
                    break
                assert time.monotonic() < deadline_s
            assert frame.format.name == "yuv444p"
            assert red[250, 300] < 140
            assert any("shared memory" in note for note in pipeline.beside.take_notes())
            assert pipeline.counters()["misfit_frames"] == 0
        finally:
            pipeline.stop(JOIN_NS)
    assert nothing_left(before)
    client.close()
