"""Audio packets to samples: Opus by libavcodec, PCM by numpy. Samples are float32, (count, channels).

The Opus stream layouts are punktfunk/1's (punktfunk-1 §2.10), channels FL FR FC LFE RL RR SL SR:

    channels  layout        streams  coupled  mapping
    --------  ------------  -------  -------  -----------------
           2  any                 1        1  0 1
           6  0 legacy            4        2  0 1 2 3 4 5
           6  1 standard          4        2  0 1 4 5 2 3
           6  2 uncoupled         6        0  identity
           8  0 legacy            5        3  0 1 2 3 4 5 6 7
           8  1 standard          5        3  0 1 6 7 2 3 4 5
           8  2 uncoupled         8        0  identity

libavcodec learns them from a made-up OpusHead of mapping family 1, whose channels are in Vorbis order; its
output is in the order above. libopus is preferred: libavcodec's own decoder gives planes, of which PyAV 18
makes nine out of eight.
"""

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import SoundPlan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

_LAYOUTS: Final = {
    (6, 0): (4, 2, (0, 1, 2, 3, 4, 5)),
    (6, 1): (4, 2, (0, 1, 4, 5, 2, 3)),
    (6, 2): (6, 0, (0, 1, 2, 3, 4, 5)),
    (8, 0): (5, 3, (0, 1, 2, 3, 4, 5, 6, 7)),
    (8, 1): (5, 3, (0, 1, 6, 7, 2, 3, 4, 5)),
    (8, 2): (8, 0, (0, 1, 2, 3, 4, 5, 6, 7)),
}
_STEREO: Final = (1, 1, (0, 1))

_OPUS_HEAD: Final = Struct("<8sBBHIhBBB")
_SURROUND: Final = 1
_VORBIS_PLACES: Final = {2: (0, 1), 6: (0, 2, 1, 5, 3, 4), 8: (0, 2, 1, 7, 5, 6, 3, 4)}
"""Place in Vorbis order of each of our channels (libavcodec, ff_vorbis_channel_layout_offsets)."""


class OpusSamples:
    """One Opus multistream decoder. EnvironmentProblem if PyAV has none, or the layout is unknown."""

    def __init__(self, plan: SoundPlan) -> None:
        if plan.channel_count != 2 and (plan.channel_count, plan.layout) not in _LAYOUTS:
            raise EnvironmentProblem(
                f"the host sends {plan.channel_count} channels in layout {plan.layout}, which is unknown",
                hint="Ask for stereo: punktfunk connect --audio-channels 2",
            )
        streams, coupled, mapping = _LAYOUTS.get((plan.channel_count, plan.layout), _STEREO)
        self._channel_count = plan.channel_count
        self._frame_count = plan.rate_hz * plan.frame_us // 1_000_000
        head = _OPUS_HEAD.pack(
            b"OpusHead", 1, plan.channel_count, 0, plan.rate_hz, 0, _SURROUND, streams, coupled
        )
        ordered = bytearray(plan.channel_count)
        for place, source in zip(_VORBIS_PLACES[plan.channel_count], mapping, strict=True):
            ordered[place] = source
        try:
            self._context: Any = _open(head + bytes(ordered), plan.rate_hz)
        except (av.error.FFmpegError, ValueError) as error:
            raise EnvironmentProblem(f"no Opus decoder can be opened: {error}") from error

    def decode(self, payload: bytes) -> "Samples | None":
        """Decode one packet; silence of an empty one, None of one that cannot be decoded."""
        if not payload:
            return np.zeros((self._frame_count, self._channel_count), np.float32)
        try:
            frames = self._context.decode(av.Packet(payload))
        except av.error.FFmpegError:
            return None
        parts = [_samples_of(frame) for frame in frames if len(frame.layout.channels) == self._channel_count]
        return np.concatenate(parts) if parts else None


def _open(head: bytes, rate_hz: int) -> Any:
    name = "libopus" if "libopus" in av.codecs_available else "opus"
    context = av.CodecContext.create(name, "r")
    context.extradata = head
    context.sample_rate = rate_hz
    if name == "libopus":
        context.options = {"request_sample_fmt": "flt"}
    context.open()
    return context


def _samples_of(frame: Any) -> "Samples":
    """Copy a frame's samples out, (count, channels), whatever their format."""
    channel_count, count = len(frame.layout.channels), frame.samples  # PyAV 12 has no nb_channels
    kind = np.int16 if frame.format.name.startswith("s16") else np.float32
    if frame.format.is_planar:
        planes = frame.planes[:channel_count]
        values = np.stack([np.frombuffer(plane, kind, count) for plane in planes], axis=1)
    else:
        values = np.frombuffer(frame.planes[0], kind, count * channel_count).reshape(count, channel_count)
    scale = np.float32(1 / (1 << 15) if kind is np.int16 else 1)
    scaled: Samples = values.astype(np.float32) * scale
    return scaled


class PcmSamples:
    """Interleaved little-endian samples of 16 or 24 bit."""

    def __init__(self, plan: SoundPlan) -> None:
        self._channel_count = plan.channel_count
        self._bytes = plan.bits // 8

    def decode(self, payload: bytes) -> "Samples | None":
        """Decode one packet; None if it does not hold whole samples."""
        if len(payload) % (self._bytes * self._channel_count):
            return None
        if self._bytes == 2:
            values = np.frombuffer(payload, "<i2").astype(np.float32) / np.float32(1 << 15)
        else:
            wide = np.zeros((len(payload) // 3, 4), np.uint8)
            wide[:, 1:] = np.frombuffer(payload, np.uint8).reshape(-1, 3)
            values = wide.reshape(-1).view("<i4").astype(np.float32) / np.float32(1 << 31)
        return values.reshape(-1, self._channel_count)


def open_samples(plan: SoundPlan) -> OpusSamples | PcmSamples:
    """Open what turns this session's packets into samples; EnvironmentProblem if nothing does."""
    return PcmSamples(plan) if plan.is_pcm else OpusSamples(plan)
