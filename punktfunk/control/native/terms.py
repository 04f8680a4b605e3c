"""What this host brings into the negotiation of a punktfunk/1 session."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from punktfunk.control.deep_colour import NO_DEEP_COLOUR, DeepColour
from punktfunk.plan import AudioSource, Codec, Pacing, RealtimePlan
from punktfunk.wire.native.capabilities import CompositorKind, HostCap

CipherSetting = Literal["auto", "aes", "chacha20"]


@dataclass(frozen=True, slots=True)
class NativeOffer:
    """What every session of this host may use; ``encoders`` maps each offered codec to an FFmpeg encoder."""

    encoders: Mapping[Codec, str]
    fec_percent: int | None  # the operator's own number; None adapts
    pacing: Pacing
    forced_pacing: bool  # the operator's choice: clients may not change it
    cipher: CipherSetting
    aes_is_fast: bool
    compositor: CompositorKind
    realtime: RealtimePlan
    sound: AudioSource = AudioSource.SILENCE
    pcm: bool = True
    management_port: int = 0
    deep_colour: DeepColour = NO_DEEP_COLOUR
    sends_pointer: bool = False  # the display gives pictures without it, and tells where it is


@dataclass(frozen=True, slots=True)
class MediaPlace:
    """Where this session's video leaves from."""

    local_address: str
    port: int


@dataclass(frozen=True, slots=True)
class AudioTerms:
    """What the sound of the session is, as Welcome says it, and what it takes of the budget."""

    channel_count: int = 2
    codec: int = 0
    rate_hz: int = 48_000
    bits: int = 16
    frame_us: int = 0
    layout: int = 0
    host_caps: HostCap = HostCap(0)  # noqa: RUF009 - a flag value is immutable
    bitrate_kbps: int = 0
