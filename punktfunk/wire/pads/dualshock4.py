"""The DualShock 4 (second model) on USB, as linux' hid-playstation, hid-sony and SDL see it.

Input report 0x01, 64 bytes, little-endian:

    offset  size  field
    ------  ----  ------------------------------------------------------------------
         0     1  report id
         1     4  left x, y, right x, y; right and down positive, 128 the middle
         5     3  buttons: d-pad and face; shoulders; PS, touchpad, counter above them
         8     2  left and right trigger
        10     2  time in 16/3 us
        12     1  temperature
        13     6  rotation x, y, z
        19     6  acceleration x, y, z
        25     5  zero
        30     1  battery: charge in tenths (11 full), bit 4 plugged in
        31     2  zero
        33     1  touch reports that follow: 1
        34     9  counter, two touches
        43    21  zero

Output report 0x05, 11 bytes or more, the id first: 1 flags (1 motors, 2 light), 4 right and 5 left motor,
6 colour. Sources: linux hid-playstation.c and hid-sony.c; punktfunk pf-driver-proto dualshock4.rs.
"""

from struct import Struct
from typing import Final

from punktfunk.wire.input import BatteryState
from punktfunk.wire.pads.hid import Answer, Identity, feature_items
from punktfunk.wire.pads.pad import Button, PadView
from punktfunk.wire.pads.playstation import (
    MAC_BYTES,
    VENDOR,
    bits,
    button_bytes,
    calibration,
    motion,
    motor,
    sticks,
    touch_point,
)
from punktfunk.wire.pads.wishes import LightWish, PadWish, RumbleWish

TOUCHPAD_PX: Final = (1920, 942)
PERIOD_NS: Final = 100_000_000
OUTPUT_ID, OUTPUT_LEAST_BYTES = 0x05, 11
MOTORS, LIGHT = 0x01, 0x02
PLUGGED, FULL = 0x10, 11

_INPUT: Final = Struct("<B4B3B2BHB6h5xB2xBB4s4s21x")
_TEMPERATURE: Final = 0x1A
_THIRD: Final = ((Button.GUIDE, 0x01), (Button.TOUCHPAD, 0x02))

_AXES: Final = "0501 0905 a101 8501 0930 0931 0932 0935 1500 26ff00 7508 9504 8102"
_HAT: Final = "0939 1500 2507 3500 463b01 6514 7504 9501 8142 6500"
_BUTTONS: Final = "0509 1901 290e 1500 2501 7501 950e 8102 0600ff 0920 7506 9501 1500 257f 8102"
_TRIGGERS: Final = "0501 0933 0934 1500 26ff00 7508 9502 8102"
_REST: Final = "0600ff 0921 9536 8102 8505 0922 951f 9102"
_FEATURES: Final[tuple[tuple[int, int, int], ...]] = (
    *((0x04, 0x23, 36), (0x02, 0x24, 36), (0x08, 0x25, 3), (0x10, 0x26, 4), (0x11, 0x27, 2)),
    *((0x12, 0x21, 15), (0x13, 0x22, 22), (0x14, 0x20, 16), (0x15, 0x21, 44)),
    *((0x80, 0x20, 6), (0x81, 0x21, 6), (0x82, 0x22, 5), (0x83, 0x23, 1), (0x84, 0x24, 4)),
    *((0x85, 0x25, 6), (0x86, 0x26, 6), (0x87, 0x27, 35), (0x88, 0x28, 63), (0x89, 0x29, 2)),
    *((0x90, 0x30, 5), (0x91, 0x31, 3), (0x92, 0x32, 3), (0x93, 0x33, 12), (0x94, 0x34, 63)),
    *((0xA0, 0x40, 6), (0xA1, 0x41, 1), (0xA2, 0x42, 1), (0xA3, 0x43, 48), (0xA4, 0x44, 13)),
    *((0xF0, 0x47, 63), (0xF1, 0x48, 63), (0xF2, 0x49, 15), (0xA7, 0x4A, 1), (0xA8, 0x4B, 1)),
    *((0xA9, 0x4C, 8), (0xAA, 0x4E, 1), (0xAB, 0x4F, 57), (0xAC, 0x50, 57), (0xAD, 0x51, 11)),
    *((0xAE, 0x52, 1), (0xAF, 0x53, 2), (0xB0, 0x54, 63), (0xE0, 0x57, 2), (0xB3, 0x55, 63)),
    *((0xB4, 0x55, 63), (0xB5, 0x56, 63), (0xD0, 0x58, 63), (0xD4, 0x59, 63)),
)
_PAGES: Final = {0x12: "0602ff", 0x14: "0605ff", 0x80: "0680ff"}
"""The usage page changes at these features: within the item of the first two, before that of the last."""


