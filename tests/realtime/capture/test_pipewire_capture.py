"""Capture through a real PipeWire daemon and session manager, from a double of a compositor's node."""

import os
import time

import numpy as np
import pytest
from pipewire_session import needs_pipewire, pipewire_session
from video_node import VideoNode

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import CursorMode, Mode, PipeWireSource
from punktfunk.realtime.capture.cursor import Beside
from punktfunk.realtime.capture.pipewire import PipeWireCapture
from punktfunk.realtime.capture.video_format import RGBX

pytestmark = [pytest.mark.peer, needs_pipewire]

MODE = Mode(320, 180, 60_000)
SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def remote():
    with pipewire_session() as path:
        yield path


class Viewer:
    def __init__(self, node, mode=MODE, *, serial=False, cursor=CursorMode.EMBEDDED, remote=None):
        target = node.serial if serial else node.node_id
        source = PipeWireSource(mode, target, serial, remote or node.remote, cursor=cursor)
        self.beside = Beside()
        self.capture = PipeWireCapture(source, self.beside)
        self.wake = os.eventfd(0)

    def __enter__(self):
        self.capture.open()
        return self

    def __exit__(self, *_):
        self.capture.close()
        os.close(self.wake)

    def picture(self, timeout_ns=5 * SECOND_NS):
        """The next picture as a copy, with its stamp and patch."""
        frame = self.capture.next(timeout_ns, self.wake)
        assert frame is not None, f"no picture; notes {self.beside.take_notes()}"
        copy = frame.pixels.copy()
        frame.release()
        return copy, frame


def drawing(width, height, seed=1):
    return np.random.default_rng(seed).integers(0, 1 << 24, (height, width), dtype=np.uint32)


@pytest.mark.parametrize("serial", [False, True])
def test_a_node_without_a_size_gets_the_clients_and_its_pictures_arrive_as_they_are(remote, serial):
    with VideoNode(remote) as node, Viewer(node, serial=serial) as viewer:
        settled = viewer.capture.settle()
        assert (settled.width_px, settled.height_px) == (320, 180) == (node.width, node.height)
        assert settled.modifier is None
        node.await_streaming()
        for seed in range(3):
            picture = drawing(320, 180, seed)
            shown_ns = time.monotonic_ns()
            node.show(picture, pts_ns=shown_ns)
            got, frame = viewer.picture()
            assert (got == picture).all()
            assert frame.captured_ns == shown_ns
        assert any("shared memory" in note for note in viewer.beside.take_notes())


def test_a_node_of_another_size_keeps_it(remote):
    with VideoNode(remote, (200, 100), formats=(RGBX,), padding=64) as node, Viewer(node) as viewer:
        assert (viewer.capture.settle().width_px, node.width) == (200, 200)
        node.await_streaming()
        node.show(np.full((100, 200), 0x112233, np.uint32))
        got, _frame = viewer.picture()
        assert got.shape == (100, 200)
        assert (got == 0x332211).all()


def test_a_change_of_mode_goes_on(remote):
    with VideoNode(remote, (200, 100)) as node, Viewer(node) as viewer:
        viewer.capture.settle()
        node.await_streaming()
        node.show(drawing(200, 100))
        assert viewer.picture()[0].shape == (100, 200)
        node.offer(size=(100, 60))
        deadline_ns = time.monotonic_ns() + 5 * SECOND_NS
        while viewer.capture.format is None or viewer.capture.format.width_px != 100:
            assert time.monotonic_ns() < deadline_ns
            viewer.capture.next(20_000_000, viewer.wake)
        viewer.capture.settle()
        node.await_streaming()
        node.show(drawing(100, 60))
        assert viewer.picture()[0].shape == (60, 100)


def test_the_newest_picture_wins_and_a_still_screen_gives_nothing(remote):
    with VideoNode(remote, (64, 64)) as node, Viewer(node) as viewer:
        viewer.capture.settle()
        node.await_streaming()
        node.show(drawing(64, 64, 1))
        viewer.picture()
        assert viewer.capture.next(30_000_000, viewer.wake) is None
        os.eventfd_write(viewer.wake, 1)
        assert viewer.capture.next(5 * SECOND_NS, viewer.wake) is None


def test_a_node_that_goes_away_ends_the_capture(remote):
    with VideoNode(remote, (64, 64)) as node, Viewer(node) as viewer:
        viewer.capture.settle()
        node.await_streaming()
        node.show(drawing(64, 64, 1))
        viewer.picture()
        node.__exit__()
        with pytest.raises(EnvironmentProblem, match=r"went away|ended the capture"):
            viewer.capture.next(5 * SECOND_NS, viewer.wake)
        node._bell = os.eventfd(0)
