"""Rich input, datagram 0xCC (client to host): touchpads, motion, raw reports and pens, told apart by a byte.

Motion: 20 steps per degree/s and 10,000 per g, at rest (0, 10000, 0). A pen sample is a whole state: what
went in, down, up and out is the host's to find, so a lost datagram heals with the next. A cut report or batch
yields what came of it; coordinates that are not finite drop the batch. Spec: punktfunk-1.md section 2.10.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from math import isfinite
from typing import Annotated, Any, Final

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.native.forms import F32, FLAG, I16, U8, U16, Bits, Choice, Counted, Form, Number, Numbers
from punktfunk.wire.native.layout import Registry, Sender, layout_of

RICH_TAG: Final = 0xCC
RICH: Final = Registry(bytes((RICH_TAG,)))

REPORT_MAX_BYTES: Final = 64
PEN_SAMPLES_MAX: Final = 8
PEN_SAMPLE_BYTES: Final = 21
GYRO_STEPS_PER_DEGREE: Final = 20
ACCEL_STEPS_PER_G: Final = 10_000
UNKNOWN_U8: Final = 0xFF
UNKNOWN_U16: Final = 0xFFFF
PEN_RELEASE_NS: Final = 200_000_000
"""A pen in range without a sample for so long is let go by the host."""


class Surface(IntEnum):
    """Which touchpad of a pad."""

    SINGLE = 0
    LEFT = 1
    RIGHT = 2


class SurfaceState(IntFlag):
    """What a finger does on it."""

    TOUCH = 1
    CLICK = 2


class PenState(IntFlag):
    """What a pen does; PREDICTED samples are skipped."""

    IN_RANGE = 0x01
    TOUCHING = 0x02
    BARREL_1 = 0x04
    BARREL_2 = 0x08
    PREDICTED = 0x80


class PenEnd(IntEnum):
    """Which end of it; KEEP: the one in use."""

    PEN = 0
    ERASER = 1
    KEEP = 0xFF


class CutBytes(Counted):
    """u8 length and bytes: of a cut datagram what is there, of a long one what may be."""

    def __init__(self, most: int) -> None:
        super().__init__(U8, most)
        self.text = f"u8 length, up to {most} bytes"

    def take(self, data: bytes, at: int) -> tuple[bytes, int]:
        """Read them."""
        count, start = U8.take(data, at)
        end = min(start + min(count, self.most), len(data))
        return data[start:end], end


class UnitFloat(Number):
    """f32 from 0 to 1; what lies outside is moved to the edge."""

    def __init__(self) -> None:
        super().__init__("f32 0..1", "f")

    def take(self, data: bytes, at: int) -> tuple[float, int]:
        """Read it; RemoteProtocolError for NaN and infinity."""
        value, end = F32.take(data, at)
        if not isfinite(value):
            raise RemoteProtocolError(f"a coordinate of {value}")
        return min(max(value, 0.0), 1.0), end


@RICH.add(0x01, Sender.CLIENT, exact=False)
@dataclass(frozen=True, slots=True)
class TouchpadContact:
    """A finger on a pad's only touchpad."""

    pad: Annotated[int, U8, ""]
    finger: Annotated[int, U8, ""]
    active: Annotated[bool, FLAG, "no: lifted"]
    x: Annotated[int, U16, "0 left .. 65535 right"]
    y: Annotated[int, U16, "0 top .. 65535 bottom"]


@RICH.add(0x02, Sender.CLIENT, exact=False)
@dataclass(frozen=True, slots=True)
class MotionSample:
    """Both motion sensors of a pad."""

    pad: Annotated[int, U8, ""]
    gyro: Annotated[tuple[int, int, int], Numbers("3 x i16", "3h"), "pitch, yaw, roll; 20 per degree/s"]
    acceleration: Annotated[tuple[int, int, int], Numbers("3 x i16", "3h"), "10,000 per g"]


