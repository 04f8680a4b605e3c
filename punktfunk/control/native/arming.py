"""The PIN that the host shows: one at a time, for one guess, for a while (punktfunk-1 section 2.4).

    armed -- a device asks --> spent, whatever comes of it
          -- the window's time passes, a new PIN replaces it, or the owner withdraws it --> gone

A window may be for one device only, and may carry what that device will be granted. Every request to pair
charges one clock for the whole host: whoever guesses does so at most once in two seconds, and only while a
window is open.
"""

import math
import secrets
from dataclasses import dataclass, field
from typing import Final

import trio

from punktfunk.errors import ConfigError
from punktfunk.wire.native.capabilities import Grant

WINDOW_S: Final = 120
LONGEST_WINDOW_S: Final = 3600
"""Four digits are a secret for minutes, not for days."""
COOLDOWN_S: Final = 2.0
PIN_DIGITS: Final = 4


@dataclass(eq=False, slots=True)
class Arm:
    """One PIN's life. ``outcome`` is empty until ``ended``; then it says what became of it, for people."""

    pin: str = field(repr=False)
    deadline_s: float  # trio's clock
    fingerprint: str  # the only device that may use it; empty: any
    grants: Grant
    access_s: int  # how long the device may come, counted from its pairing; 0: for ever
    spent: bool = False
    paired: bool = False
    outcome: str = ""
    ended: trio.Event = field(default_factory=trio.Event)

    def end(self, outcome: str, *, paired: bool = False) -> None:
        """Say what became of it; the first word counts."""
        if not self.ended.is_set():
            self.spent, self.outcome, self.paired = True, outcome, paired
            self.ended.set()


class ArmingDesk:
    """At most one armed PIN of the host."""

    def __init__(self) -> None:
        self._arm: Arm | None = None
        self._asked_s = -math.inf

    def arm(
        self,
        *,
        window_s: float = WINDOW_S,
        fingerprint: str = "",
        grants: Grant = Grant.ALL,
        access_s: int = 0,
    ) -> Arm:
        """Make a new PIN for ``window_s`` seconds; one that is armed already ends.

        ``fingerprint`` (64 hex digits) binds it to one device. ConfigError if the window is too long, or the
        fingerprint none.
        """
        if not 0 < window_s <= LONGEST_WINDOW_S:
            raise ConfigError(
                f"A PIN cannot be good for {window_s:.0f} s.",
                hint=f"At most {LONGEST_WINDOW_S // 60} minutes.",
            )
        if fingerprint and not _is_fingerprint(fingerprint):
            raise ConfigError(
                f"{fingerprint[:80]!r} is no fingerprint.",
                hint="It has 64 hexadecimal digits; `punktfunk clients pending` shows those that knocked.",
            )
        self.disarm("another PIN has replaced this one")
        pin = f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}}"
        self._arm = Arm(pin, trio.current_time() + window_s, fingerprint.lower(), grants, access_s)
        return self._arm

    def disarm(self, outcome: str = "the owner has withdrawn it") -> None:
        """End the armed PIN, if there is one."""
        if (arm := self.current()) is not None:
            self._arm = None
            arm.end(outcome)

    def current(self) -> Arm | None:
        """Return the armed PIN."""
        if self._arm is not None and trio.current_time() >= self._arm.deadline_s:
            arm, self._arm = self._arm, None
            arm.end("nobody used it in time")
        return self._arm

    def charge(self) -> bool:
        """Count a request to pair; False if it comes too soon after the one before, whoever that was."""
        now_s = trio.current_time()
        waited_s, self._asked_s = now_s - self._asked_s, now_s
        return waited_s >= COOLDOWN_S

    def spend(self, arm: Arm) -> bool:
        """Take ``arm``'s one guess; False if it is not the armed one any more."""
        if self.current() is not arm:
            return False
        self._arm = None
        arm.spent = True
        return True

    async def wait_ended(self, arm: Arm) -> None:
        """Wait until ``arm.outcome`` is known: paired, failed, replaced or out of time."""
        while not arm.ended.is_set():
            with trio.move_on_at(math.inf if arm.spent else arm.deadline_s):
                await arm.ended.wait()
            self.current()


def _is_fingerprint(text: str) -> bool:
    return len(text) == 64 and all(digit in "0123456789abcdef" for digit in text.lower())
