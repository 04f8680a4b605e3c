"""Leopard's code over GF(2^16) on arrays: memory is allocated once, calls let go of the interpreter.

Kernels have variants behind one interface (docs/lab.md), so an encoder here is the address of one. A code has
one work area, so one thread uses it at a time.
"""

import ctypes
from collections.abc import Callable
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import LocalProtocolError, TooFewShards, UnsupportedShape
from punktfunk.realtime.kernels import layout, layout16, shards
from punktfunk.realtime.kernels.butterfly import STRIP_BYTES
from punktfunk.realtime.kernels.encode16 import encode as default_encode
from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.reference import gf16, leopard

U8 = NDArray[np.uint8]

_PAGE_BYTES = 4096
_STRIP_BYTES = 1 << 20  # of the work area that a strip uses: wide strips are worth more than a near cache


def entry_at(address: int, argument_count: int) -> Callable[..., int]:
    """Call an entry from Python, without the interpreter's lock: int64 arguments and result."""
    kinds = [ctypes.c_int64] * (argument_count + 1)
    return ctypes.CFUNCTYPE(*kinds)(address)


class Code16:
    """At most ``data_max`` data shards, ``parity_max`` parity shards and ``shard_bytes`` bytes in each.

    ``encode`` is the address of a variant, for ``encode_address``; UnsupportedShape if a count is outside the
    code or a shard has an odd number of bytes.
    """

    def __init__(
        self, data_max: int, parity_max: int, shard_bytes: int, *, encode: int | None = None
    ) -> None:
        if min(data_max, parity_max) < 1 or max(data_max, parity_max) > 65535:
            raise UnsupportedShape(
                f"no code over GF(2^16) has {data_max} data and {parity_max} parity shards"
            )
        if shard_bytes < 2 or shard_bytes % 2:
            raise UnsupportedShape(f"shards must have an even number of bytes, not {shard_bytes}")
        self.data_max, self.parity_max, self.shard_bytes = data_max, parity_max, shard_bytes
        self._limits = data_max, parity_max, shard_bytes
        self._words = aligned(8 * layout16.CODE16_WORD_COUNT).view(np.int64)
        self._kept: list[U8] = []  # what the words point to
        self._fill()
        self.context = self._words.ctypes.data
        self.encode_address = address_of_entry(default_encode) if encode is None else encode

    def _fill(self) -> None:
        longest = max(self.data_max, self.parity_max)
        rows = 2 * min(map(leopard.power_of_two, (self.data_max, self.parity_max)))
        room = self.shard_bytes + 2 * STRIP_BYTES
        self._words[layout.CODE_TABLES] = gf16.tables().ctypes.data
        self._allocate(layout.CODE_WORK, max(rows * STRIP_BYTES, min(_STRIP_BYTES, rows * room)))
        self._allocate(layout.CODE_ZEROS, room)
        self._allocate(layout16.CODE16_SPARE, room)
        self._allocate(layout16.CODE16_ENDS, (self.data_max + self.parity_max) * 2 * STRIP_BYTES)
        self._allocate(layout16.CODE16_COEFFICIENTS, 2 * longest * (layout16.COEFFICIENT_BYTES + 2))
        self._words[layout16.CODE16_ROWS] = self._keep(8 * (longest + 3))
        self._words[layout16.CODE16_TARGETS] = self._keep(8 * (longest + 3))
        self._words[layout16.CODE16_LIST_COUNT] = longest + 3
        self._words[layout16.CODE16_STRIP_BYTES] = _STRIP_BYTES

    def _keep(self, size: int) -> int:
        self._kept.append(aligned(size))
        return self._kept[-1].ctypes.data

    def _allocate(self, word: int, size: int) -> None:
        self._words[word : word + 2] = self._keep(size), size

    def encode(self, data: U8, parity: U8) -> None:
        """Write ``parity`` (m, n) for ``data`` (k, n), bytes; rows may lie apart, but not the bytes in them.

        UnsupportedShape for counts or a size outside the code or this object; LocalProtocolError for arrays
        of another kind.
        """
        try:
            code = shards.encode_rows(self.encode_address, self.context, *self._limits, data, parity)
        except TypeError:  # not arrays of bytes that may be read and written
            code = layout.BAD_SIZE
        if code:
            self._refuse(code, data, parity, written=parity)

    @cached_property
    def decode_address(self) -> int:
        """Address of the decoder; the first to ask has its kernels loaded and its memory allocated."""
        from punktfunk.realtime.decoder16 import equip

        return equip(self._words, self._keep, self.data_max, self.parity_max, self.shard_bytes)

    def decode(self, data: U8, parity: U8, present: U8) -> int:
        """Write the missing rows of ``data`` (k, n) from ``parity`` (m, n), bytes; how many were missing.

        ``present`` (k + m,) is 1 for every shard that is there, data first. TooFewShards, with nothing
        written, if fewer than k are; UnsupportedShape and LocalProtocolError as for ``encode``.
        """
        try:
            code = shards.decode_rows(self.decode_address, self.context, *self._limits, data, parity, present)
        except TypeError:
            code = layout.BAD_SIZE
        if code < 0:
            _same_row_bytes(data, parity)
            total = len(data) + len(parity)
            if present.dtype != np.uint8 or present.shape != (total,) or not present.flags.c_contiguous:
                raise LocalProtocolError(f"what is present is an array of {total} bytes, not {present.shape}")
            if code == layout.TOO_FEW_SHARDS:
                have = int(np.count_nonzero(present))
                raise TooFewShards(f"{have} of {total} shards are not enough for {len(data)}")
            self._refuse(code, data, parity, written=data)
        return code

    def _refuse(self, code: int, data: U8, parity: U8, *, written: U8) -> NoReturn:
        size = _same_row_bytes(data, parity)
        if not written.flags.writeable:
            raise LocalProtocolError("shards that are to be written are read-only")
        counts = f"{len(data)} data and {len(parity)} parity shards of {size} bytes"
        if len(data) > self.data_max or len(parity) > self.parity_max or size > self.shard_bytes:
            raise UnsupportedShape(
                f"{counts} are more than {self.data_max}, {self.parity_max} and {self.shard_bytes},"
                " which this code was made for"
            )
        raise UnsupportedShape(f"no code over GF(2^16) for {counts} ({code})")


def aligned(size: int) -> U8:
    """Zeros at the start of a page, all of them touched."""
    memory = np.ones(size + _PAGE_BYTES, np.uint8)
    start = -memory.ctypes.data % _PAGE_BYTES
    memory[:] = 0
    return memory[start : start + size]


def _same_row_bytes(*arrays: Any) -> int:
    for array in arrays:
        if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 2:
            raise LocalProtocolError("shards are arrays of bytes, one shard to a row")
        if array.shape[1] > 1 and array.strides[1] != 1:
            raise LocalProtocolError("the bytes of a shard must lie one after the other")
    if len({array.shape[1] for array in arrays}) != 1:
        raise LocalProtocolError(f"shards differ in size: {[array.shape[1] for array in arrays]}")
    return int(arrays[0].shape[1])
