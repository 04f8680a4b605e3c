"""The latency histogram over plain ints: bucket boundaries as the definition has them."""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    HISTOGRAM_BUCKETS,
    HISTOGRAM_COUNT,
    HISTOGRAM_MAX_NS,
    HISTOGRAM_MIN_NS,
    HISTOGRAM_OCTAVE_COUNT,
    HISTOGRAM_STEP_BITS,
    HISTOGRAM_SUM_NS,
    HISTOGRAM_WORD_COUNT,
)

BUCKET_COUNT = HISTOGRAM_WORD_COUNT - HISTOGRAM_BUCKETS
_STEPS = 1 << HISTOGRAM_STEP_BITS


def lowest_ns(bucket: int) -> int:
    """Return the smallest value that a bucket counts; for ``BUCKET_COUNT`` the end of the last one.

    The first two rows of 64 buckets are one value wide, and each further row is twice as wide as the last.
    """
    row, step = divmod(bucket, _STEPS)
    return step if row == 0 else _STEPS + step << row - 1


def bucket_of(value_ns: int) -> int:
    """Bucket that counts a value: the last one that begins at or below it."""
    value_ns = min(max(value_ns, 0), (1 << HISTOGRAM_OCTAVE_COUNT) - 1)
    low, high = 0, BUCKET_COUNT
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if lowest_ns(middle) <= value_ns else (low, middle)
    return low


def record(histogram: NDArray[np.int64], value_ns: int) -> int:
    """Count one value."""
    if histogram.size < HISTOGRAM_WORD_COUNT:
        return BAD_SIZE
    value_ns = max(value_ns, 0)
    first = histogram[HISTOGRAM_COUNT] == 0
    histogram[HISTOGRAM_BUCKETS + bucket_of(value_ns)] += 1
    histogram[HISTOGRAM_COUNT] += 1
    histogram[HISTOGRAM_SUM_NS] += value_ns
    histogram[HISTOGRAM_MAX_NS] = max(int(histogram[HISTOGRAM_MAX_NS]), value_ns)
    histogram[HISTOGRAM_MIN_NS] = value_ns if first else min(int(histogram[HISTOGRAM_MIN_NS]), value_ns)
    return 0
