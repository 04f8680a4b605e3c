"""Pictures that come slowly: the processor is emulated."""

import os
import time

from harness import PATIENCE

SLOW_S = 15
COMPILED = {name: value for name, value in os.environ.items() if name == "PUNKTFUNK_SIMD"}
"""For which processor kernels were compiled before the machine began; hosts under test forget our variables."""


def barcodes(client, *, at_least):
    """Wait for so many different barcodes; return their numbers."""
    deadline = time.monotonic() + SLOW_S * PATIENCE
    numbers = []
    while len(numbers) < at_least and time.monotonic() < deadline:
        client("wait", frames=5, seconds=2)
        frames = client("report")["frames"]
        numbers = sorted({frame["number"] for frame in frames if "number" in frame})
    return numbers
