"""What arrives, into a Matroska file as it is: nothing is decoded, nothing is encoded again.

Access units begin to be written with the first key frame. Time stamps are those of the capture, to the
millisecond, which is what the format has. Sound is written where it is Opus of one or two channels.
"""

import io
from pathlib import Path
from typing import Any, Final

import av

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Codec

_FORMATS: Final = {Codec.H264: "h264", Codec.HEVC: "hevc", Codec.AV1: "obu"}
_NS: Final = 1_000_000_000
_OPUS_RATE_HZ: Final = 48_000


class Recorder:
    """One file. ``video`` and ``sound`` belong to one thread each at a time; the owner keeps them apart."""

    def __init__(self, path: Path, codec: Codec, refresh_hz: int, *, sound_channels: int = 0) -> None:
        self._path = path
        self._codec = codec
        self._refresh_hz = refresh_hz
        self._sound_channels = sound_channels if sound_channels in {1, 2} else 0
        self._video: Any = None
        self._sound: Any = None
        self._origin_ns = 0
        self._last_ms = -1
        self._last_sound_ms = -1
        self.unit_count = 0
        self.sound_count = 0
        try:
            path.open("wb").close()  # av opens it only once there is something to write
            self._file: Any = av.open(str(path), "w", format="matroska")
        except (OSError, av.error.FFmpegError) as error:
            raise EnvironmentProblem(
                f"cannot write {path}: {error}", hint="Name a file in a folder that you may write to."
            ) from error

    def video(self, unit: bytes, pts_ns: int, *, is_key: bool) -> None:
        """Write an access unit; those before the first key frame are left out."""
        if self._video is None:
            if not is_key:
                return
            self._begin(unit, pts_ns)
        packet = av.Packet(unit)
        packet.stream = self._video
        packet.time_base = self._video.time_base
        # Two frames within one millisecond would not be in order for players.
        self._last_ms = max(self._last_ms + 1, (pts_ns - self._origin_ns) * 1000 // _NS)
        ticks = round(self._last_ms / 1000 / self._video.time_base)
        packet.pts = packet.dts = ticks
        packet.is_keyframe = is_key
        self._file.mux(packet)
        self.unit_count += 1

    def sound(self, opus: bytes, pts_ns: int) -> None:
        """Write an Opus packet; those before the first picture are left out."""
        if self._sound is None or not opus or pts_ns < self._origin_ns:
            return
        packet = av.Packet(opus)
        packet.stream = self._sound
        packet.time_base = self._sound.time_base
        # A host whose clock jumps back must not end the recording.
        self._last_sound_ms = max(self._last_sound_ms + 1, (pts_ns - self._origin_ns) * 1000 // _NS)
        packet.pts = packet.dts = round(self._last_sound_ms / 1000 / self._sound.time_base)
        self._file.mux(packet)
        self.sound_count += 1

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def _begin(self, unit: bytes, pts_ns: int) -> None:
        """Learn size and parameter sets from the first key frame; the demuxer reads what it needs of it."""
        self._origin_ns = pts_ns
        with av.open(io.BytesIO(unit), format=_FORMATS[self._codec]) as sample:
            self._video = self._file.add_stream_from_template(sample.streams.video[0])
        if self._sound_channels:
            layout = "stereo" if self._sound_channels == 2 else "mono"
            self._sound = self._file.add_stream("libopus", rate=_OPUS_RATE_HZ, layout=layout)
            self._sound.codec_context.open()
