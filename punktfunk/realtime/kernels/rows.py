"""Arrays over memory whose address and size lie in words, and words written at any byte: for entries.

Intrinsics, like those of ``atomics``. The arrays own nothing; sizes are proved where the address came in.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.np.arrayobj import populate_array

from punktfunk.realtime.kernels.jit import intrinsic

_I64 = ir.IntType(64)


def _view(element: Any, element_bytes: int) -> Callable[[int, int, int], Any]:
    """Make the intrinsic for two-dimensional arrays of one element type."""
    array_type = types.Array(element, 2, "C")

    @intrinsic
    def at(_typing: Any, _address: Any, _rows: Any, _columns: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            address, rows, columns = arguments
            array = context.make_array(array_type)(context, builder)
            pointer = context.get_data_type(element).as_pointer()
            size = _I64(element_bytes)
            populate_array(
                array,
                data=builder.inttoptr(address, pointer),
                shape=[rows, columns],
                strides=[builder.mul(columns, size), size],
                itemsize=size,
                meminfo=None,
            )
            return array._getvalue()  # noqa: SLF001  (Numba's own way to the value)

        return array_type(types.int64, types.int64, types.int64), generate

    return at


rows_at = _view(types.uint8, 1)
"""(address, rows, row bytes) -> uint8[rows, row bytes]"""
table_at = _view(types.int64, 8)
"""(address, rows, columns) -> int64[rows, columns]"""


def _put(*, big_endian: bool) -> Callable[[int, int], Any]:
    @intrinsic
    def put(_typing: Any, _address: Any, _value: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            value = builder.bswap(arguments[1]) if big_endian else arguments[1]
            builder.store(value, builder.inttoptr(arguments[0], _I64.as_pointer()), align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    return put


put_little = _put(big_endian=False)
"""(address, value): eight bytes, lowest first. Every machine that punktfunk runs on stores them so."""
put_big = _put(big_endian=True)
"""(address, value): eight bytes, highest first."""


def _get(*, big_endian: bool) -> Callable[[int], Any]:
    @intrinsic
    def get(_typing: Any, _address: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            value = builder.load(builder.inttoptr(arguments[0], _I64.as_pointer()), align=1)
            return builder.bswap(value) if big_endian else value

        return types.int64(types.int64), generate

    return get


get_little = _get(big_endian=False)
"""(address) -> eight bytes from any byte on, lowest first."""
get_big = _get(big_endian=True)
"""(address) -> eight bytes from any byte on, highest first."""
