"""How long to wait before a dead part is started again: longer each time, until it has lived for a while."""

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Waits double from ``first_s`` to ``most_s``, and begin anew once ``calm_s`` passed without a death.

    Times are seconds of any clock that only goes forward.
    """

    first_s: float = 0.25
    most_s: float = 30.0
    calm_s: float = 60.0
    count: int = 0
    """Deaths since the last calm."""
    _last_s: float | None = None

    def died(self, now_s: float) -> float:
        """Note a death and return the seconds to wait before the next start."""
        if self._last_s is not None and now_s - self._last_s >= self.calm_s:
            self.count = 0
        self._last_s = now_s
        self.count += 1
        # 2**k outgrows every float after a thousand deaths: the exponent stops where the limit is reached.
        return min(self.most_s, self.first_s * 2.0 ** min(self.count - 1, 32))

    def started(self, now_s: float) -> None:
        """Count the calm from here, not from the death: a start may take long."""
        self._last_s = now_s
