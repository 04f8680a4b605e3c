"""What a decoder over GF(2^16) must know about one loss, written to the lists that its context names.

Scalar work, all of it before the first shard is read: ``decode16`` calls these in order and has proved the
sizes. ``unit`` is the transform size, ``data_at`` the position of the first data shard (``unit`` at high
rate, else 0), ``size`` the number of positions; ``cauchy`` explains them.
"""

from numba import carray

from punktfunk.realtime.kernels.cauchy import fill_coefficients, fill_locator, fill_scales, survey
from punktfunk.realtime.kernels.gf16 import write_coefficients
from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.layout import CODE_TABLES, CODE_ZEROS
from punktfunk.realtime.kernels.layout16 import COEFFICIENT_BYTES, LOGARITHMS_OFFSET, POWERS_OFFSET
from punktfunk.realtime.kernels.layout_decode import (
    CHOSEN,
    COEFFICIENTS,
    INPUTS,
    LOSS_MAX,
    MISSING,
    POSITIONS,
    ROWS,
    SCALES,
    SPECTRA,
    TARGETS,
    WANTED,
)
from punktfunk.realtime.kernels.views import bytes_at, counts_at, elements_at, words_at

_FIELD = 65536


@entry("int64(int64, int64, int64, int64)")
def list_losses(context: int, present: int, data_count: int, parity_count: int) -> int:
    """List missing data and chosen parity; how many of each, TOO_FEW_SHARDS or BAD_SIZE.

    context        address of the context
    present        address of uint8[data_count + parity_count], 0 for a shard that is not there
    data_count, parity_count   shards of the code
    """
    words = words_at(context)
    return survey(
        carray(bytes_at(present), data_count + parity_count),
        data_count,
        carray(counts_at(words[MISSING]), words[LOSS_MAX]),
        carray(counts_at(words[CHOSEN]), words[LOSS_MAX]),
    )


@entry("int64(int64, int64, int64, int64, int64, int64)")
def scale_positions(context: int, missing_count: int, unit: int, data_at: int, size: int, full: int) -> int:
    """Write the logarithm of g, or of E for the full decoder, of every position. 0 or BAD_SIZE.

    context         address of the context
    missing_count   missing data shards
    unit, data_at, size   as the module has them
    full            1 for E
    """
    words = words_at(context)
    missing = carray(counts_at(words[MISSING]), missing_count)
    chosen = carray(counts_at(words[CHOSEN]), missing_count)
    high_rate = int64(data_at != 0)
    scales = carray(counts_at(words[SCALES]), size)
    spectrum = carray(counts_at(words[SPECTRA] + 4 * size), size)
    if full:
        return fill_locator(missing, chosen, missing_count, unit, high_rate, scales, spectrum)
    logarithms = carray(elements_at(words[CODE_TABLES] + LOGARITHMS_OFFSET), _FIELD)
    return fill_scales(missing, chosen, missing_count, unit, high_rate, scales, spectrum, logarithms)


@entry("int64(int64, int64, int64, int64, int64, int64)")
def list_positions(
    context: int, data_count: int, missing_count: int, unit: int, data_at: int, with_data: int
) -> int:
    """List positions of missing data, then of the inputs; how many there are.

    Inputs are the received data if wanted, and the chosen parity.

    context         address of the context
    data_count      data shards
    missing_count   missing data shards
    unit, data_at   as the module has them
    with_data       1 if received data is an input, 0 for syndromes
    """
    words = words_at(context)
    missing, chosen, positions = (
        counts_at(words[MISSING]),
        counts_at(words[CHOSEN]),
        counts_at(words[POSITIONS]),
    )
    at, b = missing_count, int64(0)
    for i in range(data_count if with_data else 0):
        if b < missing_count and missing[b] == i:
            b += 1
        else:
            positions[at] = data_at + i
            at += 1
    for a in range(missing_count):
        positions[a] = data_at + missing[a]
        positions[at + a] = unit - data_at + chosen[a]
    return at


