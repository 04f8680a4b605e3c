"""Key and text events as presses of evdev keys, for whatever presses evdev keys: EIS, Notify*, uinput, wlr.

Text is for those whose compositor follows modifiers itself, in its own keymap; a virtual keyboard of wlr is
told them apart and types in its own way. Whoever asks for a character gets the keys that type it there;
characters that it lacks are entered by Ctrl+Shift+U and their number in hexadecimal, as GTK's and IBus's
programs understand it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from punktfunk.control.input.virtual_keys import (
    CHARACTERS,
    LEFT_ALT,
    LEFT_CTRL,
    LEFT_META,
    LEFT_SHIFT,
    evdev_code,
)
from punktfunk.wire.input import Key, Modifiers

if TYPE_CHECKING:
    from punktfunk.control.input.keymap import Keymap

RIGHT_ALT: Final = 100
MODIFIER_KEYS: Final = {
    Modifiers.SHIFT: (LEFT_SHIFT, 54),
    Modifiers.CTRL: (LEFT_CTRL, 97),
    Modifiers.ALT: (LEFT_ALT, RIGHT_ALT),
    Modifiers.META: (LEFT_META, 126),
}
ALL_MODIFIERS: Final = frozenset(code for codes in MODIFIER_KEYS.values() for code in codes)
SHIFT_MASK, LEVEL_3_MASK = 1, 1 << 7
"""Real modifiers of X keymaps: Shift, and Mod5, which layouts put on the right Alt as AltGr."""

ENTER, SPACE, TAB, BACKSPACE, KEY_U = 28, 57, 15, 14, 22
CONTROL_CODES: Final = {"\n": ENTER, "\r": ENTER, "\t": TAB, "\b": BACKSPACE}
HEX_CODES: Final = dict(zip("0123456789abcdef", (11, *range(2, 11), 30, 48, 46, 32, 18, 33), strict=True))
"""Keys of hexadecimal digits on a US keyboard, for when there is no keymap to look them up."""


class HeldKeys:
    """The keys that one client holds; ``send(code, pressed)`` makes one real."""

    def __init__(self, send: Callable[[int, bool], None], keymap: "Keymap | None" = None) -> None:
        self.keymap = keymap
        """The compositor's, where it is known; may change while it is used."""
        self._send = send
        self._held: set[int] = set()

    @property
    def held(self) -> frozenset[int]:
        """Codes that are down."""
        return frozenset(self._held)

    def key(self, event: Key) -> bool:
        """Press or release a key; False if no key has that code."""
        code = self._code(event)
        if code is None:
            return False
        missing = self._missing_modifiers(event, code)
        for modifier in missing:
            self._press(modifier)
        if event.pressed:
            self._press(code)
        else:
            self._release(code)
        for modifier in reversed(missing):
            self._release(modifier)
        return True

    def _code(self, event: Key) -> int | None:
        virtual_key = event.virtual_key & 0xFF
        if not event.normalised and virtual_key in CHARACTERS and self.keymap is not None:
            stroke = self.keymap.stroke(chr(virtual_key).lower())
            if stroke is not None:
                return stroke.code
        return evdev_code(virtual_key)

    def _missing_modifiers(self, event: Key, code: int) -> list[int]:
        """Keys for modifiers that the client has down without having said so: on-screen keyboards do that."""
        if not event.pressed or code in ALL_MODIFIERS:
            return []
        return [
            keys[0]
            for modifier, keys in MODIFIER_KEYS.items()
            if modifier in event.modifiers and not self._held.intersection(keys)
        ]

    def text(self, text: str) -> None:
        """Type characters; modifiers that the client holds meanwhile are lifted."""
        with self._lifted():
            for character in text:
                if not self._type(character):
                    self._enter_number(character)

    @contextmanager
    def _lifted(self) -> Iterator[None]:
        lifted = sorted(self._held & ALL_MODIFIERS)
        for code in lifted:
            self._release(code)
        yield
        for code in lifted:
            self._press(code)

    def _type(self, character: str) -> bool:
        if character in CONTROL_CODES:
            self._tap(CONTROL_CODES[character])
            return True
        stroke = self.keymap.stroke(character) if self.keymap is not None else None
        if stroke is None or stroke.code in self._held or stroke.modifiers & ~(SHIFT_MASK | LEVEL_3_MASK):
            return False
        shifts = [LEFT_SHIFT] * bool(stroke.modifiers & SHIFT_MASK)
        shifts += [RIGHT_ALT] * bool(stroke.modifiers & LEVEL_3_MASK)
        self._tap(stroke.code, *shifts)
        return True

    def _enter_number(self, character: str) -> None:
        stroke = self.keymap.stroke("u") if self.keymap is not None else None
        self._tap(stroke.code if stroke is not None else KEY_U, LEFT_CTRL, LEFT_SHIFT)
        for digit in f"{ord(character):x}":
            if not self._type(digit):
                self._tap(HEX_CODES[digit])
        self._tap(SPACE)

    def _tap(self, code: int, *shifts: int) -> None:
        for shift in shifts:
            self._press(shift)
        was_held = code in self._held
        self._release(code)
        self._press(code)
        self._release(code)
        for shift in reversed(shifts):
            self._release(shift)
        if was_held:
            self._press(code)

    def _press(self, code: int) -> None:
        if code not in self._held:  # clients repeat a held key; whoever receives it repeats by itself
            self._held.add(code)
            self._send(code, True)  # noqa: FBT003 - the callback has these two and no more

    def _release(self, code: int) -> None:
        if code in self._held:
            self._held.remove(code)
            self._send(code, False)  # noqa: FBT003

    def release_all(self) -> None:
        """Release every held key."""
        for code in sorted(self._held):
            self._release(code)

    def forget(self) -> None:
        """Take every key as up: the keyboard that held them is gone."""
        self._held.clear()
