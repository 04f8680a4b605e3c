"""Feedback messages byte by byte, and a client's reading of them."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError
from punktfunk.wire.gamestream.feedback import (
    AdaptiveTriggers,
    HdrMetadata,
    HdrMode,
    Led,
    MotionReports,
    Rumble,
    Termination,
    TerminationCode,
    TriggerRumble,
    TriggerSide,
    build_feedback,
)
from punktfunk.wire.input import MotionKind

BT2020 = HdrMetadata((35400, 14600), (8500, 39850), (6550, 2300), (15635, 16450), 1000, 50, 800, 400, 600)


@pytest.mark.parametrize(
    ("feedback", "packet"),
    [
        (Rumble(1, 0x1234, 0xFFFF), "0b01 0a00 00000000 0100 3412 ffff"),
        (TriggerRumble(15, 1, 2), "0055 0600 0f00 0100 0200"),
        (MotionReports(2, 100, MotionKind.GYROSCOPE), "0155 0500 0200 6400 02"),
        (Led(3, 255, 128, 0), "0255 0500 0300 ff 80 00"),
        (
            AdaptiveTriggers(1, TriggerSide.LEFT | TriggerSide.RIGHT, 0x21, 0x26, b"L" * 10, b"R" * 10),
            "0355 1900 0100 0c 21 26" + "4c" * 10 + "52" * 10,
        ),
        (HdrMode(enabled=False), "0e01 1b00 00" + "0000" * 13),
        (
            HdrMode(enabled=True, metadata=BT2020),
            "0e01 1b00 01 488a 0839 3421 aa9b 9619 fc08 133d 4240 e803 3200 2003 9001 5802",
        ),
        (Termination(), "0901 0400 80030023"),
        (Termination(TerminationCode.PROTECTED_CONTENT), "0901 0400 800e9302"),
        (Termination(5), "0901 0400 00000005"),
    ],
)
def test_golden(feedback, packet):
    assert build_feedback(feedback) == bytes.fromhex(packet.replace(" ", ""))


@pytest.mark.parametrize(
    "feedback",
    [
        Rumble(65536, 0, 0),
        Rumble(0, -1, 0),
        TriggerRumble(0, 70000, 0),
        MotionReports(0, 70000, MotionKind.ACCELERATION),
        Led(0, 256, 0, 0),
        AdaptiveTriggers(0, TriggerSide.LEFT, 0, 0, b"short", bytes(10)),
        AdaptiveTriggers(0, TriggerSide.LEFT, 256, 0, bytes(10), bytes(10)),
        HdrMode(enabled=True, metadata=HdrMetadata(max_luminance_nit=100_000)),
        Termination(2**32),
    ],
)
def test_values_that_do_not_fit_are_refused(feedback):
    with pytest.raises(LocalProtocolError):
        build_feedback(feedback)


WORD = st.integers(0, 65535)
BYTE = st.integers(0, 255)


@given(WORD, WORD, WORD)
def test_round_trip_of_words(first, second, third):
    rumble = build_feedback(Rumble(first, second, third))
    assert struct.unpack("<HH4xHHH", rumble) == (0x010B, 10, first, second, third)
    triggers = build_feedback(TriggerRumble(first, second, third))
    assert struct.unpack("<5H", triggers) == (0x5500, 6, first, second, third)


@given(WORD, BYTE, BYTE, BYTE, st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_round_trip_of_bytes(pad, red, green, blue, left, right):
    assert struct.unpack("<HHHBBB", build_feedback(Led(pad, red, green, blue))) == (
        0x5502, 5, pad, red, green, blue,
    )  # fmt: skip
    packet = build_feedback(AdaptiveTriggers(pad, TriggerSide.RIGHT, red, green, left, right))
    assert struct.unpack("<HHHBBB10s10s", packet) == (0x5503, 25, pad, 4, red, green, left, right)


@given(st.lists(WORD, min_size=13, max_size=13), st.booleans())
def test_round_trip_of_hdr(words, enabled):
    points = [tuple(words[n : n + 2]) for n in range(0, 8, 2)]
    packet = build_feedback(HdrMode(enabled, HdrMetadata(*points, *words[8:])))
    assert struct.unpack("<HHB13H", packet) == (0x010E, 27, enabled, *words)
