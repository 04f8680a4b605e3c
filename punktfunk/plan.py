"""Frozen values that control hands to realtime: what to capture, how to encode it, how to send it.

Nothing here does anything. Realtime threads get one of these at start and never ask control again; what may
change while a stream runs (destination, bitrate, IDR wanted) goes through the mailbox of ``realtime``.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum


class Codec(Enum):
    """Video codecs that a stream can carry; the value is the name that people read."""

    H264 = "h264"
    HEVC = "hevc"
    AV1 = "av1"


class FrameType(IntEnum):
    """What a frame may refer to. The values are GameStream's (frame header byte 3)."""

    PREDICTED = 1
    IDR = 2
    INTRA_REFRESH = 4
    AFTER_INVALIDATION = 5


class ColourSpace(IntEnum):
    """Matrix of the YCbCr conversion. The values are GameStream's (``encoderCscMode >> 1``)."""

    BT601 = 0
    BT709 = 1
    BT2020 = 2


@dataclass(frozen=True, slots=True)
class Mode:
    """A display mode. ``refresh_millihertz`` keeps 59.94 Hz exact (59940)."""

    width_px: int
    height_px: int
    refresh_millihertz: int

    @property
    def frame_interval_ns(self) -> int:
        """Nanoseconds between two frames."""
        return 1_000_000_000_000 // self.refresh_millihertz

    def __str__(self) -> str:
        hertz = f"{self.refresh_millihertz / 1000:.2f}".rstrip("0").rstrip(".")
        return f"{self.width_px}x{self.height_px}@{hertz}"


@dataclass(frozen=True, slots=True)
class TestcardSource:
    """Frames drawn by punktfunk itself: no compositor needed.

    ``noise`` fills the middle with fresh noise every frame: nothing is predicted, so the encoder spends its
    whole bitrate, and frames grow as large as the settings allow.
    """

    __test__ = False  # the name starts like a test class; pytest must not collect it

    mode: Mode
    noise: bool = False


@dataclass(frozen=True, slots=True)
class WaylandSource:
    """One output of a wlroots compositor; ``pf-capture`` opens its own connection to ``socket_path``."""

    socket_path: str
    output_name: str
    mode: Mode
    show_cursor: bool = True


class CursorMode(Enum):
    """What becomes of the mouse pointer of a captured screen."""

    HIDDEN = "hidden"  # not in the pictures, and nobody asks for it
    EMBEDDED = "embedded"  # drawn into the pictures by the compositor
    METADATA = "metadata"  # sent beside the pictures; the host draws it, or the client does


@dataclass(frozen=True, slots=True)
class PipeWireSource:
    """One video node of a PipeWire daemon, as compositors make them for screen casts.

    ``pf-capture`` opens its own connection. The format that it negotiates has the size of ``mode``: a
    compositor that makes a monitor for the cast makes one of that size.
    """

    mode: Mode
    target: int  # id of the node, or its object.serial
    is_serial: bool = False
    remote: str = ""  # path of the daemon's socket; empty: this user's own daemon
    remote_fd: int = -1  # a connection that a portal opened: it belongs to the output, capture duplicates it
    cursor: CursorMode = CursorMode.EMBEDDED
    bit_depth: int = 8  # 10 asks for HDR10 and takes nothing else


@dataclass(frozen=True, slots=True)
class PreparedSource:
    """Access units that were encoded before, replayed in a circle at the mode's rate: for benchmarks.

    The first one must be a key frame; without any, only filler can be sent. No encoder is opened.
    """

    mode: Mode
    units: tuple[bytes, ...]
    key_units: frozenset[int] = frozenset({0})  # indices of the units that are key frames


FrameSource = TestcardSource | WaylandSource | PipeWireSource | PreparedSource


class Pacing(Enum):
    """How a frame's datagrams are spread: over the frame interval, all at once, or something in between."""

    FRAME = "frame"
    BURST = "burst"
    CAPPED = "capped"  # a burst at once, the rest at three times the bitrate; punktfunk/1 only


class AudioSource(Enum):
    """Where the sound comes from."""

    TONE = "tone"
    SILENCE = "silence"
    DESKTOP = "desktop"  # what the programs of the session play


@dataclass(frozen=True, slots=True)
class EncodePlan:
    """How pictures become access units."""

    codec: Codec
    encoder_name: str  # an FFmpeg encoder that the probe accepted, such as "libx264"
    bitrate_bps: int
    colour_space: ColourSpace
    full_range: bool
    slices_per_frame: int = 1
    reference_frame_count: int = 0  # 0: the encoder's own choice; 1: single reference
    bit_depth: int = 8  # 10 is HDR10: the source must give BT.2020 and PQ in ten bits
    chroma_444: bool = False  # colour for every pixel, instead of every fourth


@dataclass(frozen=True, slots=True)
class SendPlan:
    """How access units become GameStream datagrams."""

    packet_bytes: int  # P as negotiated: NV header and payload; datagrams are P + 16 (+ 32 when encrypted)
    fec_percent: int  # 0 sends no parity
    minimum_parity_count: int
    encryption_key: bytes | None  # 16 bytes, AES-128-GCM over whole datagrams; None sends them in clear
    pacing: Pacing
    frame_interval_ns: int
    dscp: int = 0  # 0 to 63: marks every datagram for routers that know it; 0 marks none


class MediaCipher(Enum):
    """What seals punktfunk/1's datagrams; the value is the name that ``realtime.ciphers`` has for it."""

    AES_128_GCM = "aes-128-gcm"
    CHACHA20_POLY1305 = "chacha20-poly1305"


