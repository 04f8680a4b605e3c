"""What a host says beside picture and sound, kept for whoever shows it: bounded, the oldest gives way."""

from collections import deque
from typing import Any, Final

import trio

NEWS_MAX: Final = 256


class News:
    """One task takes; anything of the Trio thread puts."""

    def __init__(self) -> None:
        self._values: deque[Any] = deque(maxlen=NEWS_MAX)
        self._came = trio.Event()

    def put(self, value: Any) -> None:
        """Add a message or datagram."""
        self._values.append(value)
        self._came.set()

    async def take(self) -> list[Any]:
        """Wait for something and take all that is there."""
        while not self._values:
            self._came = trio.Event()
            await self._came.wait()
        await trio.lowlevel.checkpoint()
        taken = list(self._values)
        self._values.clear()
        return taken
