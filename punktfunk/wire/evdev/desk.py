"""Keyboard, mouse, touchscreen and pen by uinput: the devices, and events for what a client does.

Positions are 0 to 32767 across the output that a compositor maps the device to. A pen's tilt is told by the
client as how far it leans and where to; the kernel wants it along both axes: positive to the right and toward
the user (event-codes.rst, "Tablets"; Sunshine src/platform/linux/input/inputtino_pen.cpp).
"""

import math
from typing import Final

from punktfunk.wire.evdev.codes import BUS_VIRTUAL, SYN_REPORT, Abs, Button, Property, Rel, Type
from punktfunk.wire.evdev.uinput import Axis, DeviceSpec
from punktfunk.wire.input import ContactEvent, MouseButton, Pen, PenTool, Touch, Wheel

Event = tuple[int, int, int]
SYN: Final[Event] = (Type.SYN, SYN_REPORT, 0)

VENDOR: Final = 0x7066
"""Of nobody's range: "pf"."""
PLANE: Final = 32767
FINGERS: Final = 10
PRESSURE_MAX: Final = 4095
DISTANCE_MAX: Final = 1023
CLICK: Final = 120
HIGHEST_KEY: Final = 247

_PLACE: Final = Axis(0, PLANE)
_ON_PAPER: Final = Axis(0, PLANE, resolution=100)  # libinput takes no tablet without a size
_TILT: Final = Axis(-90, 90, resolution=57)
MOUSE_BUTTONS: Final = {
    MouseButton.LEFT: Button.LEFT,
    MouseButton.MIDDLE: Button.MIDDLE,
    MouseButton.RIGHT: Button.RIGHT,
    MouseButton.X1: Button.SIDE,
    MouseButton.X2: Button.EXTRA,
}
_CLICKS: Final = (Type.KEY, tuple(MOUSE_BUTTONS.values()))

KEYBOARD: Final = DeviceSpec(
    "punktfunk keyboard", VENDOR, 1, 1, BUS_VIRTUAL, ((Type.KEY, tuple(range(1, HIGHEST_KEY + 1))),)
)
MOUSE: Final = DeviceSpec("punktfunk mouse", VENDOR, 2, 1, BUS_VIRTUAL, (_CLICKS, (Type.REL, tuple(Rel))))
POINTER: Final = DeviceSpec(
    "punktfunk pointer", VENDOR, 3, 1, BUS_VIRTUAL, (_CLICKS,), ((Abs.X, _PLACE), (Abs.Y, _PLACE))
)
TOUCHSCREEN: Final = DeviceSpec(
    "punktfunk touchscreen",
    VENDOR,
    4,
    1,
    BUS_VIRTUAL,
    ((Type.KEY, (Button.TOUCH,)),),
    (
        *((Abs.X, _PLACE), (Abs.Y, _PLACE), (Abs.MT_SLOT, Axis(0, FINGERS - 1))),
        *((Abs.MT_TRACKING_ID, Axis(0, 0xFFFF)), (Abs.MT_POSITION_X, _PLACE), (Abs.MT_POSITION_Y, _PLACE)),
        (Abs.MT_PRESSURE, Axis(0, 255)),
    ),
    (Property.DIRECT,),
)
TABLET: Final = DeviceSpec(
    "punktfunk pen",
    VENDOR,
    5,
    1,
    BUS_VIRTUAL,
    (
        (
            Type.KEY,
            (
                Button.TOOL_PEN,
                Button.TOOL_RUBBER,
                Button.TOUCH,
                Button.STYLUS,
                Button.STYLUS2,
                Button.STYLUS3,
            ),
        ),
    ),
    (
        *((Abs.X, _ON_PAPER), (Abs.Y, _ON_PAPER), (Abs.PRESSURE, Axis(0, PRESSURE_MAX))),
        *((Abs.DISTANCE, Axis(0, DISTANCE_MAX)), (Abs.TILT_X, _TILT), (Abs.TILT_Y, _TILT)),
    ),
    (Property.DIRECT,),
)


def place(part: float) -> int:
    """Turn 0..1 into a position."""
    return min(max(round(part * PLANE), 0), PLANE)


class WheelEvents:
    """A wheel's 120ths: every one is told, and whole clicks beside them for programs that know no other."""

    def __init__(self) -> None:
        self._rests = {Rel.WHEEL: 0, Rel.HWHEEL: 0}

    def turn(self, event: Wheel) -> list[Event]:
        """Build the events of a turn; none for no turn."""
        events = self._axis(Rel.WHEEL, Rel.WHEEL_HI_RES, event.vertical)
        events += self._axis(Rel.HWHEEL, Rel.HWHEEL_HI_RES, event.horizontal)
        return [*events, SYN] if events else []

    def _axis(self, axis: Rel, fine: Rel, amount: int) -> list[Event]:
        if not amount:
            return []
        rest = 0 if self._rests[axis] * amount < 0 else self._rests[axis]  # turning back starts a new click
        clicks = int((rest + amount) / CLICK)
        self._rests[axis] = rest + amount - clicks * CLICK
        coarse: list[Event] = [(Type.REL, axis, clicks)] if clicks else []
        return [(Type.REL, fine, amount), *coarse]


