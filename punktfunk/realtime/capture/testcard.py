"""Pictures drawn by punktfunk itself: colour bars, a moving bar for judder, and the barcode.

The background is drawn once. Each frame redraws the barcode and the two strips of the moving bar, so that
the card costs next to nothing beside the encoder that it tests.
"""

import select
import time
from typing import Final

import numpy as np

from punktfunk.plan import TestcardSource
from punktfunk.realtime.capture import barcode
from punktfunk.realtime.capture.base import CapturedFrame

BAR_COLOURS: Final = (0xBFBFBF, 0xBFBF00, 0x00BFBF, 0x00BF00, 0xBF00BF, 0xBF0000, 0x0000BF)
"""The 75 % colour bars of SMPTE ECR 1-1978: white, yellow, cyan, green, magenta, red, blue."""

GREY: Final = 0x808080
MOVING_BAR: Final = 0xFFFFFF
MOVING_BAR_STEP_PX: Final = 8
NOISE_STEP_ROWS: Final = 97
"""Farther than encoders look for motion, so that no frame's noise is predicted from the one before."""


class TestcardCapture:
    """A picture per frame interval, by absolute deadlines; late ones are skipped and counted.

    One buffer serves all frames: pf-capture has read a picture before it asks for the next.
    """

    __test__ = False  # the name starts like a test class; pytest must not collect it

    def __init__(self, source: TestcardSource) -> None:
        mode = source.mode
        self._interval_ns = mode.frame_interval_ns
        self._background = draw_background(mode.width_px, mode.height_px)
        self._pixels = self._background.copy()
        self._noise = draw_noise(self._background.shape) if source.noise else None
        self._frame_number = 0
        self._due_ns = 0
        self.skipped_count = 0

    def open(self) -> None:
        """Make the first picture due now."""
        self._due_ns = time.monotonic_ns()

    def next(self, timeout_ns: int, wake_fd: int) -> CapturedFrame | None:
        """Wait for the next deadline, draw, and stamp; see ``Capture.next``."""
        now_ns = time.monotonic_ns()
        if now_ns - self._due_ns > self._interval_ns:
            late_count = (now_ns - self._due_ns) // self._interval_ns
            self._due_ns += late_count * self._interval_ns
            self.skipped_count += late_count
        if self._due_ns - now_ns > timeout_ns:
            _wait_until(now_ns + timeout_ns, wake_fd)
            return None
        if _wait_until(self._due_ns, wake_fd):
            return None
        self._due_ns += self._interval_ns
        captured_ns = time.monotonic_ns()
        self.draw_frame(captured_ns)
        return CapturedFrame(self._pixels, captured_ns, _nothing_to_release)

    def draw_frame(self, captured_ns: int) -> None:
        """Draw the next frame into the card's only buffer."""
        pixels = self._pixels
        top_px, width_px = _moving_bar_top(pixels.shape[0]), pixels.shape[1]
        bar_px = max(1, width_px // 64)
        previous_px, left_px = (
            number * MOVING_BAR_STEP_PX % max(1, width_px - bar_px)
            for number in (self._frame_number - 1, self._frame_number)
        )
        stale = np.s_[top_px:, previous_px : previous_px + bar_px]
        pixels[stale] = self._background[stale]
        pixels[top_px:, left_px : left_px + bar_px] = MOVING_BAR
        if self._noise is not None:
            middle = _middle(*pixels.shape)
            rows = middle.stop - middle.start
            first = self._frame_number * NOISE_STEP_ROWS % max(1, rows)
            pixels[middle] = self._noise[first : first + rows]
        barcode.draw(pixels, barcode.Stamp(self._frame_number, captured_ns))
        self._frame_number += 1

    def close(self) -> None:
        """Do nothing: nothing is held."""


def draw_background(width_px: int, height_px: int) -> "np.ndarray[tuple[int, int], np.dtype[np.uint32]]":
    """Grey above for the barcode, colour bars in the middle, a grey ramp below, as (height, width) BGRx."""
    pixels = np.full((height_px, width_px), GREY, np.uint32)
    bars = _middle(height_px, width_px)
    ramp_top_px = bars.stop
    columns = np.arange(width_px)
    pixels[bars] = np.array(BAR_COLOURS, np.uint32)[columns * len(BAR_COLOURS) // width_px]
    # Not down to black: a client that waits for a bright picture must see one.
    pixels[ramp_top_px:] = (64 + columns * 160 // width_px).astype(np.uint32) * np.uint32(0x010101)
    return pixels


def draw_noise(shape: tuple[int, int]) -> "np.ndarray[tuple[int, int], np.dtype[np.uint32]]":
    """Draw twice the middle's rows of noise, (2 * rows, width) BGRx: each frame takes another window."""
    middle = _middle(*shape)
    rows = 2 * (middle.stop - middle.start)
    return np.random.default_rng(0).integers(0, 1 << 24, (rows, shape[1]), np.uint32)


def _middle(height_px: int, width_px: int) -> slice:
    """Rows between the barcode and the ramp."""
    top_px = min(height_px, (barcode.ROW_COUNT + 2) * barcode.cell_px(width_px, height_px))
    return slice(top_px, max(top_px, _moving_bar_top(height_px)))


def _moving_bar_top(height_px: int) -> int:
    return height_px * 3 // 4


def _wait_until(due_ns: int, wake_fd: int) -> bool:
    """Sleep until a CLOCK_MONOTONIC deadline; True at once when ``wake_fd`` becomes readable."""
    poll = select.poll()
    poll.register(wake_fd, select.POLLIN)
    while (left_ns := due_ns - time.monotonic_ns()) > 0:
        # poll() counts milliseconds and rounds: sleep the rest exactly, deaf for less than one of them.
        if left_ns < 1_000_000:
            time.sleep(left_ns / 1e9)
        elif poll.poll(left_ns // 1_000_000):
            return True
    return bool(poll.poll(0))


def _nothing_to_release() -> None:
    return
