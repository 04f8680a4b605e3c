"""Departures of a variant against what every pacer must keep: their order, and the bounds of the window."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from punktfunk.realtime.lab import ARGUMENTS
from punktfunk.realtime.variants import Variant
from punktfunk.realtime.workshop.checking import Wrong, callable_at

_FRAME_COUNT: Final = 40
_GROUP_MAX: Final = 44  # datagrams that leave together
_LONGEST_WINDOWS: Final = 2  # what a stream lets a frame take at most, see kernels.group


def check(variant: Variant, seed: int) -> Iterator[str]:
    """Yield every frame before it is asked for; ``Wrong`` for the first departure that may not be."""
    random = np.random.default_rng(seed)
    context = variant.context_over(0)
    deadline = callable_at(variant.address, len(ARGUMENTS["pace"]))
    now_ns = 1 << 40
    for turn in range(_FRAME_COUNT):
        total = int(random.integers(1, 4092)) if turn else 1
        window_ns = int(random.choice([1, 999_999, 7_291_667, 14_583_333, 87_500_000]))
        group = int(random.integers(1, _GROUP_MAX + 1))
        yield f"{total} datagrams in groups of {group}, window {window_ns} ns"
        last_ns = now_ns
        for first in range(0, total, group):
            leaves_ns = deadline(context.address, now_ns, window_ns, first, total)
            if not last_ns <= leaves_ns <= now_ns + _LONGEST_WINDOWS * window_ns:
                raise Wrong(
                    f"datagram {first} of {total} may leave {leaves_ns - now_ns} ns after the frame's start; "
                    f"the one before it left at {last_ns - now_ns}, and the window is {window_ns} ns"
                )
            last_ns = leaves_ns
        now_ns += window_ns * 8 // 7
