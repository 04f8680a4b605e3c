"""Player numbers of the host: 16 for the pads of all sessions, the same again for whoever returns."""

from typing import Final

SLOT_COUNT: Final = 16
REMEMBERED: Final = 64


class SlotBook:
    """Which slot each client's pad has. ``owner`` is the client, ``pad`` its own number."""

    def __init__(self) -> None:
        self._taken: dict[int, tuple[str, int]] = {}
        self._last: dict[tuple[str, int], int] = {}

    def take(self, owner: str, pad: int) -> int | None:
        """Take the slot that this pad had before, else the lowest; None if all sixteen are in use."""
        key = owner, pad
        wanted = self._last.pop(key, None)
        free = [slot for slot in range(SLOT_COUNT) if slot not in self._taken]
        if not free:
            return None
        slot = wanted if wanted is not None and wanted in free else free[0]
        self._taken[slot] = key
        self._last[key] = slot
        while len(self._last) > REMEMBERED:
            del self._last[next(iter(self._last))]
        return slot

    def release(self, slot: int) -> None:
        """Give a slot back."""
        self._taken.pop(slot, None)
