"""The host's flight recorders, those of running sessions and of the last that ended, for ``why-late``."""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

import trio

from punktfunk.control.flight import USUAL_FRAMES, HostFlight, Left
from punktfunk.errors import ConfigError

ENDED_MAX: Final = 2
ANSWERED_FRAMES: Final = 12_000
"""As many as fit into an answer of the admin socket."""
_LOOK_EVERY_S: Final = 1.0


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


class LatencyLog(Protocol):
    """What a pipeline offers that keeps no list of the frames that left: ``Pipeline``."""

    @property
    def send_thread_id(self) -> int:
        """The kernel's id of pf-send; -1 while it does not run."""

    def latencies(self) -> Any:
        """Rows of the last thousand frames, see ``VideoSender.latencies``; None while not started."""


async def follow(flight: HostFlight, pipeline: LatencyLog, parity_percent: int) -> None:
    """Note the frames of a GameStream pipeline until cancelled. Its log holds a thousand: a look a second.

    When the encoder began is not in the log, so its wait counts as encoding.
    """
    shift_ns, seen_ns = time.time_ns() - time.monotonic_ns(), 0
    while True:
        await trio.sleep(_LOOK_EVERY_S)
        rows = pipeline.latencies()
        new = [row for row in ([] if rows is None else rows.tolist()) if row[3] > seen_ns]
        if new:
            seen_ns = new[-1][3]
            thread_id = pipeline.send_thread_id
            frames = [_left(row, shift_ns) for row in new]
            flight.note_sent(frames, parity_percent=parity_percent, send_thread=thread_id)


def _left(row: Sequence[int], shift_ns: int) -> Left:
    captured_ns, encoded_ns, first_ns, last_ns, _variants, frame_bytes, _timestamp, datagrams = row
    return Left(
        captured_ns + shift_ns,
        captured_ns,
        captured_ns,
        encoded_ns,
        first_ns,
        last_ns,
        frame_bytes,
        datagrams,
    )
