"""Leopard's own decoder over GF(2^16): transform everything, differentiate, transform back.

The received shards, each times the locator E(z) = product over lost positions e of (z - e), are values of a
polynomial P = (message) * E of degree below n; lost ones count as 0, which is right, as E is 0 there. The
formal derivative of P at a lost position is message * E', because message' * E is 0 there, and E' is the
product without the factor that is 0. So: inverse transform, derivative, transform, division. In the basis of
the transform the derivative adds to every coefficient those whose index has one bit more (Lin, Al-Naffouri,
Han, "FFT Algorithm for Binary Extension Finite Fields and its Application to Reed-Solomon Codes", 2016,
section VI; LeopardFF16.cpp).

Lost are missing data, parity not chosen, and every position behind the parity; data behind the last shard is
zero, and known. It needs no syndromes, but a transform of all n positions where ``syndromes16`` has chunks.
"""

from punktfunk.realtime.kernels.butterfly import clear_bytes
from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.layout import CODE_TABLES, CODE_ZEROS
from punktfunk.realtime.kernels.layout_decode import (
    CHOSEN,
    DECODER_WORK,
    INPUTS,
    MISSING,
    ROWS,
    SCALES,
    TARGETS,
    WANTED,
)
from punktfunk.realtime.kernels.rows16 import add_rows, read_row, write_row
from punktfunk.realtime.kernels.syndromes16 import element_of, forward_rows, inverse_rows
from punktfunk.realtime.kernels.views import counts_at, words_at


@entry("int64(int64, int64, int64)")
def differentiate(work: int, width: int, size: int) -> int:
    """Formal derivative of work rows that are coefficients of a transform, in place. 0.

    work    address of the rows
    width   of a row
    size    rows, a power of two
    """
    for i in range(1, size):
        lowest = i & -i
        add_rows(work + (i - lowest) * width, work + i * width, lowest * width)
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def solve_full(
    context: int,
    data_count: int,
    unit: int,
    data_at: int,
    missing_count: int,
    size: int,
    column: int,
    width: int,
) -> int:
    """Write one strip of the missing shards. 0.

    context         address of the context; its scales are logarithms of E, ``cauchy.fill_locator``
    data_count      data shards
    unit            transform size of the code
    data_at         position of the first data shard: ``unit`` or 0
    missing_count   missing data shards, and chosen parity shards: all other parity counts as lost
    size            positions: a power of two, at least 8
    column          where the strip begins, in bytes: a multiple of CHUNK_BYTES
    width           of the strip; the work area has room for ``size`` rows of it
    """
    words = words_at(context)
    tables, work, zeros = words[CODE_TABLES], words[DECODER_WORK], words[CODE_ZEROS]
    rows, parity = words_at(words[ROWS]), words_at(words[INPUTS] + 8 * (data_count - missing_count))
    missing, chosen = counts_at(words[MISSING]), counts_at(words[CHOSEN])
    targets, scales = words_at(words[TARGETS]), counts_at(words[SCALES])
    clear_bytes(work, size * width)
    end, b = int64(data_at + data_count), int64(0)
    for i in range(data_count):
        if b < missing_count and missing[b] == i:
            b += 1
            continue
        element = element_of(tables, int64(scales[data_at + i]), 0)
        read_row(tables, work + (data_at + i) * width, zeros, rows[i] + column, width, element)
    for a in range(missing_count):
        position = unit - data_at + chosen[a]
        element = element_of(tables, int64(scales[position]), 0)
        read_row(tables, work + position * width, zeros, parity[a] + column, width, element)
        end = max(end, position + 1)
    inverse_rows(tables, work, width, size, end, 0)
    differentiate(work, width, size)
    forward_rows(tables, work, work, width, size, 0, words[WANTED])
    for b in range(missing_count):
        position = data_at + missing[b]
        element = element_of(tables, 0, int64(scales[position]))
        write_row(tables, work + position * width, targets[b] + column, width, element)
    return 0
