import os
from itertools import pairwise

import numpy as np
import pytest

from punktfunk.plan import Mode, TestcardSource
from punktfunk.realtime.capture import barcode, testcard
from punktfunk.realtime.capture.base import open_capture
from punktfunk.realtime.capture.testcard import TestcardCapture


class Clock:
    """Stands where `time` stood: sleeping moves it on."""

    def __init__(self):
        self.now_ns = 10**9

    def monotonic_ns(self):
        return self.now_ns

    def sleep(self, seconds):
        self.now_ns += round(seconds * 1e9)


class Poll:
    """Stands where `select` stood, for a wake fd that stays silent unless told otherwise."""

    POLLIN = 1

    def __init__(self, clock):
        self.clock = clock
        self.woken = False

    def poll(self, timeout_ms=None):
        if timeout_ms is None:
            return self
        if self.woken:
            return [(0, 1)]
        self.clock.now_ns += timeout_ms * 1_000_000
        return []

    def register(self, _fd, _events):
        return


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    clock.poll = Poll(clock)
    monkeypatch.setattr(testcard, "time", clock)
    monkeypatch.setattr(testcard, "select", clock.poll)
    return clock


def read(frame):
    return barcode.read((frame.pixels & 255).astype(np.uint8))


def opened(mode):
    capture = TestcardCapture(TestcardSource(mode))
    capture.open()
    return capture


def test_frames_come_on_absolute_deadlines_however_long_the_caller_took(clock):
    capture = opened(Mode(320, 180, 59_940))
    start_ns = clock.now_ns
    for number in range(50):
        frame = capture.next(10**9, -1)
        # The double sleeps whole nanoseconds; rounding floats costs one or two of them.
        assert abs(frame.captured_ns - start_ns - number * 16_683_350) < 10
        assert read(frame) == (number, frame.captured_ns)
        frame.release()
        clock.now_ns += 9_000_000
    assert capture.skipped_count == 0


def test_late_frames_are_skipped_not_caught_up(clock):
    capture = opened(Mode(320, 180, 100_000))
    capture.next(10**9, -1)
    clock.now_ns += 95_000_000
    times_ns = [capture.next(10**9, -1).captured_ns for _ in range(3)]
    assert capture.skipped_count == 8
    assert times_ns[2] - times_ns[1] == 10_000_000


def test_timeout_and_wake_give_nothing(clock):
    capture = opened(Mode(320, 180, 1000))
    capture.next(10**9, -1)
    start_ns = clock.now_ns
    assert capture.next(20_000_000, -1) is None
    assert clock.now_ns - start_ns == 20_000_000
    clock.poll.woken = True
    assert capture.next(10**10, -1) is None


def test_a_real_wake_fd_ends_the_wait():
    capture = open_capture(TestcardSource(Mode(320, 180, 1000)))
    wake_fd = os.eventfd(1)
    try:
        assert capture.next(10**9, wake_fd) is None
    finally:
        os.close(wake_fd)
        capture.close()


def test_only_barcode_and_bar_move(clock):
    capture = opened(Mode(1280, 720, 60_000))
    first = capture.next(10**9, -1).pixels.copy()
    second = capture.next(10**9, -1).pixels
    changed = first != second
    assert not changed[80:540].any()
    assert changed[540:].any()
    assert changed[16:80, 16:528].any()


@pytest.mark.parametrize(
    ("width", "height"), [(64, 64), (1, 1), (17, 900), (1365, 767), (720, 1280), (3840, 2160)]
)
def test_every_size_can_be_drawn_and_is_bright(width, height):
    capture = opened(Mode(width, height, 60_000))
    for number in range(200 if width < 1000 else 3):
        capture.draw_frame(number)
    assert (capture._pixels & 255).mean() > 30
    assert capture._pixels.shape == (height, width)


def test_the_bar_leaves_no_trail():
    capture = opened(Mode(640, 360, 60_000))
    for number in range(500):
        capture.draw_frame(number)
    differing = (capture._pixels != capture._background)[270:].any(axis=0)
    assert differing.sum() <= 640 // 64


def test_noise_changes_every_frame_and_leaves_the_barcode_readable() -> None:
    capture = TestcardCapture(TestcardSource(Mode(640, 360, 60_000), noise=True))
    pictures = []
    for number in range(4):
        capture.draw_frame(number)
        frame = capture._pixels.copy()
        stamp = barcode.read(frame.view(np.uint8).reshape(360, 640, 4))
        assert stamp is not None
        assert stamp.frame_number == number
        pictures.append(frame)
    changed = [(a != b).mean() for a, b in pairwise(pictures)]
    assert min(changed) > 0.3
