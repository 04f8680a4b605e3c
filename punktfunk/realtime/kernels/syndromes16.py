"""Decoders over GF(2^16) that turn a loss into syndromes: received parity minus parity of the received data.

The syndromes are what the missing shards alone would have as parity, so a matrix of as many rows as columns
separates the two: C[a, b] = w / (x_a xor y_b) with the positions and scales that ``cauchy`` explains. Its
inverse

    inverse[b, a] = g(x_a) / (g(y_b) (x_a xor y_b))

is applied either as a matrix, in L * L products (``gf16.multiply_rows``), or as what it is: a scaling, a
Cauchy matrix, a scaling (``solve_transposed``). The Cauchy matrix between all positions of two chunks is an
inverse transform at the one and a transform at the other, as in the encoder, with the sides exchanged: from
the chunks of parity to those of data. So a loss costs at most about two encodings, however large it is.

Both work on one strip. ``decode16`` has filled the lists.
"""

from punktfunk.realtime.kernels.butterfly import clear_bytes
from punktfunk.realtime.kernels.encode16 import power_of_two
from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.layout import CODE_TABLES
from punktfunk.realtime.kernels.layout16 import LOGARITHMS_OFFSET, POWERS_OFFSET
from punktfunk.realtime.kernels.layout_decode import (
    CHOSEN,
    DECODER_WORK,
    INPUTS,
    MISSING,
    ROWS,
    SCALES,
    SYNDROMES,
    TARGETS,
    WANTED,
)
from punktfunk.realtime.kernels.leopard import (
    forward_halves,
    forward_pass,
    inverse_last,
    inverse_pass,
    inverse_shards,
)
from punktfunk.realtime.kernels.rows16 import add_rows, read_row, write_row
from punktfunk.realtime.kernels.views import counts_at, elements_at, words_at

_ORDER = 65535


@entry("int64(int64, int64, int64, int64, int64, int64)")
def inverse_rows(tables: int, work: int, width: int, size: int, count: int, position: int) -> int:
    """Whole inverse transform of work rows, in place. 0.

    tables     address of the tables
    work       address of the rows
    width      of a row
    size       rows, a power of two, at least 4
    count      of these, the first that are not all zero
    position   of the first row, a multiple of ``size``
    """
    layer = int64(0)
    while size >= 4 << layer:
        inverse_pass(tables, work, width, count, position, layer)
        layer += 2
    if size > 1 << layer:
        inverse_last(tables, work, width, position, layer, 0, 0)
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64)")
def forward_rows(
    tables: int, source: int, work: int, width: int, size: int, position: int, wanted: int
) -> int:
    """Whole transform of work rows, to work rows. 0.

    tables     address of the tables
    source     address of ``size`` rows
    work       address of as many rows that are written, which may be the same
    width      of a row
    size       rows, a power of two, at least 4
    position   of the first row, a multiple of ``size``
    wanted     address of int64[size + 1]: how many rows before each are wanted; the others may be wrong
    """
    layer = int64(0)
    while size > 1 << layer:
        layer += 1
    if layer & 1:
        layer -= 1
        forward_halves(tables, source, work, width, position, layer)
        source = work
    while layer > 0:
        layer -= 2
        forward_pass(tables, source, work, width, size, position, layer, wanted)
        source = work
    return 0


@entry("int64(int64, int64, int64)")
def element_of(tables: int, first: int, second: int) -> int:
    """Field element whose logarithm is the difference of two, each 0 to 65534.

    tables          address of the tables
    first, second   logarithms: of the numerator, of the denominator
    """
    difference = first - second
    return int64(elements_at(tables + POWERS_OFFSET)[difference + _ORDER if difference < 0 else difference])