def _features() -> bytes:
    built = bytearray()
    for row in _FEATURES:
        items, page = feature_items(row), bytes.fromhex(_PAGES.get(row[0], ""))
        built += page + items if row[0] == 0x80 else items[:2] + page + items[2:]
    return bytes(built)


DESCRIPTOR: Final = bytes.fromhex(_AXES + _HAT + _BUTTONS + _TRIGGERS + _REST) + _features() + b"\xc0"
_FIRMWARE: Final = Struct("<B11s5x8s10xH4xH6x")


class DualShock4:
    """See ``HidPad``; ``mac`` as with the DualSense."""

    identity = Identity(
        "Sony Interactive Entertainment Wireless Controller", VENDOR, 0x09CC, 0x0111, descriptor=DESCRIPTOR
    )
    period_ns = PERIOD_NS
    has_motion = True

    def __init__(self, mac: bytes) -> None:
        self._mac = mac[:MAC_BYTES].ljust(MAC_BYTES, b"\0")
        self._counter = 0

    def report(self, view: PadView, now_ns: int) -> bytes:
        """See ``HidPad``."""
        self._counter = (self._counter + 1) & 0x3F
        ticks = now_ns * 3 // 16_000 & 0xFFFF
        return _INPUT.pack(
            0x01,
            *sticks(view),
            *button_bytes(view),
            bits(view.buttons, _THIRD) | self._counter << 2,
            view.left_trigger,
            view.right_trigger,
            ticks,
            _TEMPERATURE,
            *motion(view),
            battery_byte(view),
            1,
            ticks & 0xFF,
            *(touch_point(contact, *TOUCHPAD_PX) for contact in view.contacts),
        )

    def feature(self, report_id: int) -> bytes | None:
        """See ``HidPad``."""
        match report_id:
            case 0x02:
                return calibration(0x02, 37)
            case 0x12:
                return b"\x12" + self._mac[::-1] + bytes.fromhex("082500") + bytes(6)
            case 0x81:
                return b"\x81" + self._mac[::-1]
            case 0xA3:
                return _FIRMWARE.pack(0xA3, b"Aug  3 2013", b"07:01:12", 0xA000, 0x0100)
            case _:
                size = next((count for number, _usage, count in _FEATURES if number == report_id), None)
                return None if size is None else bytes((report_id,)) + bytes(size)

    def output(self, data: bytes, _view: PadView) -> Answer:
        """See ``HidPad``."""
        if len(data) < OUTPUT_LEAST_BYTES or data[0] != OUTPUT_ID:
            return Answer()
        wishes: list[PadWish] = []
        if data[1] & MOTORS:
            wishes.append(RumbleWish(motor(data[5]), motor(data[4])))
        if data[1] & LIGHT:
            wishes.append(LightWish(*data[6:9]))
        return Answer(tuple(wishes))


def battery_byte(view: PadView) -> int:
    """Charge in tenths and whether a cable is there; a pad of unknown charge is full and plugged in."""
    if view.battery is BatteryState.FULL or view.battery_percent is None:
        return PLUGGED | FULL
    tenths = min(view.battery_percent // 10, 10)
    return tenths if view.battery is BatteryState.DISCHARGING else PLUGGED | tenths
