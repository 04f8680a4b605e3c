"""How long something took, counted in buckets whose width grows with the value: 64 for each power of two.

So a percentile is exact to 1/64 of itself from 64 ns to 18 minutes, in 18 KB, whatever the distribution.
One thread writes; others read while it does.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import store_release
from punktfunk.realtime.kernels.jit import int64, intrinsic, kernel
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

I64 = NDArray[np.int64]


@intrinsic
def _leading_zeros(_typing: Any, _value: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.IntType(1)(0))

    return types.int64(types.int64), generate


@kernel("int64(int64)")
def bucket_of(value_ns: int) -> int:
    """Bucket that counts a value; negative values are 0, and those beyond the last bucket are in it.

    value_ns   scalar
    """
    value_ns = min(max(value_ns, 0), (1 << HISTOGRAM_OCTAVE_COUNT) - 1)
    octave = 63 - _leading_zeros(value_ns | 1)
    shift = max(octave - HISTOGRAM_STEP_BITS, 0)
    above = max(octave - HISTOGRAM_STEP_BITS + 1, 0)
    return int64(above << HISTOGRAM_STEP_BITS | value_ns >> shift & (1 << HISTOGRAM_STEP_BITS) - 1)


@kernel("int64(int64[::1], int64)")
def record(histogram: I64, value_ns: int) -> int:
    """Count one value; 0 or BAD_SIZE.

    histogram   (HISTOGRAM_WORD_COUNT,)   see ``layout``
    value_ns    a negative one counts as 0
    """
    if histogram.size < HISTOGRAM_WORD_COUNT:
        return BAD_SIZE
    value_ns = max(value_ns, int64(0))
    count = histogram[HISTOGRAM_COUNT]
    histogram[HISTOGRAM_BUCKETS + bucket_of(value_ns)] += 1
    histogram[HISTOGRAM_SUM_NS] += value_ns
    histogram[HISTOGRAM_MAX_NS] = max(histogram[HISTOGRAM_MAX_NS], value_ns)
    histogram[HISTOGRAM_MIN_NS] = min(histogram[HISTOGRAM_MIN_NS], value_ns) if count else value_ns
    store_release(histogram, HISTOGRAM_COUNT, count + 1)
    return 0
