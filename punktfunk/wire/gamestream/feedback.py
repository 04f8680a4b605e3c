"""Control messages from the host: rumble, lights, triggers, motion reports, HDR mode, termination.

Each is LE16 type, LE16 payload length and the payload below, to be sealed by ``control.ControlCipher`` and
sent reliably on ENet channel 0. Little-endian unless it says otherwise.

    type    payload                                                        message
    ------  -------------------------------------------------------------  ---------------
    0x010B  4 zero, LE16 pad, LE16 low, LE16 high                          Rumble
    0x5500  LE16 pad, LE16 left, LE16 right                                TriggerRumble
    0x5501  LE16 pad, LE16 Hz, u8 sensor                                   MotionReports
    0x5502  LE16 pad, u8 red, green, blue                                  Led
    0x5503  LE16 pad, u8 flags, type left, type right, 10 left, 10 right   AdaptiveTriggers
    0x010E  u8 enabled, 13 x LE16 metadata                                 HdrMode
    0x0109  BE32 code                                                      Termination

Spec: gamestream.md section 6.4; peers: moonlight-common-c ControlStream.c, queueAsyncCallback and
controlReceiveThreadFunc; Sunshine src/stream.cpp, control_rumble_t and its neighbours.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from struct import Struct, error
from typing import Final

from punktfunk.errors import LocalProtocolError
from punktfunk.wire.input import MotionKind

TRIGGER_EFFECT_BYTES: Final = 10

_HEADER: Final = Struct("<HH")
_RUMBLE: Final = Struct("<4xHHH")
_TRIGGER_RUMBLE: Final = Struct("<HHH")
_MOTION_REPORTS: Final = Struct("<HHB")
_LED: Final = Struct("<HBBB")
_ADAPTIVE_TRIGGERS: Final = Struct("<HBBB10s10s")
_HDR_MODE: Final = Struct("<B13H")
_TERMINATION: Final = Struct(">I")


@dataclass(frozen=True, slots=True)
class Rumble:
    """Motors of a pad, 0 to 65535 each; they keep running until changed."""

    pad: int
    low_frequency: int
    high_frequency: int


@dataclass(frozen=True, slots=True)
class TriggerRumble:
    """Motors in the triggers, 0 to 65535 each."""

    pad: int
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class MotionReports:
    """Ask the client to report a sensor at ``rate_hz``; 0 stops it."""

    pad: int
    rate_hz: int
    kind: MotionKind


@dataclass(frozen=True, slots=True)
class Led:
    """Colour of a pad's light, 0 to 255 each."""

    pad: int
    red: int
    green: int
    blue: int


class TriggerSide(IntFlag):
    """Which triggers an AdaptiveTriggers message sets."""

    RIGHT = 4
    LEFT = 8


@dataclass(frozen=True, slots=True)
class AdaptiveTriggers:
    """DualSense trigger effects, as a game wrote them: a type and ten opaque bytes for each side."""

    pad: int
    sides: TriggerSide
    left_type: int
    right_type: int
    left: bytes
    right: bytes


@dataclass(frozen=True, slots=True)
class HdrMetadata:
    """SMPTE ST 2086 and CTA-861.3: chromaticities times 50000, light in nit, its least in 1/10000 nit."""

    red: tuple[int, int] = (0, 0)
    green: tuple[int, int] = (0, 0)
    blue: tuple[int, int] = (0, 0)
    white: tuple[int, int] = (0, 0)
    max_luminance_nit: int = 0
    min_luminance_nit_10000: int = 0
    max_content_light_nit: int = 0
    max_frame_average_light_nit: int = 0
    max_full_frame_luminance_nit: int = 0


@dataclass(frozen=True, slots=True)
class HdrMode:
    """Whether the stream is HDR; send once at the start and at every change."""

    enabled: bool
    metadata: HdrMetadata = HdrMetadata()


class TerminationCode(IntEnum):
    """Codes that clients know by name; they show others as a number."""

    GRACEFUL = 0x80030023
    PROTECTED_CONTENT = 0x800E9302
    FRAME_CONVERSION = 0x800E9403


@dataclass(frozen=True, slots=True)
class Termination:
    """The session ends: the client leaves at once, without waiting for a DISCONNECT."""

    code: int = TerminationCode.GRACEFUL


Feedback = Rumble | TriggerRumble | MotionReports | Led | AdaptiveTriggers | HdrMode | Termination


def build_feedback(message: Feedback) -> bytes:
    """Message with its header, unsealed. A value that does not fit its field raises LocalProtocolError."""
    try:
        kind, payload = _encode(message)
    except error as problem:
        raise LocalProtocolError(f"{message} does not fit its packet: {problem}") from problem
    return _HEADER.pack(kind, len(payload)) + payload


def _encode(message: Feedback) -> tuple[int, bytes]:
    match message:
        case Rumble(pad, low, high):
            kind, payload = 0x010B, _RUMBLE.pack(pad, low, high)
        case TriggerRumble(pad, left, right):
            kind, payload = 0x5500, _TRIGGER_RUMBLE.pack(pad, left, right)
        case MotionReports(pad, rate_hz, sensor):
            kind, payload = 0x5501, _MOTION_REPORTS.pack(pad, rate_hz, sensor)
        case Led(pad, red, green, blue):
            kind, payload = 0x5502, _LED.pack(pad, red, green, blue)
        case AdaptiveTriggers(pad, sides, left_type, right_type, left_effect, right_effect):
            if len(left_effect) != TRIGGER_EFFECT_BYTES or len(right_effect) != TRIGGER_EFFECT_BYTES:
                raise LocalProtocolError(
                    f"trigger effects of {len(left_effect)} and {len(right_effect)} bytes"
                )
            fields = (pad, sides, left_type, right_type, left_effect, right_effect)
            kind, payload = 0x5503, _ADAPTIVE_TRIGGERS.pack(*fields)
        case HdrMode(enabled, m):
            points = (*m.red, *m.green, *m.blue, *m.white)
            lights = (
                m.max_luminance_nit,
                m.min_luminance_nit_10000,
                m.max_content_light_nit,
                m.max_frame_average_light_nit,
                m.max_full_frame_luminance_nit,
            )
            kind, payload = 0x010E, _HDR_MODE.pack(enabled, *points, *lights)
        case Termination(code):
            kind, payload = 0x0109, _TERMINATION.pack(code)
    return kind, payload
