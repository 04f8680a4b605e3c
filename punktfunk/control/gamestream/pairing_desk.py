"""Who waits for a PIN, who gets it, and who is in the middle of pairing.

One client's way: *waiting* (its step 1 is held back until the user types the PIN), *active* (steps 2 to 4,
each once and in order), gone. A waiting client is known by its certificate; as later steps carry none, an
active one is known by uniqueid and address. What bytes prove is ``wire/gamestream/pairing``'s business; this
desk bounds how many may try, for how long and how often. Spec: gamestream.md section 2.4.
"""

import logging
import math
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import trio

from punktfunk.control.listeners import neighbourhood
from punktfunk.control.trust import ClientBook, tidy_name
from punktfunk.errors import ConfigError, PunktfunkError, RemoteProtocolError
from punktfunk.wire.gamestream.pairing import (
    RANDOM_BYTES,
    GetServerCertificate,
    HostCertificate,
    PairingMachine,
    PairingState,
    is_pin,
    parse_pairing,
)

logger = logging.getLogger(__name__)

MAXIMUM_WAITING: Final = 8
MAXIMUM_WAITING_PER_ADDRESS: Final = 3
WAITING_S: Final = 300.0
ACTIVE_S: Final = 60.0
"""Steps 2 to 4 follow the PIN at once; a client whose user typed a wrong one simply stops."""
ATTEMPTS_PER_ADDRESS: Final = 10
ATTEMPTS_WINDOW_S: Final = 300.0
MAXIMUM_ADDRESSES: Final = 256

Reply = dict[str, str]


class PairingBusy(PunktfunkError):
    """Too many clients wait already; clients know a reply for this."""


class TooManyAttempts(RemoteProtocolError):
    """This address has begun to pair too often lately."""


class Stage(Enum):
    """How an attempt stands, for people."""

    WAITING = "waiting for its PIN"
    ACTIVE = "pairing"
    PAIRED = "paired"
    FAILED = "failed"


@dataclass(eq=False, slots=True)
class Attempt:
    """One client's attempt to pair. ``number`` tells attempts apart when several come from one address."""

    number: int
    address: str
    uniqueid: str
    machine: PairingMachine
    begun_s: float
    stage: Stage = Stage.WAITING
    name: str = ""
    reason: str = ""
    reply: Reply | None = None
    deadline_s: float = math.inf
    answered: trio.Event = field(default_factory=trio.Event)
    finished: trio.Event = field(default_factory=trio.Event)

    @property
    def fingerprint(self) -> str:
        """The client certificate's SHA-256 in hex."""
        return self.machine.certificate.fingerprint.hex()

    @property
    def key(self) -> tuple[str, str]:
        """What the later steps are known by."""
        return self.uniqueid, self.address


