"""Hello and Start: what a client says on the control stream before its session runs.

    client                          host
    Hello (or PairRequest)   ->
                             <-     Welcome (``welcome``)
    Start                    ->

Both begin with "PKF1" and have no type: their turn says what they are. The fields below are the layout, in
order; how missing ends are read and written: ``positional``. Spec: punktfunk-1.md section 2.3.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from punktfunk.wire.native.capabilities import (
    NO_CLIENT_CAPS,
    NO_CODECS,
    NO_VIDEO_CAPS,
    WIRE_VERSION,
    ClientCap,
    CodecBit,
    CompositorKind,
    GamepadKind,
    VideoCap,
    VideoFit,
)
from punktfunk.wire.native.extension import Extensions
from punktfunk.wire.native.forms import U8, U16, U32, Bits, Choice, OrDefault
from punktfunk.wire.native.hdr import HdrVolume
from punktfunk.wire.native.positional import ExtensionBlock, HdrBlock, Label, Positional

__all__ = [
    "Extensions",
    "HdrVolume",
    "Hello",
    "Start",
    "build_hello",
    "build_start",
    "parse_hello",
    "parse_start",
]

NAME_MAX_BYTES: Final = 64
LAUNCH_ID_MAX_BYTES: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Client to host: open a session."""

    wire_version: Annotated[int, U32, "2; a host closes with 0x67 on any other"] = WIRE_VERSION
    width_px: Annotated[int, U32, "wanted mode; the host makes its output exactly this"]
    height_px: Annotated[int, U32, ""]
    refresh_hz: Annotated[int, U32, ""]
    compositor: Annotated[
        CompositorKind, Choice(CompositorKind, CompositorKind.AUTO), "wish; unknown reads as auto"
    ] = CompositorKind.AUTO
    gamepad: Annotated[GamepadKind, Choice(GamepadKind, GamepadKind.AUTO), "wish; unknown reads as auto"] = (
        GamepadKind.AUTO
    )
    bitrate_kbps: Annotated[int, U32, "wire budget; 0 automatic; the host clamps to 500 .. 8,000,000"] = 0
    name: Annotated[str | None, Label(NAME_MAX_BYTES), "the device, at most 64 bytes"] = None
    launch_id: Annotated[str | None, Label(LAUNCH_ID_MAX_BYTES), "what to launch, at most 128 bytes"] = None
    video_caps: Annotated[VideoCap, Bits(VideoCap), "VideoCap"] = NO_VIDEO_CAPS
    audio_channels: Annotated[int, OrDefault("u8", "B", 2, (6, 8)), "2, 6 or 8"] = 2
    codecs: Annotated[CodecBit, Bits(CodecBit), "what the client decodes; 0 means HEVC only"] = NO_CODECS
    preferred_codec: Annotated[CodecBit, Bits(CodecBit), "a wish, one bit"] = NO_CODECS
    hdr: Annotated[HdrVolume | None, HdrBlock(), "the client's display; body as of datagram 0xCE"] = None
    client_caps: Annotated[ClientCap, Bits(ClientCap), "ClientCap"] = NO_CLIENT_CAPS
    shard_bytes_max: Annotated[int, U16, "largest shard; 0: the size must not change in the session"] = 0
    audio_rate_hz: Annotated[int, OrDefault("u32", "I", 48_000), "0 also means 48,000"] = 48_000
    audio_bits: Annotated[int, OrDefault("u8", "B", 16, (24,)), "16 or 24"] = 16
    audio_layout: Annotated[int, U8, "AudioLayout, kept as it is"] = 0
    video_fit: Annotated[VideoFit, Choice(VideoFit, VideoFit.FIT), "unknown reads as fit"] = VideoFit.FIT


@dataclass(frozen=True, slots=True)
class Start:
    """Client to host, at once after Welcome: stream to me."""

    media_port: Annotated[int, U16, "UDP port of the client's media socket"]
    extensions: Annotated[
        Extensions | None, ExtensionBlock(), "only toward a host with HostCap2.EXTENSIONS"
    ] = None


HELLO: Final = Positional(Hello, required=4, always=7)
START: Final = Positional(Start, required=1, always=1)


def build_hello(hello: Hello) -> bytes:
    """Write Hello, 26 bytes or more; LocalProtocolError for numbers that do not fit. Names are cut."""
    return HELLO.build(hello)


def parse_hello(payload: bytes) -> Hello:
    """Read Hello; RemoteProtocolError only below 20 bytes or without its magic. The version is not judged."""
    hello: Hello = HELLO.parse(payload)
    return hello


def build_start(start: Start) -> bytes:
    """Write Start; LocalProtocolError for a port or block that does not fit."""
    return START.build(start)


def parse_start(payload: bytes) -> Start:
    """Read Start; RemoteProtocolError below 6 bytes, without its magic, or for a bad extension block."""
    start: Start = START.parse(payload)
    return start
