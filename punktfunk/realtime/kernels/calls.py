"""Calling an entry through its address, which lies in a word: how a stream changes its variant.

Intrinsics, like those of ``atomics``. The address must come from ``jit.address_of_entry`` of a function with
that many int64 arguments: nothing here can check it.
"""

from typing import Any

from llvmlite import ir
from numba import types

from punktfunk.realtime.kernels.jit import intrinsic

_I64 = ir.IntType(64)


@intrinsic
def call_address(_typing: Any, _address: Any, _arguments: Any) -> Any:
    """Call the function at ``address`` with a tuple of int64 arguments; its int64 result."""
    count = len(_arguments)

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        values = [builder.extract_value(arguments[1], i) for i in range(count)]
        function = ir.FunctionType(_I64, [_I64] * count).as_pointer()
        return builder.call(builder.inttoptr(arguments[0], function), values)

    return types.int64(types.int64, types.UniTuple(types.int64, count)), generate
