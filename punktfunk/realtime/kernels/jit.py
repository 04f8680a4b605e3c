"""The two decorators that kernels wear: ``kernel``, called with arrays, and ``entry``, called by its symbol.

An explicit signature compiles at import and refuses other types later, so no frame ever pays for a
compilation. A kernel that calls a kernel contains a copy of it, optimised anew; a kernel that calls an entry
contains a call. So what several kernels share, and what may be exchanged while a stream runs, is an entry.
Importing this module sets Numba's cache folder, which happens before Numba is imported to read it.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from punktfunk.realtime.kernels import cache

os.environ[cache.NUMBA_VARIABLE] = str(cache.cache_folder())

import llvmlite.binding
import numba
import numba.extending
import numpy as np
from numba import types
from numba.core import sigutils

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
        _use_module_folder(function)
        try:
            compiled = numba.njit(signature, nogil=True, cache=True, error_model="numpy")(function)
        except OSError as error:
            cache.note_problem(f"kernel {function.__name__} could not be kept: {error}")
            compiled = numba.njit(signature, nogil=True, error_model="numpy")(function)
        return cast("Callable[P, R]", compiled)

    return decorate


def entry(signature: str) -> Callable[[Callable[P, int]], Callable[P, int]]:
    """Compile a function of int64 arguments and result that kernels call by symbol or by address.

    Kernels call the decorated name like any other; ``address_of_entry`` gives the address for calls through a
    word (``calls.call_address``). Python cannot call it: give it a ``kernel`` that checks arrays first.
    """

    def decorate(function: Callable[P, int]) -> Callable[P, int]:
        _use_module_folder(function)
        try:
            compiled = numba.cfunc(signature, nopython=True, cache=True, error_model="numpy")(function)
        except OSError as error:
            cache.note_problem(f"entry {function.__name__} could not be kept: {error}")
            compiled = numba.cfunc(signature, nopython=True, error_model="numpy")(function)
        symbol = f"{function.__module__}.{function.__name__}".replace(".", "_")
        llvmlite.binding.add_symbol(symbol, compiled.address)
        arguments, result = sigutils.normalize_signature(signature)
        _entries[symbol] = compiled  # keeps the machine code alive
        return cast("Callable[P, int]", types.ExternalFunction(symbol, result(*arguments)))

    return decorate


def address_of_entry(function: Callable[..., int]) -> int:
    """Address of an entry's machine code, for this process. KeyError for anything but an entry."""
    return int(_entries[cast("Any", function).symbol].address)


_entries: dict[str, Any] = {}


def _use_module_folder(function: Callable[..., object]) -> None:
    """Numba asks for the folder when a function is decorated, so it is set for each."""
    numba.config.CACHE_DIR = str(cache.module_folder(Path(function.__code__.co_filename)))
