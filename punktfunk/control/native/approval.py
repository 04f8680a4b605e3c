"""Devices that nobody has paired and that ask to come in: held while the owner decides.

    a device knocks --> WAITING: held for 180 s --> approved (it goes on at once), denied, or nobody answered
    its connection ends, or nobody answered --> the entry stays for 10 minutes, and the owner may still decide

A device is known by its certificate, so a newer knock takes the place of the older one. Approving means
pairing: the book is what lets a device in, here as ever. A device that was denied is refused without asking
again until its entry has gone. Spec: punktfunk-1 sections 2.4 and 2.17.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import trio

from punktfunk.control.listeners import neighbourhood
from punktfunk.control.native.refusal import TurnedAway
from punktfunk.control.trust import ClientBook, ClientKind, PairedClient
from punktfunk.errors import ConfigError
from punktfunk.wire.native.capabilities import CloseCode, Grant

logger = logging.getLogger(__name__)

HOLD_S: Final = 180.0
ENTRY_S: Final = 600.0
MAXIMUM_PENDING: Final = 32
MAXIMUM_PENDING_PER_ADDRESS: Final = 4
LEAST_DIGITS: Final = 4
TOLD_AGAIN_S: Final = 60.0
"""A client that dials again and again is told to people so often."""
TOLD_APART_S: Final = 1.0
"""Whoever knocks with ever new identities must not fill the owner's terminal; the list has them all."""


class Answer(Enum):
    """How a knock ended."""

    APPROVED = "approved"
    DENIED = "denied"
    SUPERSEDED = "superseded"


@dataclass(eq=False, slots=True)
class Knock:
    """One held connection."""

    answer: Answer | None = None
    settled: trio.Event = field(default_factory=trio.Event)

    def settle(self, answer: Answer) -> None:
        """Answer it; the first answer counts."""
        if not self.settled.is_set():
            self.answer = answer
            self.settled.set()


@dataclass(eq=False, slots=True)
class Pending:
    """One device in the list. Times are trio's."""

    number: int
    fingerprint: str
    name: str
    address: str
    knocked_s: float
    knock: Knock | None = None  # None: its connection has gone
    denied: bool = False
    told_s: float = -math.inf

    @property
    def state(self) -> str:
        """How it stands, in a word."""
        if self.denied:
            return "denied"
        return "gone" if self.knock is None else "waiting"


