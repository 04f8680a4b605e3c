"""Where the words of a decoder over GF(2^16) stand: in the context of the code, from CODE16_DECODER on.

Sizes are those of the largest loss that the context was made for; ``decode16`` proves that a call fits.
"""

from punktfunk.realtime.kernels.layout16 import CODE16_DECODER

# What ``choose`` answers.
DIRECT = 0  # rows of the decoding matrix, from shards
CAUCHY = 1  # syndromes, times the explicit inverse
FULL = 2  # Leopard's own decoder: transform, derivative, transform
TRANSPOSED = 3  # syndromes, times the inverse as the transposed code's transform

CHOOSE = CODE16_DECODER  # address of the entry
CHOOSE_CONTEXT = CODE16_DECODER + 1  # its first argument
DATA_MAX = CODE16_DECODER + 2  # data shards that the lists have room for
LOSS_MAX = CODE16_DECODER + 3  # missing shards that they have room for
SIZE_MAX = CODE16_DECODER + 4  # positions: a power of two
SPECTRA = CODE16_DECODER + 5  # address of int32: ``reference.locator.spectrum(n)`` begins at word n
SCALES = CODE16_DECODER + 6  # address of int32, one for each position
WANTED = (
    CODE16_DECODER + 7
)  # address of int64: how many rows before each position are wanted; one more than those
POSITIONS = CODE16_DECODER + 8  # address of int32: missing positions, then those of the inputs
MISSING = CODE16_DECODER + 9  # address of int32: indices of the missing data shards
CHOSEN = CODE16_DECODER + 10  # address of int32: indices of the parity shards in use
INPUTS = CODE16_DECODER + 11  # address of int64: addresses of received data shards, then of chosen parity
ROWS = CODE16_DECODER + 12  # address of int64: addresses of all data shards, zeros for missing ones
TARGETS = CODE16_DECODER + 13  # address of int64: addresses of missing data shards
SYNDROMES = CODE16_DECODER + 14  # address of int64: addresses of the work rows that hold the syndromes
COEFFICIENTS = CODE16_DECODER + 15  # address: coefficients, then their elements
COEFFICIENTS_BYTES = CODE16_DECODER + 16
DECODER_WORK = CODE16_DECODER + 17  # address of the decoder's work area
DECODER_WORK_BYTES = CODE16_DECODER + 18

# The loss in hand: ``decode16.decode`` writes them.
UNIT = CODE16_DECODER + 19  # transform size of the code
DATA_AT = CODE16_DECODER + 20  # position of the first data shard: UNIT at high rate, 0 at low
SIZE = CODE16_DECODER + 21  # positions: a power of two, at least 8
DECODER = CODE16_DECODER + 22  # which one
INPUT_COUNT = CODE16_DECODER + 23  # columns of its matrix; 0 if it has none
GROUP = CODE16_DECODER + 24  # rows of it that are made at a time
WIDE = CODE16_DECODER + 25  # whether its coefficients are wide; only if all rows are made at once

# Words of the cost model, all in units of 2^-10 ns; ``choose16`` says what each multiplies.
COST_DIRECT_SMALL = 0
COST_DIRECT_WIDE = 1
COST_WORK_SMALL = 2
COST_WORK_WIDE = 3
COST_LAYER_SMALL = 4
COST_LAYER_WIDE = 5
COST_ROW = 6
COST_COEFFICIENT = 7
COST_POSITION = 8
COST_WORD_COUNT = 9