@entry("int64(int64, int64, int64, int64, int64, int64)")
def count_wanted(
    context: int, missing_count: int, unit: int, data_at: int, size: int, with_parity: int
) -> int:
    """Write how many rows before each position a transform must get right; how many there are.

    context         address of the context
    missing_count   missing data shards
    unit, data_at, size   as the module has them
    with_parity     1 if syndromes are wanted too
    """
    words = words_at(context)
    missing, chosen, wanted = counts_at(words[MISSING]), counts_at(words[CHOSEN]), words_at(words[WANTED])
    for position in range(size + 1):
        wanted[position] = 0
    for i in range(missing_count):
        wanted[data_at + missing[i] + 1] = 1
        if with_parity:
            wanted[unit - data_at + chosen[i] + 1] = 1
    total = int64(0)
    for position in range(size + 1):
        total += wanted[position]
        wanted[position] = total
    return total


@entry("int64(int64, int64, int64, int64, int64, int64, int64)")
def list_shards(
    context: int,
    data: int,
    data_stride: int,
    parity: int,
    parity_stride: int,
    data_count: int,
    missing_count: int,
) -> int:
    """List addresses: of received data then chosen parity, and of missing data. 0.

    context         address of the context
    data, data_stride       address of the first data shard, and from each to the next in bytes
    parity, parity_stride   the same for parity
    data_count      data shards
    missing_count   missing data shards
    """
    words = words_at(context)
    missing, chosen = counts_at(words[MISSING]), counts_at(words[CHOSEN])
    inputs, targets = words_at(words[INPUTS]), words_at(words[TARGETS])
    b = int64(0)
    for i in range(data_count):
        if b < missing_count and missing[b] == i:
            targets[b] = data + i * data_stride
            b += 1
        else:
            inputs[i - b] = data + i * data_stride
    for a in range(missing_count):
        inputs[data_count - missing_count + a] = parity + chosen[a] * parity_stride
    return 0


@entry("int64(int64, int64, int64)")
def list_data(context: int, data_count: int, missing_count: int) -> int:
    """List all data shards from the inputs, with zeros for missing ones and for padding. 0.

    context         address of the context
    data_count      data shards
    missing_count   missing data shards
    """
    words = words_at(context)
    missing, inputs, rows = counts_at(words[MISSING]), words_at(words[INPUTS]), words_at(words[ROWS])
    b = int64(0)
    for i in range(data_count):
        if b < missing_count and missing[b] == i:
            rows[i] = words[CODE_ZEROS]
            b += 1
        else:
            rows[i] = inputs[i - b]
    for i in range(data_count, (data_count + 3) & -4):
        rows[i] = words[CODE_ZEROS]
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64)")
def fill_matrix(context: int, missing_count: int, first: int, count: int, input_count: int, size: int) -> int:
    """Write the coefficients of some missing shards. 1 if they are wide, else 0; or BAD_SIZE.

    Wide is what ``gf16.write_coefficients`` calls so.

    context         address of the context
    missing_count   missing data shards
    first, count    which of them
    input_count     inputs, as ``list_positions`` listed them
    size            positions
    """
    words = words_at(context)
    tables, place, positions = words[CODE_TABLES], words[COEFFICIENTS], words[POSITIONS]
    total = count * input_count
    elements = place + total * COEFFICIENT_BYTES
    code = fill_coefficients(
        carray(elements_at(elements), (count, input_count)),
        carray(counts_at(positions + 4 * first), count),
        carray(counts_at(positions + 4 * missing_count), input_count),
        carray(counts_at(words[SCALES]), size),
        carray(elements_at(tables + POWERS_OFFSET), _FIELD),
        carray(elements_at(tables + LOGARITHMS_OFFSET), _FIELD),
    )
    return code if code < 0 else write_coefficients(tables, elements, total, place)
