"""Rumble: a level with a lease (punktfunk-1 §2.10). What the device does by itself when the lease ends.

The host renews a level while it lasts; the lease, at most five seconds, is given to the device as the
duration, so that a lost stop or a lost network ends the buzzing by itself. A host without leases is silenced
one second after its last word. Sequences are checked as those of input: only newer ones count.
"""

from typing import Final, NamedTuple

from punktfunk.wire.native.input import is_newer

LEASE_MOST_MS: Final = 5000
WITHOUT_LEASE_MS: Final = 1000


class Buzz(NamedTuple):
    """What to tell a device: motors 0 to 65535, for how long."""

    low: int
    high: int
    left_trigger: int
    right_trigger: int
    duration_ms: int


class RumbleBank:
    """Levels of all pads. For the main thread."""

    def __init__(self) -> None:
        self._sequences: dict[int, int] = {}
        self._buzzing: set[int] = set()

    def order(
        self,
        pad: int,
        levels: tuple[int, int],
        triggers: tuple[int, int] = (0, 0),
        sequence: int | None = None,
        lease_ms: int | None = None,
    ) -> Buzz | None:
        """Take a rumble message; None if an older one came late."""
        if sequence is not None:
            if not is_newer(sequence, self._sequences.get(pad)):
                return None
            self._sequences[pad] = sequence
        quiet = not any((*levels, *triggers))
        (self._buzzing.discard if quiet else self._buzzing.add)(pad)
        lease_ms = WITHOUT_LEASE_MS if lease_ms is None else min(lease_ms, LEASE_MOST_MS)
        return Buzz(*levels, *triggers, 0 if quiet else lease_ms)

    def silence(self) -> list[int]:
        """End of the session: the pads to be silenced. Counters begin anew with the next session."""
        pads = sorted(self._buzzing)
        self._buzzing.clear()
        self._sequences.clear()
        return pads
