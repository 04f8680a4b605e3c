"""Arrays and words at addresses: how an entry, whose arguments are all int64, reads what lies there.

Each function is an intrinsic that turns an address into a typed pointer, which kernels index like an array
(``words_at(context)[3]``). Nothing checks the index: sizes are proved where the address came in.
"""

from collections.abc import Callable
from typing import Any

from numba import types

from punktfunk.realtime.kernels.jit import intrinsic


def _pointer(element: Any) -> Callable[[int], Any]:
    @intrinsic
    def at(_typing: Any, _address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return types.CPointer(element)(types.int64), generate

    return at


bytes_at = _pointer(types.uint8)
elements_at = _pointer(types.uint16)  # a field element; wrap in int64 what is read
counts_at = _pointer(types.int32)
words_at = _pointer(types.int64)
