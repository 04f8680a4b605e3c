"""Keys of the keyboard, by their place: SDL scancodes to the Windows virtual-key codes of the protocol.

Scancodes are USB HID usages (HID Usage Tables, page 0x07), so the place counts and not what is printed on
the key: the host's keymap gives it its meaning (punktfunk-1 §2.10, "US positions"). Volume and media keys
stay with this machine.
"""

from typing import Final

_ROWS: Final[dict[int, tuple[int, ...]]] = {
    4: tuple(range(0x41, 0x5B)),  # A to Z
    30: (*range(0x31, 0x3A), 0x30),  # 1 to 9, 0
    40: (0x0D, 0x1B, 0x08, 0x09, 0x20),  # Return, Escape, Backspace, Tab, Space
    45: (0xBD, 0xBB, 0xDB, 0xDD, 0xDC, 0xDC, 0xBA, 0xDE, 0xC0, 0xBC, 0xBE, 0xBF),  # - = [ ] \ # ; ' ` , . /
    57: (0x14, *range(0x70, 0x7C)),  # Caps Lock, F1 to F12
    70: (0x2C, 0x91, 0x13, 0x2D, 0x24, 0x21, 0x2E, 0x23, 0x22),  # Print ... Page Down
    79: (0x27, 0x25, 0x28, 0x26),  # right left down up
    83: (0x90, 0x6F, 0x6A, 0x6D, 0x6B, 0x6C),  # Num Lock, keypad / * - + Enter
    89: (*range(0x61, 0x6A), 0x60, 0x6E, 0xE2, 0x5D),  # keypad 1 to 9, 0, point; ISO key beside Shift; Menu
    104: tuple(range(0x7C, 0x88)),  # F13 to F24
    133: (0xC2,),  # keypad comma
    135: (0xC1, 0xF2, 0xE1, 0x1C, 0x1D),  # Japanese: Ro, Katakana, Yen, Henkan, Muhenkan
    144: (0x15, 0x19),  # Hangul, Hanja
    148: (0xF3,),  # Zenkaku/Hankaku
    224: (0xA2, 0xA0, 0xA4, 0x5B, 0xA3, 0xA1, 0xA5, 0x5C),  # left, then right: Ctrl Shift Alt Super
}

VIRTUAL_KEYS: Final = {first + place: code for first, row in _ROWS.items() for place, code in enumerate(row)}


def virtual_key(scancode: int) -> int | None:
    """Virtual-key code of a scancode; None for a key that is not sent."""
    return VIRTUAL_KEYS.get(scancode)
