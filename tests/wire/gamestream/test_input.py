"""Input packets: golden hex of every kind, round trips, clamping, and garbage."""

import contextlib
import struct
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.gamestream.input import MAX_INPUT_BYTES, parse_input
from punktfunk.wire.input import (
    BatteryState,
    ContactEvent,
    HapticsEnable,
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


def packet(magic, body):
    return struct.pack(">I", 4 + len(body)) + struct.pack("<I", magic) + body


def hexed(magic, body):
    return packet(magic, bytes.fromhex(body.replace(" ", "")))


PAD = "1a00 0300 0900 1400 0110 80 ff 0080 ff7f 0100 ffff 9c00 2100 5500"

GOLDEN = [
    (hexed(0x03, "00 4180 03 0000"), Key(0x41, pressed=True, modifiers=Modifiers.SHIFT | Modifiers.CTRL)),
    (hexed(0x04, "01 5b80 08 0000"), Key(0x5B, pressed=False, modifiers=Modifiers.META, normalised=False)),
    (hexed(0x05, "0064 00c8 0000 04ff 02cf"), MouseMoveAbsolute(100, 200, 1280, 720)),
    (hexed(0x05, "ffff 7fff 0000 04ff 02cf"), MouseMoveAbsolute(0, 719, 1280, 720)),
    (hexed(0x05, "0000 0000 0000 0000 0000"), MouseMoveAbsolute(0, 0, 1, 1)),
    (hexed(0x07, "0001 ffff"), MouseMove(1, -1)),
    (hexed(0x08, "01"), MouseClick(MouseButton.LEFT, pressed=True)),
    (hexed(0x09, "05"), MouseClick(MouseButton.X2, pressed=False)),
    (hexed(0x0A, "0078 0078 0000"), Wheel(vertical=120)),
    (hexed(0x0A, "fff1 fff1 0000"), Wheel(vertical=-15)),
    (hexed(0x55000001, "ff88"), Wheel(horizontal=-120)),
    (hexed(0x0C, PAD), PadState(3, 9, 0x211001, 0x80, 0xFF, -32768, 32767, 1, -1)),
    (hexed(0x0D, "0100"), HapticsEnable(enabled=True)),
    (hexed(0x0D, "0000"), HapticsEnable(enabled=False)),
    (packet(0x17, "ß€😀".encode()), Text("ß€😀")),
    (
        packet(0x55000002, struct.pack("<BxHI5f", 1, 90, 2**32 - 1, 0.5, 0.25, 1, 0.125, 0)),
        Touch(ContactEvent.DOWN, 2**32 - 1, 0.5, 0.25, 1.0, 0.125, 0.0, 90),
    ),
    (
        packet(0x55000002, struct.pack("<BxHI5f", 3, 0xFFFF, 0, -1, 7, 2, 0, 0)),
        Touch(ContactEvent.MOVE, 0, 0.0, 1.0, 1.0, 0.0, 0.0, None),
    ),
    (
        packet(0x55000002, struct.pack("<BxHI5f", 7, 0xFFFF, 0, nan, inf, nan, nan, nan)),
        Touch(ContactEvent.CANCEL_ALL, 0, 0.0, 0.0, 0.0, 0.0, 0.0, None),
    ),
    (
        packet(0x55000003, struct.pack("<BBBx3fHBx2f", 3, 2, 5, 0.5, 0.25, 0.75, 361, 45, 0.5, 0.125)),
        Pen(ContactEvent.MOVE, PenTool.ERASER, 5, 0.5, 0.25, 0.75, 0.5, 0.125, 1, 45),
    ),
    (
        packet(0x55000003, struct.pack("<BBBx3fHBx2f", 5, 9, 1, nan, nan, nan, 0xFFFF, 0xFF, nan, nan)),
        Pen(ContactEvent.BUTTON_ONLY, PenTool.UNKNOWN, 1, 0.0, 0.0, 0.0, 0.0, 0.0, None, None),
    ),
    (
        hexed(0x55000004, "0f 02 ff01 ffff3f00"),
        PadArrival(15, PadKind.PLAYSTATION, 0x1FF, 0x3FFFFF),
    ),
    (hexed(0x55000004, "00 63 0000 00000000"), PadArrival(0, PadKind.UNKNOWN, 0, 0)),
    (
        packet(0x55000005, struct.pack("<BBxBI3f", 2, 3, 1, 4, 0.5, 0.25, 1)),
        PadTouch(2, 1, ContactEvent.MOVE, 4, 0.5, 0.25, 1.0),
    ),
    (
        packet(0x55000006, struct.pack("<BB2x3f", 2, 2, -180, 0.5, 1000)),
        PadMotion(2, MotionKind.GYROSCOPE, -180.0, 0.5, 1000.0),
    ),
    (hexed(0x55000007, "01 03 50 00"), PadBattery(1, BatteryState.CHARGING, 80)),
    (hexed(0x55000007, "01 63 ff 00"), PadBattery(1, BatteryState.UNKNOWN, None)),
    (hexed(0x55000007, "01 05 c8 00"), PadBattery(1, BatteryState.FULL, 100)),
]


@pytest.mark.parametrize(("data", "event"), GOLDEN)
def test_golden(data, event):
    assert parse_input(data) == [event]


@pytest.mark.parametrize(("data", "event"), [pair for pair in GOLDEN if not isinstance(pair[1], Text)])
def test_longer_bodies_are_extensions(data, event):
    (magic,) = struct.unpack_from("<I", data, 4)
    assert parse_input(packet(magic, data[8:] + b"later")) == [event]


@pytest.mark.parametrize(
    "data",
    [
        hexed(0x06, "0001 0001"),
        hexed(0x55000099, "00"),
        hexed(0x08, "06"),
        hexed(0x09, "00"),
        packet(0x17, b""),
        packet(0x55000002, struct.pack("<BxHI5f", 8, 0, 0, 0, 0, 0, 0, 0)),
        packet(0x55000003, struct.pack("<BBBx3fHBx2f", 99, 0, 0, 0, 0, 0, 0, 0, 0, 0)),
        packet(0x55000005, struct.pack("<BBxBI3f", 0, 77, 0, 0, 0, 0, 0)),
        packet(0x55000006, struct.pack("<BB2x3f", 0, 3, 0, 0, 0)),
    ],
)
def test_unknown_kinds_give_no_event(data):
    assert parse_input(data) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        packet(0x17, b"\xff"),
        packet(0x17, b"\xed\xa0\x80"),
        packet(0x17, bytes(MAX_INPUT_BYTES)),
        hexed(0x05, "0000 0000 0000 ffff 02cf"),
        hexed(0x05, "0000 0000 0000 02cf 8000"),
        hexed(0x0C, PAD.replace("0300", "1000", 1)),
        hexed(0x55000004, "10 00 0000 00000000"),
        hexed(0x55000007, "ff 00 00 00"),
        packet(0x55000002, struct.pack("<BxHI5f", 1, 0, 0, nan, 0, 0, 0, 0)),
        packet(0x55000003, struct.pack("<BBBx3fHBx2f", 1, 0, 0, 0, 0, 0, 0, 0, 0, -inf)),
        packet(0x55000005, struct.pack("<BBxBI3f", 0, 1, 0, 0, 0, 0, nan)),
        packet(0x55000006, struct.pack("<BB2x3f", 0, 1, 0, inf, 0)),
        packet(0x07, b"\0\1\0\1")[:-1],
        packet(0x07, b"\0\1\0\1") + b"\0",
    ],
)
def test_malformed_packets_are_refused(data):
    with pytest.raises(RemoteProtocolError):
        parse_input(data)


