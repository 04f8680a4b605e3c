"""Calling an erasure code with arrays: what ``Code8`` and ``Code16`` do for a caller from Python.

Numba takes an array apart in a fraction of the time that ``ndarray.ctypes`` needs, and for a small block that
time is most of a call. The code is an entry, so any variant of it can be called. Adds nothing of its own: the
tests of the codes are its own.
"""

from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import address_of
from punktfunk.realtime.kernels.calls import call_address
from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import BAD_SIZE, UNSUPPORTED_SHAPE

U8 = NDArray[np.uint8]

_I = types.int64
_READ: Any = types.Array(types.uint8, 2, "A", readonly=True)
_WRITTEN: Any = types.Array(types.uint8, 2, "A")
_FLAGS: Any = types.Array(types.uint8, 1, "C", readonly=True)


@kernel(_I(_I, _I, _I, _I, _I, _READ, _WRITTEN))
def encode_rows(
    encode: int, context: int, data_max: int, parity_max: int, shard_bytes: int, data: U8, parity: U8
) -> int:
    """Call an encoder; its answer, BAD_SIZE for rows that do not fit, or UNSUPPORTED_SHAPE past a limit.

    encode       address of the entry
    context      address of its words
    data_max, parity_max, shard_bytes   the most that the context was made for
    data         (k, n), bytes of a row side by side
    parity       (m, n), likewise; written
    """
    if data.shape[1] != parity.shape[1] or (data.shape[1] > 1 and (data.strides[1] | parity.strides[1]) != 1):
        return BAD_SIZE
    if data.shape[0] > data_max or parity.shape[0] > parity_max or data.shape[1] > shard_bytes:
        return UNSUPPORTED_SHAPE
    code: int = call_address(
        encode,
        (
            context, address_of(data), int64(data.strides[0]), address_of(parity), int64(parity.strides[0]),
            int64(data.shape[0]), int64(parity.shape[0]), int64(data.shape[1]),
        ),
    )  # fmt: skip
    return code


@kernel(_I(_I, _I, _I, _I, _I, _WRITTEN, _READ, _FLAGS))
def decode_rows(
    decode: int,
    context: int,
    data_max: int,
    parity_max: int,
    shard_bytes: int,
    data: U8,
    parity: U8,
    present: U8,
) -> int:
    """Call a decoder; its answer, BAD_SIZE for rows that do not fit, or UNSUPPORTED_SHAPE past a limit.

    decode       address of the entry
    context      address of its words
    data_max, parity_max, shard_bytes   the most that the context was made for
    data         (k, n), bytes of a row side by side; missing rows are written
    parity       (m, n), likewise
    present      (k + m,)   1 for every shard that is there
    """
    if data.shape[1] != parity.shape[1] or (data.shape[1] > 1 and (data.strides[1] | parity.strides[1]) != 1):
        return BAD_SIZE
    if present.size != data.shape[0] + parity.shape[0]:
        return BAD_SIZE
    if data.shape[0] > data_max or parity.shape[0] > parity_max or data.shape[1] > shard_bytes:
        return UNSUPPORTED_SHAPE
    code: int = call_address(
        decode,
        (
            context, address_of(data), int64(data.strides[0]), address_of(parity), int64(parity.strides[0]),
            address_of(present), int64(data.shape[0]), int64(parity.shape[0]), int64(data.shape[1]),
        ),
    )  # fmt: skip
    return code