@RICH.add(0x03, Sender.CLIENT, exact=False)
@dataclass(frozen=True, slots=True)
class SurfaceContact:
    """A finger on one of several touchpads, or one that measures pressure."""

    pad: Annotated[int, U8, ""]
    surface: Annotated[int, U8, "Surface"]
    finger: Annotated[int, U8, ""]
    state: Annotated[SurfaceState, Bits(SurfaceState), "SurfaceState"]
    x: Annotated[int, I16, "right positive, 0 the middle"]
    y: Annotated[int, I16, "down positive, 0 the middle"]
    pressure: Annotated[int, U16, "0 if not measured"]


@RICH.add(0x04, Sender.CLIENT, exact=False)
@dataclass(frozen=True, slots=True)
class HidReport:
    """A raw input report, as the device sent it."""

    pad: Annotated[int, U8, ""]
    report: Annotated[bytes, CutBytes(REPORT_MAX_BYTES), "its id first"]


@dataclass(frozen=True, slots=True)
class PenSample:
    """Whole state of a pen at one moment."""

    state: Annotated[PenState, Bits(PenState), "PenState"]
    tool: Annotated[PenEnd, Choice(PenEnd, PenEnd.KEEP), "unknown reads as keep"]
    x: Annotated[float, UnitFloat(), "of the frame, from the left"]
    y: Annotated[float, UnitFloat(), "of the frame, from the top"]
    pressure: Annotated[int, U16, "65535 full"]
    distance: Annotated[int, U16, "of a hovering pen; 0xFFFF unknown"] = UNKNOWN_U16
    tilt_degrees: Annotated[int, U8, "from upright; 0xFF unknown"] = UNKNOWN_U8
    azimuth_degrees: Annotated[int, U16, "clockwise from north; 0xFFFF unknown"] = UNKNOWN_U16
    roll_degrees: Annotated[int, U16, "0xFFFF unknown"] = UNKNOWN_U16
    since_us: Annotated[int, U16, "since the sample before"] = 0


class PenSamples(Form):
    """As many samples as the count three bytes before says, came whole and may be."""

    text, size = "21 bytes each", None

    def put(self, value: Any) -> bytes:
        """Write them."""
        layout = layout_of(PenSample)
        return b"".join(layout.build(sample) for sample in value)

    def take(self, data: bytes, at: int) -> tuple[tuple[PenSample, ...], int]:
        """Read them."""
        count = min(data[at - 3], PEN_SAMPLES_MAX, (len(data) - at) // PEN_SAMPLE_BYTES)
        places = range(at, at + count * PEN_SAMPLE_BYTES, PEN_SAMPLE_BYTES)
        layout = layout_of(PenSample)
        return tuple(layout.parse(data[p : p + PEN_SAMPLE_BYTES]) for p in places), len(data)


@RICH.add(0x05, Sender.CLIENT, exact=False)
@dataclass(frozen=True, slots=True)
class PenBatch:
    """Samples of the pen, oldest first."""

    flags: Annotated[int, U8, "0; not looked at"]
    count: Annotated[int, U8, "samples, 1 to 8"]
    sequence: Annotated[int, U16, "wraps; the host takes only newer ones"]
    samples: Annotated[tuple[PenSample, ...], PenSamples(), "see PenSample"]

    def __post_init__(self) -> None:
        """Refuse an empty batch and one that is too long."""
        if not 1 <= len(self.samples) <= PEN_SAMPLES_MAX:
            raise LocalProtocolError(f"a pen batch of {len(self.samples)} samples")

    @classmethod
    def of(cls, sequence: int, *samples: PenSample) -> "PenBatch":
        """Make a batch; LocalProtocolError unless 1 to 8 samples."""
        return cls(0, len(samples), sequence & 0xFFFF, samples)


RichInput = TouchpadContact | MotionSample | SurfaceContact | HidReport | PenBatch
