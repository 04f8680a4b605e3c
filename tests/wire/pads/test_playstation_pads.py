"""DualSense and DualShock 4: descriptors, reports and features byte for byte, and what games write to them."""

import hashlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_pad_view import EVENTS, feed

from punktfunk.wire.input import BatteryState
from punktfunk.wire.pads.dualsense import DESCRIPTOR as DUALSENSE_DESCRIPTOR
from punktfunk.wire.pads.dualsense import DualSense
from punktfunk.wire.pads.dualsense import battery_byte as dualsense_battery
from punktfunk.wire.pads.dualshock4 import DESCRIPTOR as DUALSHOCK4_DESCRIPTOR
from punktfunk.wire.pads.dualshock4 import DualShock4
from punktfunk.wire.pads.dualshock4 import battery_byte as dualshock4_battery
from punktfunk.wire.pads.pad import Button, Contact, PadView
from punktfunk.wire.pads.wishes import LightWish, MicLightWish, PlayerLightsWish, RumbleWish, TriggersWish

MAC = bytes.fromhex("02a1b2c3d4e5")
SECOND_NS = 1_000_000_000
STATE = PadView(
    buttons=Button.A | Button.UP | Button.LEFT_SHOULDER | Button.GUIDE | Button.MISC,
    left_trigger=200,
    left_x=16384,
    right_y=-32768,
    rotation=(1.0, -2.0, 100.0),
    acceleration=(0.0, 9.80665, -4.903325),
    contacts=[Contact((0, 0), 5, 1.0, 0.5), None],
)


def test_descriptors_are_those_of_the_hardware():
    """Dumps of real pads: nondebug/dualsense report-descriptor-usb.txt; the DualShock 4's of linux hid-sony."""
    for descriptor, size, digest in (
        (DUALSENSE_DESCRIPTOR, 273, "7587a72ee49550f24da50cbbad203742a0eb9aefbb753c2aaa5bedf8466c0d33"),
        (DUALSHOCK4_DESCRIPTOR, 507, "68b83f0ca188487e879670a0ceb22a73675ba4b51ac2887277f4f534a515fcdf"),
    ):
        assert len(descriptor) == size
        assert hashlib.sha256(descriptor).hexdigest() == digest


def test_dualsense_at_rest():
    expected = bytes.fromhex(
        "01 80808080 0000 01 08000000 00000000 000000000000 000010270000 c0c62d00 14"
        "80000000 80000000 00 0909 000000000000000000 2a 18 000000000000000000"
    )
    assert DualSense(MAC).report(PadView(), SECOND_NS) == expected


def test_dualsense_fields():
    report = DualSense(MAC).report(STATE, 0)
    assert report[1:5] == bytes((0xC0, 0x80, 0x80, 0xFF)), "down is positive, and rest is 128"
    assert report[5:7] == bytes((200, 0))
    assert report[8:12] == bytes((0x20, 0x01 | 0x04, 0x01 | 0x04, 0))
    assert struct.unpack("<6h", report[16:28]) == (20, -40, 2000, 0, 10000, -5000)
    number, *place = report[33:37]
    assert (number, place) == (5, [1919 & 0xFF, 1919 >> 8 | (540 & 15) << 4, 540 >> 4])
    assert report[37] & 0x80
    assert DualSense(MAC).feature(0x09)[1:7] == MAC[::-1]


def test_dualshock4_fields():
    report = DualShock4(MAC).report(STATE, 16_000)
    assert len(report) == 64
    assert report[1:5] == bytes((0xC0, 0x80, 0x80, 0xFF))
    assert report[5:8] == bytes((0x20, 0x05, 0x01 | 1 << 2))
    assert report[8:12] == bytes((200, 0, 3, 0))
    assert struct.unpack("<6h", report[13:25]) == (20, -40, 2000, 0, 10000, -5000)
    assert report[30] == 0x1B, "on its cable and full"
    assert report[33] == 1
    assert report[35] == 5
    assert report[39] & 0x80


