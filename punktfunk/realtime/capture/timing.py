"""What capturing costs: pictures of a source, converted as pf-capture does it, with the times of each."""

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from punktfunk.plan import ColourSpace, FrameSource
from punktfunk.realtime.capture.base import open_capture
from punktfunk.realtime.capture.converter import Converter
from punktfunk.realtime.encode.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

WAIT_NS: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class CaptureTimes:
    """Of every picture: its stamp, when it lay in the encoder's planes, and the CPU that this thread took.

    captured_ns, ready_ns   CLOCK_MONOTONIC
    cpu_ns                  of everything since the picture before: waking, taking, converting, giving back
    """

    captured_ns: "NDArray[np.int64]"
    ready_ns: "NDArray[np.int64]"
    cpu_ns: "NDArray[np.int64]"


def time_capture(source: FrameSource, seconds: float) -> CaptureTimes:
    """Capture for so long on the caller's thread. EnvironmentProblem where the source cannot be opened."""
    mode = source.mode
    picture = Picture(mode.width_px, mode.height_px, "yuv420p")
    converter = Converter(ColourSpace.BT709, full_range=False)
    rows: list[tuple[int, int, int]] = []
    reading, writing = os.pipe2(os.O_CLOEXEC)
    try:
        capture = open_capture(source)
        try:
            ends_ns, used_ns = time.monotonic_ns() + int(seconds * 1e9), time.thread_time_ns()
            while time.monotonic_ns() < ends_ns:
                frame = capture.next(WAIT_NS, reading)
                if frame is None:
                    continue
                try:
                    if frame.pixels.shape == (mode.height_px, mode.width_px):
                        converter.convert(frame.pixels, picture)
                finally:
                    frame.release()
                ready_ns, now_ns = time.monotonic_ns(), time.thread_time_ns()
                rows.append((frame.captured_ns, ready_ns, now_ns - used_ns))
                used_ns, frame = now_ns, None  # a kept frame would keep its memory
        finally:
            capture.close()
    finally:
        os.close(reading)
        os.close(writing)
    table = np.array(rows, np.int64).reshape(-1, 3)
    return CaptureTimes(table[:, 0], table[:, 1], table[:, 2])
