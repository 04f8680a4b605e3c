"""The Switch Pro Controller on USB, as linux' hid-nintendo and SDL see it.

Input report 0x30, 64 bytes, every 15 ms; 0x21 is the same head with an answer in place of the sensors:

    offset  size  field
    ------  ----  ------------------------------------------------------------------
         0     1  report id
         1     1  counter
         2     1  battery 0 to 4 in the high 3 bits, 0x10 charging, 0x01 on a cable
         3     3  buttons: right half, middle, left half
         6     3  left stick, 12 bits each of x and y; up is positive
         9     3  right stick
        12     1  motors are ready: not 0, or the driver sends no rumble
        13    36  three times: acceleration x, y, z, rotation x, y, z, signed 16 bits
        49    15  zero

The driver opens with commands 0x80 (answered by 0x81) and goes on with subcommands, report 0x01: counter, 8
bytes of rumble, subcommand, its arguments; the answer says 0x80 with or without a kind, the subcommand, data.
0x10 is rumble alone. Its axes: x toward the triggers, y to the left, z up out of the buttons; SDL turns them
back. Calibration says that raw steps are true: 4096 per g and 14.247 per degree/s.
Sources: linux hid-nintendo.c; dekuNukem's Nintendo_Switch_Reverse_Engineering; SDL_hidapi_switch.c.
"""

from struct import Struct
from typing import Final

from punktfunk.wire.input import BatteryState
from punktfunk.wire.pads.hid import Answer, Identity
from punktfunk.wire.pads.pad import STANDARD_GRAVITY, Button, PadView, to_signed16
from punktfunk.wire.pads.playstation import bits
from punktfunk.wire.pads.switch_memory import IDENTITY_SCALE_DEGREE, STICK_CENTRE, STICK_SPAN, read_memory
from punktfunk.wire.pads.switch_rumble import rumble_levels
from punktfunk.wire.pads.wishes import PadWish, PlayerLightsWish, RumbleWish

REPORT_BYTES: Final = 64
PERIOD_NS: Final = 15_000_000
STEPS_PER_G: Final = 4096

_SENSORS: Final = Struct("<6h")
_READY: Final = 0x09
_RUMBLE_AND_COMMAND, _RUMBLE_ONLY, _USB = 0x01, 0x10, 0x80
_RUMBLE_AT, _COMMAND_AT, _ARGUMENTS_AT = 2, 10, 11

_RIGHT: Final = (
    *((Button.X, 0x01), (Button.Y, 0x02), (Button.A, 0x04), (Button.B, 0x08)),
    (Button.RIGHT_SHOULDER, 0x40),
)
_MIDDLE: Final = (
    *((Button.BACK, 0x01), (Button.START, 0x02), (Button.RIGHT_STICK, 0x04), (Button.LEFT_STICK, 0x08)),
    *((Button.GUIDE, 0x10), (Button.MISC, 0x20)),
)
_LEFT: Final = (
    *((Button.DOWN, 0x01), (Button.UP, 0x02), (Button.RIGHT, 0x04), (Button.LEFT, 0x08)),
    (Button.LEFT_SHOULDER, 0x40),
)
_TRIGGER: Final = 0x80

_BUTTONS: Final = (
    "0501 0509 1901 290a 1500 2501 7501 950a 5500 6500 8102 0509 190b 290e 1500 2501 7501 9504 8102"
)
_STICKS: Final = (
    "7501 9502 8103 0b01000100 a100 0b30000100 0b31000100 0b32000100 0b35000100"
    "1500 27ffff0000 7510 9504 8102 c0"
)
_HAT: Final = "0b39000100 1500 2507 3500 463b01 6514 7504 9501 8102 0509 190f 2912 1500 2501 7501 9504 8102"
_PADDING: Final = "7508 9534 8103 0600ff"
_VENDOR: Final = (
    (0x21, 1, 0x81, 3),
    (0x81, 2, 0x81, 3),
    (0x01, 3, 0x91, 0x83),
    (0x10, 4, 0x91, 0x83),
    (0x80, 5, 0x91, 0x83),
    (0x82, 6, 0x91, 0x83),
)
DESCRIPTOR: Final = (
    bytes.fromhex("0501 1500 0904 a101 8530" + _BUTTONS + _STICKS + _HAT + _PADDING)
    + b"".join(
        bytes((0x85, number, 0x09, usage, 0x75, 8, 0x95, 63, *item)) for number, usage, *item in _VENDOR
    )
    + b"\xc0"
)


