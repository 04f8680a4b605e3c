"""The keymap of a running session, read from its compositor by Wayland."""

import os
from typing import Any, Final

from pywayland.protocol.wayland import WlSeat

from punktfunk.control.displays.wayland import WaylandConnection
from punktfunk.control.input.keymap import Keymap, compile_text

KEYBOARD_CAPABILITY: Final = 2
XKB_V1: Final = 1
MAXIMUM_KEYMAP_BYTES: Final = 1 << 20


async def read_session_keymap(connection: WaylandConnection) -> Keymap | None:
    """Take the keymap of the session's keyboard; None if it has no keyboard, or one without letters.

    Raises EnvironmentProblem if the compositor does not answer.
    """
    seat = connection.bind(WlSeat)
    return await read_seat_keymap(connection, seat)


async def read_seat_keymap(connection: WaylandConnection, seat: Any) -> Keymap | None:
    """Take the keymap of a seat that was just bound; see :func:`read_session_keymap`."""
    capabilities: list[int] = []
    received: list[bytes] = []

    def on_capabilities(_seat: Any, value: int) -> None:
        capabilities.append(int(value))

    def on_keymap(_keyboard: Any, kind: int, handle: int, size: int) -> None:
        if int(kind) == XKB_V1 and size <= MAXIMUM_KEYMAP_BYTES:
            received.append(os.pread(handle, size, 0).rstrip(b"\0"))
        os.close(handle)

    seat.dispatcher["capabilities"] = on_capabilities
    await connection.roundtrip()
    if not capabilities or not capabilities[-1] & KEYBOARD_CAPABILITY:
        return None
    keyboard = seat.get_keyboard()
    keyboard.dispatcher["keymap"] = on_keymap
    await connection.roundtrip()
    keyboard.release()
    keymap = compile_text(received[-1]) if received else None
    return keymap if keymap is not None and all(keymap.stroke(letter) for letter in "aeinrst") else None
