"""Encoders of libavcodec, by PyAV 12 to 19.

Encoders start threads, which inherit policy and affinity: open them from ordinary threads only.
"""

import os
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final, Self

import av
from av.video.frame import PictureType

from punktfunk.errors import EnvironmentProblem, PipelineFailed
from punktfunk.plan import Codec, EncodePlan, Mode
from punktfunk.realtime.encode.base import AccessUnit
from punktfunk.realtime.encode.picture import Picture
from punktfunk.realtime.encode.settings import EncoderSettings, settings_for
from punktfunk.realtime.thread import keeping_policies
from punktfunk.wire.annexb import contains_idr, normalise_access_unit
from punktfunk.wire.obu import normalise_temporal_unit

UPLOADING_PYAV: Final = 18
MAX_WITHHELD_COUNT: Final = 8
"""An encoder that swallows so many pictures in a row has a delay that no session can use."""


class LavcEncoder:
    """One libavcodec encoder. Changing its bitrate opens it anew, so the next picture is a key frame.

    PyAV cannot reach libx264's rate buffer once it is open, and average rate alone would leave the cap of
    key frames where it was.
    """

    def __init__(self, plan: EncodePlan, mode: Mode) -> None:
        self._plan = plan
        self._mode = mode
        self._count = 0
        self._withheld_count = 0
        self._settings = settings_for(plan, mode, len(os.sched_getaffinity(0)))
        self._context: Any = _open(self._settings)

    @classmethod
    def open(cls, plan: EncodePlan, mode: Mode) -> Self:
        """Open the encoder that ``plan`` names; EnvironmentProblem says why it cannot be."""
        return cls(plan, mode)

    def new_picture(self) -> Picture:
        """See ``Encoder``."""
        settings = self._settings
        return Picture(settings.width_px, settings.height_px, settings.pixel_format)

    def encode(self, picture: Picture, *, key: bool) -> list[AccessUnit]:
        """See ``Encoder``."""
        frame = picture.frame
        # Counted, not timed: each frame gets an equal share of the rate, however long the one before stood.
        frame.pts = self._count
        frame.time_base = Fraction(1000, self._settings.rate_millihertz)
        frame.pict_type = PictureType.I if key else PictureType.NONE
        self._count += 1
        try:
            packets = self._context.encode(frame)
        except av.error.FFmpegError as error:
            raise PipelineFailed(
                f"{self._plan.encoder_name} failed at frame {self._count}: {error}",
                hint="Choose another encoder in the settings.",
            ) from error
        self._withheld_count = 0 if packets else self._withheld_count + 1
        if self._withheld_count > MAX_WITHHELD_COUNT:
            raise PipelineFailed(f"{self._plan.encoder_name} gave nothing for {MAX_WITHHELD_COUNT} frames")
        return [self._access_unit(packet) for packet in packets]

    def set_bitrate(self, bitrate_bps: int) -> None:
        """See ``Encoder``."""
        if bitrate_bps == self._plan.bitrate_bps:
            return
        self._plan = replace(self._plan, bitrate_bps=bitrate_bps)
        self._settings = settings_for(self._plan, self._mode, len(os.sched_getaffinity(0)))
        self.close()
        self._context = _open(self._settings)

    def close(self) -> None:
        """See ``Encoder``."""
        context, self._context = self._context, None
        if context is None:
            return
        try:
            # SVT-AV1 complains, and keeps threads for a while, unless it saw the end of the stream.
            context.encode(None)
        except av.error.FFmpegError:
            return

    def _access_unit(self, packet: Any) -> AccessUnit:
        data, headers = bytes(packet), bytes(self._context.extradata or b"")
        if self._plan.codec is Codec.AV1:
            # In front of the sequence header, extradata has the four bytes of an av1C box, the first 0x81.
            headers = headers[4:] if headers[:1] == b"\x81" else b""
            is_key = bool(packet.is_keyframe)
            return AccessUnit(normalise_temporal_unit(data, is_key, headers), is_key)
        # FFmpeg's key flag is also set on recovery points, which clients cannot start with.
        is_key = contains_idr(data, self._plan.codec)
        return AccessUnit(normalise_access_unit(data, self._plan.codec, is_key, headers), is_key)


def _open(settings: EncoderSettings) -> Any:
    chosen = settings.candidate
    # SVT-AV1 writes to stderr by itself; FFmpeg's own messages are off unless someone turns them on.
    os.environ.setdefault("SVT_LOG", "0")
    arguments: dict[str, Any] = {}
    rate = Fraction(settings.rate_millihertz, 1000)
    try:
        if chosen.device_type is not None:
            arguments["hwaccel"] = _device(chosen.name, chosen.device_type)
        with keeping_policies():
            context = av.CodecContext.create(chosen.name, "w", **arguments)
            context.width = settings.width_px
            context.height = settings.height_px
            context.pix_fmt = settings.pixel_format
            context.framerate = rate
            context.time_base = 1 / rate
            context.bit_rate = settings.bitrate_bps
            context.options = settings.options
            context.open()
    except (av.error.FFmpegError, ValueError, TypeError, NotImplementedError, RuntimeError) as error:
        raise EnvironmentProblem(_refusal(chosen.name, error)) from error
    return context


def _device(name: str, device_type: str) -> Any:
    """Name the device that frames are uploaded to. PyAV hands them over since 18."""
    av.Codec(name, "w")  # a build without the encoder is told as that
    if int(av.__version__.partition(".")[0]) < UPLOADING_PYAV:
        raise EnvironmentProblem(
            f"{name} is in this FFmpeg, but PyAV {av.__version__} cannot hand it pictures",
            hint=f"PyAV {UPLOADING_PYAV} can; it is built against FFmpeg 8.",
        )
    from av.codec.hwaccel import HWAccel

    return HWAccel(device_type)


def _refusal(name: str, error: Exception) -> str:
    """Why an encoder did not open, in words for people."""
    if type(error).__name__ == "UnknownCodecError":
        return f"{name} is not in this build of PyAV ({av.__version__})"
    return f"{name}: {getattr(error, 'strerror', None) or error}"
