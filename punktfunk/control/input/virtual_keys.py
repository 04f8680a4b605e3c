"""Windows virtual-key codes to evdev codes: which key of a US keyboard a client means.

Moonlight normalises keys to the US layout: VK_Q is the key right of Tab whatever is printed on it, and the
host's keymap then gives it its meaning. Codes: "Virtual-Key Codes" of the Windows documentation; numbers
of linux/input-event-codes.h. Codes above 247 have no place in an X keymap and are left out.
"""

LEFT_SHIFT, LEFT_CTRL, LEFT_ALT, LEFT_META = 42, 29, 56, 125
NUM_LOCK = 69

LETTER_ROWS = ((16, "QWERTYUIOP"), (30, "ASDFGHJKL"), (44, "ZXCVBNM"))

EVDEV: dict[int, int] = {
    0x03: 223,  # VK_CANCEL: KEY_CANCEL
    0x08: 14,  # VK_BACK
    0x09: 15,  # VK_TAB
    0x0C: 76,  # VK_CLEAR: keypad 5 without Num Lock
    0x0D: 28,  # VK_RETURN; Moonlight's clients send it for the keypad's Enter too
    0x0E: 96,  # reserved by Windows: the keypad's Enter of punktfunk/1 (punktfunk.wire.native.vk)
    0x10: LEFT_SHIFT,
    0x11: LEFT_CTRL,
    0x12: LEFT_ALT,
    0x13: 119,  # VK_PAUSE
    0x14: 58,  # VK_CAPITAL
    0x15: 122,  # VK_HANGUL, VK_KANA: KEY_HANGEUL
    0x19: 123,  # VK_HANJA, VK_KANJI: KEY_HANJA
    0x1B: 1,  # VK_ESCAPE
    0x1C: 92,  # VK_CONVERT: KEY_HENKAN
    0x1D: 94,  # VK_NONCONVERT: KEY_MUHENKAN
    0x20: 57,  # VK_SPACE
    0x21: 104,  # VK_PRIOR
    0x22: 109,  # VK_NEXT
    0x23: 107,  # VK_END
    0x24: 102,  # VK_HOME
    0x25: 105,  # VK_LEFT
    0x26: 103,  # VK_UP
    0x27: 106,  # VK_RIGHT
    0x28: 108,  # VK_DOWN
    0x2A: 210,  # VK_PRINT: KEY_PRINT
    0x2B: 134,  # VK_EXECUTE: KEY_OPEN
    0x2C: 99,  # VK_SNAPSHOT: KEY_SYSRQ
    0x2D: 110,  # VK_INSERT
    0x2E: 111,  # VK_DELETE
    0x2F: 138,  # VK_HELP
    0x30: 11,  # 0
    **{0x31 + digit: 2 + digit for digit in range(9)},  # 1 to 9
    **{ord(letter): first + place for first, row in LETTER_ROWS for place, letter in enumerate(row)},
    0x5B: LEFT_META,  # VK_LWIN
    0x5C: 126,  # VK_RWIN
    0x5D: 127,  # VK_APPS: KEY_COMPOSE
    0x5F: 142,  # VK_SLEEP
    0x60: 82,  # VK_NUMPAD0
    0x61: 79,
    0x62: 80,
    0x63: 81,
    0x64: 75,
    0x65: 76,
    0x66: 77,
    0x67: 71,
    0x68: 72,
    0x69: 73,  # VK_NUMPAD9
    0x6A: 55,  # VK_MULTIPLY
    0x6B: 78,  # VK_ADD
    0x6C: 121,  # VK_SEPARATOR: KEY_KPCOMMA
    0x6D: 74,  # VK_SUBTRACT
    0x6E: 83,  # VK_DECIMAL
    0x6F: 98,  # VK_DIVIDE
    **{0x70 + number: 59 + number for number in range(10)},  # F1 to F10
    0x7A: 87,  # VK_F11
    0x7B: 88,  # VK_F12
    **{0x7C + number: 183 + number for number in range(12)},  # F13 to F24
    0x90: NUM_LOCK,
    0x91: 70,  # VK_SCROLL
    0x92: 117,  # VK_OEM_NEC_EQUAL: KEY_KPEQUAL
    0xA0: LEFT_SHIFT,
    0xA1: 54,  # VK_RSHIFT
    0xA2: LEFT_CTRL,
    0xA3: 97,  # VK_RCONTROL
    0xA4: LEFT_ALT,
    0xA5: 100,  # VK_RMENU
    0xA6: 158,  # VK_BROWSER_BACK
    0xA7: 159,  # VK_BROWSER_FORWARD
    0xA8: 173,  # VK_BROWSER_REFRESH
    0xA9: 128,  # VK_BROWSER_STOP
    0xAA: 217,  # VK_BROWSER_SEARCH
    0xAB: 156,  # VK_BROWSER_FAVORITES: KEY_BOOKMARKS
    0xAC: 172,  # VK_BROWSER_HOME
    0xAD: 113,  # VK_VOLUME_MUTE
    0xAE: 114,  # VK_VOLUME_DOWN
    0xAF: 115,  # VK_VOLUME_UP
    0xB0: 163,  # VK_MEDIA_NEXT_TRACK
    0xB1: 165,  # VK_MEDIA_PREV_TRACK
    0xB2: 166,  # VK_MEDIA_STOP
    0xB3: 164,  # VK_MEDIA_PLAY_PAUSE
    0xB4: 155,  # VK_LAUNCH_MAIL
    0xB5: 226,  # VK_LAUNCH_MEDIA_SELECT: KEY_MEDIA
    0xB6: 157,  # VK_LAUNCH_APP1: KEY_COMPUTER
    0xB7: 140,  # VK_LAUNCH_APP2: KEY_CALC
    0xBA: 39,  # VK_OEM_1 ;
    0xBB: 13,  # VK_OEM_PLUS =
    0xBC: 51,  # VK_OEM_COMMA
    0xBD: 12,  # VK_OEM_MINUS
    0xBE: 52,  # VK_OEM_PERIOD
    0xBF: 53,  # VK_OEM_2 /
    0xC0: 41,  # VK_OEM_3 `
    0xC1: 89,  # VK_ABNT_C1: KEY_RO
    0xC2: 121,  # VK_ABNT_C2: KEY_KPCOMMA
    0xDB: 26,  # VK_OEM_4 [
    0xDC: 43,  # VK_OEM_5 \
    0xDD: 27,  # VK_OEM_6 ]
    0xDE: 40,  # VK_OEM_7 '
    0xDF: 41,  # VK_OEM_8: ` on British keyboards
    0xE1: 124,  # of no fixed meaning in Windows: Yen of punktfunk/1
    0xE2: 86,  # VK_OEM_102: the key beside the left Shift of ISO keyboards
    0xF0: 58,  # VK_OEM_ATTN: alphanumeric, where Caps Lock is
    0xF1: 90,  # VK_OEM_FINISH: KEY_KATAKANA
    0xF2: 91,  # VK_OEM_COPY: KEY_HIRAGANA
    0xF3: 85,  # VK_OEM_AUTO: KEY_ZENKAKUHANKAKU
    0xF4: 85,  # VK_OEM_ENLW
    0xF5: 93,  # VK_OEM_BACKTAB: KEY_KATAKANAHIRAGANA
    0xFA: 207,  # VK_PLAY
}

CHARACTERS = frozenset([*range(0x30, 0x3A), *range(0x41, 0x5B)])
"""Codes that name a character: a client that does not normalise means it, wherever the host's key is."""


def evdev_code(virtual_key: int) -> int | None:
    """Translate a code; None for one that no keyboard has. Only the low byte counts (Qt sets 0x8000)."""
    return EVDEV.get(virtual_key & 0xFF)
