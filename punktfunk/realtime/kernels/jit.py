"""The one decorator that every kernel wears.

An explicit signature compiles at import and refuses other types later, so no frame ever pays for a
compilation. Importing this module sets Numba's cache folder, which happens before Numba is imported to read
it.
"""

import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from punktfunk.realtime.kernels import cache

os.environ[cache.NUMBA_VARIABLE] = str(cache.cache_folder())

import numba
import numba.extending
import numpy as np

numba.config.CACHE_DIR = os.environ[cache.NUMBA_VARIABLE]  # somebody may have imported Numba before us

P = ParamSpec("P")
R = TypeVar("R")

intrinsic = cast("Callable[[Callable[..., Any]], Callable[..., Any]]", numba.extending.intrinsic)
"""Numba's decorator for functions that emit LLVM code; the type checker does not see the typing argument."""

int64 = cast("Callable[[Any], int]", np.int64)
"""np.int64, which kernels must write around literals and unsigned values.

To the type checker it is an int.
"""


def kernel(signature: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Compile without the GIL, with C arithmetic, for exactly ``signature`` (a string or a Numba signature).

    A cache that fails on writing (disk full) costs a compilation per process, never the kernel.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        try:
            compiled = numba.njit(signature, nogil=True, cache=True, error_model="numpy")(function)
        except OSError as error:
            cache.note_problem(f"kernel {function.__name__} could not be kept: {error}")
            compiled = numba.njit(signature, nogil=True, error_model="numpy")(function)
        return cast("Callable[P, R]", compiled)

    return decorate
