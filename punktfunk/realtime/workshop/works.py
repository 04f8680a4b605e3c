"""The same work by default and variant, to be timed side by side in one process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from punktfunk.errors import UnsupportedShape
from punktfunk.realtime.kernels.repeat import repeat_entry
from punktfunk.realtime.variants import Context, Variant

Work = Callable[[int], object]
"""Does the same thing so many times in a row."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The same work by default and variant, to be timed; ``work_bytes`` is the payload of one time."""

    case: str
    default: Work
    ours: Work
    work_bytes: int


def repeated(variant: Variant, context: Context, arguments: Sequence[int]) -> Work:
    """Make a work of calling a variant with these arguments after the context."""
    return repeated_at(variant.address, context.address, arguments, context)


def repeated_at(address: int, context: int, arguments: Sequence[int], *kept: object) -> Work:
    """Make a work of calling the entry at ``address``; ``kept`` lives as long as the work."""
    words = np.array([context, *arguments], np.int64)

    def work(count: int) -> object:
        code = repeat_entry(address, words, count)
        if code < 0:
            raise UnsupportedShape(f"the entry answered {code}")
        return kept

    return work
