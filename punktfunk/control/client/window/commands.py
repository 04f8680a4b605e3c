"""What Ctrl+Alt+Shift and a letter do here and not at the host: the letters that Moonlight taught people."""

from enum import Enum
from typing import Final


class Command(Enum):
    """A command of the user to the window; the value is what the help says."""

    QUIT = "quit"
    FULLSCREEN = "full screen"
    STATISTICS = "statistics"
    GRAB = "grab or release mouse and keyboard"
    MOUSE_MODE = "mouse for games or for the desktop"
    TYPE_CLIPBOARD = "type what the clipboard holds"
    MICROPHONE = "microphone on or off"
    MUTE = "sound on or off"


_FIRST_LETTER: Final = 4  # HID usage of A

LETTERS: Final = {
    "Q": Command.QUIT,
    "X": Command.FULLSCREEN,
    "S": Command.STATISTICS,
    "Z": Command.GRAB,
    "M": Command.MOUSE_MODE,
    "V": Command.TYPE_CLIPBOARD,
    "T": Command.MICROPHONE,
    "N": Command.MUTE,
}
_BY_SCANCODE: Final = {ord(letter) - ord("A") + _FIRST_LETTER: command for letter, command in LETTERS.items()}


def command_of(scancode: int, *, ctrl: bool, alt: bool, shift: bool) -> Command | None:
    """Tell which command a key means with these modifiers held; None for a key of the host's."""
    return _BY_SCANCODE.get(scancode) if ctrl and alt and shift else None


def help_line() -> str:
    """One sentence for the window."""
    wanted = (Command.GRAB, Command.FULLSCREEN, Command.STATISTICS, Command.QUIT)
    named = ", ".join(f"{letter} {command.value}" for letter, command in LETTERS.items() if command in wanted)
    return f"Ctrl+Alt+Shift and: {named}"
