"""Pictures that come slowly: the processor is emulated."""

import time

from harness import PATIENCE

SLOW_S = 15


def barcodes(client, *, at_least):
    """Wait for so many different barcodes; return their numbers."""
    deadline = time.monotonic() + SLOW_S * PATIENCE
    numbers = []
    while len(numbers) < at_least and time.monotonic() < deadline:
        client("wait", frames=5, seconds=2)
        frames = client("report")["frames"]
        numbers = sorted({frame["number"] for frame in frames if "number" in frame})
    return numbers
