"""What both copy protocols have in common: one copy under way, at most one finished and not yet taken."""

import time
from dataclasses import dataclass
from typing import Protocol

from punktfunk.errors import EnvironmentProblem
from punktfunk.realtime.capture.shm import Buffer, BufferPool

RETRY_NS = 50_000_000
GIVE_UP_NS = 3_000_000_000
CLOCK_SLACK_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Copied:
    """A filled buffer, when its picture was presented (CLOCK_MONOTONIC), and how it lies in memory."""

    buffer: Buffer
    captured_ns: int
    transform: int


class Copier(Protocol):
    """Copies one output, picture after picture. Used by one thread."""

    protocol: str
    pool: BufferPool

    def request(self, now_ns: int) -> None:
        """Ask for the next copy unless one is under way, finished, or to be retried later."""

    def take(self) -> Copied | None:
        """Take the finished copy. Raises EnvironmentProblem once copying failed for good."""

    def retry_ns(self) -> int | None:
        """Say when :meth:`request` is worth another call although nothing happened."""


class Patience:
    """When to try again after a refused copy, and when to stop: an output that comes back goes on."""

    def __init__(self) -> None:
        self._since_ns = 0
        self._again_ns = 0

    def failed(self, reason: str) -> None:
        """Note a refusal; after three seconds of nothing else, raise EnvironmentProblem."""
        now_ns = time.monotonic_ns()
        self._since_ns = self._since_ns or now_ns
        self._again_ns = now_ns + RETRY_NS
        if now_ns - self._since_ns > GIVE_UP_NS:
            raise EnvironmentProblem(f"the compositor refuses to copy the output: {reason}")

    def succeeded(self) -> None:
        """Forget earlier refusals."""
        self._since_ns = self._again_ns = 0

    def allows(self, now_ns: int) -> bool:
        """Tell whether it is time to ask (again)."""
        return now_ns >= self._again_ns

    def again_ns(self) -> int | None:
        """Return the time of the next try; None if nothing was refused."""
        return self._again_ns or None


def presentation_ns(seconds_high: int, seconds_low: int, nanoseconds: int) -> int:
    """Read a Wayland time stamp; one that is not from CLOCK_MONOTONIC just now is replaced by now.

    wlroots stamps with CLOCK_MONOTONIC (wlroots, types/wlr_screencopy_v1.c), but the protocol lets a
    compositor choose, and nested ones have passed on nonsense.
    """
    stamp_ns = ((seconds_high << 32) | seconds_low) * 1_000_000_000 + nanoseconds
    now_ns = time.monotonic_ns()
    return stamp_ns if now_ns - CLOCK_SLACK_NS <= stamp_ns <= now_ns else now_ns
