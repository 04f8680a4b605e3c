"""The body of pf-capture: pictures of the source, converted straight into the encoder's planes."""

import threading
from typing import TYPE_CHECKING, Final

from punktfunk.plan import VideoPlan
from punktfunk.realtime.capture.base import CapturedFrame, open_capture
from punktfunk.realtime.capture.converter import Converter
from punktfunk.realtime.capture.cursor import Beside
from punktfunk.realtime.capture.fit import Fitter
from punktfunk.realtime.encode.picture import Picture
from punktfunk.realtime.latest import LatestFrame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WAIT_NS: Final = 500_000_000


class CaptureLoop:
    """One captured picture per step. Counters are written by pf-capture only."""

    def __init__(
        self,
        plan: VideoPlan,
        latest: LatestFrame[Picture],
        wake_fd: int,
        ended: threading.Event,
        beside: Beside,
    ) -> None:
        self._plan = plan
        self._latest = latest
        self._wake_fd = wake_fd
        self._ended = ended
        self._converter = Converter(plan.encode.colour_space, full_range=plan.encode.full_range)
        mode = plan.source.mode
        self._shape = (mode.height_px, mode.width_px)
        self._fitter: Fitter | None = None
        self._beside = beside
        self._counters = {"captured_frames": 0, "misfit_frames": 0}

    def run(self) -> None:
        """Capture until told to end; EnvironmentProblem when the source is gone."""
        capture = open_capture(self._plan.source, self._beside)
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

    def _offer(self, frame: CapturedFrame) -> None:
        picture = self._latest.writable()
        try:
            self._converter.convert(self._fit(frame), picture, ten_bit=frame.ten_bit)
            if frame.patch is not None and frame.pixels.shape == self._shape:
                self._converter.lay(frame.patch, picture)
        finally:
            frame.release()
        picture.captured_ns = frame.captured_ns
        self._latest.put(picture)
        self._counters["captured_frames"] += 1

    def _fit(self, frame: CapturedFrame) -> "NDArray[np.uint32]":
        """Scale the picture into the stream's size, which clients cannot change, where it has another."""
        if frame.pixels.shape == self._shape:
            return frame.pixels
        self._counters["misfit_frames"] += 1
        if self._fitter is None:
            self._fitter = Fitter(self._shape, ten_bit=frame.ten_bit)
        return self._fitter.fit(frame.pixels, frame.patch)
