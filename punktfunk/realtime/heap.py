"""How many heaps glibc keeps for the threads of this process."""

import ctypes
from typing import Final

MOST_HEAPS: Final = 2
LARGE_BYTES: Final = 1 << 20
"""From here on memory comes from the kernel and goes back. Pictures and rings are made once for a stream."""
_M_ARENA_MAX: Final = -8  # glibc, malloc/malloc.h
_M_MMAP_THRESHOLD: Final = -3  # the same; setting it also ends its growing to 32 MiB with what is freed


def keep_few_heaps() -> bool:
    """Bound glibc's heaps; to be called before threads start. False where malloc is another.

    Every session starts threads anew, and glibc gives new threads heaps in turn, up to eight for each core.
    What the buffers of a session left between small things in each is not given back: a host of 270 MiB grew
    past 400 within eleven sessions and went on; with two heaps it stays at 310. Large blocks stay outside, as
    a hole that one session left is seldom what the next one wants.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # musl
        return False
    return bool(mallopt(_M_ARENA_MAX, MOST_HEAPS) and mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES))
