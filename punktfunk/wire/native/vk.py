"""Windows virtual-key codes and Linux evdev codes, one for one: the keys of a US keyboard by position.

This is punktfunk/1's own table. In three places it says other keys than Moonlight's clients mean by the code,
for whom ``punktfunk.wire.input`` was made: the keypad's Enter, Yen and Katakana; ``to_input`` translates.
Codes 10 to 12, which name no side, are the left key. Spec: punktfunk-1.md section 2.10, "Key codes".
"""

from typing import Final

_LETTERS: Final = (
    *(30, 48, 46, 32, 18, 33, 34, 35, 23, 36, 37, 38, 50),
    *(49, 24, 25, 16, 19, 31, 20, 22, 47, 17, 45, 21, 44),
)
_KEYPAD: Final = (82, 79, 80, 81, 75, 76, 77, 71, 72, 73)

VK_TO_EVDEV: Final[dict[int, int]] = {
    0x08: 14,  # Backspace
    0x09: 15,  # Tab
    0x0D: 28,  # Enter
    0x13: 119,  # Pause
    0x14: 58,  # Caps Lock
    0x15: 122,  # Hangul, Kana
    0x19: 123,  # Hanja, Kanji
    0x1B: 1,  # Escape
    0x1C: 92,  # Henkan
    0x1D: 94,  # Muhenkan
    0x20: 57,  # Space
    0x21: 104,  # Page Up
    0x22: 109,  # Page Down
    0x23: 107,  # End
    0x24: 102,  # Home
    0x25: 105,  # Left
    0x26: 103,  # Up
    0x27: 106,  # Right
    0x28: 108,  # Down
    0x2C: 99,  # Print Screen
    0x2D: 110,  # Insert
    0x2E: 111,  # Delete
    0x30: 11,  # 0
    **{0x31 + digit: 2 + digit for digit in range(9)},
    **{0x41 + place: code for place, code in enumerate(_LETTERS)},
    0x5B: 125,  # left Windows
    0x5C: 126,  # right Windows
    0x5D: 127,  # Menu
    **{0x60 + digit: code for digit, code in enumerate(_KEYPAD)},
    0x6A: 55,  # keypad *
    0x6B: 78,  # keypad +
    0x6C: 96,  # keypad Enter
    0x6D: 74,  # keypad -
    0x6E: 83,  # keypad .
    0x6F: 98,  # keypad /
    **{0x70 + number: 59 + number for number in range(10)},  # F1 to F10
    0x7A: 87,  # F11
    0x7B: 88,  # F12
    0x90: 69,  # Num Lock
    0x91: 70,  # Scroll Lock
    0xA0: 42,  # left Shift
    0xA1: 54,  # right Shift
    0xA2: 29,  # left Control
    0xA3: 97,  # right Control
    0xA4: 56,  # left Alt
    0xA5: 100,  # right Alt
    0xBA: 39,  # ;
    0xBB: 13,  # =
    0xBC: 51,  # ,
    0xBD: 12,  # -
    0xBE: 52,  # .
    0xBF: 53,  # /
    0xC0: 41,  # `
    0xC1: 89,  # Ro
    0xC2: 121,  # keypad comma
    0xDB: 26,  # [
    0xDC: 43,  # \
    0xDD: 27,  # ]
    0xDE: 40,  # '
    0xE1: 124,  # Yen
    0xE2: 86,  # beside the left Shift
    0xF2: 93,  # Katakana or Hiragana
    0xF3: 85,  # Zenkaku or Hankaku
}


KEYPAD_ENTER: Final = 0x0E
"""The keypad's Enter in our vocabulary: Windows reserves the code and has none of its own for the key."""

_TO_INPUT: Final = {0x6C: KEYPAD_ENTER, 0xF2: 0xF5}


def to_input(virtual_key: int) -> int | None:
    """Code in ``punktfunk.wire.input`` of a code on the wire; None above 8 bits."""
    return _TO_INPUT.get(virtual_key, virtual_key) if 0 <= virtual_key <= 0xFF else None
