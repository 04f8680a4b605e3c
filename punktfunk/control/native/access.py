"""What one session may do right now: the client's grants and its time, as the book has them at this moment.

Nothing is copied at the session's start: a change by the owner counts for the very next event, whichever
protocol it came by. A punktfunk/1 client is told of changes by AccessUpdate, as it is when 300 and 60 seconds
are left (punktfunk-1 sections 2.4 and 2.17).
"""

import math
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from punktfunk.control.trust import LONGEST_NAP_S, ClientBook, ClientKind, PairedClient
from punktfunk.wire import input as vocabulary
from punktfunk.wire.native.capabilities import NO_GRANTS, Grant
from punktfunk.wire.native.control import AccessUpdate

WARNINGS_S: Final = (300, 60)

GRANT_OF: Final[dict[type, Grant]] = {
    vocabulary.Key: Grant.KEYBOARD,
    vocabulary.Text: Grant.KEYBOARD,
    vocabulary.MouseMove: Grant.POINTER,
    vocabulary.MouseMoveAbsolute: Grant.POINTER,
    vocabulary.MouseClick: Grant.POINTER,
    vocabulary.Wheel: Grant.POINTER,
    vocabulary.Touch: Grant.POINTER,
    vocabulary.Pen: Grant.POINTER,
    vocabulary.PadState: Grant.GAMEPAD,
    vocabulary.PadArrival: Grant.GAMEPAD,
    vocabulary.PadTouch: Grant.GAMEPAD,
    vocabulary.PadMotion: Grant.GAMEPAD,
    vocabulary.PadBattery: Grant.GAMEPAD,
    vocabulary.HapticsEnable: Grant.GAMEPAD,
}
"""What each event of the vocabulary needs; a test compares it with the vocabulary."""


def _nothing() -> None:
    """Do nothing."""


class Access:
    """One device's rights. ``refused`` counts, by grant, what it tried without having the right.

    ``fingerprint`` None is a client without an identity. ``stranger`` is what a device has that nobody
    paired: everything on an open host, nothing (None: no session at all) on any other.
    """

    def __init__(
        self,
        book: ClientBook,
        fingerprint: str | None,
        *,
        kind: ClientKind = ClientKind.NATIVE,
        stranger: Grant | None = None,
    ) -> None:
        self._book = book
        self._fingerprint = fingerprint
        self._kind = kind
        self._stranger = stranger
        self.refused: Counter[str] = Counter()

    @property
    def grants(self) -> Grant:
        """What is granted now; nothing once access has ended."""
        if self.ending:
            return NO_GRANTS
        client = self._client()
        return client.grants if client is not None else self._stranger or NO_GRANTS

    @property
    def expires_in_s(self) -> int:
        """Seconds left, rounded up; 0 for ever. Means nothing once access has ended."""
        left_s = self._left_s()
        return 0 if left_s == math.inf else max(1, math.ceil(left_s))

    @property
    def ending(self) -> str:
        """Why access has ended, in a sentence for the device's user; empty while it has not."""
        client = self._client()
        if client is None:
            return "" if self._stranger is not None else "This device is no longer paired. Pair it again."
        if client.expired(self._book.wall_clock()):
            return "The time that this device was given is over. Ask the host's owner for more."
        return ""

    def allows(self, event: object) -> bool:
        """Tell whether an event of ``punktfunk.wire.input`` may pass; one that may not is counted."""
        return self.allows_grant(GRANT_OF.get(type(event), Grant.ALL))

    def allows_grant(self, needed: Grant) -> bool:
        """Tell whether all of ``needed`` is granted; a refusal is counted."""
        if needed & ~self.grants:
            self.refused[needed.name or str(int(needed))] += 1
            return False
        return True

    async def keep(
        self, send: Callable[[AccessUpdate], Awaitable[None]], *, narrowed: Callable[[], None] = _nothing
    ) -> str:
        """Tell the client of every change, and return why access ended: then close with 0x69.

        ``narrowed`` is called when a right was taken away: release what is held down by then, as the client's
        own release would be refused.
        """
        told = self.grants, self._end_s()
        open_warnings = self._warnings_ahead()
        while not (reason := self.ending):
            changed = self._book.changed
            now = self.grants, self._end_s()
            due = [mark for mark in open_warnings if self._left_s() <= mark]
            if now != told or due:
                if told[0] & ~now[0]:
                    narrowed()
                told = now
                open_warnings = self._warnings_ahead()
                await send(AccessUpdate(now[0], self.expires_in_s))
                continue
            until_s = self._left_s() - max(open_warnings, default=0)
            with trio.move_on_after(max(0.0, min(until_s, LONGEST_NAP_S))):
                await changed.wait()
        narrowed()
        return reason

    def _client(self) -> PairedClient | None:
        client = None if self._fingerprint is None else self._book.known(self._fingerprint)
        return client if client is not None and self._kind in client.kinds else None

    def _end_s(self) -> int:
        client = self._client()
        return client.expires_at_s if client is not None else 0

    def _left_s(self) -> float:
        return self._end_s() - self._book.wall_clock() if self._end_s() else math.inf

    def _warnings_ahead(self) -> list[int]:
        """Say which warnings are still to come."""
        return [mark for mark in WARNINGS_S if mark < self._left_s()]
