"""Names for the counters that the sending kernel adds to; control reads them, nobody locks."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels import layout

SEND_COUNTERS: Final = {
    "frames": layout.COUNT_FRAMES,
    "datagrams": layout.COUNT_DATAGRAMS,
    "bytes": layout.COUNT_BYTES,
    "bare_blocks": layout.COUNT_BARE_BLOCKS,
    "oversize_in_kernel": layout.COUNT_OVERSIZE,
    "frames_before_destination": layout.COUNT_UNADDRESSED,
    "frames_before_idr": layout.COUNT_BEFORE_IDR,
    "send_errors": layout.COUNT_SEND_ERRORS,
    "lost_datagrams": layout.COUNT_LOST_DATAGRAMS,
    "eagain": layout.COUNT_WOULD_BLOCK,
    "last_errno": layout.COUNT_LAST_ERRNO,
    "late_frames": layout.COUNT_LATE_FRAMES,
    "seal_failures": layout.COUNT_SEAL_FAILURES,
    "unpaced_frames": layout.COUNT_UNPACED_FRAMES,
    "fec_failures": layout.COUNT_FEC_FAILURES,
    "filler_datagrams": layout.COUNT_FILLER_DATAGRAMS,
}
"""Name of every counter of the sending kernel, and its place in the array."""


def read_counters(counters: NDArray[np.int64]) -> dict[str, int]:
    """Copy the counters of the sending kernel; each is exact, together they are not one moment."""
    return {name: int(counters[index]) for name, index in SEND_COUNTERS.items()}


STATES: Final = frozenset({"send_mode", "send_times", "last_errno", "ring_bytes"})
"""What among a sender's counters is no count: of two senders the later one's is the truth."""


def added(before: dict[str, int], now: dict[str, int]) -> dict[str, int]:
    """Add a sender's counters to those of the one before it."""
    return {name: value + (0 if name in STATES else before.get(name, 0)) for name, value in now.items()}
