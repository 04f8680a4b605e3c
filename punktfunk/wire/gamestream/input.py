"""GameStream input packets, the payload of control message 0x0206, into ``InputEvent`` values.

    offset  size  field  meaning
    ------  ----  -----  ----------------------------------------
         0     4  size   big-endian, bytes after this field
         4     4  magic  little-endian, the kind of packet
         8     n  body   by kind, in the table below

    magic       event              body (LE unless it says BE; floats are IEEE 754 LE)
    ----------  -----------------  --------------------------------------------------------------------
    3, 4        Key down, up       u8 flags, u16 code, u8 modifiers, 2 zero
    5           MouseMoveAbsolute  BE s16 x, y, 2 unused, BE s16 width - 1, height - 1
    7           MouseMove          BE s16 dx, dy
    8, 9        MouseClick         u8 button
    0x0A        Wheel vertical     BE s16 amount, the same again, 2 zero
    0x0C        PadState           u16 0x1A, pad, mask, 0x14, buttons, u8 LT, RT, s16 LX LY RX RY,
                                   u16 0x9C, buttons high, 0x55
    0x0D        HapticsEnable      u16 enable
    0x17        Text               UTF-8
    0x55000001  Wheel horizontal   BE s16 amount
    0x55000002  Touch              u8 event, 0, u16 rotation, u32 pointer, f32 x, y, pressure, major, minor
    0x55000003  Pen                u8 event, tool, buttons, 0, f32 x, y, pressure, u16 rotation, u8 tilt, 0,
                                   f32 major, minor
    0x55000004  PadArrival         u8 pad, kind, u16 capabilities, u32 buttons
    0x55000005  PadTouch           u8 pad, event, 0, touchpad, u32 pointer, f32 x, y, pressure
    0x55000006  PadMotion          u8 pad, sensor, 2 zero, f32 x, y, z
    0x55000007  PadBattery         u8 pad, state, percent, 0

A longer body than listed is a later extension, and its tail is ignored. A magic, button or contact event
that is not known gives no event. Spec: gamestream.md section 7; peers: moonlight-common-c Input.h,
InputStream.c and Limelight.h; Sunshine src/input.cpp, passthrough (which clamps positions and areas to 0..1,
as done here).
"""

from collections.abc import Callable
from math import isfinite
from struct import Struct
from typing import Any, Final

from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.input import (
    BatteryState,
    ContactEvent,
    HapticsEnable,
    InputEvent,
    Key,
    Modifiers,
    MotionKind,
    MouseButton,
    MouseClick,
    MouseMove,
    MouseMoveAbsolute,
    PadArrival,
    PadBattery,
    PadKind,
    PadMotion,
    PadState,
    PadTouch,
    Pen,
    PenTool,
    Text,
    Touch,
    Wheel,
)

MAX_INPUT_BYTES: Final = 512
"""Longest packet taken; a client's own buffer holds 256 (moonlight-common-c ControlStream.c, tempBuffer)."""
PAD_COUNT: Final = 16
UNKNOWN_ROTATION: Final = 0xFFFF
UNKNOWN_TILT: Final = 0xFF
UNKNOWN_PERCENT: Final = 0xFF
KEY_NOT_NORMALISED: Final = 1

_SIZE: Final = Struct(">I")
_MAGIC: Final = Struct("<I")
_HEADER_BYTES: Final = 8

# Contacts in these events have no position: clients need not fill the fields, so what they hold is not looked
# at (Limelight.h, LiSendTouchEvent and LiSendPenEvent). A dropped cancel would leave a finger down for ever.
_WITHOUT_POSITION: Final = (ContactEvent.CANCEL, ContactEvent.CANCEL_ALL, ContactEvent.BUTTON_ONLY)


def parse_input(packet: bytes) -> list[InputEvent]:
    """Events of one packet: one, or none if its kind is unknown.

    RemoteProtocolError for sizes that do not fit, floats that are not finite, bad UTF-8, or pads above 15.
    """
    if not _HEADER_BYTES <= len(packet) <= MAX_INPUT_BYTES:
        raise RemoteProtocolError(f"input packet of {len(packet)} bytes")
    (size,) = _SIZE.unpack_from(packet)
    if size != len(packet) - _SIZE.size:
        raise RemoteProtocolError(f"input packet says {size} bytes, {len(packet) - _SIZE.size} came")
    (magic,) = _MAGIC.unpack_from(packet, _SIZE.size)
    body = packet[_HEADER_BYTES:]
    if magic == 0x17:
        return _text(body)
    if magic not in _KINDS:
        return []
    layout, convert = _KINDS[magic]
    if len(body) < layout.size:
        raise RemoteProtocolError(f"input packet {magic:#x} has {len(body)} of {layout.size} bytes")
    event = convert(*layout.unpack_from(body))
    return [] if event is None else [event]


def _text(body: bytes) -> list[InputEvent]:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise RemoteProtocolError(f"text input is not UTF-8: {body.hex(' ')}") from error
    return [Text(text)] if text else []


def _key(flags: int, code: int, modifiers: int, *, pressed: bool) -> Key:
    # Moonlight Qt and Android set the high byte to 0x80; Windows codes have eight bits.
    normalised = not flags & KEY_NOT_NORMALISED
    return Key(code & 0xFF, pressed, Modifiers(modifiers & 0x0F), normalised)


def _mouse_move_absolute(x: int, y: int, width_less_one: int, height_less_one: int) -> MouseMoveAbsolute:
    width, height = width_less_one + 1, height_less_one + 1
    if width < 1 or height < 1:
        raise RemoteProtocolError(f"pointer plane of {width} x {height}")
    return MouseMoveAbsolute(min(max(x, 0), width - 1), min(max(y, 0), height - 1), width, height)


