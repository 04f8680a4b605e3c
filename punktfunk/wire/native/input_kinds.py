"""What the input events of punktfunk/1 say, one class per kind of event; their bytes: ``input``.

Spec: punktfunk-1.md section 2.10; peer: punktfunk-core, input.rs and input/scroll.rs.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from punktfunk.wire.input import MouseButton
from punktfunk.wire.native.capabilities import GamepadKind

PAD_COUNT: Final = 16
WHEEL_MEASURED: Final = 1
SCROLL_PX_PER_CLICK: Final = 60
SCROLL_SCALE: Final = 256


class Axis(IntEnum):
    """Of wheel and scroll."""

    VERTICAL = 0
    HORIZONTAL = 1


class PadAxisCode(IntEnum):
    """Of PadAxis."""

    LEFT_X = 0
    LEFT_Y = 1
    RIGHT_X = 2
    RIGHT_Y = 3
    LEFT_TRIGGER = 4
    RIGHT_TRIGGER = 5


class TouchPhase(IntEnum):
    """What a finger did, by its kind on the wire."""

    DOWN = 9
    MOVE = 10
    UP = 11


class ScrollSource(IntEnum):
    """What scrolled: the first two count 1/120 click, the others pixels."""

    UNKNOWN = 0
    WHEEL = 1
    FINGER = 2
    CONTINUOUS = 3
    TOUCH = 4
    CONTROLLER = 5


class ScrollPhase(IntEnum):
    """Where in its gesture a step stands."""

    NONE = 0
    BEGIN = 1
    UPDATE = 2
    END = 3
    CANCEL = 4
    MOMENTUM_BEGIN = 5
    MOMENTUM = 6
    MOMENTUM_END = 7


STOPS: Final = (ScrollPhase.END, ScrollPhase.CANCEL, ScrollPhase.MOMENTUM_END)
MOMENTA: Final = (ScrollPhase.MOMENTUM_BEGIN, ScrollPhase.MOMENTUM, ScrollPhase.MOMENTUM_END)
WHEELS: Final = (ScrollSource.UNKNOWN, ScrollSource.WHEEL)
GLIDERS: Final = (ScrollSource.FINGER, ScrollSource.CONTINUOUS, ScrollSource.TOUCH)


@dataclass(frozen=True, slots=True)
class KeyEdge:
    """A key went down or up."""

    virtual_key: int
    pressed: bool
    flags: int = 0


@dataclass(frozen=True, slots=True)
class PointerMove:
    """Relative motion in pixels, right and down positive."""

    dx: int
    dy: int
    flags: int = 0


@dataclass(frozen=True, slots=True)
class PointerPosition:
    """Position on a plane of ``width`` x ``height``."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ButtonEdge:
    """A mouse button went down or up."""

    button: MouseButton
    pressed: bool


@dataclass(frozen=True, slots=True)
class WheelTurn:
    """Wheel motion in 1/120 click."""

    axis: Axis
    amount: int
    measured: bool = False


@dataclass(frozen=True, slots=True)
class PadButton:
    """One pad button, toward hosts without snapshots."""

    pad: int
    button: int
    pressed: bool


@dataclass(frozen=True, slots=True)
class PadAxis:
    """One pad axis, toward hosts without snapshots."""

    pad: int
    axis: PadAxisCode
    value: int


@dataclass(frozen=True, slots=True)
class TouchPoint:
    """A finger on a plane of ``width`` x ``height``; of UP only the id counts."""

    phase: TouchPhase
    touch_id: int
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class PadSnapshot:
    """Whole state of a pad. ``sequence`` wraps at 256; the host takes only newer ones."""

    pad: int
    sequence: int
    buttons: int
    left_trigger: int
    right_trigger: int
    left_x: int
    left_y: int
    right_x: int
    right_y: int


@dataclass(frozen=True, slots=True)
class PadRemoval:
    """A pad is gone; its sequence is of the same counter."""

    pad: int
    sequence: int


@dataclass(frozen=True, slots=True)
class PadPlugged:
    """A pad is there; the audio bits only toward HostCap.PAD_AUDIO."""

    pad: int
    kind: GamepadKind
    haptics: bool = False
    speaker: bool = False


@dataclass(frozen=True, slots=True)
class TextScalar:
    """One character of typed text."""

    scalar: int


@dataclass(frozen=True, slots=True)
class ScrollStep:
    """Scroll distance in 1/256 of the source's unit: 1/120 click of wheels, else pixels (60 a click)."""

    axis: Axis
    distance_q8: int
    source: ScrollSource
    phase: ScrollPhase


NativeInput = (
    KeyEdge
    | PointerMove
    | PointerPosition
    | ButtonEdge
    | WheelTurn
    | PadButton
    | PadAxis
    | TouchPoint
    | PadSnapshot
    | PadRemoval
    | PadPlugged
    | TextScalar
    | ScrollStep
)


def is_newer(sequence: int, last: int | None) -> bool:
    """Whether an 8-bit sequence is ahead of the last one applied; the first always is."""
    return last is None or 0 < (sequence - last) & 0xFF < 0x80


def is_possible(step: ScrollStep) -> bool:
    """Whether a source can do this: stops have no distance, wheels no phase, momentum only what glides."""
    if step.phase in STOPS and step.distance_q8:
        return False
    if step.source in WHEELS and step.phase != ScrollPhase.NONE:
        return False
    return step.phase not in MOMENTA or step.source in GLIDERS
