"""What the session's thread tells the main thread."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from punktfunk.plan import DecodePlan
from punktfunk.realtime import SoundPlayer, VideoDecoder


@dataclass(frozen=True, slots=True)
class Said:
    """A line for the user about the connection."""

    text: str


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something to be shown for a moment, over the picture."""

    text: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A session runs."""

    session: Any
    decoder: VideoDecoder
    plan: DecodePlan


@dataclass(frozen=True, slots=True)
class Sounding:
    """Its sound plays."""

    player: SoundPlayer


@dataclass(frozen=True, slots=True)
class Told:
    """The host said something that the main thread acts on."""

    value: Any


@dataclass(frozen=True, slots=True)
class Dropped:
    """The session is over; another may follow."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more will come. ``error`` says why, None if it was wished."""

    error: BaseException | None


Message = Said | Noticed | Opened | Sounding | Told | Dropped | Ended


class Inbox:
    """Messages to the main thread; ``ring`` wakes it. Any thread may put."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._messages: deque[Message] = deque()

    def put(self, message: Message) -> None:
        """Append a message."""
        self._messages.append(message)
        self._ring()

    def take(self) -> list[Message]:
        """Take what is there; for the main thread."""
        taken: list[Message] = []
        while self._messages:
            taken.append(self._messages.popleft())
        return taken
