"""GameStream's erasure code over GF(2^8), decoding: missing data rows from those that came.

A missing row is a sum of rows that came, as many as there are data rows. For the code's own matrix each
factor has a closed form, so no matrix is inverted: with missing positions X, as many parity positions Y, and
the locator L(z) = product of (z - x) over X, divided by the product of (z - y) over Y, zero factors left out,
the row at z enters the missing row x with L(z) / (L(x) (z - x)). docs/fec.md derives it. An explicit matrix
is solved by Gauss and Jordan, on all parity rows that came.

Twin of ``realtime.reference.rs8_decode``: same names, same arguments, same answers.
"""

from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.layout import CODE_TABLES, TOO_FEW_SHARDS, UNSUPPORTED_SHAPE
from punktfunk.realtime.kernels.layout8 import (
    LIST_COUNT,
    WORD_COEFFICIENTS,
    WORD_LOGARITHMS,
    WORD_MADE_DATA,
    WORD_MATRIX,
    WORD_MATRIX_DATA,
    WORD_MATRIX_PARITY,
    WORD_POINTS,
    WORD_POWERS,
    WORD_SOLUTION,
    WORD_SOURCES,
    WORD_TARGETS,
)
from punktfunk.realtime.kernels.product8 import multiply
from punktfunk.realtime.kernels.rs8 import check_shape
from punktfunk.realtime.kernels.simd import TABLE_BYTES
from punktfunk.realtime.kernels.views import bytes_at, words_at

_ORDER = 255  # of the multiplicative group


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def _list_rows(
    context: int,
    data: int,
    data_stride: int,
    parity: int,
    parity_stride: int,
    present: int,
    data_count: int,
    parity_count: int,
) -> int:
    """List missing rows as targets, and rows that came as sources: data, then parity. The number missing.

    WORD_POINTS gets the data index of every target, and behind LIST_COUNT the shard index of every source.
    """
    words, there = words_at(context), bytes_at(present)
    sources, targets = words_at(words[WORD_SOURCES]), words_at(words[WORD_TARGETS])
    points = words_at(words[WORD_POINTS])
    missing_count = source_count = int64(0)
    for i in range(data_count):
        if there[i] != 0:
            sources[source_count] = data + i * data_stride
            points[LIST_COUNT + source_count] = i
            source_count += 1
        else:
            targets[missing_count] = data + i * data_stride
            points[missing_count] = i
            missing_count += 1
    for j in range(parity_count):
        if there[data_count + j] != 0:
            sources[source_count] = parity + j * parity_stride
            points[LIST_COUNT + source_count] = data_count + j
            source_count += 1
    points[2 * LIST_COUNT] = source_count
    return missing_count


@entry("int64(int64, int64, int64, int64)")
def _fill_closed_form(context: int, data_count: int, parity_count: int, missing_count: int) -> int:
    """Write the factors of ``data_count`` sources in every missing row to WORD_COEFFICIENTS."""
    words = words_at(context)
    logarithms, powers = bytes_at(words[WORD_LOGARITHMS]), bytes_at(words[WORD_POWERS])
    points, locators = words_at(words[WORD_POINTS]), words_at(words[WORD_SOLUTION])
    for index in range(LIST_COUNT + data_count):  # from shard indices to field elements
        if index < missing_count or index >= LIST_COUNT:
            i = points[index]
            points[index] = parity_count + i if i < data_count else i - data_count
    for index in range(LIST_COUNT + data_count):
        if index < missing_count or index >= LIST_COUNT:
            total = int64(0)
            for t in range(missing_count):
                total += int64(logarithms[points[index] ^ points[t]])
                total -= int64(logarithms[points[index] ^ points[LIST_COUNT + data_count - 1 - t]])
            locators[index] = total
    for t in range(missing_count):
        row = bytes_at(words[WORD_COEFFICIENTS] + t * data_count)
        for s in range(LIST_COUNT, LIST_COUNT + data_count):
            logarithm = locators[s] - locators[t] - int64(logarithms[points[t] ^ points[s]])
            row[s - LIST_COUNT] = powers[logarithm % _ORDER]
    return 0


@entry("int64(int64, int64, int64)")
def _times(tables: int, a: int, b: int) -> int:
    """Multiply two elements."""
    row = bytes_at(tables + a * TABLE_BYTES)
    return int64(row[b & 15]) ^ int64(row[16 + (b >> 4)])


@entry("int64(int64, int64, int64, int64)")
def _eliminate(context: int, t: int, wide: int, equation_count: int) -> int:
    """Make column t of the equations the unit vector t. 0, or TOO_FEW_SHARDS."""
    words = words_at(context)
    space, tables = bytes_at(words[WORD_SOLUTION]), words[CODE_TABLES]
    pivot = t
    while pivot < equation_count and space[pivot * wide + t] == 0:
        pivot += 1
    if pivot == equation_count:
        return TOO_FEW_SHARDS
    logarithm = int64(bytes_at(words[WORD_LOGARITHMS])[space[pivot * wide + t]])
    inverse = int64(bytes_at(words[WORD_POWERS])[(_ORDER - logarithm) % _ORDER])
    for column in range(wide):
        value = _times(tables, inverse, int64(space[pivot * wide + column]))
        space[pivot * wide + column] = space[t * wide + column]
        space[t * wide + column] = value
    for f in range(equation_count):
        factor = int64(space[f * wide + t])
        if f != t and factor != 0:
            for column in range(wide):
                space[f * wide + column] ^= _times(tables, factor, int64(space[t * wide + column]))
    return 0