class SwitchPro:
    """See ``HidPad``; ``mac`` as with the DualSense. Buttons lie where they are on an Xbox pad."""

    identity = Identity("Nintendo Co., Ltd. Pro Controller", 0x057E, 0x2009, 0x0111, descriptor=DESCRIPTOR)
    period_ns = PERIOD_NS
    has_motion = True

    def __init__(self, mac: bytes) -> None:
        self._mac = mac[:6].ljust(6, b"\0")
        self._counter = 0
        self._lights = 0

    def report(self, view: PadView, _now_ns: int) -> bytes:
        """See ``HidPad``."""
        sensors = _SENSORS.pack(*motion(view))
        return (self._head(0x30, view) + sensors * 3).ljust(REPORT_BYTES, b"\0")

    def feature(self, _report_id: int) -> bytes | None:
        """See ``HidPad``: it has none."""
        return None

    def output(self, data: bytes, view: PadView) -> Answer:
        """See ``HidPad``."""
        if len(data) >= 2 and data[0] == _USB:
            return Answer(replies=(self._usb(data[1]),))
        if len(data) < _COMMAND_AT or data[0] not in (_RUMBLE_AND_COMMAND, _RUMBLE_ONLY):
            return Answer()
        wishes: list[PadWish] = [RumbleWish(*rumble_levels(data[_RUMBLE_AT:_COMMAND_AT]))]
        if data[0] == _RUMBLE_ONLY or len(data) <= _COMMAND_AT:
            return Answer(tuple(wishes))
        command, arguments = data[_COMMAND_AT], data[_ARGUMENTS_AT:].ljust(5, b"\0")
        if command == 0x30:
            self._lights = (arguments[0] | arguments[0] >> 4) & 0x0F  # one that flashes is on
            wishes.append(PlayerLightsWish(self._lights))
        return Answer(tuple(wishes), (self._answer(command, arguments, view),))

    def _usb(self, command: int) -> bytes:
        """Answer an opening command. The kind and address of the pad are what SDL asks for."""
        more = bytes((0x00, 0x03)) + self._mac[::-1] if command == 0x01 else b""
        return (bytes((0x81, command)) + more).ljust(REPORT_BYTES, b"\0")

    def _answer(self, command: int, arguments: bytes, view: PadView) -> bytes:
        kind, data = 0x80, b""
        match command:
            case 0x02:  # firmware, kind of controller, address
                kind, data = 0x82, bytes((0x04, 0x33, 0x03, 0x02)) + self._mac + bytes((0x01, 0x01))
            case 0x04:  # how long buttons were held
                kind, data = 0x83, bytes(14)
            case 0x10:
                address, size = int.from_bytes(arguments[:4], "little"), arguments[4]
                kind, data = 0x90, arguments[:5] + read_memory(address, size)
            case 0x31:
                kind, data = 0xB0, bytes((self._lights,))
            case _:
                pass
        return (self._head(0x21, view) + bytes((kind, command)) + data).ljust(REPORT_BYTES, b"\0")

    def _head(self, report_id: int, view: PadView) -> bytes:
        self._counter = (self._counter + 1) & 0xFF
        right = bits(view.buttons, _RIGHT) | (_TRIGGER if view.right_trigger else 0)
        left = bits(view.buttons, _LEFT) | (_TRIGGER if view.left_trigger else 0)
        return (
            bytes((report_id, self._counter, battery_byte(view), right, bits(view.buttons, _MIDDLE), left))
            + stick(view.left_x, view.left_y)
            + stick(view.right_x, view.right_y)
            + bytes((_READY,))
        )


def stick(x: int, y: int) -> bytes:
    """Pack a stick into three bytes."""
    across, up = (STICK_CENTRE + round(value * STICK_SPAN / 32768) for value in (x, y))
    return (across | up << 12).to_bytes(3, "little")


def motion(view: PadView) -> tuple[int, ...]:
    """Acceleration and rotation in the pad's own axes and steps."""
    acceleration = (value * STEPS_PER_G / STANDARD_GRAVITY for value in _own_axes(view.acceleration))
    rotation = (value * IDENTITY_SCALE_DEGREE for value in _own_axes(view.rotation))
    return tuple(to_signed16(value) for value in (*acceleration, *rotation))


def _own_axes(vector: tuple[float, float, float]) -> tuple[float, float, float]:
    right, up, back = vector
    return -back, -right, up


def battery_byte(view: PadView) -> int:
    """Charge in quarters, charging, cable. A pad of unknown charge is full and on its cable."""
    if view.battery is BatteryState.FULL or view.battery_percent is None:
        return 0x81
    quarters = min((view.battery_percent + 12) // 25, 4) << 5
    if view.battery is BatteryState.DISCHARGING:
        return quarters
    return quarters | 0x01 | (0x10 if view.battery is BatteryState.CHARGING else 0)