@pytest.mark.parametrize(("data", "event"), GOLDEN)
def test_truncation_at_every_byte(data, event):
    for length in range(len(data)):
        with pytest.raises(RemoteProtocolError):
            parse_input(data[:length])
        if length >= 8 and not isinstance(event, Text):  # a shorter body whose size field agrees
            (magic,) = struct.unpack_from("<I", data, 4)
            with pytest.raises(RemoteProtocolError):
                parse_input(packet(magic, data[8:length]))


MAGICS = [0x03, 0x04, 0x05, 0x07, 0x08, 0x09, 0x0A, 0x0C, 0x0D, 0x17, *range(0x55000001, 0x55000008)]


@given(st.sampled_from(MAGICS), st.binary(max_size=48))
@settings(max_examples=200)
def test_random_bodies_parse_or_are_refused(magic, body):
    with contextlib.suppress(RemoteProtocolError):
        assert len(parse_input(packet(magic, body))) <= 1


@given(st.binary(max_size=64))
def test_garbage_only_raises_remote_protocol_error(data):
    with contextlib.suppress(RemoteProtocolError):
        parse_input(data)


SHORT = st.integers(-32768, 32767)
UNIT = st.floats(0, 1, width=32)


@given(SHORT, SHORT)
def test_mouse_round_trip(x, y):
    assert parse_input(packet(0x07, struct.pack(">hh", x, y))) == [MouseMove(x, y)]


@given(st.integers(1, 32768), st.integers(1, 32768), SHORT, SHORT)
def test_absolute_positions_stay_on_the_plane(width, height, x, y):
    (event,) = parse_input(packet(0x05, struct.pack(">hh2xhh", x, y, width - 1, height - 1)))
    assert (event.width, event.height) == (width, height)
    assert 0 <= event.x < width
    assert 0 <= event.y < height
    assert event.x == x or not 0 <= x < width


@given(st.text(min_size=1, max_size=8))
def test_text_round_trip(text):
    assert parse_input(packet(0x17, text.encode())) == [Text(text)]


@given(UNIT, UNIT, UNIT, UNIT, UNIT, st.integers(0, 359), st.sampled_from(list(ContactEvent)))
def test_touch_round_trip(x, y, pressure, major, minor, rotation, event):
    data = packet(0x55000002, struct.pack("<BxHI5f", event, rotation, 3, x, y, pressure, major, minor))
    floats = (x, y, pressure, major, minor)
    if event in (ContactEvent.CANCEL, ContactEvent.CANCEL_ALL, ContactEvent.BUTTON_ONLY):
        floats = (0.0,) * 5
    assert parse_input(data) == [Touch(event, 3, *floats, rotation)]


@given(
    st.integers(0, 15), st.integers(0, 65535), st.integers(0, 2**32 - 1), st.integers(0, 255), SHORT, SHORT
)
def test_pad_round_trip(pad, mask, buttons, trigger, x, y):
    body = struct.pack(
        "<HHHHHBBhhhhHHH",
        0x1A, pad, mask, 0x14, buttons & 0xFFFF, trigger, 255 - trigger, x, y, y, x, 0x9C, buttons >> 16, 0x55,
    )  # fmt: skip
    assert parse_input(packet(0x0C, body)) == [
        PadState(pad, mask, buttons, trigger, 255 - trigger, x, y, y, x)
    ]
