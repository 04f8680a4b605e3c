"""What a DualShock 4 and a DualSense have in common: sticks, buttons, motion units, touches, addresses.

Units of motion in both calibrations below: 20 steps per degree/s and 10,000 per g, which is also what
punktfunk/1 sends. Source: linux drivers/hid/hid-playstation.c.
"""

from struct import Struct
from typing import Final

from punktfunk.wire.pads.pad import HAT_VALUES, STANDARD_GRAVITY, Button, Contact, PadView, hat, to_signed16

VENDOR: Final = 0x054C
STEPS_PER_DEGREE: Final = 20
STEPS_PER_G: Final = 10_000
NO_CONTACT: Final = 0x80
REPORT_BYTES: Final = 64
MAC_BYTES: Final = 6

_CALIBRATION: Final = Struct("<B17h")
_SPAN, _SPEED = 10_000, 500

_FACE: Final = ((Button.X, 0x10), (Button.A, 0x20), (Button.B, 0x40), (Button.Y, 0x80))
_SHOULDERS: Final = (
    (Button.LEFT_SHOULDER, 0x01),
    (Button.RIGHT_SHOULDER, 0x02),
    (Button.BACK, 0x10),
    (Button.START, 0x20),
    (Button.LEFT_STICK, 0x40),
    (Button.RIGHT_STICK, 0x80),
)


def stick_byte(value: int) -> int:
    """Return a stick's axis: 0 left or up, 128 the middle."""
    return (value + 32768) >> 8


def sticks(view: PadView) -> tuple[int, int, int, int]:
    """Return left x, y and right x, y; down is positive here. Negated before the cut: rest is 128."""
    left_y, right_y = min(-view.left_y, 32767), min(-view.right_y, 32767)
    return stick_byte(view.left_x), stick_byte(left_y), stick_byte(view.right_x), stick_byte(right_y)


def button_bytes(view: PadView) -> tuple[int, int]:
    """Return the first two button bytes: d-pad and face; shoulders, triggers, options and stick clicks."""
    first = HAT_VALUES[hat(view.buttons)] | bits(view.buttons, _FACE)
    triggers = (0x04 if view.left_trigger else 0) | (0x08 if view.right_trigger else 0)
    return first, bits(view.buttons, _SHOULDERS) | triggers


def bits(buttons: int, table: tuple[tuple[Button, int], ...]) -> int:
    """Translate button bits by a table."""
    return sum(bit for button, bit in table if buttons & button)


def motion(view: PadView) -> tuple[int, ...]:
    """Return rotation and acceleration, three axes each, in the steps of the calibration."""
    rotation = (to_signed16(value * STEPS_PER_DEGREE) for value in view.rotation)
    acceleration = (to_signed16(value * STEPS_PER_G / STANDARD_GRAVITY) for value in view.acceleration)
    return (*rotation, *acceleration)


def touch_point(contact: Contact | None, width: int, height: int) -> bytes:
    """Build four bytes of a finger: number with bit 7 for none, then 12 bits of x and 12 of y."""
    if contact is None:
        return bytes((NO_CONTACT, 0, 0, 0))
    x = min(max(round(contact.x * (width - 1)), 0), width - 1)
    y = min(max(round(contact.y * (height - 1)), 0), height - 1)
    return bytes((contact.number, x & 0xFF, x >> 8 | (y & 0x0F) << 4, y >> 4))


def calibration(report_id: int, size_bytes: int) -> bytes:
    """Build the calibration of the sensors: no bias; +-10,000 steps are 500 degrees/s, or 1 g."""
    spans = (_SPAN, -_SPAN) * 3
    head = _CALIBRATION.pack(report_id, 0, 0, 0, *spans, _SPEED, _SPEED, *spans)
    return head.ljust(size_bytes, b"\0")


def motor(value: int) -> int:
    """Widen a motor's byte: 255 becomes 65535."""
    return value * 257
