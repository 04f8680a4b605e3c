"""The body of pf-capture: pictures of the source, converted straight into the encoder's planes."""

import threading
from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from punktfunk.plan import VideoPlan
from punktfunk.realtime.capture.base import CapturedFrame, open_capture
from punktfunk.realtime.capture.converter import Converter
from punktfunk.realtime.encode.picture import Picture
from punktfunk.realtime.latest import LatestFrame

if TYPE_CHECKING:
    from numpy.typing import NDArray

WAIT_NS: Final = 500_000_000
MAXIMUM_NOTES: Final = 16


class CaptureLoop:
    """One captured picture per step. Counters are written by pf-capture only."""

    def __init__(
        self, plan: VideoPlan, latest: LatestFrame[Picture], wake_fd: int, ended: threading.Event
    ) -> None:
        self._plan = plan
        self._latest = latest
        self._wake_fd = wake_fd
        self._ended = ended
        self._converter = Converter(plan.encode.colour_space, full_range=plan.encode.full_range)
        mode = plan.source.mode
        self._shape = (mode.height_px, mode.width_px)
        self._fitted: NDArray[np.uint32] | None = None
        self._notes: deque[str] = deque(maxlen=MAXIMUM_NOTES)
        self._counters = {"captured_frames": 0, "misfit_frames": 0}

    def run(self) -> None:
        """Capture until told to end; EnvironmentProblem when the source is gone."""
        capture = open_capture(self._plan.source, self._notes.append)
        try:
            while not self._ended.is_set():
                frame = capture.next(WAIT_NS, self._wake_fd)
                if frame is not None:
                    self._offer(frame)
                    frame = None  # the traceback of a failure in next() would keep its memory
        finally:
            capture.close()

    def counters(self) -> dict[str, int]:
        """Pictures captured, and those of another size than the stream's."""
        return dict(self._counters)

    def notes(self) -> list[str]:
        """Tell, once each, what the user should know of the way pictures take."""
        told = []
        while self._notes:
            told.append(self._notes.popleft())
        return told

    def _offer(self, frame: CapturedFrame) -> None:
        picture = self._latest.writable()
        try:
            self._converter.convert(self._fit(frame.pixels), picture)
            if frame.patch is not None and frame.pixels.shape == self._shape:
                self._converter.lay(frame.patch, picture)
        finally:
            frame.release()
        picture.captured_ns = frame.captured_ns
        self._latest.put(picture)
        self._counters["captured_frames"] += 1

    def _fit(self, pixels: "NDArray[np.uint32]") -> "NDArray[np.uint32]":
        """Cut the picture, or fill it up with black, to the stream's size, which clients cannot change.

        Someone may have changed the mode of an output in the middle of a session.
        """
        if pixels.shape == self._shape:
            return pixels
        self._counters["misfit_frames"] += 1
        if self._fitted is None:
            self._fitted = np.zeros(self._shape, np.uint32)
        rows, columns = (min(have, want) for have, want in zip(pixels.shape, self._shape, strict=True))
        self._fitted.fill(0)
        self._fitted[:rows, :columns] = pixels[:rows, :columns]
        return self._fitted
