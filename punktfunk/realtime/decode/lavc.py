"""One libavcodec decoder behind a list of ways to decode; a way that fails is left for the next.

A unit gives its picture at once or never: slices are decoded in parallel, frames are not, since each frame
in flight would be an interval of delay. Pictures leave as yuv420p or nv12, which renderers take as they are;
10 bit, 4:4:4 and full range of BT.709 pass through swscale, on this thread and not in Python.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import av

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import ColourSpace, DecodePlan
from punktfunk.realtime.decode.hardware import SOFTWARE, Candidate, candidates, open_device

MAX_FAILURES: Final = 3
"""So many units in a row that a hardware decoder refuses end its use."""

MAX_THREADS: Final = 4
SHOWABLE: Final = frozenset({"yuv420p", "yuvj420p", "nv12"})


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one unit gave: pictures of it or of units before it, named by the tag that went in."""

    tag: int
    frame: Any


class LavcDecoder:
    """Decodes units in order. EnvironmentProblem if nothing can be opened.

    ``notes`` says, for the log and the statistics, which ways failed and why.
    """

    def __init__(self, plan: DecodePlan, ways: Sequence[Candidate] | None = None) -> None:
        self._plan = plan
        self._ways = list(candidates(plan.codec, plan.hardware) if ways is None else ways)
        self._failures = 0
        self.notes: list[str] = []
        self._context: Any = None
        self._way = Candidate(SOFTWARE, "")
        self._open_next()

    @property
    def name(self) -> str:
        """What decodes, for people: ``h264 (software)``, ``hevc (vaapi)``."""
        return f"{self._plan.codec.value} ({self._way.kind})"

    def decode(self, unit: Any, tag: int) -> list[Decoded]:
        """Decode one unit (bytes-like, annex B or OBUs). An undecodable one gives nothing.

        EnvironmentProblem when the last way has to be left.
        """
        packet = av.Packet(unit)
        packet.pts = tag
        try:
            frames = self._context.decode(packet)
        except av.error.FFmpegError as error:
            self._refused(str(error))
            return []
        self._failures = 0
        return [Decoded(tag if frame.pts is None else frame.pts, self._showable(frame)) for frame in frames]

    def close(self) -> None:
        """Free the decoder and its threads now, not when the garbage is collected."""
        self._context = None

    def _refused(self, reason: str) -> None:
        self._failures += 1
        # Broken units are the network's fault and software's daily bread; a device's refusal is for ever.
        if self._way.kind != SOFTWARE and self._failures >= MAX_FAILURES:
            self.notes.append(f"{self._way.kind} stopped decoding: {reason}")
            self._open_next()

    def _open_next(self) -> None:
        self._failures = 0
        self._context = None
        while self._ways:
            way = self._ways.pop(0)
            try:
                self._context = _open(way)
            except (EnvironmentProblem, av.error.FFmpegError, OSError, ValueError, RuntimeError) as error:
                self.notes.append(f"{way.kind} cannot be opened: {error}")
                continue
            self._way = way
            return
        raise EnvironmentProblem(
            f"nothing on this machine decodes {self._plan.codec.value}: {'; '.join(self.notes)}",
            hint="Ask the host for another codec: punktfunk connect --codec h264",
        )

    def _showable(self, frame: Any) -> Any:
        """Bring a picture into a form that every renderer has."""
        name = frame.format.name
        squeeze = self._plan.full_range and self._plan.colour_space is not ColourSpace.BT601
        if name in SHOWABLE and not squeeze:
            return frame
        ranges = {"src_color_range": "JPEG", "dst_color_range": "MPEG"} if squeeze else {}
        shown = frame.reformat(format="yuv420p", **ranges)
        shown.pts = frame.pts
        return shown


def _open(way: Candidate) -> Any:
    if way.kind == SOFTWARE:
        context = av.CodecContext.create(way.decoder_name, "r")
        context.thread_type = "SLICE"
        context.thread_count = min(MAX_THREADS, os.cpu_count() or 1)
    else:
        context = av.CodecContext.create(way.decoder_name, "r", hwaccel=open_device(way.kind))
    if way.decoder_name == "libdav1d":
        context.options = {"max_frame_delay": "1"}
    else:
        context.options = {"flags": "+low_delay"}
    context.open()
    if way.kind != SOFTWARE and not context.is_hwaccel:
        raise EnvironmentProblem(f"this build of PyAV decodes without {way.kind}")
    return context