class PairingDesk:
    """All attempts of one host. ``notify`` is called with every attempt whose stage has changed."""

    def __init__(
        self,
        host: HostCertificate,
        book: ClientBook,
        *,
        notify: Callable[[Attempt], None] = lambda _: None,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._host = host
        self._book = book
        self._notify = notify
        self._random_bytes = random_bytes
        self._waiting: dict[str, Attempt] = {}  # by certificate fingerprint
        self._active: dict[tuple[str, str], Attempt] = {}
        self._limiter = _AttemptLimiter()
        self._next_number = 1

    def waiting(self) -> list[Attempt]:
        """List the clients that show a PIN right now, longest first."""
        return sorted(self._waiting.values(), key=lambda attempt: attempt.number)

    def submit_pin(self, pin: str, *, which: str = "", name: str = "") -> Attempt:
        """Give the PIN to exactly one waiting client; ``wait_finished`` then tells how it went.

        ``which`` is an address, a number or a certificate's first digits, and may be empty while only one
        client waits. Raises ConfigError, without spending anything, where it is not clear who is meant.
        """
        if not is_pin(pin):
            raise ConfigError(f"{pin!r} is no PIN.", hint="Type the four digits that the client shows.")
        attempt = self._choose(which.strip())
        if self._find_active(attempt.key) is not None:
            raise ConfigError(
                f"Another client at {attempt.address} is in the middle of pairing.",
                hint=f"Try again when it is done, after {ACTIVE_S:.0f} seconds at the latest.",
            )
        del self._waiting[attempt.fingerprint]
        attempt.reply = attempt.machine.enter_pin(pin)
        attempt.name = tidy_name(name or f"Moonlight at {attempt.address}")
        attempt.deadline_s = trio.current_time() + ACTIVE_S
        attempt.stage = Stage.ACTIVE
        self._active[attempt.key] = attempt
        attempt.answered.set()
        self._notify(attempt)
        return attempt

    async def wait_finished(self, attempt: Attempt) -> Stage:
        """Wait until the attempt is PAIRED or FAILED; ``attempt.reason`` then says why."""
        with trio.move_on_at(attempt.deadline_s):
            await attempt.finished.wait()
        self._fail(attempt, "the client did not go on: the PIN was probably wrong")
        return attempt.stage

    async def answer(self, query: Mapping[str, str], address: str) -> Reply:
        """Answer one HTTP request for /pair; step 1 waits here for its PIN.

        Raises RemoteProtocolError for nonsense, which also ends the attempt that it belongs to,
        TooManyAttempts and PairingBusy.
        """
        key = query.get("uniqueid", "")[:64], address
        attempt = self._find_active(key)
        try:
            request = parse_pairing(query)
        except RemoteProtocolError as error:
            if attempt is not None:
                self._fail(attempt, str(error))
            raise
        if isinstance(request, GetServerCertificate):
            return await self._begin(request, key)
        if attempt is None:
            await trio.lowlevel.checkpoint()
            raise RemoteProtocolError("no pairing is in progress for this client")
        reply = attempt.machine.receive(request, self._random_bytes(RANDOM_BYTES))
        if attempt.machine.state is PairingState.ENDED:
            self._fail(attempt, attempt.machine.failure)
        elif attempt.machine.state is PairingState.PAIRED:
            reply = await self._welcome(attempt, reply)
        await trio.lowlevel.checkpoint()
        return reply

    def abandon(self, uniqueid: str, address: str) -> None:
        """Take note of /unpair: a client that finds the PIN wrong says so. Never touches a paired client."""
        attempt = self._find_active((uniqueid[:64], address))
        if attempt is not None:
            self._fail(attempt, "the client gave up: the PIN was probably wrong")

    async def _begin(self, request: GetServerCertificate, key: tuple[str, str]) -> Reply:
        uniqueid, address = key
        self._limiter.count(neighbourhood(address))
        machine = PairingMachine(self._host, request)
        attempt = Attempt(self._next_number, address, uniqueid, machine, trio.current_time())
        self._drop_predecessors(attempt)
        same_address = sum(other.address == address for other in self._waiting.values())
        if len(self._waiting) >= MAXIMUM_WAITING or same_address >= MAXIMUM_WAITING_PER_ADDRESS:
            raise PairingBusy(f"{len(self._waiting)} clients wait for a PIN already")
        self._next_number += 1
        self._waiting[attempt.fingerprint] = attempt
        self._notify(attempt)
        try:
            with trio.move_on_after(WAITING_S):
                await attempt.answered.wait()
        finally:
            if attempt.stage is Stage.WAITING:
                self._fail(attempt, "nobody typed its PIN, or the client gave up")
        return attempt.reply or {"paired": "0"}

    def _drop_predecessors(self, attempt: Attempt) -> None:
        """End the older attempt of a client that begins again; its PIN, if it had one, is spent."""
        older = self._waiting.get(attempt.fingerprint)
        if older is not None:
            self._fail(older, "the client began again")
        active = self._find_active(attempt.key)
        if active is not None and active.fingerprint == attempt.fingerprint:
            self._fail(active, "the client began again")

    def _choose(self, which: str) -> Attempt:
        fitting = [attempt for attempt in self.waiting() if not which or _fits(attempt, which)]
        if len(fitting) == 1:
            return fitting[0]
        shown = ", ".join(
            f"{attempt.number}: {attempt.address} ({attempt.fingerprint[:8]})" for attempt in self.waiting()
        )
        if not shown:
            raise ConfigError(
                "No client is waiting for a PIN.",
                hint="Choose this host in Moonlight; it then shows a PIN.",
            )
        if not fitting:
            raise ConfigError(f"No client {which!r} is waiting, but {shown}.", hint="Choose one of these.")
        raise ConfigError(
            f"{len(fitting)} clients are waiting: {shown}.", hint="Say which one, by its number or address."
        )

    def _find_active(self, key: tuple[str, str]) -> Attempt | None:
        attempt = self._active.get(key)
        if attempt is not None and trio.current_time() >= attempt.deadline_s:
            self._fail(attempt, "the client did not go on: the PIN was probably wrong")
            return None
        return attempt

    async def _welcome(self, attempt: Attempt, reply: Reply) -> Reply:
        """Store the client's certificate. Shielded: a paired client must not be half stored."""
        with trio.CancelScope(shield=True):
            try:
                client = await self._book.add(attempt.machine.certificate.der, attempt.name)
            except PunktfunkError as error:
                self._fail(attempt, f"{error} {error.hint}".strip())
                return {"paired": "0"}
        attempt.name = client.name
        self._finish(attempt, Stage.PAIRED, "")
        return reply

    def _fail(self, attempt: Attempt, reason: str) -> None:
        if not attempt.finished.is_set():
            attempt.machine.end(reason)
            self._finish(attempt, Stage.FAILED, reason)

    def _finish(self, attempt: Attempt, stage: Stage, reason: str) -> None:
        if self._waiting.get(attempt.fingerprint) is attempt:
            del self._waiting[attempt.fingerprint]
        if self._active.get(attempt.key) is attempt:
            del self._active[attempt.key]
        attempt.stage, attempt.reason = stage, reason
        attempt.answered.set()
        attempt.finished.set()
        logger.info("pairing ended address=%s stage=%s reason=%.200r", attempt.address, stage.name, reason)
        self._notify(attempt)


def _fits(attempt: Attempt, which: str) -> bool:
    if which in (str(attempt.number), attempt.address):
        return True
    return len(which) >= 6 and attempt.fingerprint.startswith(which.lower())


class _AttemptLimiter:
    """Counts step 1 by address over a sliding window; knows so many addresses, then forgets the quietest."""

    def __init__(self) -> None:
        self._begun_s: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, address: str) -> None:
        now_s = trio.current_time()
        begun_s = self._begun_s.setdefault(address, deque(maxlen=ATTEMPTS_PER_ADDRESS))
        self._begun_s.move_to_end(address)
        if len(self._begun_s) > MAXIMUM_ADDRESSES:
            self._begun_s.popitem(last=False)
        if len(begun_s) == ATTEMPTS_PER_ADDRESS and now_s - begun_s[0] < ATTEMPTS_WINDOW_S:
            raise TooManyAttempts(f"{address} has begun to pair {ATTEMPTS_PER_ADDRESS} times lately")
        begun_s.append(now_s)
