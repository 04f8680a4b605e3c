"""A virtual keyboard (virtual-keyboard-unstable-v1) with the host's keymap, and a second one for text.

The protocol takes keys and modifiers apart: whoever presses Shift must also say that Shift is down.
Characters that the host's keymap lacks are typed on the second keyboard, whose keymap is made for them.
"""

import os
import time
from typing import Any

from punktfunk.control.input.keymap import Keymap, ModifierState, build_text_keymap
from punktfunk.control.input.virtual_keys import (
    CHARACTERS,
    LEFT_ALT,
    LEFT_CTRL,
    LEFT_META,
    LEFT_SHIFT,
    NUM_LOCK,
    evdev_code,
)
from punktfunk.wire.input import Key, Modifiers

TEXT_CODES = (*range(2, 14), *range(16, 28), *range(30, 42), *range(43, 54))
"""Keys of the text keyboard: printing ones only, as programs know Escape or Enter by code, not by meaning."""

MODIFIER_KEYS = {
    Modifiers.SHIFT: (LEFT_SHIFT, 54),
    Modifiers.CTRL: (LEFT_CTRL, 97),
    Modifiers.ALT: (LEFT_ALT, 100),
    Modifiers.META: (LEFT_META, 126),
}
NO_STATE = ModifierState(0, 0, 0, 0)


def now_ms() -> int:
    """Return the time stamp of input events: CLOCK_MONOTONIC in milliseconds, 32 bits."""
    return (time.monotonic_ns() // 1_000_000) & 0xFFFFFFFF


class Keyboard:
    """Keys and text for one seat. Requests are queued; the caller flushes."""

    def __init__(self, manager: Any, seat: Any, keymap: Keymap) -> None:
        self._keymap = keymap
        self._device = manager.create_virtual_keyboard(seat)
        upload(self._device, keymap.text)
        self._manager, self._seat = manager, seat
        self._text_device: Any = None
        self._text_characters: list[str] = []
        self._held: set[int] = set()
        self._told = NO_STATE
        # Clients name keypad keys by their digit whatever their Num Lock says: ours must be on.
        self._keymap.update(NUM_LOCK, pressed=True)
        self._keymap.update(NUM_LOCK, pressed=False)
        self._tell_modifiers()

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
        if not event.normalised and virtual_key in CHARACTERS:
            stroke = self._keymap.stroke(chr(virtual_key).lower())
            if stroke is not None:
                return stroke.code
        return evdev_code(virtual_key)

    def _missing_modifiers(self, event: Key, code: int) -> list[int]:
        """Keys for modifiers that the client has down without having said so: on-screen keyboards do that."""
        if not event.pressed or any(code in keys for keys in MODIFIER_KEYS.values()):
            return []
        return [
            keys[0]
            for modifier, keys in MODIFIER_KEYS.items()
            if modifier in event.modifiers and not self._held.intersection(keys)
        ]

    def _press(self, code: int) -> None:
        if code not in self._held:  # clients repeat a held key; whoever receives it repeats by itself
            self._held.add(code)
            self._send(code, pressed=True)

    def _release(self, code: int) -> None:
        if code in self._held:
            self._held.remove(code)
            self._send(code, pressed=False)

    def _send(self, code: int, *, pressed: bool) -> None:
        self._device.key(now_ms(), code, int(pressed))
        self._keymap.update(code, pressed=pressed)
        self._tell_modifiers()

    def _tell_modifiers(self) -> None:
        state = self._keymap.modifiers()
        if state != self._told:
            self._set_modifiers(state)

    def _set_modifiers(self, state: ModifierState) -> None:
        self._told = state
        self._device.modifiers(state.depressed, state.latched, state.locked, state.group)

    def text(self, text: str) -> None:
        """Type characters, whatever is held meanwhile."""
        for character in text:
            stroke = self._keymap.stroke(character)
            if stroke is not None and stroke.code not in self._held:
                self._set_modifiers(ModifierState(stroke.modifiers, 0, 0, 0))
                self._device.key(now_ms(), stroke.code, 1)
                self._device.key(now_ms(), stroke.code, 0)
            else:
                self._type_elsewhere(character)
        self._tell_modifiers()

    def _type_elsewhere(self, character: str) -> None:
        if self._text_device is None:
            self._text_device = self._manager.create_virtual_keyboard(self._seat)
        if character not in self._text_characters:
            if len(self._text_characters) == len(TEXT_CODES):
                self._text_characters = []
            self._text_characters.append(character)
            upload(self._text_device, build_text_keymap(self._text_characters, TEXT_CODES))
        code = TEXT_CODES[self._text_characters.index(character)]
        self._text_device.modifiers(0, 0, 0, 0)
        self._text_device.key(now_ms(), code, 1)
        self._text_device.key(now_ms(), code, 0)
        self._told = NO_STATE  # the other keyboard's state is what the focused program now has

    def release_all(self) -> None:
        """Release every held key."""
        for code in sorted(self._held):
            self._release(code)

    def destroy(self) -> None:
        """Take the keyboards away."""
        self.release_all()
        self._device.destroy()
        if self._text_device is not None:
            self._text_device.destroy()


def upload(device: Any, text: bytes) -> None:
    """Give a virtual keyboard its keymap; the protocol wants a file that ends with a NUL."""
    handle = os.memfd_create("punktfunk-keymap", os.MFD_CLOEXEC)
    try:
        os.write(handle, text + b"\0")
        device.keymap(1, handle, len(text) + 1)
    finally:
        os.close(handle)