@pytest.mark.parametrize(
    ("pad", "sizes"),
    [
        (DualSense(MAC), {0x05: 41, 0x09: 20, 0x20: 64}),
        (DualShock4(MAC), {0x02: 37, 0x12: 16, 0x81: 7, 0xA3: 49}),
    ],
)
def test_features_have_the_size_that_the_kernel_asks_for(pad, sizes):
    for number, size in sizes.items():
        report = pad.feature(number)
        assert (len(report), report[0]) == (size, number)
    assert pad.feature(0x77) is None
    calibration = pad.feature(0x05 if 0x05 in sizes else 0x02)
    plus, minus = struct.unpack_from("<hh", calibration, 7)
    speeds = struct.unpack_from("<hh", calibration, 19)
    assert (plus - minus) / sum(speeds) == 20, "steps per degree/s"
    x_plus, x_minus = struct.unpack_from("<hh", calibration, 23)
    assert (x_plus - x_minus) / 2 == 10_000, "steps per g"


def written(flags0=0, flags1=0, flags2=0, **at):
    report = bytearray(48)
    report[0], report[1], report[2], report[39] = 0x02, flags0, flags1, flags2
    for place, value in at.items():
        start = int(place[1:])
        report[start : start + len(value)] = value
    return bytes(report)


@pytest.mark.parametrize(
    ("report", "wishes"),
    [
        (written(flags0=0x03, _3=b"\x40\x80"), (RumbleWish(0x8080, 0x4040),)),
        (written(flags2=0x04, _3=b"\x00\xff"), (RumbleWish(0xFFFF, 0),)),
        (written(), (RumbleWish(0, 0),)),
        (written(flags1=0x04, _45=b"\x01\x02\x03"), (LightWish(1, 2, 3),)),
        (written(flags1=0x10, _44=b"\xf5"), (PlayerLightsWish(0x15),)),
        (written(flags1=0x01, _9=b"\x02"), (MicLightWish(2),)),
        (written(flags2=0x02), ()),
        (written(flags0=0x04, _11=bytes(range(11))), (TriggersWish(None, bytes(range(11))),)),
        (written(flags0=0x08, _22=bytes(range(11))), (TriggersWish(bytes(range(11)), None),)),
        (written(flags0=0x03)[:47], ()),
        (b"\x31" + bytes(77), ()),
        (b"", ()),
    ],
)
def test_what_is_written_to_a_dualsense(report, wishes):
    answer = DualSense(MAC).output(report, PadView())
    assert answer.wishes == wishes
    assert answer.replies == ()


def test_what_is_written_to_a_dualshock4():
    report = bytes.fromhex("05 03 00 00 40 80 112233") + bytes(23)
    assert DualShock4(MAC).output(report, PadView()).wishes == (
        RumbleWish(0x8080, 0x4040),
        LightWish(0x11, 0x22, 0x33),
    )
    assert DualShock4(MAC).output(b"\x05\x00" + bytes(30), PadView()).wishes == ()


def test_a_weapon_effect_fires_past_its_end():
    pad = DualSense(MAC)
    zones = 1 << 2 | 1 << 5
    pad.output(written(flags0=0x04, _11=bytes((0x25, zones, 0)) + bytes(8)), PadView())
    states = [pad.report(PadView(right_trigger=travel), 0)[42] for travel in (0, 80, 150, 80, 20, 80)]
    assert states == [0x05, 0x15, 0x25, 0x25, 0x05, 0x15]
    pad.output(written(flags0=0x08, _22=bytes((0x21, 0xFC, 3)) + bytes(8)), PadView())
    assert [pad.report(PadView(left_trigger=travel), 0)[43] for travel in (0, 255)] == [0x02, 0x12]


@pytest.mark.parametrize(
    ("state", "percent", "dualsense", "dualshock4"),
    [
        (BatteryState.UNKNOWN, None, 0x2A, 0x1B),
        (BatteryState.DISCHARGING, 37, 0x03, 0x03),
        (BatteryState.CHARGING, 37, 0x13, 0x13),
        (BatteryState.FULL, 100, 0x2A, 0x1B),
    ],
)
def test_battery(state, percent, dualsense, dualshock4):
    view = PadView(battery=state, battery_percent=percent)
    assert dualsense_battery(view) == dualsense
    assert dualshock4_battery(view) == dualshock4


@settings(max_examples=40)
@given(st.lists(EVENTS, max_size=20), st.binary(max_size=80))
def test_any_state_and_any_writer(events, written_by_a_stranger):
    view = PadView()
    pads = DualSense(MAC), DualShock4(MAC)
    for event in events:
        feed(view, event)
    for pad in pads:
        pad.output(written_by_a_stranger, view)
        pad.output(bytes((0x02 if pad is pads[0] else 0x05,)) + written_by_a_stranger, view)
        report = pad.report(view, 12345)
        assert (len(report), report[0]) == (64, 1)
