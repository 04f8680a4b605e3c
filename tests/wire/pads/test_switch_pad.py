"""The Switch Pro Controller: its opening talk with the driver, reports, memory, rumble."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_pad_view import EVENTS, feed

from punktfunk.wire.input import BatteryState
from punktfunk.wire.pads.pad import Button, PadView
from punktfunk.wire.pads.switch_memory import read_memory
from punktfunk.wire.pads.switch_pro import DESCRIPTOR, SwitchPro, battery_byte, motion, stick
from punktfunk.wire.pads.switch_rumble import amplitude, rumble_levels
from punktfunk.wire.pads.wishes import PlayerLightsWish, RumbleWish

MAC = bytes.fromhex("98b6e9010203")
QUIET = bytes.fromhex("00014040 00014040")
KERNEL_AMPLITUDES = {
    1: 10,
    5: 20,
    15: 112,
    16: 117,
    31: 225,
    32: 230,
    50: 340,
    64: 460,
    82: 679,
    99: 981,
    100: 1003,
}
"""Rows of joycon_rumble_amplitudes in linux drivers/hid/hid-nintendo.c."""


def said(pad, *data):
    return pad.output(bytes(data), PadView())


def subcommand(pad, number, *arguments, rumble=QUIET):
    return pad.output(bytes((0x01, 0)) + rumble + bytes((number, *arguments)), PadView())


def test_descriptor_is_that_of_the_hardware():
    assert len(DESCRIPTOR) == 203
    assert hashlib.sha256(DESCRIPTOR).hexdigest() == (
        "25f0b3b7e59bdfec05e8cced16e43a8878509865a0cb223f05025c556f3bedba"
    )


def test_the_drivers_opening_is_answered():
    pad = SwitchPro(MAC)
    for command in (0x02, 0x03, 0x02, 0x04):
        (reply,) = said(pad, 0x80, command).replies
        assert (len(reply), reply[:2]) == (64, bytes((0x81, command)))
    (reply,) = said(pad, 0x80, 0x01).replies
    assert reply[:10] == bytes((0x81, 0x01, 0x00, 0x03)) + MAC[::-1]
    (reply,) = subcommand(pad, 0x02).replies
    assert reply[0] == 0x21
    assert reply[13:15] == b"\x82\x02"
    assert reply[17] == 3, "a Pro Controller"
    assert reply[19:25] == MAC
    for number in (0x03, 0x40, 0x48, 0x38):
        (reply,) = subcommand(pad, number, 1).replies
        assert reply[13:15] == bytes((0x80, number))


@pytest.mark.parametrize(
    ("address", "size", "content"),
    [
        (0x8010, 2, "ffff"),
        (0x603D, 9, "fff77f 000880 fff77f"),
        (0x6046, 9, "000880 fff77f fff77f"),
        (0x6020, 24, "000000000000 004000400040 000000000000 3b343b343b34"),
        (0x6050, 3, "323232"),
    ],
)
def test_memory(address, size, content):
    (reply,) = subcommand(SwitchPro(MAC), 0x10, *address.to_bytes(4, "little"), size).replies
    assert reply[13:15] == b"\x90\x10"
    assert reply[15:20] == address.to_bytes(4, "little") + bytes((size,))
    assert reply[20 : 20 + size] == bytes.fromhex(content)


def test_both_sticks_in_one_read_as_sdl_does():
    assert read_memory(0x603D, 18) == read_memory(0x603D, 9) + read_memory(0x6046, 9)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(0, 255))
def test_any_read_has_its_size(address, size):
    assert len(read_memory(address, size)) == min(size, 29)


def test_report():
    view = PadView(
        buttons=Button.A | Button.RIGHT_SHOULDER | Button.GUIDE | Button.UP, left_trigger=1, left_x=32767
    )
    report = SwitchPro(MAC).report(view, 0)
    assert len(report) == 64
    assert report[0] == 0x30
    assert report[3:6] == bytes((0x44, 0x10, 0x82))
    assert report[6:9] == bytes.fromhex("ff0f80")
    assert report[12], "without it the driver sends no rumble"
    assert report[13:25] == report[25:37] == report[37:49]
    assert stick(0, 0) == bytes.fromhex("000880")
    assert stick(-32768, -32768) == bytes.fromhex("011000")


def test_motion_lies_in_the_pads_own_axes():
    view = PadView(acceleration=(0.0, 9.80665, 0.0), rotation=(10.0, 20.0, 30.0))
    assert motion(view) == (0, 0, 4096, -427, -142, 285)


def test_lights_and_rumble():
    answer = subcommand(SwitchPro(MAC), 0x30, 0x21)
    assert answer.wishes == (RumbleWish(0, 0), PlayerLightsWish(0b0011))
    heavy = bytes.fromhex("00c84072 00014040")
    assert said(SwitchPro(MAC), 0x10, 0, *heavy).wishes == (RumbleWish(65535, 0),)
    sdl = bytes.fromhex("00 01 40 72") * 2  # the low band of both sides
    assert rumble_levels(sdl) == (65535, 0)


def test_amplitudes_are_those_of_the_kernels_table():
    for step, expected in KERNEL_AMPLITUDES.items():
        assert amplitude(step) * 1003 == pytest.approx(expected, abs=1.2)
    assert amplitude(0) == 0
    assert amplitude(127) == 1


@pytest.mark.parametrize(
    ("state", "percent", "byte"),
    [
        (BatteryState.UNKNOWN, None, 0x81),
        (BatteryState.DISCHARGING, 3, 0x00),
        (BatteryState.DISCHARGING, 76, 0x60),
        (BatteryState.CHARGING, 50, 0x51),
        (BatteryState.FULL, 100, 0x81),
    ],
)
def test_battery_of_the_switch_pad(state, percent, byte):
    assert battery_byte(PadView(battery=state, battery_percent=percent)) == byte


@settings(max_examples=40)
@given(
    st.lists(EVENTS, max_size=20), st.binary(max_size=80), st.sampled_from([b"", b"\x01", b"\x10", b"\x80"])
)
def test_any_state_and_any_writer_of_a_switch_pad(events, data, head):
    pad, view = SwitchPro(MAC), PadView()
    for event in events:
        feed(view, event)
    answer = pad.output(head + data, view)
    assert all(len(reply) == 64 for reply in answer.replies)
    assert len(pad.report(view, 0)) == 64
