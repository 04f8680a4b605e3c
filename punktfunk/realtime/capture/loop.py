"""The body of pf-capture: pictures of the source, converted straight into the encoder's planes."""

import threading
from typing import TYPE_CHECKING, Final

from punktfunk.plan import VideoPlan
from punktfunk.realtime.capture.base import CapturedFrame, open_capture
from punktfunk.realtime.capture.converter import Converter
from punktfunk.realtime.capture.cursor import Beside
from punktfunk.realtime.capture.fit import Fitter
from punktfunk.realtime.capture.staleness import Staleness
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
        self._staleness = Staleness()
        self._counters = {"captured_frames": 0, "misfit_frames": 0, "part_frames": 0}

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
        """Pictures captured, those of another size than the stream's, those that were converted in part."""
        return dict(self._counters)

    def _offer(self, frame: CapturedFrame) -> None:
        picture = self._latest.writable()
        try:
            self._fill(frame, picture)
        finally:
            frame.release()
        picture.captured_ns = frame.captured_ns
        self._latest.put(picture)
        self._counters["captured_frames"] += 1

    def _fill(self, frame: CapturedFrame, picture: Picture) -> None:
        """Convert what changed, and scale into the stream's size, which clients cannot change."""
        fits = frame.pixels.shape == self._shape
        self._staleness.spoil(frame.damage if fits else None)
        pixels, patch = (frame.pixels, frame.patch) if fits else (self._fit(frame), None)
        whole = self._staleness.update(self._converter, pixels, picture, patch, ten_bit=frame.ten_bit)
        self._counters["part_frames"] += not whole

    def _fit(self, frame: CapturedFrame) -> "NDArray[np.uint32]":
        self._counters["misfit_frames"] += 1
        if self._fitter is None:
            self._fitter = Fitter(self._shape, ten_bit=frame.ten_bit)
        return self._fitter.fit(frame.pixels, frame.patch)