@entry("int64(int64, int64, int64, int64, int64, int64)")
def transform_data(context: int, data_count: int, unit: int, data_at: int, column: int, width: int) -> int:
    """Write to the first ``unit`` work rows what the encoder has before its last transform. 0.

    context      address of the context
    data_count   data shards; missing ones are zeros in the list
    unit         transform size, at least 4
    data_at      position of the first data shard: ``unit`` or 0
    column       where the strip begins, in bytes: a multiple of CHUNK_BYTES
    width        of the strip
    """
    words = words_at(context)
    tables, rows, work = words[CODE_TABLES], words[ROWS], words[DECODER_WORK]
    inverse_shards(tables, rows, min(unit, data_count), column, data_at, unit, work, width, 0)
    step = data_count if unit == 4 else unit  # groups of four add up by themselves
    other = work + unit * width
    for done in range(unit, data_count, step):
        some, place = min(step, data_count - done), rows + 8 * done
        inverse_shards(tables, place, some, column, data_at + done, unit, other, width, work)
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64)")
def syndrome_rows(
    context: int, data_count: int, unit: int, data_at: int, missing_count: int, column: int, width: int
) -> int:
    """Write the syndromes to work rows, and their addresses to the list of them. 0.

    context         address of the context
    data_count      data shards
    unit            transform size, at least 4
    data_at         position of the first data shard: ``unit`` or 0
    missing_count   missing data shards, and chosen parity shards, at most ``unit``
    column          where the strip begins, in bytes: a multiple of CHUNK_BYTES
    width           of the strip; the work area has room for 3 * unit rows of it
    """
    words = words_at(context)
    tables, work, wanted = words[CODE_TABLES], words[DECODER_WORK], words[WANTED]
    chosen, parity = counts_at(words[CHOSEN]), words_at(words[INPUTS] + 8 * (data_count - missing_count))
    list_ = words_at(words[SYNDROMES])
    other = work + unit * width
    transform_data(context, data_count, unit, data_at, column, width)
    a = int64(0)
    while a < missing_count:
        first = int64(chosen[a]) & -unit
        position = unit - data_at + first
        forward_rows(tables, work, other, width, unit, position, wanted + 8 * position)
        while a < missing_count and chosen[a] < first + unit:
            list_[a] = other + (unit + a) * width
            read_row(tables, list_[a], other + (chosen[a] - first) * width, parity[a] + column, width, 1)
            a += 1
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def _scale_syndromes(
    context: int,
    data_count: int,
    missing_count: int,
    unit: int,
    position: int,
    first: int,
    a: int,
    rows: int,
    column: int,
    width: int,
) -> int:
    """Scale the syndromes of one chunk, clear its other rows; the first chosen parity behind it."""
    words = words_at(context)
    tables, chosen = words[CODE_TABLES], counts_at(words[CHOSEN])
    parity = words_at(words[INPUTS] + 8 * (data_count - missing_count))
    scales, logarithms = counts_at(words[SCALES]), elements_at(tables + LOGARITHMS_OFFSET)
    weight = int64(logarithms[position // unit]) if position else int64(0)
    for r in range(unit):
        row = rows + r * width
        if a < missing_count and chosen[a] == first + r:
            element = element_of(tables, int64(scales[position + r]), weight)
            read_row(tables, row, row, parity[a] + column, width, element)
            a += 1
        else:
            clear_bytes(row, width)
    return a


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def _write_missing(
    context: int,
    missing_count: int,
    unit: int,
    position: int,
    first: int,
    b: int,
    rows: int,
    column: int,
    width: int,
) -> int:
    """Scale the missing rows of one chunk into their shards; the first missing shard behind the chunk."""
    words = words_at(context)
    tables, missing, targets = words[CODE_TABLES], counts_at(words[MISSING]), words_at(words[TARGETS])
    scales, logarithms = counts_at(words[SCALES]), elements_at(tables + LOGARITHMS_OFFSET)
    weight = int64(logarithms[position // unit]) if position else int64(0)
    while b < missing_count and missing[b] < first + unit:
        row = missing[b] - first
        below = int64(scales[position + row]) + weight
        below = below - _ORDER if below >= _ORDER else below
        element = element_of(tables, 0, below)
        write_row(tables, rows + row * width, targets[b] + column, width, element)
        b += 1
    return b


@entry("int64(int64, int64, int64, int64, int64, int64, int64)")
def solve_transposed(
    context: int, data_count: int, unit: int, data_at: int, missing_count: int, column: int, width: int
) -> int:
    """Write one strip of the missing shards by two transforms more than the syndromes need. 0.

    context         address of the context
    data_count      data shards
    unit            transform size, at least 4
    data_at         position of the first data shard: ``unit`` or 0
    missing_count   missing data shards, and chosen parity shards
    column          where the strip begins, in bytes: a multiple of CHUNK_BYTES
    width           of the strip; the work area has room for 3 * unit rows of it
    """
    words = words_at(context)
    tables, work, wanted = words[CODE_TABLES], words[DECODER_WORK], words[WANTED]
    chosen, missing = counts_at(words[CHOSEN]), counts_at(words[MISSING])
    other = work + unit * width
    total = other + unit * width
    transform_data(context, data_count, unit, data_at, column, width)
    inner, a, into = unit, int64(0), total
    if data_at:  # rows behind the last chosen parity are zero, so a shorter transform says the same
        inner = max(power_of_two(chosen[missing_count - 1] + 1), int64(4))
    while a < missing_count:
        first = int64(chosen[a]) & -unit
        position = unit - data_at + first
        forward_rows(tables, work, into, width, unit, position, wanted + 8 * position)
        a = _scale_syndromes(
            context, data_count, missing_count, inner, position, first, a, into, column, width
        )
        inverse_rows(tables, into, width, inner, chosen[a - 1] - first + 1, position)
        if into != total:
            add_rows(total, into, unit * width)
        into = other
    b = int64(0)
    while b < missing_count:
        first = int64(missing[b]) & -inner
        position = data_at + first
        forward_rows(tables, total, other, width, inner, position, wanted + 8 * position)
        b = _write_missing(context, missing_count, inner, position, first, b, other, column, width)
    return missing_count
