"""One input event of punktfunk/1: 18 bytes, as QUIC datagram or, where loss would stick, as InputEdge.

    offset  size  field  meaning
    ------  ----  -----  -------------------------
         0     1  tag    0xC8
         1     1  kind   the table below
         2     4  code   u32
         6     4  x      i32
        10     4  y      i32
        14     4  flags  u32

    kind    class            code        x                 y          flags
    ------  ---------------  ----------  ----------------  ---------  ---------------------------------------
    0, 1    KeyEdge          Windows VK                               kept; down, up
    2       PointerMove                  right             down       kept
    3       PointerPosition              pixel             pixel      width << 16 | height
    4, 5    ButtonEdge       button                                   down, up; left, middle, right, X1, X2
    6       WheelTurn        axis        1/120 click                  bit 0: measured, 10 px per 120
    7       PadButton        bit         not 0: pressed               pad
    8       PadAxis          axis        value                        pad
    9..11   TouchPoint       id          pixel             pixel      width << 16 | height; down, move, up
    12      PadSnapshot      buttons     left x << 16 | y  right      sequence, LT, RT, pad from the top byte
    13      PadRemoval                                                sequence << 24 | pad
    14      PadPlugged       kind                                     pad | haptics << 8 | speaker << 9
    15      TextScalar       scalar
    16      ScrollStep       axis        distance * 256    0          source | phase << 8

Axes of wheel and scroll: 0 vertical, 1 horizontal; up and right are positive. Sticks: up positive; triggers
0 .. 255; pad axes: 0 LX, 1 LY, 2 RX, 3 RY, 4 LT, 5 RT. Pad button bits are those of gamestream.md section 7.
What says nothing (no reference plane, no such button or pad, a surrogate, an impossible scroll) is dropped
whole. Spec: punktfunk-1.md section 2.10; peer: punktfunk-core, input.rs and input/scroll.rs.
"""

from collections.abc import Callable
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import Any, Final

from punktfunk.errors import LocalProtocolError
from punktfunk.wire.input import MouseButton
from punktfunk.wire.native.capabilities import GamepadKind
from punktfunk.wire.native.input_kinds import (
    PAD_COUNT,
    WHEEL_MEASURED,
    Axis,
    ButtonEdge,
    KeyEdge,
    NativeInput,
    PadAxis,
    PadAxisCode,
    PadButton,
    PadPlugged,
    PadRemoval,
    PadSnapshot,
    PointerMove,
    PointerPosition,
    ScrollPhase,
    ScrollSource,
    ScrollStep,
    TextScalar,
    TouchPhase,
    TouchPoint,
    WheelTurn,
    is_newer,
    is_possible,
)

__all__ = [
    "INPUT_BYTES",
    "INPUT_TAG",
    "PAD_COUNT",
    "WHEEL_MEASURED",
    "Axis",
    "ButtonEdge",
    "KeyEdge",
    "NativeInput",
    "PadAxis",
    "PadAxisCode",
    "PadButton",
    "PadPlugged",
    "PadRemoval",
    "PadSnapshot",
    "PointerMove",
    "PointerPosition",
    "ScrollPhase",
    "ScrollSource",
    "ScrollStep",
    "TextScalar",
    "TouchPhase",
    "TouchPoint",
    "WheelTurn",
    "build_input",
    "is_newer",
    "is_possible",
    "parse_input",
]

INPUT_TAG: Final = 0xC8
INPUT_BYTES: Final = 18

_GAMEPADS: Final = {int(kind): kind for kind in GamepadKind}
_EVENT: Final = Struct("<BBIiiI")


def parse_input(datagram: bytes) -> NativeInput | None:
    """Read an event; None for one that is dropped: cut, of a kind that is not known, or saying nothing."""
    if len(datagram) < INPUT_BYTES or datagram[0] != INPUT_TAG:
        return None
    _, kind, code, x, y, flags = _EVENT.unpack_from(datagram)
    reader = _READERS.get(kind)
    if reader is None:
        return None
    try:
        event: NativeInput | None = reader(kind, code, x, y, flags)
    except ValueError:  # a number that its enumeration does not have
        return None
    return event


def build_input(event: NativeInput) -> bytes:
    """Write 18 bytes; LocalProtocolError for numbers that do not fit or an event that would be dropped."""
    writer = _WRITERS.get(type(event))
    if writer is None:
        raise LocalProtocolError(f"{type(event).__name__} is no input event")
    try:
        datagram = _EVENT.pack(INPUT_TAG, *writer(event))
    except StructError as error:
        raise LocalProtocolError(f"no input event can say {event}") from error
    if parse_input(datagram) is None:
        raise LocalProtocolError(f"a host would drop {event}")
    return datagram


def _signed(half: int) -> int:
    return (half & 0xFFFF ^ 0x8000) - 0x8000


