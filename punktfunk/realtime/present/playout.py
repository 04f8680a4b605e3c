"""How much sound waits before the device: enough for the network's jitter, and as late as the picture.

``level`` is what the device still has to play when a packet arrives. Its least value in a third of a second
is how near to silence the sound came; that is kept at a target. Where it is too high, two packets are blended
into one; where it is too low, one is stretched into two: five milliseconds at a time, which nobody hears,
instead of a change of pitch. The target is the margin that late packets have shown to be needed, and more if
the picture is later than the sound (A/V sync): sound that runs ahead by 15 ms or more waits for the picture.
"""

from enum import Enum
from typing import Final

MARGIN_FIRST_NS: Final = 10_000_000
MARGIN_LEAST_NS: Final = 5_000_000
MARGIN_MOST_NS: Final = 80_000_000
MARGIN_STEP_NS: Final = 5_000_000
MARGIN_DECAY_NS: Final = 150_000
WINDOW_NS: Final = 300_000_000
CHANGE_EVERY: Final = 4
HURRIED_EVERY: Final = 2
"""Packets of which at most one is shortened or lengthened; the second where a burst left much to catch up."""

MUCH: Final = 12

SYNC_TOLERANCE_NS: Final = 15_000_000
SYNC_MOST_NS: Final = 200_000_000


class Change(Enum):
    """What to do with the next packet."""

    NOTHING = 0
    SHORTEN = 1
    LENGTHEN = 2


class Playout:
    """Decides; knows no samples. For one thread. All times CLOCK_MONOTONIC."""

    def __init__(self, frame_ns: int) -> None:
        self._frame_ns = frame_ns
        self._window_end_ns = 0
        self._least_level_ns: int | None = None
        self._sync_sum_ns = 0
        self._sync_count = 0
        self._ran_dry = False
        self._owed = 0
        self._since_change = 0
        self.margin_ns = MARGIN_FIRST_NS
        self.target_ns = MARGIN_FIRST_NS
        self.sync_error_ns: int | None = None

    def ran_dry(self) -> None:
        """Note that concealment had to be played because a packet was late."""
        self._ran_dry = True

    def packet(self, level_ns: int, sync_error_ns: int | None, now_ns: int) -> Change:
        """Note a packet and answer what to do with it.

        level_ns       what the device still had to play
        sync_error_ns  how much later the picture is than the sound; None if unknown
        """
        if self._least_level_ns is None:
            self._window_end_ns = now_ns + WINDOW_NS
        self._least_level_ns = (
            level_ns if self._least_level_ns is None else min(self._least_level_ns, level_ns)
        )
        if sync_error_ns is not None:
            self._sync_sum_ns += sync_error_ns
            self._sync_count += 1
        if now_ns >= self._window_end_ns:
            self._close_window(self._least_level_ns)
        return self._due_change()

    def _due_change(self) -> Change:
        self._since_change += 1
        spacing = HURRIED_EVERY if abs(self._owed) > MUCH else CHANGE_EVERY
        if not self._owed or self._since_change < spacing:
            return Change.NOTHING
        self._since_change = 0
        if self._owed > 0:
            self._owed -= 1
            return Change.SHORTEN
        self._owed += 1
        return Change.LENGTHEN

    def _close_window(self, least_level_ns: int) -> None:
        if self._ran_dry:
            self.margin_ns = min(self.margin_ns + MARGIN_STEP_NS, MARGIN_MOST_NS)
        else:
            self.margin_ns = max(self.margin_ns - MARGIN_DECAY_NS, MARGIN_LEAST_NS)
        wanted_ns = self.margin_ns
        self.sync_error_ns = self._sync_sum_ns // self._sync_count if self._sync_count else None
        if self.sync_error_ns is not None:
            off = abs(self.sync_error_ns) > SYNC_TOLERANCE_NS
            wanted_ns = max(wanted_ns, least_level_ns + (self.sync_error_ns if off else 0))
        self.target_ns = min(wanted_ns, SYNC_MOST_NS)
        excess_ns = least_level_ns - self.target_ns
        # A whole packet of difference is none: the level of a quiet network moves by as much.
        self._owed = 0 if abs(excess_ns) < 3 * self._frame_ns // 2 else round(excess_ns / self._frame_ns)
        self._least_level_ns = None
        self._sync_sum_ns = self._sync_count = 0
        self._ran_dry = False