@dataclass(frozen=True, slots=True)
class NativeSendPlan:
    """How access units become punktfunk/1 datagrams: the numbers of Welcome."""

    shard_bytes: int  # P, even; datagrams are P + 64, or P + 40 in clear
    data_max: int  # K max: data shards of a full block
    fec_scheme: int  # 0 GF(2^8), 1 GF(2^16)
    fec_percent: int  # of Welcome, which bounds the blocks; the live percentage starts with it
    cipher: MediaCipher
    encryption_key: bytes | None  # 16 bytes for AES, 32 for ChaCha20; None, for tests, sends in clear
    salt: bytes  # 4 bytes in front of every nonce
    pacing: Pacing
    frame_interval_ns: int
    dscp: int = 0  # 0 to 63: marks every datagram for routers that know it; 0 marks none
    pace_bps: int = 0  # for Pacing.CAPPED: the bitrate of which it takes the multiple


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """The numbers that a stream goes on with when another sender takes it over."""

    frame_index: int = 0
    sequence: int = 0  # never twice under one key
    stream_sequence: int = 0
    filler_index: int = 0  # probes count their units in a space of their own


@dataclass(frozen=True, slots=True)
class ReceivePlan:
    """How punktfunk/1 datagrams become access units again: the numbers of Welcome, and what Hello offered."""

    shard_bytes_max: int  # the largest that Hello offered, or Welcome's own where it offered none
    data_max: int  # K max: data shards of a full block
    fec_scheme: int  # 0 GF(2^8), 1 GF(2^16)
    fec_percent: int  # of Welcome; every block says what it has
    cipher: MediaCipher
    decryption_key: bytes | None  # 16 bytes for AES, 32 for ChaCha20; None, for tests, expects them in clear
    salt: bytes  # 4 bytes in front of every nonce
    frame_bytes_max: int  # ``wire.native.placing.frame_ceiling_bytes`` of the rate and mode of Welcome
    loss_ppm: int = 0  # datagrams of a million that are thrown away on purpose: for measurements
    loss_seed: int = 0


@dataclass(frozen=True, slots=True)
class RealtimePlan:
    """What the machine lets the sending thread have."""

    cpu: int | None = None  # pin pf-send here; None leaves it to the scheduler
    priority: int = 20  # SCHED_FIFO or SCHED_RR priority asked for; 0 asks for nothing


@dataclass(frozen=True, slots=True)
class VideoPlan:
    """Everything that the video threads of one session need."""

    source: FrameSource
    encode: EncodePlan
    send: SendPlan | NativeSendPlan
    realtime: RealtimePlan


@dataclass(frozen=True, slots=True)
class AudioPlan:
    """Everything that the audio thread of one session needs."""

    source: AudioSource
    channel_count: int  # 2, 6 or 8
    high_quality: bool
    packet_duration_ms: int  # 5 or 10
    encryption_key: bytes | None  # 16 bytes, AES-128-CBC; None sends the packets in clear
    encryption_iv_id: int  # rikeyid modulo 2**32
    dscp: int = 0  # 0 to 63: marks every datagram for routers that know it; 0 marks none


@dataclass(frozen=True, slots=True)
class NativeAudioPlan:
    """How a punktfunk/1 host makes the sound of a session: the words of Welcome (punktfunk-1 §2.10)."""

    source: AudioSource
    channel_count: int  # 2, 6 or 8
    is_pcm: bool = False
    rate_hz: int = 48_000  # of PCM; Opus has 48,000
    bits: int = 16  # 16 or 24, of PCM
    frame_us: int = 5000
    layout: int = 0  # 0 legacy, 1 standard, 2 uncoupled: which Opus streams make the channels
    bitrate_bps: int = 128_000  # of Opus
    packet_bytes_max: int = 1100  # an Opus packet that came out larger would not fit a datagram


class SoundRole(Enum):
    """What one of our nodes is to the sound server."""

    SINK = "sink"  # programs play into it
    MICROPHONE = "microphone"  # programs record from it
    PLAYBACK = "playback"  # plays on the host what a sink of ours got


class SoundServerKind(Enum):
    """Which sound server a node lives in; the value is the name that people read."""

    PIPEWIRE = "PipeWire"
    PULSE = "PulseAudio"


@dataclass(frozen=True, slots=True)
class SoundNodePlan:
    """One node of ours in a sound server, made anew when the server comes back."""

    role: SoundRole
    name: str  # of the node, without spaces
    description: str  # what people read in their sound settings
    channel_count: int  # 1, 2, 6 or 8
    rate_hz: int = 48_000
    quantum_us: int = 5000  # how often samples pass
    pipewire_path: str = ""  # socket of PipeWire; tried first
    pulse_path: str = ""  # socket of PulseAudio, for where no PipeWire listens; "": there is none
    target: str = ""  # of PLAYBACK: the sink that it plays on

    @property
    def quantum_samples(self) -> int:
        """How many samples of each channel pass at once, at least one."""
        return max(1, self.rate_hz * self.quantum_us // 1_000_000)


@dataclass(frozen=True, slots=True)
class DecodePlan:
    """How a client turns received access units into pictures: the words of Welcome, and its own wish."""

    codec: Codec
    colour_space: ColourSpace
    full_range: bool
    hardware: str = "auto"  # "none", or one libavutil device type such as "vaapi", tried before software


@dataclass(frozen=True, slots=True)
class SoundPlan:
    """How a client turns received audio into samples: the words of Welcome (punktfunk-1 §2.3, 2.10)."""

    is_pcm: bool
    channel_count: int  # 2, 6 or 8
    rate_hz: int
    bits: int = 16  # 16 or 24, of PCM
    layout: int = 0  # 0 legacy, 1 standard, 2 uncoupled: which Opus streams make the channels
    frame_us: int = 5000