class ApprovalDesk:
    """The list of one host. ``notify`` is called with devices that begin to wait, within limits."""

    def __init__(self, book: ClientBook, *, notify: Callable[[Pending], None] = lambda _: None) -> None:
        self._book = book
        self._notify = notify
        self._pending: dict[str, Pending] = {}  # by fingerprint
        self._next_number = 1
        self._told_s = -math.inf

    def pending(self) -> list[Pending]:
        """List the devices that may still be decided about, longest first."""
        self._drop_old()
        return sorted(self._pending.values(), key=lambda entry: entry.number)

    async def wait(self, fingerprint: str, name: str, address: str) -> PairedClient:
        """Hold a device until the owner lets it in; cancel this when its connection ends.

        Raises TurnedAway: denied, not answered in time, superseded by a newer knock, or too many wait.
        """
        entry = self._enter(fingerprint, name, address)
        knock = entry.knock = Knock()
        self._tell(entry)
        try:
            with trio.move_on_after(HOLD_S):
                await self._settle(knock, fingerprint)
        finally:
            if entry.knock is knock:
                entry.knock = None
        client = self._book.admitted(fingerprint, ClientKind.NATIVE)
        if knock.answer is Answer.SUPERSEDED:
            raise TurnedAway(CloseCode.SUPERSEDED, "This device has knocked again from elsewhere.")
        if knock.answer is Answer.DENIED:
            raise _denied()
        if client is None:
            raise TurnedAway(
                CloseCode.APPROVAL_TIMEOUT,
                "Nobody approved this device in time. Ask the host's owner to run: punktfunk clients approve",
            )
        self._pending.pop(fingerprint, None)
        return client

    async def approve(
        self, which: str, *, name: str = "", grants: Grant = Grant.ALL, access_s: int = 0
    ) -> PairedClient:
        """Pair the device that ``which`` selects; its connection, if it still waits, goes on.

        ``access_s`` is how long it may come from now on, 0 for ever. ConfigError if unclear who.
        """
        entry = self._select(which)
        end_s = int(self._book.wall_clock()) + access_s if access_s else 0
        client = await self._book.add_native(
            entry.fingerprint, name or entry.name, grants=grants, expires_at_s=end_s
        )
        self._pending.pop(entry.fingerprint, None)
        return client

    def deny(self, which: str) -> Pending:
        """Turn a device away, now and until its entry has gone; ConfigError as in ``approve``."""
        entry = self._select(which)
        entry.denied = True
        if entry.knock is not None:
            entry.knock.settle(Answer.DENIED)
        return entry

    def _tell(self, entry: Pending) -> None:
        now_s = trio.current_time()
        if now_s - entry.told_s >= TOLD_AGAIN_S and now_s - self._told_s >= TOLD_APART_S:
            entry.told_s = self._told_s = now_s
            self._notify(entry)

    async def _settle(self, knock: Knock, fingerprint: str) -> None:
        """Wait until the knock is answered, or the book lets the device in: a PIN may have paired it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_book, knock, fingerprint)
            await knock.settled.wait()
            nursery.cancel_scope.cancel()

    async def _watch_book(self, knock: Knock, fingerprint: str) -> None:
        while True:
            changed = self._book.changed
            if self._book.admitted(fingerprint, ClientKind.NATIVE) is not None:
                knock.settle(Answer.APPROVED)
            await changed.wait()

    def _enter(self, fingerprint: str, name: str, address: str) -> Pending:
        self._drop_old()
        entry = self._pending.get(fingerprint)
        if entry is None:
            self._make_room(address)
            entry = Pending(self._next_number, fingerprint, name, address, trio.current_time())
            self._next_number += 1
            self._pending[fingerprint] = entry
        elif entry.denied:
            raise _denied()
        elif entry.knock is not None:
            entry.knock.settle(Answer.SUPERSEDED)
        entry.name, entry.address, entry.knocked_s = name, address, trio.current_time()
        return entry

    def _make_room(self, address: str) -> None:
        """Let the oldest entry without a connection go; refuse if everyone listed still waits."""
        place = neighbourhood(address)
        same = [entry for entry in self._pending.values() if neighbourhood(entry.address) == place]
        crowd = same if len(same) >= MAXIMUM_PENDING_PER_ADDRESS else list(self._pending.values())
        if crowd is not same and len(crowd) < MAXIMUM_PENDING:
            return
        gone = [entry for entry in crowd if entry.knock is None]
        if not gone:
            raise TurnedAway(CloseCode.RATE_LIMITED, "Too many devices wait for approval. Try again later.")
        del self._pending[min(gone, key=lambda entry: (entry.denied, entry.knocked_s)).fingerprint]

    def _drop_old(self) -> None:
        before_s = trio.current_time() - ENTRY_S
        for entry in list(self._pending.values()):
            if entry.knock is None and entry.knocked_s <= before_s:
                del self._pending[entry.fingerprint]

    def _select(self, which: str) -> Pending:
        wanted = which.strip()
        listed = self.pending()
        fitting = [entry for entry in listed if not wanted or _fits(entry, wanted)]
        if len(fitting) == 1:
            return fitting[0]
        shown = ", ".join(f"{entry.number}: {entry.name} ({entry.fingerprint[:8]})" for entry in listed)
        if not listed:
            raise ConfigError(
                "No device waits for approval.", hint="It appears here when it tries to connect; then decide."
            )
        if not fitting:
            raise ConfigError(f"No device {wanted[:64]!r} waits, but {shown}.", hint="Choose one of these.")
        raise ConfigError(f"Several devices wait: {shown}.", hint="Say which one, by its number.")


def _fits(entry: Pending, wanted: str) -> bool:
    if wanted in (str(entry.number), entry.name):
        return True
    return len(wanted) >= LEAST_DIGITS and entry.fingerprint.startswith(wanted.lower())


def _denied() -> TurnedAway:
    return TurnedAway(CloseCode.DENIED, "The host's owner has turned this device away.")
