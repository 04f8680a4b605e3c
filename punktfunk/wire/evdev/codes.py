"""Numbers of linux/input-event-codes.h that our devices use."""

from enum import IntEnum
from typing import Final


class Type(IntEnum):
    """Kinds of events; UINPUT is uinput's own, above all that a device can send."""

    SYN = 0x00
    KEY = 0x01
    REL = 0x02
    ABS = 0x03
    MSC = 0x04
    FF = 0x15
    UINPUT = 0x101


class Button(IntEnum):
    """Buttons of mice, pads, pens and fingers."""

    LEFT = 0x110
    RIGHT = 0x111
    MIDDLE = 0x112
    SIDE = 0x113
    EXTRA = 0x114
    SOUTH = 0x130
    EAST = 0x131
    NORTH = 0x133
    WEST = 0x134
    TL = 0x136
    TR = 0x137
    SELECT = 0x13A
    START = 0x13B
    MODE = 0x13C
    THUMBL = 0x13D
    THUMBR = 0x13E
    TOOL_PEN = 0x140
    TOOL_RUBBER = 0x141
    TOUCH = 0x14A
    STYLUS = 0x14B
    STYLUS2 = 0x14C
    STYLUS3 = 0x149


class Rel(IntEnum):
    """Axes that say how far."""

    X = 0x00
    Y = 0x01
    HWHEEL = 0x06
    WHEEL = 0x08
    WHEEL_HI_RES = 0x0B
    HWHEEL_HI_RES = 0x0C


class Abs(IntEnum):
    """Axes that say where."""

    X = 0x00
    Y = 0x01
    Z = 0x02
    RX = 0x03
    RY = 0x04
    RZ = 0x05
    HAT0X = 0x10
    HAT0Y = 0x11
    PRESSURE = 0x18
    DISTANCE = 0x19
    TILT_X = 0x1A
    TILT_Y = 0x1B
    MT_SLOT = 0x2F
    MT_TOUCH_MAJOR = 0x30
    MT_TOUCH_MINOR = 0x31
    MT_ORIENTATION = 0x34
    MT_POSITION_X = 0x35
    MT_POSITION_Y = 0x36
    MT_TRACKING_ID = 0x39
    MT_PRESSURE = 0x3A


class Effect(IntEnum):
    """Force feedback: kinds of effects, waveforms, and the gain."""

    RUMBLE = 0x50
    PERIODIC = 0x51
    CONSTANT = 0x52
    SQUARE = 0x58
    TRIANGLE = 0x59
    SINE = 0x5A
    GAIN = 0x60


class Property(IntEnum):
    """What a device is besides its axes."""

    POINTER = 0
    DIRECT = 1


BUS_USB: Final = 0x03
BUS_VIRTUAL: Final = 0x06
SYN_REPORT: Final = 0
FF_UPLOAD: Final = 1
FF_ERASE: Final = 2
