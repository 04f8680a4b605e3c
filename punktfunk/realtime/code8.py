"""Code8: GameStream's erasure code over GF(2^8), its tables and its scratch, for one thread at a time.

Importing this module loads the compiled kernels, so import it only when ``warm.is_warm()``.
"""

from functools import cache, cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import LocalProtocolError, TooFewShards, UnsupportedShape
from punktfunk.realtime.kernels import layout, layout8, rs8, shards
from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.reference import fft8, gf8

U8 = NDArray[np.uint8]

_LINE_BYTES: Final = 64
WORK_BYTES: Final = 1 << 16
"""Two blocks of up to 64 coefficients in strips of 512 bytes; larger blocks get narrower strips."""
_ZERO_BYTES: Final = 2048


@cache
def _constants() -> dict[int, U8]:
    """Tables of the field by the context word that has their address. Shared by all codes; never written."""
    return {
        layout.CODE_TABLES: gf8.tables(),
        layout8.WORD_TWIDDLES: fft8.twiddles(),
        layout8.WORD_SCALES: fft8.scales(),
        layout8.WORD_LOGARITHMS: gf8.logarithms(),
        layout8.WORD_POWERS: gf8.powers(),
    }


_AREAS: Final = {
    layout.CODE_WORK: WORK_BYTES,
    layout.CODE_ZEROS: _ZERO_BYTES,
    layout8.WORD_SOURCES: 8 * layout8.LIST_COUNT,
    layout8.WORD_TARGETS: 8 * layout8.LIST_COUNT,
    layout8.WORD_POINTS: 8 * layout8.POINT_COUNT,
    layout8.WORD_COEFFICIENTS: layout8.COEFFICIENT_BYTES,
    layout8.WORD_SOLUTION: layout8.SOLUTION_BYTES,
}


class Code8:
    """Parity for up to ``data_max`` data and ``parity_max`` parity rows of up to ``shard_bytes`` bytes.

    With a ``matrix`` (parity rows, data rows), parity is that matrix times the data, as in GameStream's
    audio, and every call must have its counts. Without, it is nanors' code, a different one for every parity
    count. ``encode`` is the address of another encoder than the default. Arrays may not overlap.
    """

    def __init__(
        self,
        data_max: int,
        parity_max: int,
        shard_bytes: int,
        *,
        matrix: U8 | None = None,
        encode: int | None = None,
    ) -> None:
        if (
            data_max < 1
            or parity_max < 0
            or data_max + parity_max > layout8.SHARD_COUNT_MAX
            or shard_bytes < 1
        ):
            raise UnsupportedShape(
                f"no GF(2^8) code has {data_max} data and {parity_max} parity shards of {shard_bytes} bytes",
                hint="Data and parity shards together are at most 255.",
            )
        if matrix is not None and matrix.shape != (parity_max, data_max):
            raise LocalProtocolError(
                f"a matrix of {matrix.shape} for {parity_max} parity, {data_max} data rows"
            )
        self._limits = data_max, parity_max, shard_bytes
        words = np.zeros(layout8.CONTEXT_WORD_COUNT, np.int64)
        whole = np.empty(sum(_AREAS.values()) + _LINE_BYTES, np.uint8)
        whole.fill(0)  # touch every page now, not while streaming
        address = -(-whole.ctypes.data // _LINE_BYTES) * _LINE_BYTES
        for word, size_bytes in _AREAS.items():
            words[word] = address
            address += size_bytes
        for word, table in _constants().items():
            words[word] = table.ctypes.data
        words[layout.CODE_WORK_BYTES], words[layout.CODE_ZEROS_BYTES] = WORK_BYTES, _ZERO_BYTES
        kept = None if matrix is None else np.array(matrix, np.uint8, order="C")
        if kept is not None:
            words[layout8.WORD_MATRIX] = kept.ctypes.data
            words[layout8.WORD_MATRIX_DATA], words[layout8.WORD_MATRIX_PARITY] = data_max, parity_max
        self._owned = words, whole, kept
        self.context = int(words.ctypes.data)
        """Address of the words, for entries; valid as long as this object lives."""
        self.encode_address = encode or address_of_entry(rs8.encode if kept is None else rs8.encode_matrix)

    @cached_property
    def decode_address(self) -> int:
        """Address of the decoder. Its kernels are loaded at the first use: a host only encodes."""
        from punktfunk.realtime.kernels import rs8_decode

        explicit = self._owned[2] is not None
        return address_of_entry(rs8_decode.decode_matrix if explicit else rs8_decode.decode)

    def encode(self, data: U8, parity: U8) -> None:
        """Write ``parity`` (m, n) for ``data`` (k, n).

        UnsupportedShape, or LocalProtocolError for arrays that are none of uint8 rows.
        """
        try:
            code = shards.encode_rows(self.encode_address, self.context, *self._limits, data, parity)
        except TypeError:  # not arrays of bytes that may be read and written
            code = layout.BAD_SIZE
        if code:
            self._check(data, parity, written=parity)
            self._raise(code, data, parity)

    def decode(self, data: U8, parity: U8, present: U8) -> int:
        """Write the rows of ``data`` that ``present`` (k + m,) has 0 for; returns how many.

        TooFewShards leaves everything as it was. UnsupportedShape, or LocalProtocolError for wrong arrays.
        """
        try:
            code = shards.decode_rows(self.decode_address, self.context, *self._limits, data, parity, present)
        except TypeError:
            code = layout.BAD_SIZE
        if code < 0:
            self._check(data, parity, written=data)
            shape = (len(data) + len(parity),)
            if present.dtype != np.uint8 or present.shape != shape or not present.flags.c_contiguous:
                raise LocalProtocolError(
                    f"presence of {present.shape} for {len(data)} + {len(parity)} shards"
                )
            self._raise(code, data, parity)
        return code

    def _check(self, data: U8, parity: U8, *, written: U8) -> None:
        for rows in (data, parity):
            if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1:] != data.shape[1:]:
                raise LocalProtocolError(f"shards are {rows.dtype} of {rows.shape}, not uint8 in equal rows")
            if rows.size and rows.strides[1] != 1:
                raise LocalProtocolError("the bytes of a shard must be contiguous")
        if not written.flags.writeable:
            raise LocalProtocolError("shards that are to be written are read-only")
        data_max, parity_max, shard_bytes = self._limits
        if len(data) > data_max or len(parity) > parity_max or data.shape[1] > shard_bytes:
            raise UnsupportedShape(
                f"{len(data)} data and {len(parity)} parity shards of {data.shape[1]} bytes, "
                f"in a code made for {data_max} and {parity_max} of {shard_bytes}"
            )

    @staticmethod
    def _raise(code: int, data: U8, parity: U8) -> None:
        shape = f"{len(data)} data and {len(parity)} parity shards of {data.shape[1]} bytes"
        if code == layout.TOO_FEW_SHARDS:
            raise TooFewShards(f"too many of {shape} are missing")
        if code == layout.UNSUPPORTED_SHAPE:
            raise UnsupportedShape(f"this code does not have {shape}")
        if code < 0:
            raise LocalProtocolError(f"rows of {shape} overlap, or are empty (code {code})")