class TouchEvents:
    """Fingers on a touchscreen (multi-touch-protocol.rst, type B)."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        self._count = 0

    def touch(self, event: Touch) -> list[Event]:
        """Build the events of a touch; none for one that changes nothing, such as an eleventh finger."""
        match event.event:
            case ContactEvent.DOWN:
                events = self._down(event)
            case ContactEvent.MOVE:
                slot = self._slots.get(event.pointer_id)
                events = [] if slot is None else [(Type.ABS, Abs.MT_SLOT, slot), *self._where(event)]
            case ContactEvent.UP | ContactEvent.CANCEL:
                events = self._up(event.pointer_id)
            case ContactEvent.CANCEL_ALL:
                return self.lift_all()
            case _:
                events = []
        return [*events, SYN] if events else []

    def lift_all(self) -> list[Event]:
        """Lift every finger."""
        events = [event for finger in list(self._slots) for event in self._up(finger)]
        return [*events, SYN] if events else []

    def _down(self, event: Touch) -> list[Event]:
        slot = self._slots.get(event.pointer_id)
        if slot is None:
            free = [number for number in range(FINGERS) if number not in self._slots.values()]
            if not free:
                return []
            slot = self._slots[event.pointer_id] = free[0]
            self._count = (self._count + 1) & 0xFFFF
        first: list[Event] = [(Type.KEY, Button.TOUCH, 1)] if len(self._slots) == 1 else []
        begin: list[Event] = [(Type.ABS, Abs.MT_SLOT, slot), (Type.ABS, Abs.MT_TRACKING_ID, self._count)]
        return [*begin, *self._where(event), *first]

    def _where(self, event: Touch) -> list[Event]:
        x, y = place(event.x), place(event.y)
        pressure = min(max(round(event.pressure_or_distance * 255), 1), 255)
        axes = (
            (Abs.MT_POSITION_X, x),
            (Abs.MT_POSITION_Y, y),
            (Abs.MT_PRESSURE, pressure),
            (Abs.X, x),
            (Abs.Y, y),
        )
        return [(Type.ABS, axis, value) for axis, value in axes]

    def _up(self, finger: int) -> list[Event]:
        slot = self._slots.pop(finger, None)
        if slot is None:
            return []
        last: list[Event] = [] if self._slots else [(Type.KEY, Button.TOUCH, 0)]
        return [(Type.ABS, Abs.MT_SLOT, slot), (Type.ABS, Abs.MT_TRACKING_ID, -1), *last]


_TOOLS: Final = {PenTool.ERASER: Button.TOOL_RUBBER}
_BARREL: Final = ((1, Button.STYLUS), (2, Button.STYLUS2), (4, Button.STYLUS3))
_CONTACTS: Final = (ContactEvent.DOWN, ContactEvent.MOVE)
_LEAVES: Final = (ContactEvent.HOVER_LEAVE, ContactEvent.CANCEL, ContactEvent.CANCEL_ALL)


class PenEvents:
    """A pen over a tablet: in range, down, up, out of range, with pressure, distance, tilt and buttons."""

    def __init__(self) -> None:
        self._tool: Button | None = None
        self._down = False
        self._buttons = 0

    def pen(self, event: Pen) -> list[Event]:
        """Build the events of what a pen does."""
        if event.event in _LEAVES:
            return self.leave()
        if event.event is ContactEvent.BUTTON_ONLY:
            events = self._press(event.buttons) if self._tool is not None else []
            return [*events, SYN] if events else []
        tool = _TOOLS.get(event.tool, Button.TOOL_PEN)
        events = self.leave() if self._tool not in (None, tool) else []
        down = event.event in _CONTACTS
        axes = self._axes(event, down=down)
        if self._tool is None:
            self._tool = tool
            axes.append((Type.KEY, tool, 1))
        if down != self._down:
            self._down = down
            axes.append((Type.KEY, Button.TOUCH, int(down)))
        return [*events, *axes, *self._press(event.buttons), SYN]

    def leave(self) -> list[Event]:
        """Take the pen away, whatever it does."""
        if self._tool is None:
            return []
        events = self._press(0)
        if self._down:
            events += [(Type.KEY, Button.TOUCH, 0), (Type.ABS, Abs.PRESSURE, 0)]
        events.append((Type.KEY, self._tool, 0))
        self._tool, self._down = None, False
        return [*events, SYN]

    def _axes(self, event: Pen, *, down: bool) -> list[Event]:
        strength = event.pressure_or_distance
        pressure = max(round(strength * PRESSURE_MAX), 1) if down else 0
        distance = 0 if down else round(strength * DISTANCE_MAX)
        tilt_x, tilt_y = tilts(event.tilt_degrees, event.rotation_degrees)
        axes = (
            *((Abs.X, place(event.x)), (Abs.Y, place(event.y)), (Abs.PRESSURE, pressure)),
            *((Abs.DISTANCE, distance), (Abs.TILT_X, tilt_x), (Abs.TILT_Y, tilt_y)),
        )
        return [(Type.ABS, axis, value) for axis, value in axes]

    def _press(self, buttons: int) -> list[Event]:
        changed, self._buttons = self._buttons ^ buttons, buttons
        return [(Type.KEY, code, int(bool(buttons & bit))) for bit, code in _BARREL if changed & bit]


def tilts(tilt_degrees: int | None, rotation_degrees: int | None) -> tuple[int, int]:
    """Tilt along x and y; upright where the client does not know."""
    lean = math.radians(min(tilt_degrees or 0, 89))  # lying flat it would point nowhere
    way = math.radians(rotation_degrees or 0)
    x = math.atan2(-math.sin(way) * math.sin(lean), math.cos(lean))
    y = math.atan2(math.cos(way) * math.sin(lean), math.cos(lean))
    return round(math.degrees(x)), round(math.degrees(y))
