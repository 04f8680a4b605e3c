"""The memory that unfinished frames share: slabs of 16 KiB, in runs that lie one behind the other.

What a frame stores must be contiguous for the erasure code, and all frames together may only have so much.
The lowest run that is long enough is taken, so memory that is warm is used again. Here no bytes are kept,
only who has which slabs: a receiver that refuses for want of room refuses by this.
"""

from dataclasses import dataclass
from typing import Final

from punktfunk.errors import LocalProtocolError

SLAB_BYTES: Final = 16_384


@dataclass(frozen=True, slots=True)
class Run:
    """``count`` slabs from ``first`` on."""

    first: int
    count: int


class Slabs:
    """``total`` slabs, all of them free to begin with."""

    def __init__(self, total: int) -> None:
        if total < 1:
            raise LocalProtocolError(f"{total} slabs hold nothing")
        self._used = bytearray(total)

    @property
    def used_count(self) -> int:
        """Slabs that somebody has."""
        return sum(self._used)

    def take(self, size_bytes: int) -> Run | None:
        """Take the lowest run that holds ``size_bytes``; None when there is none."""
        count = max(1, -(-size_bytes // SLAB_BYTES))
        first = self._used.find(bytes(count))
        if first < 0:
            return None
        self._used[first : first + count] = b"\1" * count
        return Run(first, count)

    def grow(self, run: Run, size_bytes: int) -> Run | None:
        """Make a run hold ``size_bytes``: where it stands, else elsewhere; None (and it stays) if neither."""
        more = -(-size_bytes // SLAB_BYTES) - run.count
        if more <= 0:
            return run
        end = run.first + run.count
        if self._used[end : end + more] == bytes(more):
            self._used[end : end + more] = b"\1" * more
            return Run(run.first, run.count + more)
        moved = self.take(size_bytes)
        if moved:
            self.free(run)
        return moved

    def free(self, run: Run) -> None:
        """Give a run back."""
        self._used[run.first : run.first + run.count] = bytes(run.count)