def _halves(high: int, low: int) -> int:
    word = (high & 0xFFFF) << 16 | low & 0xFFFF
    return (word ^ 0x80000000) - 0x80000000


def _pad(pad: int) -> int:
    if not 0 <= pad < PAD_COUNT:
        raise ValueError(pad)
    return pad


def _plane(flags: int) -> tuple[int, int]:
    width, height = flags >> 16, flags & 0xFFFF
    if not width or not height:
        raise ValueError(flags)
    return width, height


def _touch(kind: int, code: int, x: int, y: int, flags: int) -> TouchPoint:
    phase = TouchPhase(kind)
    plane = (flags >> 16, flags & 0xFFFF) if phase is TouchPhase.UP else _plane(flags)
    return TouchPoint(phase, code, x, y, *plane)


def _snapshot(_kind: int, code: int, x: int, y: int, flags: int) -> PadSnapshot:
    sequence, left, right, pad = flags.to_bytes(4, "big")
    sticks = _signed(x >> 16), _signed(x), _signed(y >> 16), _signed(y)
    return PadSnapshot(_pad(pad), sequence, code, left, right, *sticks)


def _plugged(_kind: int, code: int, _x: int, _y: int, flags: int) -> PadPlugged:
    # An unknown kind is a pad all the same: it looks like the one that Welcome named.
    kind = _GAMEPADS.get(code, GamepadKind.AUTO)
    return PadPlugged(_pad(flags & 0xFF), kind, bool(flags >> 8 & 1), bool(flags >> 9 & 1))


def _text(_kind: int, code: int, _x: int, _y: int, _flags: int) -> TextScalar:
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF or not code:
        raise ValueError(code)
    return TextScalar(code)


def _scroll(_kind: int, code: int, x: int, y: int, flags: int) -> ScrollStep | None:
    step = ScrollStep(Axis(code), x, ScrollSource(flags & 0xFF), ScrollPhase(flags >> 8))
    return step if y == 0 and is_possible(step) else None


_READERS: Final[dict[int, Callable[[int, int, int, int, int], NativeInput | None]]] = {
    0: lambda _, code, _x, _y, flags: KeyEdge(code, pressed=True, flags=flags),
    1: lambda _, code, _x, _y, flags: KeyEdge(code, pressed=False, flags=flags),
    2: lambda _, _code, x, y, flags: PointerMove(x, y, flags),
    3: lambda _, _code, x, y, flags: PointerPosition(x, y, *_plane(flags)),
    4: lambda _, code, _x, _y, _flags: ButtonEdge(MouseButton(code), pressed=True),
    5: lambda _, code, _x, _y, _flags: ButtonEdge(MouseButton(code), pressed=False),
    6: lambda _, code, x, _y, flags: WheelTurn(Axis(code), x, bool(flags & WHEEL_MEASURED)),
    7: lambda _, code, x, _y, flags: PadButton(_pad(flags), code, x != 0),
    8: lambda _, code, x, _y, flags: PadAxis(_pad(flags), PadAxisCode(code), x),
    9: _touch,
    10: _touch,
    11: _touch,
    12: _snapshot,
    13: lambda _, _code, _x, _y, flags: PadRemoval(_pad(flags & 0xFF), flags >> 24),
    14: _plugged,
    15: _text,
    16: _scroll,
}

_Words = tuple[int, int, int, int, int]
_WRITERS: Final[dict[type[Any], Callable[[Any], _Words]]] = {
    KeyEdge: lambda e: (0 if e.pressed else 1, e.virtual_key, 0, 0, e.flags),
    PointerMove: lambda e: (2, 0, e.dx, e.dy, e.flags),
    PointerPosition: lambda e: (3, 0, e.x, e.y, e.width << 16 | e.height),
    ButtonEdge: lambda e: (4 if e.pressed else 5, e.button, 0, 0, 0),
    WheelTurn: lambda e: (6, e.axis, e.amount, 0, int(e.measured)),
    PadButton: lambda e: (7, e.button, int(e.pressed), 0, e.pad),
    PadAxis: lambda e: (8, e.axis, e.value, 0, e.pad),
    TouchPoint: lambda e: (e.phase, e.touch_id, e.x, e.y, e.width << 16 | e.height),
    PadSnapshot: lambda e: (
        12,
        e.buttons,
        _halves(e.left_x, e.left_y),
        _halves(e.right_x, e.right_y),
        e.sequence << 24 | e.left_trigger << 16 | e.right_trigger << 8 | e.pad,
    ),
    PadRemoval: lambda e: (13, 0, 0, 0, e.sequence << 24 | e.pad),
    PadPlugged: lambda e: (14, e.kind, 0, 0, e.pad | e.haptics << 8 | e.speaker << 9),
    TextScalar: lambda e: (15, e.scalar, 0, 0, 0),
    ScrollStep: lambda e: (16, e.axis, e.distance_q8, 0, e.source | e.phase << 8),
}
