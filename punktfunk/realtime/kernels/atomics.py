"""Loads, stores and compare-and-swap on int64 words that two threads share, and raw memory access.

Every function is a Numba intrinsic: it becomes one instruction in the kernel that uses it and cannot be
called from Python. Nothing cleverer than acquire and release lives here.
"""

import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.np.arrayobj import populate_array

from punktfunk.realtime.kernels.jit import intrinsic

_I8, _I64 = ir.IntType(8), ir.IntType(64)
_RELAX = {"x86_64": ("llvm.x86.sse2.pause", ()), "aarch64": ("llvm.aarch64.hint", (ir.IntType(32)(1),))}


def _word_pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    structure = context.make_array(array_type)(context, builder, array)
    return builder.gep(structure.data, [index])


@intrinsic
def load_acquire(_typing: Any, _words: Any, _index: Any) -> Any:
    """Read ``words[index]``; later reads and writes stay after it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _word_pointer(context, builder, signature.args[0], *arguments)
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(_words, types.int64), generate


@intrinsic
def store_release(_typing: Any, _words: Any, _index: Any, _value: Any) -> Any:
    """Write ``words[index] = value``; earlier reads and writes stay before it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _word_pointer(context, builder, signature.args[0], arguments[0], arguments[1])
        builder.store_atomic(arguments[2], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(_words, types.int64, types.int64), generate


@intrinsic
def compare_swap(_typing: Any, _words: Any, _index: Any, _expected: Any, _desired: Any) -> Any:
    """Write ``desired`` if ``words[index]`` still is ``expected``; say whether it was."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _word_pointer(context, builder, signature.args[0], arguments[0], arguments[1])
        outcome = builder.cmpxchg(pointer, arguments[2], arguments[3], "seq_cst", "seq_cst")
        return builder.extract_value(outcome, 1)

    return types.boolean(_words, types.int64, types.int64, types.int64), generate


@intrinsic
def fence(_typing: Any) -> Any:
    """Keep reads and writes on their side, both ways."""

    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def address_of(_typing: Any, _array: Any) -> Any:
    """Address of an array's first element, as int64 (uint64 beside int64 would turn into float64)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        structure = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.ptrtoint(structure.data, _I64)

    return types.int64(_array), generate


@intrinsic
def copy_bytes(_typing: Any, _target: Any, _source: Any, _count: Any) -> Any:
    """Copy ``count`` bytes between two addresses that do not overlap."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        to, origin = (builder.inttoptr(a, _I8.as_pointer()) for a in arguments[:2])
        cgutils.raw_memcpy(builder, to, origin, arguments[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


@intrinsic
def words_at(_typing: Any, _address: Any, _count: Any) -> Any:
    """Return the ``count`` int64 words at an address as an array that owns nothing: for entries."""
    array_type = types.Array(types.int64, 1, "C")

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        array = context.make_array(array_type)(context, builder)
        populate_array(
            array,
            data=builder.inttoptr(arguments[0], _I64.as_pointer()),
            shape=[arguments[1]],
            strides=[_I64(8)],
            itemsize=_I64(8),
            meminfo=None,
        )
        return array._getvalue()  # noqa: SLF001  (Numba's own way to the value)

    return array_type(types.int64, types.int64), generate


@intrinsic
def relax(_typing: Any) -> Any:
    """Tell the CPU that this is a loop that waits: ``pause`` on x86, ``yield`` on ARM, nothing elsewhere."""

    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        name, codes = _RELAX.get(platform.machine(), ("", ()))
        if name:
            kinds = [code.type for code in codes]
            call = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), kinds), name)
            builder.call(call, codes)
        return context.get_dummy_value()

    return types.void(), generate
