"""From Welcome to what decodes and plays: a client configures both from nothing else (punktfunk-1 §2.3)."""

from typing import Final

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Codec, ColourSpace, DecodePlan, SoundPlan
from punktfunk.wire.native.capabilities import CodecBit
from punktfunk.wire.native.welcome import Welcome

PCM: Final = 2
_CODECS: Final = {CodecBit.H264: Codec.H264, CodecBit.HEVC: Codec.HEVC, CodecBit.AV1: Codec.AV1}
_BT601_MATRICES: Final = (5, 6)
_BT2020_MATRICES: Final = (9, 10)


def decode_plan(welcome: Welcome, hardware: str) -> DecodePlan:
    """Read how to decode from Welcome; EnvironmentProblem for a codec that nothing here decodes."""
    codec = _CODECS.get(CodecBit(welcome.codec))
    if codec is None:
        raise EnvironmentProblem(
            f"the host streams a codec that this client lacks ({welcome.codec})",
            hint="Ask for another one: punktfunk connect --codec h264",
        )
    space = ColourSpace.BT709
    if welcome.colour_matrix in _BT601_MATRICES:
        space = ColourSpace.BT601
    elif welcome.colour_matrix in _BT2020_MATRICES:
        space = ColourSpace.BT2020
    return DecodePlan(codec, space, bool(welcome.colour_full_range), hardware)


def sound_plan(welcome: Welcome) -> SoundPlan:
    """Read how to play sound from Welcome."""
    is_pcm = welcome.audio_codec == PCM
    return SoundPlan(
        is_pcm=is_pcm,
        channel_count=welcome.audio_channels,
        rate_hz=welcome.audio_rate_hz if is_pcm else 48_000,
        bits=welcome.audio_bits,
        layout=welcome.audio_layout,
        frame_us=(welcome.audio_frame_us or 5000) if is_pcm else 5000,
    )
