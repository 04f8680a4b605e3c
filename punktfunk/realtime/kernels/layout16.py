"""Where everything stands in the tables and in the contexts of the code over GF(2^16).

Tables: one array of bytes, which ``reference.gf16.tables`` builds.

    offset        size          what
    ------------  ------------  --------------------------------------------------------------------
         0        256 rows      multiplication by the elements 0..255, rows as ``simd`` describes
     12288        1 row         the linear map L of the tower form, in the same form
     12352        65535 + 1     uint16: generator to the power of n; the last equals the first
    143424        65536         uint16: logarithm of every element; 65535 stands for that of 0

A context is an array of int64 words: those of ``layout`` from 0 on, then these, then the decoder's.
"""

from punktfunk.realtime.kernels.layout import CODE_OWN

TABLE_ROW_BYTES = 48  # simd.TABLE_BYTES, which only code that loads Numba can import
TOWER_OFFSET = 256 * TABLE_ROW_BYTES
POWERS_OFFSET = 12352
LOGARITHMS_OFFSET = POWERS_OFFSET + 2 * 65536
TABLES_BYTES = LOGARITHMS_OFFSET + 2 * 65536

CHUNK_BYTES = 64  # a shard is a row of these: 32 low bytes of symbols, then their 32 high bytes
COEFFICIENT_BYTES = 12  # three int32: what one multiplication by an element needs

CODE16_ROWS = CODE_OWN  # address of int64: addresses of the data shards of the call in hand
CODE16_TARGETS = CODE_OWN + 1  # the same for parity shards
CODE16_LIST_COUNT = CODE_OWN + 2  # how many addresses fit each of these lists
CODE16_SPARE = CODE_OWN + 3  # address of a shard that anybody writes and nobody reads
CODE16_SPARE_BYTES = CODE_OWN + 4
CODE16_ENDS = CODE_OWN + 5  # address of the rows for the ends of shards that are no whole chunk
CODE16_ENDS_BYTES = CODE_OWN + 6
CODE16_COEFFICIENTS = (
    CODE_OWN + 7
)  # address of the coefficients of a code with at most two parity or data shards
CODE16_COEFFICIENTS_BYTES = CODE_OWN + 8
CODE16_READY_DATA = CODE_OWN + 9  # the counts that these coefficients are for
CODE16_READY_PARITY = CODE_OWN + 10
CODE16_READY_WIDE = CODE_OWN + 11  # and whether they are wide
CODE16_STRIP_BYTES = CODE_OWN + 12  # of the work area, how much a strip should use: what the caches hold
CODE16_DECODER = 32  # first word of the decoder
CODE16_WORD_COUNT = 64
