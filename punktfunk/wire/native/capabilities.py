"""The words of punktfunk/1: capability bits, grants, close codes and the small enumerations.

Unknown bits are kept, so that a newer peer's byte can be shown whole; an unknown number of an enumeration
reads as the value that its message names. Spec: punktfunk-1.md sections 2.2 to 2.5 and 2.10.
"""

from enum import IntEnum, IntFlag
from typing import Final

ALPN: Final = "pkf1"
WIRE_VERSION: Final = 2
DEFAULT_PORT: Final = 9777
PUNCH: Final = b"PFpunch1"
"""What a client sends from its media socket (section 2.3)."""


class VideoCap(IntFlag):
    """What a client's video side takes."""

    TEN_BIT = 0x01
    HDR = 0x02
    FULL_CHROMA = 0x04
    HOST_TIMING = 0x08
    PROBE_SEQUENCE = 0x10
    STREAMED_UNITS = 0x20
    CHACHA20 = 0x40
    MULTI_SLICE = 0x80


class ClientCap(IntFlag):
    """What else a client can do."""

    CURSOR = 0x01
    PHASE_LOCK = 0x02
    REDUNDANT_AUDIO = 0x04
    PAD_AUDIO = 0x08
    HIRES_AUDIO = 0x10
    KEEP_HOST_AUDIO = 0x20
    EXTENSIONS = 0x40


class HostCap(IntFlag):
    """What a host takes and sends; CURSOR and the audio bits only answer the client's own."""

    PAD_SNAPSHOTS = 0x01
    CLIPBOARD = 0x02
    TEXT = 0x04
    CURSOR = 0x08
    PEN = 0x10
    REDUNDANT_AUDIO = 0x20
    PAD_AUDIO = 0x40
    HIRES_AUDIO = 0x80


class HostCap2(IntFlag):
    """The second byte of it."""

    REPEAT_MARK = 0x01
    TOUCH = 0x02
    EXTENSIONS = 0x04
    SCROLL = 0x08
    BRING_UP_RAMP = 0x10
    DELIVERY_EVERY_WINDOW = 0x20
    INPUT_EDGES = 0x40


class Grant(IntFlag):
    """What a client may do; enforced at the host, per event."""

    GAMEPAD = 0x01
    POINTER = 0x02
    KEYBOARD = 0x04
    CLIPBOARD = 0x08
    MICROPHONE = 0x10
    LAUNCH = 0x20
    POWER = 0x40
    MANAGE_GAMES = 0x80
    ALL = 0xFF


NO_GRANTS: Final = Grant(0)
"""View only."""

_OLDER_ALL: Final = (0x3F, 0x7F)


def read_grants(bits: int) -> Grant:
    """Grants of a u32 on the wire: what older hosts call all is all, unknown bits are dropped."""
    return Grant.ALL if bits in _OLDER_ALL else Grant(bits & Grant.ALL)


class CodecBit(IntFlag):
    """Video codecs, as sets and, one bit alone, as the codec of a session."""

    H264 = 0x01
    HEVC = 0x02
    AV1 = 0x04
    PYROWAVE = 0x08


NO_VIDEO_CAPS: Final = VideoCap(0)
NO_CLIENT_CAPS: Final = ClientCap(0)
NO_HOST_CAPS: Final = HostCap(0)
NO_HOST_CAPS2: Final = HostCap2(0)
NO_CODECS: Final = CodecBit(0)


class CloseCode(IntEnum):
    """Why a QUIC connection ends; TRANSFER_CANCELLED resets a stream."""

    BUSY = 0x42
    QUIT = 0x51
    APP_EXITED = 0x52
    NOT_ARMED = 0x60
    BOUND_TO_OTHER = 0x61
    RATE_LIMITED = 0x62
    NO_IDENTITY = 0x63
    DENIED = 0x64
    APPROVAL_TIMEOUT = 0x65
    SUPERSEDED = 0x66
    WIRE_VERSION = 0x67
    SETUP_FAILED = 0x68
    ACCESS_EXPIRED = 0x69
    LAUNCH_NOT_ALLOWED = 0x6A
    POWER_ACTION = 0x6B
    TRANSFER_CANCELLED = 0x70


CLOSE_TEXT_MAX_BYTES: Final = 256


class CompositorKind(IntEnum):
    """Who makes the virtual display."""

    AUTO = 0
    KWIN = 1
    WLROOTS = 2
    MUTTER = 3
    GAMESCOPE = 4
    HYPRLAND = 5
    WINDOWS = 6


class GamepadKind(IntEnum):
    """Which pad a virtual one looks like."""

    AUTO = 0
    XBOX_360 = 1
    DUALSENSE = 2
    XBOX_ONE = 3
    DUALSHOCK_4 = 4
    STEAM_CONTROLLER = 5
    STEAM_DECK = 6
    DUALSENSE_EDGE = 7
    SWITCH_PRO = 8
    STEAM_CONTROLLER_2 = 9
    STEAM_CONTROLLER_2_PUCK = 10
    XBOX_ELITE = 11
    ULTIMATE_2 = 12
    PRO_2 = 13
    PRO_3 = 14
    HORIPAD_STEAM = 15
    JOY_CON_PAIR = 16
    SWITCH_2_PRO = 17
    SWITCH_2_GAMECUBE = 18


class AudioCodec(IntEnum):
    """What plays; 1 is reserved."""

    OPUS = 0
    PCM = 2


class AudioLayout(IntEnum):
    """How surround channels are coupled into Opus streams."""

    LEGACY = 0
    STANDARD = 1
    UNCOUPLED = 2


class Cipher(IntEnum):
    """How media datagrams are sealed."""

    AES_128_GCM = 0
    CHACHA20_POLY1305 = 1


class VideoFit(IntEnum):
    """How a client fills its view when the frame has another shape."""

    FIT = 0
    CROP = 1
    STRETCH = 2


class DeliveryProfile(IntEnum):
    """How a host spreads a frame's packets over time."""

    BURST = 0
    CAPPED = 1
    SMOOTH = 2


class DeliveryFlag(IntFlag):
    """Second byte of extension tag 5."""

    FACTS = 1
    DIAGNOSTIC = 2


CHROMA_420: Final = 1
CHROMA_444: Final = 3
FORCED_PROFILE_NONE: Final = 0xFF
"""HostFacts: no delivery profile is forced."""


def pick_codec(client: int, host: int, preferred: int) -> CodecBit | None:
    """Codec of a session: one preferred and shared, else HEVC, AV1, H.264; None if nothing is shared.

    A client that names none decodes HEVC only; PyroWave comes by preference alone. Section 2.3.
    """
    shared = (client or CodecBit.HEVC) & host
    wanted = preferred & shared
    if wanted:
        return CodecBit(wanted & -wanted)
    ladder = (CodecBit.HEVC, CodecBit.AV1, CodecBit.H264)
    return next((codec for codec in ladder if codec & shared), None)
