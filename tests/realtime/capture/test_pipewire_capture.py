"""Capture through a real PipeWire daemon and session manager, from a double of a compositor's node."""

import os
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from pipewire_session import kill_daemon, needs_pipewire, pipewire_session
from video_node import VideoNode

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import CursorMode, Mode, PipeWireSource
from punktfunk.realtime.capture import pipewire_buffer
from punktfunk.realtime.capture.cursor import Beside
from punktfunk.realtime.capture.pipewire import PipeWireCapture
from punktfunk.realtime.capture.video_format import RGBX, XBGR_210
from punktfunk.realtime.pipewire.pod import Id

pytestmark = [pytest.mark.peer, needs_pipewire]

MODE = Mode(320, 180, 60_000)
SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def remote():
    with pipewire_session() as path:
        yield path


class Viewer:
    def __init__(self, node, mode=MODE, *, serial=False, cursor=CursorMode.EMBEDDED, bit_depth=8, **more):
        target = node.serial if serial else node.node_id
        source = PipeWireSource(mode, target, serial, node.remote, cursor=cursor, bit_depth=bit_depth)
        self.beside = Beside()
        self.capture = PipeWireCapture(source, self.beside, **more)
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


ARROW = np.full((8, 6), 0xFFFF0000, np.uint32)


def with_patch(picture, frame):
    laid, patch = picture.copy(), frame.patch
    if patch is not None:
        rows, columns = patch.pixels.shape
        laid[patch.y_px : patch.y_px + rows, patch.x_px : patch.x_px + columns] = patch.pixels
    return laid


def test_a_pointer_sent_apart_is_drawn_also_over_a_picture_that_stands_still(remote):
    with VideoNode(remote, (64, 48)) as node, Viewer(node, cursor=CursorMode.METADATA) as viewer:
        viewer.capture.settle()
        node.await_streaming()
        picture = drawing(64, 48)
        node.show(picture, cursor=(11, 9, 1, 2, ARROW))
        got, frame = viewer.picture()
        assert (got == picture).all()
        assert (with_patch(got, frame)[7:15, 10:16] == 0xFF0000).all()
        node.show(cursor=(31, 22))  # no picture: it only moved
        got, frame = viewer.picture()
        assert (got == picture).all()
        assert (with_patch(got, frame)[20:28, 30:36] == 0xFF0000).all()
        node.show(cursor=(31, 22, 0, 0, None))
        _got, frame = viewer.picture()
        assert frame.patch is None
        viewer.beside.pointer.is_drawn = False  # the client draws it: moving makes no pictures
        node.show(cursor=(5, 5, 1, 2, ARROW))
        assert viewer.capture.next(50_000_000, viewer.wake) is None
        state = viewer.beside.pointer.state
        assert (state.x_px, state.y_px, state.serial, state.visible) == (5, 5, 3, True)


def test_crop_and_transform_are_undone(remote):
    with VideoNode(remote, (64, 48)) as node, Viewer(node) as viewer:
        viewer.capture.settle()
        node.await_streaming()
        picture = drawing(64, 48)
        node.show(picture, crop=(4, 2, 32, 16))
        assert (viewer.picture()[0] == picture[2:18, 4:36]).all()
        node.show(picture, transform=2)
        assert (viewer.picture()[0] == picture[::-1, ::-1]).all()


def test_a_stamp_from_elsewhere_is_replaced_and_an_impossible_buffer_passed_over(remote):
    with VideoNode(remote, (64, 48)) as node, Viewer(node) as viewer:
        viewer.capture.settle()
        node.await_streaming()
        node.show(drawing(64, 48), pts_ns=5)
        before_ns = time.monotonic_ns()
        node.show(drawing(64, 48, 2), stride=8)
        node.show(drawing(64, 48, 3), pts_ns=5)
        while True:
            got, frame = viewer.picture()
            assert frame.captured_ns >= before_ns - SECOND_NS
            if (got == drawing(64, 48, 3)).all():
                break


HDR = {0x2000E: Id(15), 0x2000F: Id(7)}


def test_hdr10_is_taken_where_it_is_given_and_refused_where_it_is_not(remote):
    deep = VideoNode(remote, (64, 48), formats=(XBGR_210,), properties=HDR)
    with deep as node, Viewer(node, bit_depth=10) as viewer:
        assert viewer.capture.settle().is_hdr
        node.await_streaming()
        node.show(np.full((48, 64), 1 << 20 | 2 << 10 | 3, np.uint32))
        got, frame = viewer.picture()
        assert frame.ten_bit
        assert (got == (3 << 20 | 2 << 10 | 1)).all()
    with VideoNode(remote, (64, 48)) as node, Viewer(node, bit_depth=10) as viewer:
        with pytest.raises(
            EnvironmentProblem, match=r"no more input formats|settled on no format"
        ) as refused:
            viewer.capture.settle(SECOND_NS // 3)
        assert "eight bits" in str(refused.value.hint) or "format" in str(refused.value)


@pytest.mark.parametrize("modifiers", [(0,), (5, 0)])
def test_linear_dma_bufs_are_mapped_and_that_is_said(remote, monkeypatch, modifiers):
    monkeypatch.setattr(pipewire_buffer.fcntl, "ioctl", lambda *_: 0)  # the double's are memfds
    with VideoNode(remote, (64, 48), modifiers=modifiers, only_dma_buf=True) as node, Viewer(node) as viewer:
        assert viewer.capture.settle().modifier == 0
        node.await_streaming()
        node.show(drawing(64, 48))
        assert (viewer.picture()[0] == drawing(64, 48)).all()
        assert any("DMA-BUFs read by the processor" in note for note in viewer.beside.take_notes())


def test_dma_bufs_that_cannot_be_read_step_down_to_shared_memory_and_that_is_said(remote):
    with VideoNode(remote, (64, 48), modifiers=(0,)) as node, Viewer(node, dma_buf_first=True) as viewer:
        assert viewer.capture.settle().modifier == 0
        node.await_streaming()
        frame = None
        for seed in range(100):  # DMA_BUF_IOCTL_SYNC is refused: these are memfds
            node.show(drawing(64, 48, seed))
            frame = viewer.capture.next(20_000_000, viewer.wake)
            if frame is not None:
                break
        assert viewer.capture.format.modifier is None
        frame.release()
        notes = viewer.beside.take_notes()
        assert any("cannot be read" in note and "shared memory is used instead" in note for note in notes)


def test_a_node_that_is_not_there_is_said(remote):
    capture = PipeWireCapture(PipeWireSource(MODE, 9999, remote=remote))
    try:
        capture.open()
        with pytest.raises(EnvironmentProblem, match=r"no video node 9999|target not found|no target node"):
            capture.settle(300_000_000)
    finally:
        capture.close()


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.fault
def test_a_daemon_that_dies_ends_the_capture_and_leaves_nothing():
    before = open_files()
    with pipewire_session() as path:
        node = VideoNode(path, (64, 48))
        with suppress(EnvironmentProblem), node, Viewer(node) as viewer:
            viewer.capture.settle()
            node.await_streaming()
            node.show(drawing(64, 48))
            viewer.picture()
            kill_daemon(path)
            with pytest.raises(EnvironmentProblem, match="PipeWire"):
                viewer.capture.next(5 * SECOND_NS, viewer.wake)
    assert open_files() == before
    capture = PipeWireCapture(PipeWireSource(MODE, 1, remote=path))
    with pytest.raises(EnvironmentProblem, match="no PipeWire daemon answers") as refused:
        capture.open()
    capture.close()
    assert "systemctl --user start pipewire wireplumber" in refused.value.hint
