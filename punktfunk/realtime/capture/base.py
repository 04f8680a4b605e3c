"""What every source of pictures looks like to pf-capture, and which one belongs to a description."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from punktfunk.errors import LocalProtocolError
from punktfunk.plan import FrameSource, PipeWireSource, PreparedSource, TestcardSource
from punktfunk.realtime.capture.cursor import Beside

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from punktfunk.realtime.capture.drawing import Patch
    from punktfunk.realtime.capture.video_meta import Region


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """One picture, valid until ``release`` is called.

    pixels       (height, width) uint32, each 0xXXRRGGBB as a number: BGRx in memory on little-endian machines
    captured_ns  CLOCK_MONOTONIC when the picture was taken
    release      gives the memory back to its owner; to be called exactly once
    ten_bit      pixels are 0b2:10:10:10 of x, red, green, blue instead: HDR10
    damage       what changed since the frame before this one; None: perhaps everything
    patch        pixels to be laid over the picture, such as a pointer that the source sends apart
    """

    pixels: "NDArray[np.uint32]"
    captured_ns: int
    release: Callable[[], None]
    patch: "Patch | None" = None
    ten_bit: bool = False
    damage: "Sequence[Region] | None" = None


class Capture(Protocol):
    """A source of pictures. All of it runs on one thread, pf-capture."""

    def open(self) -> None:
        """Connect to the source; EnvironmentProblem where it is not there."""

    def next(self, timeout_ns: int, wake_fd: int) -> CapturedFrame | None:
        """Wait for the next picture; None after ``timeout_ns`` or as soon as ``wake_fd`` is readable.

        EnvironmentProblem when the source is gone for good.
        """

    def close(self) -> None:
        """Give everything back. Harmless when ``open`` failed or never ran."""


def open_capture(source: FrameSource, beside: Beside | None = None) -> Capture:
    """Connect to a source; the caller closes the capture. EnvironmentProblem where it cannot be.

    ``beside`` takes what the source tells beside pictures: the pointer, and sentences for the user.
    """
    capture = _capture_of(source, beside or Beside())
    try:
        capture.open()
    except BaseException:
        capture.close()
        raise
    return capture


def _capture_of(source: FrameSource, beside: Beside) -> Capture:
    if isinstance(source, TestcardSource):
        from punktfunk.realtime.capture.testcard import TestcardCapture

        return TestcardCapture(source)
    if isinstance(source, PreparedSource):
        raise LocalProtocolError("prepared units are sent as they are: there is no picture to capture")
    if isinstance(source, PipeWireSource):
        from punktfunk.realtime.capture.pipewire import PipeWireCapture

        return PipeWireCapture(source, beside)
    from punktfunk.realtime.capture.wayland import WaylandCapture

    return WaylandCapture(source)
