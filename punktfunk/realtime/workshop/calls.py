"""Calls an entry many times in a row without Python in between, so that only the entry is timed."""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.calls import call_address
from punktfunk.realtime.kernels.jit import kernel
from punktfunk.realtime.kernels.layout import BAD_SIZE


@kernel("int64(int64, int64[::1], int64)")
def call_repeatedly(address: int, arguments: NDArray[np.int64], count: int) -> int:
    """Call the entry at ``address`` so often with the same arguments (5, 8 or 9 of them); its last answer."""
    a = arguments
    answer = BAD_SIZE
    for _ in range(count):
        if a.size == 5:
            answer = call_address(address, (a[0], a[1], a[2], a[3], a[4]))
        elif a.size == 8:
            answer = call_address(address, (a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]))
        elif a.size == 9:
            answer = call_address(address, (a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8]))
    return answer
