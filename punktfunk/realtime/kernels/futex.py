"""Sleeping on a shared word until another thread changes it and says so. Linux futexes, of this process only.

A word is an int64; the system compares its low 32 bits, which on our little-endian machines come first.
Moves nothing: tests put one thread to sleep and wake it from another.
"""

import platform
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import address_of
from punktfunk.realtime.kernels.jit import int64, intrinsic, kernel
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.kernels.system import errno, monotonic_ns

I64 = NDArray[np.int64]

_I64 = ir.IntType(64)
_SYS_FUTEX = {"x86_64": 202}.get(platform.machine(), 98)  # 98 on every architecture since ARM64
_WAIT_UNTIL, _WAKE = 128 | 9, 128 | 1  # FUTEX_WAIT_BITSET (absolute, CLOCK_MONOTONIC) and FUTEX_WAKE, private
_ANY_BIT = 0xFFFFFFFF
_NS = 1_000_000_000
_EAGAIN = 11


@intrinsic
def _futex(_typing: Any, _address: Any, _operation: Any, _value: Any, _deadline_ns: Any) -> Any:
    """``syscall(SYS_futex, ...)`` with an absolute time, which FUTEX_WAKE ignores."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        address, operation, value, deadline_ns = arguments
        timespec = cgutils.alloca_once(builder, ir.ArrayType(_I64, 2))
        builder.store(builder.sdiv(deadline_ns, _I64(_NS)), cgutils.gep_inbounds(builder, timespec, 0, 0))
        builder.store(builder.srem(deadline_ns, _I64(_NS)), cgutils.gep_inbounds(builder, timespec, 0, 1))
        kind = ir.FunctionType(_I64, [_I64] * 7)
        call = cgutils.get_or_insert_function(builder.module, kind, "syscall")
        time = builder.ptrtoint(timespec, _I64)
        words = [_I64(_SYS_FUTEX), address, operation, value, time, _I64(0), _I64(_ANY_BIT)]
        return builder.call(call, words)

    return types.int64(types.int64, types.int64, types.int64, types.int64), generate


@kernel("int64(int64[::1], int64, int64, int64)")
def wait_word(words: I64, index: int, expected: int, deadline_ns: int) -> int:
    """Sleep while ``words[index]`` is ``expected``: 1 when woken or when it is not, 0 after the deadline.

    words         any shared words
    index         which one
    expected      its low 32 bits are compared
    deadline_ns   CLOCK_MONOTONIC; in the past: answers at once

    A signal or an accident may end it early, so the caller looks again. BAD_SIZE for an index that is none.
    """
    if index < 0 or index >= words.size:
        return BAD_SIZE
    if monotonic_ns() >= deadline_ns:
        return int64(words[index] != expected)
    outcome = _futex(address_of(words) + index * 8, _WAIT_UNTIL, expected & _ANY_BIT, deadline_ns)
    return int64(outcome >= 0 or errno() == _EAGAIN)


@kernel("int64(int64[::1], int64, int64)")
def wake_word(words: I64, index: int, count: int) -> int:
    """Wake up to ``count`` threads that sleep on ``words[index]``; how many there were, or BAD_SIZE.

    words    any shared words
    index    which one; change it first, or a thread that is about to sleep will
    count    at least 1
    """
    if index < 0 or index >= words.size or count < 1:
        return BAD_SIZE
    return int64(_futex(address_of(words) + index * 8, _WAKE, count, 0))