@entry("int64(int64, int64, int64, int64)")
def _solve(context: int, data_count: int, missing_count: int, equation_count: int) -> int:
    """Reduce the equations of the parity rows that came, in WORD_SOLUTION. 0, or TOO_FEW_SHARDS.

    Row f has the factors of the missing rows in parity f, then a unit vector. Afterwards row t has, from
    column missing_count on, the factors of every equation in missing row t.
    """
    words = words_at(context)
    points, wide = words_at(words[WORD_POINTS]), missing_count + equation_count
    space = bytes_at(words[WORD_SOLUTION])
    for f in range(equation_count):
        j = points[LIST_COUNT + data_count - missing_count + f] - data_count
        row = bytes_at(words[WORD_MATRIX] + j * data_count)
        for t in range(missing_count):
            space[f * wide + t] = row[points[t]]
        for t in range(equation_count):
            space[f * wide + missing_count + t] = 1 if t == f else 0
    for t in range(missing_count):
        if _eliminate(context, t, wide, equation_count) < 0:
            return TOO_FEW_SHARDS
    return 0


@entry("int64(int64, int64, int64, int64)")
def _fill_solution(context: int, data_count: int, missing_count: int, equation_count: int) -> int:
    """Write the factors of all sources in every missing row, from the solved equations."""
    words = words_at(context)
    points, wide, tables = words_at(words[WORD_POINTS]), missing_count + equation_count, words[CODE_TABLES]
    came_count = data_count - missing_count
    for t in range(missing_count):
        row = bytes_at(words[WORD_COEFFICIENTS] + t * (came_count + equation_count))
        factors = bytes_at(words[WORD_SOLUTION] + t * wide + missing_count)
        for s in range(came_count):
            total = int64(0)
            for f in range(equation_count):
                j = points[LIST_COUNT + came_count + f] - data_count
                constants = bytes_at(words[WORD_MATRIX] + j * data_count)
                total ^= _times(tables, int64(factors[f]), int64(constants[points[LIST_COUNT + s]]))
            row[s] = total
        for f in range(equation_count):
            row[came_count + f] = factors[f]
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def decode(
    context: int,
    data: int,
    data_stride: int,
    parity: int,
    parity_stride: int,
    present: int,
    data_count: int,
    parity_count: int,
    shard_bytes: int,
) -> int:
    """Write the missing data rows of GameStream's code. How many, or an error.

    TOO_FEW_SHARDS, UNSUPPORTED_SHAPE or BAD_SIZE; then nothing is written.

    context, data, data_stride, parity, parity_stride, data_count, parity_count, shard_bytes
              as in ``rs8.encode``, but data is also written and parity only read
    present   address of uint8[data_count + parity_count], 0 for a row that did not come
    """
    code = check_shape(data_stride, parity_stride, data_count, parity_count, shard_bytes)
    if code < 0:
        return code
    missing_count = _list_rows(
        context, data, data_stride, parity, parity_stride, present, data_count, parity_count
    )
    words = words_at(context)
    if words_at(words[WORD_POINTS])[2 * LIST_COUNT] < data_count:
        return TOO_FEW_SHARDS
    if missing_count > 0:
        words[WORD_MADE_DATA] = 0  # the encoder's matrix is overwritten
        _fill_closed_form(context, data_count, parity_count, missing_count)
        multiply(
            words[WORD_SOURCES], data_count, words[WORD_TARGETS], missing_count, words[WORD_COEFFICIENTS],
            data_count, words[CODE_TABLES], shard_bytes,
        )  # fmt: skip
    return missing_count


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def decode_matrix(
    context: int,
    data: int,
    data_stride: int,
    parity: int,
    parity_stride: int,
    present: int,
    data_count: int,
    parity_count: int,
    shard_bytes: int,
) -> int:
    """Do as ``decode`` for the context's explicit matrix, whose counts must be those of the call.

    context, data, data_stride, parity, parity_stride, present, data_count, parity_count, shard_bytes
              as in ``decode``

    TOO_FEW_SHARDS also where the rows that came do not determine the missing ones, which a matrix may allow.
    """
    code = check_shape(data_stride, parity_stride, data_count, parity_count, shard_bytes)
    words = words_at(context)
    if code < 0:
        return code
    if data_count != words[WORD_MATRIX_DATA] or parity_count != words[WORD_MATRIX_PARITY]:
        return UNSUPPORTED_SHAPE
    missing_count = _list_rows(
        context, data, data_stride, parity, parity_stride, present, data_count, parity_count
    )
    source_count = words_at(words[WORD_POINTS])[2 * LIST_COUNT]
    equation_count = source_count - (data_count - missing_count)
    if source_count < data_count or _solve(context, data_count, missing_count, equation_count) < 0:
        return TOO_FEW_SHARDS
    if missing_count > 0:
        words[WORD_MADE_DATA] = 0
        _fill_solution(context, data_count, missing_count, equation_count)
        multiply(
            words[WORD_SOURCES], source_count, words[WORD_TARGETS], missing_count, words[WORD_COEFFICIENTS],
            source_count, words[CODE_TABLES], shard_bytes,
        )  # fmt: skip
    return missing_count
