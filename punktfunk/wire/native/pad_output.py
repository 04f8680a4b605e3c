"""What a host sends to a client's pads: rumble (datagram 0xCA) and the rest (0xCD, told apart by a byte).

Rumble is a level with a lease: renewed while it lasts, silent when the lease passes, stopped by an explicit
zero. A torn tail counts as absent; levels of absent triggers are 0. Pad numbers are the client's own.
Spec: punktfunk-1.md section 2.10.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Final

from punktfunk.errors import LocalProtocolError
from punktfunk.wire.native.forms import U8, U16, Octets, Rest
from punktfunk.wire.native.input_kinds import PAD_COUNT
from punktfunk.wire.native.layout import Registry, Sender, Tail
from punktfunk.wire.native.rich_input import REPORT_MAX_BYTES

OUTPUT_TAG: Final = 0xCD
OUTPUT: Final = Registry(bytes((OUTPUT_TAG,)))

TRIGGER_EFFECT_MAX_BYTES: Final = 11


class MicLight(IntEnum):
    """State of a pad's microphone light."""

    OFF = 0
    ON = 1
    PULSE = 2


@dataclass(frozen=True, slots=True)
class Rumble:
    """Motor levels of a pad (datagram 0xCA)."""

    pad: Annotated[int, U16, ""]
    low: Annotated[int, U16, "low-frequency motor, 65535 full"]
    high: Annotated[int, U16, "high-frequency motor, 65535 full"]
    sequence: Annotated[int | None, U8, Tail(1), "per pad, per send; wraps"] = None
    lease_ms: Annotated[int | None, U16, Tail(1), "how long it lasts unless renewed"] = None
    left_trigger: Annotated[int, U16, Tail(2), "65535 full"] = 0
    right_trigger: Annotated[int, U16, Tail(2), "65535 full"] = 0


@OUTPUT.add(0x01, Sender.HOST, exact=False)
@dataclass(frozen=True, slots=True)
class PadLight:
    """Colour of a pad's light."""

    pad: Annotated[int, U8, ""]
    red: Annotated[int, U8, ""]
    green: Annotated[int, U8, ""]
    blue: Annotated[int, U8, ""]


@OUTPUT.add(0x02, Sender.HOST, exact=False)
@dataclass(frozen=True, slots=True)
class PlayerLights:
    """The lights that number players."""

    pad: Annotated[int, U8, ""]
    mask: Annotated[int, U8, "low five bits"]


@OUTPUT.add(0x03, Sender.HOST, exact=False)
@dataclass(frozen=True, slots=True)
class TriggerEffect:
    """An adaptive trigger. No effect is a block of zeros; an empty one is malformed."""

    pad: Annotated[int, U8, ""]
    trigger: Annotated[int, U8, "0 left, 1 right"]
    effect: Annotated[bytes, Rest(TRIGGER_EFFECT_MAX_BYTES, 1), "1 to 11 bytes: mode, parameters"]


@OUTPUT.add(0x04, Sender.HOST, exact=False)
@dataclass(frozen=True, slots=True)
class TrackpadHaptic:
    """Pulses of a trackpad's coil."""

    pad: Annotated[int, U8, ""]
    side: Annotated[int, U8, "0 right, 1 left"]
    amplitude: Annotated[int, U16, ""]
    period_us: Annotated[int, U16, ""]
    count: Annotated[int, U16, ""]


@OUTPUT.add(0x05, Sender.HOST, exact=False)
@dataclass(frozen=True, slots=True)
class RawReport:
    """A report to write to the device as it is."""

    pad: Annotated[int, U8, ""]
    kind: Annotated[int, U8, "0 output, 1 feature"]
    report: Annotated[bytes, Rest(REPORT_MAX_BYTES, 1), "1 to 64 bytes, its id first"]


@OUTPUT.add(0x06, Sender.HOST, exact=False)
@dataclass(frozen=True, slots=True)
class PadAudioControl:
    """Volumes and routes of a pad's own audio."""

    pad: Annotated[int, U16, "below 16"]
    flags: Annotated[int, U8, "bit 0 haptics selected"]
    registers: Annotated[bytes, Octets(6), "as a game wrote them"]

    def __post_init__(self) -> None:
        """Refuse a pad whose number would be cut into another's."""
        if not 0 <= self.pad < PAD_COUNT:
            raise LocalProtocolError(f"audio control for pad {self.pad}")


@OUTPUT.add(0x07, Sender.HOST, exact=False)
@dataclass(frozen=True, slots=True)
class MicrophoneLight:
    """The light of a pad's microphone."""

    pad: Annotated[int, U8, ""]
    state: Annotated[int, U8, "MicLight"]


PadOutput = (
    PadLight | PlayerLights | TriggerEffect | TrackpadHaptic | RawReport | PadAudioControl | MicrophoneLight
)
