"""What a session is to be like: the user's wishes, and what this client can do, as Hello has it."""

from dataclasses import dataclass, field
from typing import Final

from punktfunk.control.native.identity import NativeIdentity
from punktfunk.control.quic import QuicConfig
from punktfunk.control.quic.config import IDLE_TIMEOUT_S
from punktfunk.plan import Mode, RealtimePlan
from punktfunk.wire.native.capabilities import (
    ALPN,
    NO_CODECS,
    ClientCap,
    CodecBit,
    CompositorKind,
    GamepadKind,
    VideoCap,
)
from punktfunk.wire.native.extension import Extensions
from punktfunk.wire.native.handshake import Hello
from punktfunk.wire.native.packet import MAX_SHARD_BYTES

DEFAULT_MODE: Final = Mode(1280, 720, 60_000)
ALWAYS_VIDEO: Final = (
    VideoCap.HOST_TIMING | VideoCap.PROBE_SEQUENCE | VideoCap.STREAMED_UNITS | VideoCap.CHACHA20
)
"""What every client of ours can do whatever decodes."""

APPROVAL_S: Final = 190.0
"""The host holds a device that waits for approval for 180 s."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """One session. ``bitrate_kbps`` 0 lets both sides find it; ``codecs`` is what this client decodes."""

    mode: Mode = DEFAULT_MODE
    name: str = "punktfunk"
    bitrate_kbps: int = 0
    codecs: CodecBit = CodecBit.H264 | CodecBit.HEVC
    preferred_codec: CodecBit = NO_CODECS
    video_caps: VideoCap = ALWAYS_VIDEO
    client_caps: ClientCap = ClientCap.REDUNDANT_AUDIO | ClientCap.EXTENSIONS
    audio_channels: int = 2
    launch_id: str = ""
    compositor: CompositorKind = CompositorKind.AUTO
    gamepad: GamepadKind = GamepadKind.AUTO
    label: str = "punktfunk"
    keep_display: bool = False  # leave without quitting: the host keeps the display for a while
    patience_s: float = APPROVAL_S
    idle_timeout_s: float = IDLE_TIMEOUT_S  # silence after which the host counts as gone
    loss_ppm: int = 0  # datagrams thrown away on arrival, for measurements
    loss_seed: int = 0
    receiver: str = "auto"  # one of ``receivers.WISHES``
    packet_log_rows: int = 0  # a power of two: keep the newest packets' headers, for recordings
    realtime: RealtimePlan = field(default_factory=RealtimePlan)


def hello_of(options: SessionOptions) -> Hello:
    """Write the wishes as Hello."""
    return Hello(
        width_px=options.mode.width_px,
        height_px=options.mode.height_px,
        refresh_hz=max(1, round(options.mode.refresh_millihertz / 1000)),
        compositor=options.compositor,
        gamepad=options.gamepad,
        bitrate_kbps=options.bitrate_kbps,
        name=options.name,
        launch_id=options.launch_id,
        video_caps=options.video_caps,
        audio_channels=options.audio_channels,
        codecs=options.codecs,
        preferred_codec=options.preferred_codec,
        client_caps=options.client_caps,
        shard_bytes_max=MAX_SHARD_BYTES,
    )


def start_extensions(options: SessionOptions) -> Extensions:
    """Write what follows the port in Start, for hosts that read it."""
    return Extensions(label=options.label, reads_reason=True)


def client_config(
    identity: NativeIdentity, pin: str | None, idle_timeout_s: float = IDLE_TIMEOUT_S
) -> QuicConfig:
    """Dial with this identity; ``pin`` is the fingerprint to insist on, None to take whoever answers."""
    return QuicConfig(
        alpn=(ALPN,),
        certificate=identity.certificate,
        private_key=identity.private_key,
        pin=pin,
        idle_timeout_s=idle_timeout_s,
    )
