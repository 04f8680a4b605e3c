"""A virtual keyboard (virtual-keyboard-unstable-v1) with the host's keymap, and a second one for text.

The protocol takes keys and modifiers apart: whoever presses Shift must also say that Shift is down.
Characters that the host's keymap lacks are typed on the second keyboard, whose keymap is made for them.
"""

import os
import time
from typing import Any

from punktfunk.control.input.held_keys import HeldKeys
from punktfunk.control.input.keymap import Keymap, ModifierState, build_text_keymap
from punktfunk.control.input.virtual_keys import NUM_LOCK
from punktfunk.wire.input import Key

TEXT_CODES = (*range(2, 14), *range(16, 28), *range(30, 42), *range(43, 54))
"""Keys of the text keyboard: printing ones only, as programs know Escape or Enter by code, not by meaning."""

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
        self._keys = HeldKeys(self._send, keymap)
        self._told = NO_STATE
        # Clients name keypad keys by their digit whatever their Num Lock says: ours must be on.
        self._keymap.update(NUM_LOCK, pressed=True)
        self._keymap.update(NUM_LOCK, pressed=False)
        self._tell_modifiers()

    def key(self, event: Key) -> bool:
        """Press or release a key; False if no key has that code."""
        return self._keys.key(event)

    def _send(self, code: int, pressed: bool) -> None:  # noqa: FBT001 - HeldKeys' callback
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
            if stroke is not None and stroke.code not in self._keys.held:
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
        self._keys.release_all()

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
