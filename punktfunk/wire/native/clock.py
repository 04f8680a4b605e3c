"""How far the host's clock is ahead, from the four stamps of a round: sent, received, answered, came back.

t1 and t4 are the client's CLOCK_REALTIME in nanoseconds, t2 and t3 the host's (the clock of pts). The round
with the smallest RTT says most, because its two ways can differ least. Spec: punktfunk-1.md section 2.8.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Offset(NamedTuple):
    """Host minus client, and how long the round was on the way."""

    offset_ns: int
    rtt_ns: int


def offset_ns(t1_ns: int, t2_ns: int, t3_ns: int, t4_ns: int) -> int:
    """Host's clock minus the client's; half a nanosecond is cut toward zero, as in the peer's integers."""
    total = (t2_ns - t1_ns) + (t3_ns - t4_ns)
    return -(-total // 2) if total < 0 else total // 2


def rtt_ns(t1_ns: int, t2_ns: int, t3_ns: int, t4_ns: int) -> int:
    """Time on the way, both directions, without the host's turnaround; at least 0."""
    return max(0, (t4_ns - t1_ns) - (t3_ns - t2_ns))


def measure(t1_ns: int, t2_ns: int, t3_ns: int, t4_ns: int) -> Offset:
    """Both numbers of one round."""
    return Offset(offset_ns(t1_ns, t2_ns, t3_ns, t4_ns), rtt_ns(t1_ns, t2_ns, t3_ns, t4_ns))


def best(rounds: Iterable[Offset]) -> Offset | None:
    """Give the round with the smallest RTT, the first of equals; None of none."""
    return min(rounds, key=lambda one: one.rtt_ns, default=None)
