"""The few system calls that kernels make: clock, sleep, poll, reading and writing an eventfd.

Intrinsics, like those of ``atomics``: the small structures that the kernel wants live on the stack. Linux, 64
bit.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from punktfunk.realtime.kernels.jit import intrinsic

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_CLOCK_MONOTONIC = 1
_TIMER_ABSTIME = 1
_POLLIN = 1
_NS = 1_000_000_000

Generator = Callable[[Any, Any, Any, Any], Any]


def _function(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)


def _timespec(builder: Any) -> Any:
    return cgutils.alloca_once(builder, ir.ArrayType(_I64, 2))


def _part(builder: Any, timespec: Any, index: int) -> Any:
    return builder.gep(timespec, [_I32(0), _I32(index)])


def _errno(builder: Any) -> Any:
    place = builder.call(_function(builder, "__errno_location", _I32.as_pointer()), [])
    return builder.sext(builder.load(place), _I64)


@intrinsic
def errno(_typing: Any) -> Any:
    """Error number of the last failed call of this thread."""

    def generate(_context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        return _errno(builder)

    return types.int64(), generate


@intrinsic
def monotonic_ns(_typing: Any) -> Any:
    """CLOCK_MONOTONIC in nanoseconds, as ``time.monotonic_ns`` has it."""

    def generate(_context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        timespec = _timespec(builder)
        call = _function(builder, "clock_gettime", _I32, _I32, timespec.type)
        builder.call(call, [_I32(_CLOCK_MONOTONIC), timespec])
        seconds, rest = (builder.load(_part(builder, timespec, i)) for i in range(2))
        return builder.add(builder.mul(seconds, _I64(_NS)), rest)

    return types.int64(), generate


@intrinsic
def sleep_to_ns(_typing: Any, _deadline_ns: Any) -> Any:
    """Sleep until an absolute CLOCK_MONOTONIC time; a signal may end it early."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        timespec = _timespec(builder)
        builder.store(builder.sdiv(arguments[0], _I64(_NS)), _part(builder, timespec, 0))
        builder.store(builder.srem(arguments[0], _I64(_NS)), _part(builder, timespec, 1))
        null = ir.Constant(timespec.type, None)
        call = _function(builder, "clock_nanosleep", _I32, _I32, _I32, timespec.type, timespec.type)
        outcome = builder.call(call, [_I32(_CLOCK_MONOTONIC), _I32(_TIMER_ABSTIME), timespec, null])
        return builder.sext(outcome, _I64)

    return types.int64(types.int64), generate


@intrinsic
def wait_fd(_typing: Any, _fd: Any, _events: Any, _timeout_ms: Any) -> Any:
    """``poll`` one descriptor for ``events`` (1 readable, 4 writable).

    Its result, at most ``timeout_ms`` later.
    """

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        entry = cgutils.alloca_once(builder, _I64)
        low = builder.and_(arguments[0], _I64(0xFFFFFFFF))
        builder.store(builder.or_(low, builder.shl(arguments[1], _I64(32))), entry)
        call = _function(builder, "poll", _I32, entry.type, _I64, _I32)
        timeout = builder.trunc(arguments[2], _I32)
        return builder.sext(builder.call(call, [entry, _I64(1), timeout]), _I64)

    return types.int64(types.int64, types.int64, types.int64), generate


@intrinsic
def wait_readable(_typing: Any, _fd: Any, _other_fd: Any, _timeout_ms: Any) -> Any:
    """``poll`` two descriptors until one is readable.

    Its result, at most ``timeout_ms`` later.
    """

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        entries = cgutils.alloca_once(builder, ir.ArrayType(_I64, 2))
        for i in range(2):
            low = builder.and_(arguments[i], _I64(0xFFFFFFFF))
            builder.store(builder.or_(low, _I64(_POLLIN << 32)), _part(builder, entries, i))
        call = _function(builder, "poll", _I32, _I64.as_pointer(), _I64, _I32)
        first = _part(builder, entries, 0)
        timeout = builder.trunc(arguments[2], _I32)
        return builder.sext(builder.call(call, [first, _I64(2), timeout]), _I64)

    return types.int64(types.int64, types.int64, types.int64), generate


@intrinsic
def drain_eventfd(_typing: Any, _fd: Any) -> Any:
    """Take an eventfd's count (the descriptor must be non-blocking): 0 when there was nothing."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        count = cgutils.alloca_once(builder, _I64)
        builder.store(_I64(0), count)
        call = _function(builder, "read", _I64, _I32, count.type, _I64)
        builder.call(call, [builder.trunc(arguments[0], _I32), count, _I64(8)])
        return builder.load(count)

    return types.int64(types.int64), generate


@intrinsic
def add_to_eventfd(_typing: Any, _fd: Any) -> Any:
    """Add one to an eventfd's count, which wakes whoever waits on it: 8, or -1 where it is none."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        count = cgutils.alloca_once(builder, _I64)
        builder.store(_I64(1), count)
        call = _function(builder, "write", _I64, _I32, count.type, _I64)
        return builder.call(call, [builder.trunc(arguments[0], _I32), count, _I64(8)])

    return types.int64(types.int64), generate
