"""Which sequence numbers of sealed datagrams are new: a window over the newest 131,072 of them.

Only what is authentic may ask, else anybody could move the window. The first number that asks sets it; older
ones pass once while they are inside. A number with the top bit set is refused: no session counts so far.
Spec: punktfunk-1.md section 2.7.
"""

from typing import Final

REPLAY_WINDOW: Final = 131_072


class ReplayWindow:
    """The numbers that were seen of those in the window."""

    def __init__(self) -> None:
        self._newest = -1
        self._seen: set[int] = set()

    def accept(self, sequence: int) -> bool:
        """Note a number; whether it is new."""
        if sequence >= 1 << 63 or (self._newest >= 0 and self._newest - sequence >= REPLAY_WINDOW):
            return False
        if sequence in self._seen:
            return False
        self._seen.add(sequence)
        self._newest = max(self._newest, sequence)
        if len(self._seen) > 2 * REPLAY_WINDOW:
            self._seen = {number for number in self._seen if self._newest - number < REPLAY_WINDOW}
        return True
