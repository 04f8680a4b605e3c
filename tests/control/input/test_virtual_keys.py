"""Every virtual-key code that a client can send, on the key it belongs to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.control.input.host_layout import LayoutNames
from punktfunk.control.input.keymap import compile_names
from punktfunk.control.input.virtual_keys import EVDEV, evdev_code

# Every code that Moonlight clients send (moonlight-qt streaming/input/keyboard.cpp; moonlight-android
# binding/input/KeyboardTranslator.java; moonlight-web and -ios send subsets), but for media keys.
SENT = {
    *(0x08, 0x09, 0x0C, 0x0D, 0x13, 0x14, 0x1B, 0x20),
    *range(0x21, 0x29),
    *(0x2C, 0x2D, 0x2E),
    *range(0x30, 0x3A),
    *range(0x41, 0x5B),
    *(0x5B, 0x5C, 0x5D),
    *range(0x60, 0x70),
    *range(0x70, 0x88),
    *(0x90, 0x91),
    *range(0xA0, 0xA6),
    *range(0xA6, 0xB8),
    *range(0xBA, 0xC1),
    *range(0xDB, 0xDF),
    0xE2,
}


def test_every_code_that_clients_send_has_a_key():
    assert sorted(hex(code) for code in SENT - EVDEV.keys()) == []


def test_every_key_is_in_reach_of_a_keymap():
    assert all(1 <= code <= 247 for code in EVDEV.values())


@given(st.integers(0, 0xFFFF))
def test_only_the_low_byte_counts(code):
    assert evdev_code(code) == evdev_code(code | 0x8000) == EVDEV.get(code & 0xFF)


@pytest.mark.parametrize(
    ("codes", "text"),
    [
        (range(0x30, 0x3A), "0123456789"),
        (range(0x41, 0x5B), "abcdefghijklmnopqrstuvwxyz"),
        ((0xBA, 0xBB, 0xBC, 0xBD, 0xBE, 0xBF, 0xC0), ";=,-./`"),
        ((0xDB, 0xDC, 0xDD, 0xDE), "[\\]'"),
        ((0x20,), " "),
    ],
)
def test_printing_keys_print_what_a_us_keyboard_prints(codes, text):
    keymap = compile_names(LayoutNames(layout="us"))
    assert [evdev_code(code) for code in codes] == [keymap.stroke(character).code for character in text]


def test_keypad_media_and_iso_keys():
    assert [evdev_code(0x60 + digit) for digit in range(10)] == [82, 79, 80, 81, 75, 76, 77, 71, 72, 73]
    assert [evdev_code(code) for code in (0xAD, 0xAE, 0xAF, 0xB0, 0xB1, 0xB3)] == [
        113,
        114,
        115,
        163,
        165,
        164,
    ]
    assert (evdev_code(0xE2), evdev_code(0xC1), evdev_code(0xA5)) == (86, 89, 100)
