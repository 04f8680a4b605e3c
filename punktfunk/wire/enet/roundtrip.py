"""How long an answer takes: mean, variance, and when to send again. Jacobson's filter, as in RFC 6298."""

INITIAL_MEAN_NS = 500_000_000  # ENet's own first guess
MINIMUM_TIMEOUT_NS = 20_000_000  # below it a busy peer looks lossy
MAXIMUM_TIMEOUT_NS = 1_000_000_000  # an outage is noticed to be over within a second
_BACKOFF_LIMIT = 64


class RoundTrip:
    """Estimate of one peer's round trip."""

    def __init__(self) -> None:
        self.mean_ns = INITIAL_MEAN_NS
        self.variance_ns = 0
        self._measured = False

    def measured(self, sample_ns: int) -> None:
        """Take one measurement."""
        if not self._measured:
            self._measured = True
            self.mean_ns, self.variance_ns = sample_ns, sample_ns // 2
            return
        error_ns = sample_ns - self.mean_ns
        self.variance_ns += (abs(error_ns) - self.variance_ns) // 4
        self.mean_ns += error_ns // 8

    def timeout_ns(self, attempts: int) -> int:
        """How long to wait for the answer to the ``attempts``-th sending (from 1) of a command."""
        base_ns = max(self.mean_ns + 4 * self.variance_ns, MINIMUM_TIMEOUT_NS)
        return min(base_ns * min(1 << (attempts - 1), _BACKOFF_LIMIT), MAXIMUM_TIMEOUT_NS)
