"""Pictures that come slowly: the processor is emulated."""

import os
import time
from contextlib import contextmanager

from harness import PATIENCE, Client
from pictures import app_number

SLOW_S = 15
TRIES = 4
COMPILED = {
    name: value for name, value in os.environ.items() if name in {"PUNKTFUNK_SIMD", "PUNKTFUNK_KERNEL_CACHE"}
}
"""Kernels that were compiled before the machine began; hosts under test forget our variables."""


@contextmanager
def streaming(folder, host, title, **mode):
    """A paired client that streams an app; where the core has given up, the next one goes back to it.

    Moonlight waits for ten seconds until the first picture, and an emulated host still loads its kernels then.
    """
    for number in range(TRIES):
        with Client(folder / "client", host) as client:
            try:
                client.stream(app_number(client, title), resume=number > 0, **mode)
            except AssertionError as error:
                print("the client gave up:", error, *host.lines.seen[-12:], sep="\n  ", flush=True)
                if number == TRIES - 1:
                    raise
                client("stop")
                continue
            yield client
            return


def barcodes(client, *, at_least):
    """Wait for so many different barcodes; return their numbers."""
    deadline = time.monotonic() + SLOW_S * PATIENCE
    numbers = []
    while len(numbers) < at_least and time.monotonic() < deadline:
        client("wait", frames=5, seconds=2)
        frames = client("report")["frames"]
        numbers = sorted({frame["number"] for frame in frames if "number" in frame})
    return numbers
