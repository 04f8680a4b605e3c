"""Words of a context of a GF(2^8) code, after those that every code's context begins with (``layout``)."""

from punktfunk.realtime.kernels.layout import CODE_OWN

SHARD_COUNT_MAX = 255
LAYER_BYTES = 256  # one layer of twiddles, or of scales
LIST_COUNT = 256  # addresses in a list of rows
POINT_COUNT = 2 * LIST_COUNT + 8
COEFFICIENT_BYTES = 1 << 14  # 127 times 128 is the largest matrix of 255 shards
SOLUTION_BYTES = 1 << 16

WORD_TWIDDLES = CODE_OWN  # address of uint8[8][256], see fft8
WORD_SCALES = CODE_OWN + 1  # address of uint8[8][256], see fft8
WORD_LOGARITHMS = CODE_OWN + 2  # address of uint8[256]; that of 0 stands as 0
WORD_POWERS = CODE_OWN + 3  # address of uint8[255]
WORD_SOURCES = CODE_OWN + 4  # address of int64[LIST_COUNT], scratch: rows to read
WORD_TARGETS = CODE_OWN + 5  # address of int64[LIST_COUNT], scratch: rows to write
WORD_POINTS = CODE_OWN + 6  # address of int64[POINT_COUNT], scratch of the decoders
WORD_COEFFICIENTS = CODE_OWN + 7  # address of uint8[COEFFICIENT_BYTES], scratch: the matrix in use
WORD_SOLUTION = CODE_OWN + 8  # address of uint8[SOLUTION_BYTES], scratch of the decoders
WORD_MADE_DATA = CODE_OWN + 9  # the counts that the matrix in use was made for; 0: for a decoder
WORD_MADE_PARITY = CODE_OWN + 10
WORD_MATRIX = CODE_OWN + 11  # address of an explicit matrix uint8[WORD_MATRIX_PARITY][WORD_MATRIX_DATA]
WORD_MATRIX_DATA = CODE_OWN + 12
WORD_MATRIX_PARITY = CODE_OWN + 13
CONTEXT_WORD_COUNT = CODE_OWN + 16
