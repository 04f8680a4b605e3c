"""WaylandCapture against a compositor double that speaks both copy protocols."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode, WaylandSource
from punktfunk.realtime.capture.wayland import WaylandCapture

DOUBLE = Path(__file__).with_name("compositor_double.py")
SECOND_NS = 1_000_000_000
WIDTH, HEIGHT = 37, 23


class Screen:
    """The double, and what it must show."""

    def __init__(self, folder: Path, protocol: str):
        self.path = str(folder / "wl-double")
        self.process = subprocess.Popen(
            [sys.executable, str(DOUBLE), self.path, protocol, str(WIDTH), str(HEIGHT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "listening\n"
        self.pixels = np.arange(WIDTH * HEIGHT, dtype=np.uint32).reshape(HEIGHT, WIDTH)

    def tell(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def fill(self, x: int, y: int, width: int, height: int, value: int) -> None:
        self.pixels[y : y + height, x : x + width] = value
        self.tell(f"fill {x} {y} {width} {height} {value}")

    def source(self, name: str = "DOUBLE-1") -> WaylandSource:
        return WaylandSource(self.path, name, Mode(WIDTH, HEIGHT, 60000))

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(params=["ext", "wlr"])
def screen(request, tmp_path):
    double = Screen(tmp_path, request.param)
    yield double
    double.end()


@pytest.fixture
def wake():
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


@pytest.fixture
def capture(screen):
    made = WaylandCapture(screen.source())
    made.open()
    yield made
    made.close()


def shows(capture: WaylandCapture, screen: Screen, wake_fd: int, tries: int = 4) -> bool:
    """Take pictures until one shows the screen; damage in two steps may come as two pictures."""
    for _ in range(tries):
        frame = capture.next(2 * SECOND_NS, wake_fd)
        assert frame is not None
        same = frame.pixels.shape == screen.pixels.shape and np.array_equal(frame.pixels, screen.pixels)
        assert frame.pixels.flags.c_contiguous
        assert frame.pixels.dtype == np.uint32
        assert abs(time.monotonic_ns() - frame.captured_ns) < SECOND_NS
        frame.release()
        if same:
            return True
    return False


def test_first_picture_of_a_still_screen_comes_at_once(capture, screen, wake):
    assert shows(capture, screen, wake[0], tries=1)
    assert capture.next(30_000_000, wake[0]) is None


def test_every_picture_is_whole_whichever_buffer_it_came_in(capture, screen, wake):
    dice = random.Random(7)
    assert shows(capture, screen, wake[0])
    for round_number in range(60):
        x, y = dice.randrange(WIDTH), dice.randrange(HEIGHT)
        screen.fill(x, y, dice.randrange(WIDTH - x) + 1, dice.randrange(HEIGHT - y) + 1, 1000 + round_number)
        assert shows(capture, screen, wake[0])


def test_wakes_at_once_when_told_to(capture, screen, wake):
    assert shows(capture, screen, wake[0])
    os.write(wake[1], b"x")
    before_ns = time.monotonic_ns()
    assert capture.next(5 * SECOND_NS, wake[0]) is None
    assert time.monotonic_ns() - before_ns < SECOND_NS


def test_another_size_comes_through(capture, screen, wake):
    assert shows(capture, screen, wake[0])
    for width, height in ((64, 48), (31, 77), (WIDTH, HEIGHT)):
        screen.pixels = np.arange(width * height, dtype=np.uint32).reshape(height, width)
        screen.tell(f"resize {width} {height}")
        assert shows(capture, screen, wake[0])


def test_upside_down_copies_are_turned(capture, screen, wake):
    assert shows(capture, screen, wake[0])
    screen.tell("invert")
    assert shows(capture, screen, wake[0], tries=1)
    screen.fill(1, 2, 3, 4, 5)
    assert shows(capture, screen, wake[0])


def test_a_consumer_that_keeps_every_buffer_gets_no_more_until_it_gives_one_back(tmp_path, wake):
    screen = Screen(tmp_path, "ext")
    capture = WaylandCapture(screen.source())
    try:
        capture.open()
        kept = []
        for value in range(3):
            kept.append(capture.next(2 * SECOND_NS, wake[0]))
            screen.fill(0, 0, 1, 1, value)
        pictures = [frame.pixels.copy() for frame in kept]
        assert capture.next(30_000_000, wake[0]) is None
        assert all(np.array_equal(frame.pixels, copy) for frame, copy in zip(kept, pictures, strict=True))
        kept.pop().release()
        assert shows(capture, screen, wake[0])
        for frame in kept:
            frame.release()
    finally:
        capture.close()
        screen.end()


def test_refusals_are_survived(capture, screen, wake):
    assert shows(capture, screen, wake[0])
    screen.tell("refuse 2")
    screen.fill(0, 0, 2, 2, 9)
    assert shows(capture, screen, wake[0])


def test_a_compositor_that_dies_is_reported(capture, screen, wake):
    assert shows(capture, screen, wake[0])
    screen.end()
    with pytest.raises(EnvironmentProblem, match="closed the connection"):
        capture.next(2 * SECOND_NS, wake[0])


def test_an_output_that_goes_away_is_reported(capture, screen, wake):
    assert shows(capture, screen, wake[0])
    screen.tell("remove")
    with pytest.raises(EnvironmentProblem, match="DOUBLE-1 went away"):
        capture.next(2 * SECOND_NS, wake[0])


def test_an_ended_capture_session_is_reported(tmp_path, wake):
    screen = Screen(tmp_path, "ext")
    capture = WaylandCapture(screen.source())
    try:
        capture.open()
        assert shows(capture, screen, wake[0])
        screen.tell("stop")
        with pytest.raises(EnvironmentProblem, match="ended the capture"):
            capture.next(2 * SECOND_NS, wake[0])
    finally:
        capture.close()
        screen.end()


def test_the_protocol_that_is_there_is_used(capture, screen):
    expected = {"ext": "ext-image-copy-capture-v1", "wlr": "wlr-screencopy-unstable-v1"}
    assert capture.protocol == expected[screen.process.args[3]]


def test_a_compositor_without_any_copy_protocol_is_refused(tmp_path):
    screen = Screen(tmp_path, "none")
    capture = WaylandCapture(screen.source())
    try:
        with pytest.raises(EnvironmentProblem, match="neither"):
            capture.open()
    finally:
        capture.close()
        screen.end()


def test_an_output_that_is_not_there_is_named(screen):
    capture = WaylandCapture(screen.source("HEADLESS-9"))
    try:
        with pytest.raises(EnvironmentProblem, match=r"no output HEADLESS-9, only \['DOUBLE-1'\]"):
            capture.open()
    finally:
        capture.close()


def test_nobody_listening_is_reported(tmp_path):
    capture = WaylandCapture(WaylandSource(str(tmp_path / "nothing"), "X", Mode(2, 2, 60000)))
    with pytest.raises(EnvironmentProblem, match="no compositor"):
        capture.open()
    capture.close()
