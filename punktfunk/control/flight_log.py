"""The host's flight recorders, those of running sessions and of the last that ended, for ``why-late``."""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import trio

from punktfunk.control.flight import USUAL_FRAMES, HostFlight
from punktfunk.errors import ConfigError

ENDED_MAX: Final = 2
ANSWERED_FRAMES: Final = 12_000
"""As many as fit into an answer of the admin socket."""


class FlightLog:
    """Give every session a recorder; keep it a little longer than the session."""

    def __init__(self, frame_count: int = USUAL_FRAMES) -> None:
        self._frame_count = frame_count
        self._running: list[HostFlight] = []
        self._ended: deque[HostFlight] = deque(maxlen=ENDED_MAX)

    @contextmanager
    def recording(self, name: str) -> Iterator[HostFlight]:
        """Own a recorder for the length of a session; ``name`` is what its reader knows it by."""
        flight = HostFlight(name, self._frame_count)
        self._running.append(flight)
        try:
            yield flight
        finally:
            self._running.remove(flight)
            self._ended.append(flight)

    def verbs(self) -> dict[str, Callable[[Mapping[str, str]], Awaitable[dict[str, Any]]]]:
        """Give the verb ``flight`` (frames?): recordings of the sessions, the newest first."""
        return {"flight": self._flight}

    async def _flight(self, request: Mapping[str, str]) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        asked = request.get("frames", str(ANSWERED_FRAMES))
        if not asked.isascii() or not asked.isdigit() or not int(asked):
            raise ConfigError(f"{asked[:20]!r} is no number of frames", hint="Give a whole number above 0.")
        flights = [*reversed(self._running), *reversed(self._ended)]
        most = max(1, min(int(asked), ANSWERED_FRAMES) // max(1, len(flights)))
        return {"recordings": [flight.recording(most) for flight in flights]}
