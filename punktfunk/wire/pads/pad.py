"""The state of one pad, as a client tells it in events; every model of a pad draws its reports from here.

Sticks are signed 16 bits with up and right positive, triggers 0 to 255. Motion is what SDL and GameStream
call it: acceleration in m/s^2, at rest (0, 9.81, 0); rotation in degrees/s about the same axes: x to the
right, y up out of the buttons, z toward the player. Buttons: protocol gamestream.md section 7.
"""

from dataclasses import dataclass, field
from enum import IntFlag
from typing import Final

from punktfunk.wire.input import (
    BatteryState,
    ContactEvent,
    MotionKind,
    PadBattery,
    PadMotion,
    PadState,
    PadTouch,
)

STANDARD_GRAVITY: Final = 9.80665
AT_REST: Final = (0.0, STANDARD_GRAVITY, 0.0)
CONTACT_COUNT: Final = 2
_LIFTS: Final = (ContactEvent.UP, ContactEvent.CANCEL, ContactEvent.HOVER_LEAVE)
_LEFT_SURFACE, _RIGHT_SURFACE = 1, 2


class Button(IntFlag):
    """Bits of a pad's buttons, by their place on an Xbox pad: A is below, Y above."""

    UP = 0x1
    DOWN = 0x2
    LEFT = 0x4
    RIGHT = 0x8
    START = 0x10
    BACK = 0x20
    LEFT_STICK = 0x40
    RIGHT_STICK = 0x80
    LEFT_SHOULDER = 0x100
    RIGHT_SHOULDER = 0x200
    GUIDE = 0x400
    A = 0x1000
    B = 0x2000
    X = 0x4000
    Y = 0x8000
    PADDLE_1 = 0x10000
    PADDLE_2 = 0x20000
    PADDLE_3 = 0x40000
    PADDLE_4 = 0x80000
    TOUCHPAD = 0x100000
    MISC = 0x200000


@dataclass(slots=True)
class Contact:
    """A finger on the touchpad. ``number`` changes with every new touch, 7 bits; x and y are 0 to 1."""

    finger: tuple[int, int]
    number: int
    x: float
    y: float


@dataclass(slots=True)
class PadView:
    """Everything that a pad shows at this moment. One writer: whoever takes the client's events."""

    buttons: int = 0
    left_trigger: int = 0
    right_trigger: int = 0
    left_x: int = 0
    left_y: int = 0
    right_x: int = 0
    right_y: int = 0
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    acceleration: tuple[float, float, float] = AT_REST
    contacts: list[Contact | None] = field(default_factory=lambda: [None] * CONTACT_COUNT)
    battery: BatteryState = BatteryState.UNKNOWN
    battery_percent: int | None = None
    _touch_count: int = 0

    def set_state(self, event: PadState) -> None:
        """Take buttons, triggers and sticks."""
        self.buttons = event.buttons
        self.left_trigger = min(max(event.left_trigger, 0), 255)
        self.right_trigger = min(max(event.right_trigger, 0), 255)
        self.left_x, self.left_y = _stick(event.left_x), _stick(event.left_y)
        self.right_x, self.right_y = _stick(event.right_x), _stick(event.right_y)

    def set_motion(self, event: PadMotion) -> None:
        """Take a sensor's reading."""
        if event.kind is MotionKind.GYROSCOPE:
            self.rotation = (event.x, event.y, event.z)
        else:
            self.acceleration = (event.x, event.y, event.z)

    def set_battery(self, event: PadBattery) -> None:
        """Take the battery's state."""
        self.battery, self.battery_percent = event.state, event.percent

    def set_touch(self, event: PadTouch) -> bool:
        """Take what a finger does; False if it changes nothing, such as a third finger.

        A pad with two touchpads shows them as the halves of the one that a DualSense has.
        """
        if event.event is ContactEvent.CANCEL_ALL:
            self.lift_all()
            return True
        finger = (event.touchpad, event.pointer_id)
        place = next(
            (i for i, contact in enumerate(self.contacts) if contact and contact.finger == finger), None
        )
        if event.event in _LIFTS:
            if place is not None:
                self.contacts[place] = None
            return place is not None
        if event.event not in (ContactEvent.DOWN, ContactEvent.MOVE):
            return False
        x, y = _on_one_surface(event.touchpad, event.x), event.y
        if place is not None and (contact := self.contacts[place]) is not None:
            contact.x, contact.y = x, y
            return True
        if None not in self.contacts:
            return False
        self._touch_count += 1
        self.contacts[self.contacts.index(None)] = Contact(finger, self._touch_count & 0x7F, x, y)
        return True

    def lift_all(self) -> None:
        """Lift every finger."""
        self.contacts = [None] * CONTACT_COUNT

    def rest(self) -> None:
        """Let go of everything; the sensors lie still and the battery is what it is."""
        self.buttons = self.left_trigger = self.right_trigger = 0
        self.left_x = self.left_y = self.right_x = self.right_y = 0
        self.rotation, self.acceleration = (0.0, 0.0, 0.0), AT_REST
        self.lift_all()


def _stick(value: int) -> int:
    return min(max(value, -32768), 32767)


def _on_one_surface(surface: int, x: float) -> float:
    if surface == _LEFT_SURFACE:
        return x / 2
    return 0.5 + x / 2 if surface == _RIGHT_SURFACE else x


def hat(buttons: int) -> tuple[int, int]:
    """Directions of the d-pad as (x, y), right and down positive; opposites cancel each other."""
    x = bool(buttons & Button.RIGHT) - bool(buttons & Button.LEFT)
    y = bool(buttons & Button.DOWN) - bool(buttons & Button.UP)
    return x, y


HAT_VALUES: Final = {
    (0, -1): 0,
    (1, -1): 1,
    (1, 0): 2,
    (1, 1): 3,
    (0, 1): 4,
    (-1, 1): 5,
    (-1, 0): 6,
    (-1, -1): 7,
    (0, 0): 8,
}
"""A hat switch of HID: clockwise from the top, 8 at rest."""


def to_signed16(value: float) -> int:
    """Round to a signed 16-bit number, as far as it goes."""
    return min(max(round(value), -32768), 32767)