def _mouse_click(button: int, *, pressed: bool) -> MouseClick | None:
    return MouseClick(MouseButton(button), pressed) if button in _BUTTONS else None


def _pad_state(pad: int, mask: int, buttons: int, *values: int) -> PadState:
    *axes, buttons_high = values
    left_trigger, right_trigger, left_x, left_y, right_x, right_y = axes
    return PadState(
        pad=_pad(pad),
        active_mask=mask,
        buttons=buttons | buttons_high << 16,
        left_trigger=left_trigger,
        right_trigger=right_trigger,
        left_x=left_x,
        left_y=left_y,
        right_x=right_x,
        right_y=right_y,
    )


def _touch(kind: int, rotation: int, pointer_id: int, *floats: float) -> Touch | None:
    if (event := _contact(kind)) is None:
        return None
    x, y, pressure, major, minor = _unit(event, floats)
    return Touch(event, pointer_id, x, y, pressure, major, minor, _rotation(rotation))


def _pen(kind: int, tool: int, buttons: int, x: float, y: float, pressure: float, *rest: Any) -> Pen | None:
    if (event := _contact(kind)) is None:
        return None
    rotation, tilt, major, minor = rest
    x, y, pressure, major, minor = _unit(event, (x, y, pressure, major, minor))
    return Pen(
        event=event,
        tool=PenTool(tool) if tool in _TOOLS else PenTool.UNKNOWN,
        buttons=buttons,
        x=x,
        y=y,
        pressure_or_distance=pressure,
        contact_major=major,
        contact_minor=minor,
        rotation_degrees=_rotation(rotation),
        tilt_degrees=None if tilt == UNKNOWN_TILT else min(tilt, 90),
    )


def _pad_arrival(pad: int, kind: int, capabilities: int, buttons: int) -> PadArrival:
    return PadArrival(_pad(pad), PadKind(kind) if kind in _PADS else PadKind.UNKNOWN, capabilities, buttons)


def _pad_touch(pad: int, kind: int, touchpad: int, pointer_id: int, *floats: float) -> PadTouch | None:
    pad = _pad(pad)
    if (event := _contact(kind)) is None:
        return None
    x, y, pressure = _unit(event, floats)
    return PadTouch(pad, touchpad, event, pointer_id, x, y, pressure)


def _pad_motion(pad: int, kind: int, *floats: float) -> PadMotion | None:
    pad = _pad(pad)
    if kind not in _SENSORS:
        return None
    x, y, z = map(_finite, floats)
    return PadMotion(pad, MotionKind(kind), x, y, z)


def _pad_battery(pad: int, state: int, percent: int) -> PadBattery:
    known = BatteryState(state) if state in _BATTERY_STATES else BatteryState.UNKNOWN
    return PadBattery(_pad(pad), known, None if percent == UNKNOWN_PERCENT else min(percent, 100))


def _pad(number: int) -> int:
    if number >= PAD_COUNT:
        raise RemoteProtocolError(f"pad {number} of {PAD_COUNT}")
    return number


def _contact(kind: int) -> ContactEvent | None:
    return ContactEvent(kind) if kind in _CONTACTS else None


def _unit(event: ContactEvent, values: tuple[float, ...]) -> list[float]:
    if event in _WITHOUT_POSITION:
        return [0.0] * len(values)
    return [min(max(_finite(value), 0.0), 1.0) for value in values]


def _finite(value: float) -> float:
    if not isfinite(value):
        raise RemoteProtocolError(f"input carries the float {value}")
    return value


def _rotation(degrees: int) -> int | None:
    return None if degrees == UNKNOWN_ROTATION else degrees % 360


_BUTTONS: Final = frozenset(MouseButton)
_CONTACTS: Final = frozenset(ContactEvent)
_TOOLS: Final = frozenset(PenTool)
_PADS: Final = frozenset(PadKind)
_SENSORS: Final = frozenset(MotionKind)
_BATTERY_STATES: Final = frozenset(state.value for state in BatteryState)

_KEY: Final = Struct("<BHB2x")
_BUTTON: Final = Struct("<B")

_KINDS: Final[dict[int, tuple[Struct, Callable[..., InputEvent | None]]]] = {
    0x03: (_KEY, lambda *fields: _key(*fields, pressed=True)),
    0x04: (_KEY, lambda *fields: _key(*fields, pressed=False)),
    0x05: (Struct(">hh2xhh"), _mouse_move_absolute),
    0x07: (Struct(">hh"), MouseMove),
    0x08: (_BUTTON, lambda button: _mouse_click(button, pressed=True)),
    0x09: (_BUTTON, lambda button: _mouse_click(button, pressed=False)),
    0x0A: (Struct(">h4x"), lambda amount: Wheel(vertical=amount)),
    0x0C: (Struct("<2xHH2xHBBhhhh2xH2x"), _pad_state),
    0x0D: (Struct("<H"), lambda enable: HapticsEnable(enable != 0)),
    0x55000001: (Struct(">h"), lambda amount: Wheel(horizontal=amount)),
    0x55000002: (Struct("<BxHI5f"), _touch),
    0x55000003: (Struct("<BBBx3fHBx2f"), _pen),
    0x55000004: (Struct("<BBHI"), _pad_arrival),
    0x55000005: (Struct("<BBxBI3f"), _pad_touch),
    0x55000006: (Struct("<BB2x3f"), _pad_motion),
    0x55000007: (Struct("<BBBx"), _pad_battery),
}
