"""The one vocabulary of input: every protocol decodes into these values, every injector takes them.

Key codes are Windows virtual-key codes (what Moonlight sends); injectors translate them. Positions are as
the client sent them, with the reference plane beside them. Wheel amounts are in 1/120 of a click. Floats of
touch, pen and motion are as on the wire and always finite.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag


class Modifiers(IntFlag):
    """Modifier state that came with a key event."""

    SHIFT = 1
    CTRL = 2
    ALT = 4
    META = 8


NO_MODIFIERS = Modifiers(0)


class MouseButton(IntEnum):
    """Buttons by their GameStream number."""

    LEFT = 1
    MIDDLE = 2
    RIGHT = 3
    X1 = 4
    X2 = 5


class ContactEvent(IntEnum):
    """What a touch or pen contact did."""

    HOVER = 0
    DOWN = 1
    UP = 2
    MOVE = 3
    CANCEL = 4
    BUTTON_ONLY = 5
    HOVER_LEAVE = 6
    CANCEL_ALL = 7


class PenTool(IntEnum):
    """Which end of the pen touches."""

    UNKNOWN = 0
    PEN = 1
    ERASER = 2


class MotionKind(IntEnum):
    """Which sensor of a pad reports: acceleration in m/s^2 or rotation in degrees/s."""

    ACCELERATION = 1
    GYROSCOPE = 2


class PadKind(IntEnum):
    """What the pad is."""

    UNKNOWN = 0
    XBOX = 1
    PLAYSTATION = 2
    NINTENDO = 3
    STEAM = 4


class PadModel(Enum):
    """Which pad a virtual one shall look like, by the names of the setting ``pads``."""

    XBOX_360 = "xbox360"
    XBOX_ONE = "xboxone"
    DUALSENSE = "dualsense"
    DUALSHOCK_4 = "dualshock4"
    SWITCH_PRO = "switchpro"


class PadCapability(IntFlag):
    """What a pad has, as its client says."""

    ANALOG_TRIGGERS = 0x01
    RUMBLE = 0x02
    TRIGGER_RUMBLE = 0x04
    TOUCHPAD = 0x08
    ACCELERATION = 0x10
    GYROSCOPE = 0x20
    BATTERY = 0x40
    LIGHT = 0x80
    TWO_TOUCHPADS = 0x100


class BatteryState(Enum):
    """What the battery of a pad does."""

    UNKNOWN = 0
    NOT_PRESENT = 1
    DISCHARGING = 2
    CHARGING = 3
    NOT_CHARGING = 4
    FULL = 5


@dataclass(frozen=True, slots=True)
class Key:
    """A key went down or up; ``normalised`` is False if the code is of the client's own layout."""

    virtual_key: int
    pressed: bool
    modifiers: Modifiers = NO_MODIFIERS
    normalised: bool = True


@dataclass(frozen=True, slots=True)
class Text:
    """One or more characters typed as text, not as keys."""

    text: str


@dataclass(frozen=True, slots=True)
class MouseMove:
    """Relative motion in pixels, right and down positive."""

    dx: int
    dy: int


@dataclass(frozen=True, slots=True)
class MouseMoveAbsolute:
    """Pointer position on a plane of ``width`` x ``height`` units (both at least 1)."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class MouseClick:
    """A mouse button went down or up."""

    button: MouseButton
    pressed: bool


@dataclass(frozen=True, slots=True)
class Wheel:
    """Scrolling in 1/120 click: ``vertical`` up positive, ``horizontal`` right positive."""

    vertical: int = 0
    horizontal: int = 0


@dataclass(frozen=True, slots=True)
class Touch:
    """A finger; x and y are 0..1 of the display, ``rotation_degrees`` is None if unknown."""

    event: ContactEvent
    pointer_id: int
    x: float
    y: float
    pressure_or_distance: float
    contact_major: float
    contact_minor: float
    rotation_degrees: int | None


@dataclass(frozen=True, slots=True)
class Pen:
    """A pen; x and y are 0..1 of the display; tilt and rotation are None if unknown."""

    event: ContactEvent
    tool: PenTool
    buttons: int
    x: float
    y: float
    pressure_or_distance: float
    contact_major: float
    contact_minor: float
    rotation_degrees: int | None
    tilt_degrees: int | None


@dataclass(frozen=True, slots=True)
class PadState:
    """Whole state of one pad; a pad whose bit left ``active_mask`` is gone. Sticks: up and right positive."""

    pad: int
    active_mask: int
    buttons: int  # 32 bits: low word and high word of protocol/gamestream.md section 7
    left_trigger: int
    right_trigger: int
    left_x: int
    left_y: int
    right_x: int
    right_y: int


@dataclass(frozen=True, slots=True)
class PadArrival:
    """A pad was plugged in at the client; ``model`` is None if the client names only its kind."""

    pad: int
    kind: PadKind
    capabilities: int  # PadCapability
    supported_buttons: int
    model: PadModel | None = None


@dataclass(frozen=True, slots=True)
class PadTouch:
    """A finger on a pad's touchpad."""

    pad: int
    touchpad: int
    event: ContactEvent
    pointer_id: int
    x: float
    y: float
    pressure: float


@dataclass(frozen=True, slots=True)
class PadMotion:
    """A motion sensor reading."""

    pad: int
    kind: MotionKind
    x: float
    y: float
    z: float


@dataclass(frozen=True, slots=True)
class PadBattery:
    """Battery of a pad; ``percent`` is None if unknown."""

    pad: int
    state: BatteryState
    percent: int | None


@dataclass(frozen=True, slots=True)
class HapticsEnable:
    """The client can play rumble."""

    enabled: bool


InputEvent = (
    Key
    | Text
    | MouseMove
    | MouseMoveAbsolute
    | MouseClick
    | Wheel
    | Touch
    | Pen
    | PadState
    | PadArrival
    | PadTouch
    | PadMotion
    | PadBattery
    | HapticsEnable
)
