"""One log line per kind of misbehaviour, however often a peer repeats it."""

import logging
from collections.abc import Callable
from typing import Final

import trio

REPEATED_EVERY_S: Final = 60.0


class Complaints:
    """Counts what peers do wrong and logs each kind at most once a minute, with how many were held back.

    ``kind`` is a word from our own source, never a peer's text: the table stays as small as the code.
    """

    def __init__(self, logger: logging.Logger, *, clock_s: Callable[[], float] = trio.current_time) -> None:
        self._logger = logger
        self._clock_s = clock_s
        self._counts: dict[str, int] = {}
        self._held_back: dict[str, int] = {}
        self._next_s: dict[str, float] = {}

    def note(self, kind: str, *, peer: str = "", reason: object = "") -> None:
        """Count one more of ``kind``; log it unless that happened within the last minute."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        now_s = self._clock_s()
        if now_s < self._next_s.get(kind, float("-inf")):
            self._held_back[kind] = self._held_back.get(kind, 0) + 1
            return
        self._next_s[kind] = now_s + REPEATED_EVERY_S
        held_back = self._held_back.pop(kind, 0)
        self._logger.warning(
            "refused kind=%s peer=%s reason=%.200r held_back=%d", kind, peer, str(reason), held_back
        )

    def counts(self) -> dict[str, int]:
        """How often each kind was seen since the start."""
        return dict(self._counts)
