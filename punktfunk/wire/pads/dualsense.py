"""The DualSense on USB, as linux' hid-playstation and SDL see it.

Input report 0x01, 64 bytes, little-endian:

    offset  size  field
    ------  ----  ------------------------------------------------------------------
         0     1  report id
         1     4  left x, y, right x, y; right and down positive, 128 the middle
         5     2  left and right trigger
         7     1  sequence
         8     4  buttons: d-pad and face; shoulders; PS, touchpad, mute; none
        12     4  zero
        16     6  rotation x, y, z
        22     6  acceleration x, y, z
        28     4  time in 1/3 us
        32     1  temperature
        33     8  two touches
        41     1  zero
        42     2  state of the right and left trigger's effect
        44     9  zero
        53     1  battery: charge in tenths, state above it
        54    10  plugs; zero

Output report 0x02, 48 bytes or more, the id first: 1 and 2 flags, 3 right and 4 left motor, 9 microphone
light, 11 right and 22 left trigger's effect of 11 bytes, 39 more flags, 44 player lights, 45 colour. A writer
sets the flags of what it means to change; one without any flag stops the motors (SDL).
Sources: linux hid-playstation.c; inputtino src/uhid/include/uhid/ps5.hpp; punktfunk pf-inject
dualsense_proto.rs.
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
from punktfunk.wire.pads.trigger_effects import EFFECT_BYTES, TriggerEffects
from punktfunk.wire.pads.wishes import (
    LightWish,
    MicLightWish,
    PadWish,
    PlayerLightsWish,
    RumbleWish,
    TriggersWish,
)

TOUCHPAD_PX: Final = (1920, 1080)
PERIOD_NS: Final = 100_000_000
OUTPUT_ID, OUTPUT_BYTES = 0x02, 48

_INPUT: Final = Struct("<B4B2BB4B4x6hIB4s4sxBB9xBB9x")
_TEMPERATURE, _PLUGS = 0x14, 0x18
_THIRD: Final = ((Button.GUIDE, 0x01), (Button.TOUCHPAD, 0x02), (Button.MISC, 0x04))

_AXES: Final = "0501 0905 a101 8501 0930 0931 0932 0935 0933 0934 1500 26ff00 7508 9506 8102"
_SEQUENCE: Final = "0600ff 0920 9501 8102"
_HAT: Final = "0501 0939 1500 2507 3500 463b01 6514 7504 9501 8142 6500"
_BUTTONS: Final = "0509 1901 290f 1500 2501 7501 950f 8102 0600ff 0921 950d 8102"
_REST: Final = "0600ff 0922 1500 26ff00 7508 9534 8102 8502 0923 952f 9102"
_FEATURES: Final = (
    *((0x05, 0x33, 40), (0x08, 0x34, 47), (0x09, 0x24, 19), (0x0A, 0x25, 26), (0x20, 0x26, 63)),
    *((0x21, 0x27, 4), (0x22, 0x40, 63), (0x80, 0x28, 63), (0x81, 0x29, 63), (0x82, 0x2A, 9)),
    *((0x83, 0x2B, 63), (0x84, 0x2C, 63), (0x85, 0x2D, 2), (0xA0, 0x2E, 1), (0xE0, 0x2F, 63)),
    *((0xF0, 0x30, 63), (0xF1, 0x31, 63), (0xF2, 0x32, 15), (0xF4, 0x35, 63), (0xF5, 0x36, 3)),
)
DESCRIPTOR: Final = (
    bytes.fromhex(_AXES + _SEQUENCE + _HAT + _BUTTONS + _REST) + feature_items(*_FEATURES) + b"\xc0"
)

_FIRMWARE: Final = Struct("<B11s8s4xII12xH18x")
"""Report 0x20: build date and time, hardware and firmware version, and the version of its features."""
FEATURE_VERSION: Final = 0x0630
"""A version with the newer way to rumble (2.21 and above), so that no game asks for an update."""

MOTORS, HAPTICS, RIGHT_TRIGGER, LEFT_TRIGGER = 0x01, 0x02, 0x04, 0x08  # of byte 1
MIC_LIGHT, LIGHT_BAR, PLAYER_LIGHTS = 0x01, 0x04, 0x10  # of byte 2
MOTORS_2 = 0x04  # of byte 39


class DualSense:
    """See ``HidPad``. ``mac`` makes it one of its kind: drivers take two pads with one for the same."""

    identity = Identity(
        "Sony Interactive Entertainment DualSense Wireless Controller",
        VENDOR,
        0x0CE6,
        0x0111,
        descriptor=DESCRIPTOR,
    )
    period_ns = PERIOD_NS
    has_motion = True

    def __init__(self, mac: bytes) -> None:
        self._mac = mac[:MAC_BYTES].ljust(MAC_BYTES, b"\0")
        self._sequence = 0
        self._effects = TriggerEffects()

    def report(self, view: PadView, now_ns: int) -> bytes:
        """See ``HidPad``."""
        self._sequence = (self._sequence + 1) & 0xFF
        left, right = self._effects.states(view.left_trigger, view.right_trigger)
        return _INPUT.pack(
            0x01,
            *sticks(view),
            view.left_trigger,
            view.right_trigger,
            self._sequence,
            *button_bytes(view),
            bits(view.buttons, _THIRD),
            0,
            *motion(view),
            now_ns * 3 // 1000 & 0xFFFFFFFF,
            _TEMPERATURE,
            *(touch_point(contact, *TOUCHPAD_PX) for contact in view.contacts),
            right,
            left,
            battery_byte(view),
            _PLUGS,
        )

    def feature(self, report_id: int) -> bytes | None:
        """See ``HidPad``."""
        match report_id:
            case 0x05:
                return calibration(0x05, 41)
            case 0x09:  # its own address, then the one that it is paired with
                return b"\x09" + self._mac[::-1] + bytes.fromhex("082500") + bytes(10)
            case 0x20:
                versions = 0x01000208, 0x01000036
                return _FIRMWARE.pack(0x20, b"Jun 19 2023", b"14:47:34", *versions, FEATURE_VERSION)
            case _:
                size = next((count for number, _usage, count in _FEATURES if number == report_id), None)
                return None if size is None else bytes((report_id,)) + bytes(size)

    def output(self, data: bytes, _view: PadView) -> Answer:
        """See ``HidPad``."""
        if len(data) < OUTPUT_BYTES or data[0] != OUTPUT_ID:
            return Answer()
        wishes = parse_output(data)
        for wish in wishes:
            if isinstance(wish, TriggersWish):
                self._effects.arm(wish.left, wish.right)
        return Answer(tuple(wishes))


def battery_byte(view: PadView) -> int:
    """Charge in tenths and what the battery does; a pad of unknown charge is full and plugged in."""
    if view.battery is BatteryState.FULL or view.battery_percent is None:
        return 0x2A
    tenths = min(view.battery_percent // 10, 10)
    return tenths if view.battery is BatteryState.DISCHARGING else 0x10 | tenths


def parse_output(data: bytes) -> list[PadWish]:
    """Wishes of an output report 0x02 of at least 48 bytes."""
    first, second, third = data[1], data[2], data[39]
    wishes: list[PadWish] = []
    if first & (MOTORS | HAPTICS) or third & MOTORS_2 or not (first or second or third):
        stops = not (first or second or third)
        wishes.append(RumbleWish(0, 0) if stops else RumbleWish(motor(data[4]), motor(data[3])))
    if second & LIGHT_BAR:
        wishes.append(LightWish(*data[45:48]))
    if second & PLAYER_LIGHTS:
        wishes.append(PlayerLightsWish(data[44] & 0x1F))
    if second & MIC_LIGHT:
        wishes.append(MicLightWish(min(data[9], 2)))
    if first & (RIGHT_TRIGGER | LEFT_TRIGGER):
        right = data[11 : 11 + EFFECT_BYTES] if first & RIGHT_TRIGGER else None
        left = data[22 : 22 + EFFECT_BYTES] if first & LEFT_TRIGGER else None
        wishes.append(TriggersWish(left, right))
    return wishes
