"""GameStream's parity by an additive FFT over GF(2^8): for more parity rows than a matrix does well.

docs/fec.md derives it and names every constant. In short: positions are field elements, parity j stands at j
and data i at parity_count + i. The values of an aligned block of positions, interpolated, are a polynomial
whose value at j, times a constant of the two blocks, is what that block adds to parity j. So the data is
interpolated block by block, coefficients are scaled and summed, and one transform evaluates the sum at all
parity rows. The block that holds parity and data both is taken apart on the way down, four parts a pass: each
part of data adds its coefficients to each part of parity, until a part is a single row.

Twin of ``realtime.reference.fft8``: same names, same arguments, same answers.
"""

from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    CODE_TABLES,
    CODE_WORK,
    CODE_WORK_BYTES,
    CODE_ZEROS,
    CODE_ZEROS_BYTES,
)
from punktfunk.realtime.kernels.layout8 import (
    LAYER_BYTES,
    LIST_COUNT,
    WORD_SCALES,
    WORD_SOURCES,
    WORD_TARGETS,
    WORD_TWIDDLES,
)
from punktfunk.realtime.kernels.simd import TABLE_BYTES, VECTOR_BYTES
from punktfunk.realtime.kernels.strips8 import (
    add,
    clear,
    forward_4,
    forward_4_from_zero,
    inverse_2_add,
    inverse_4,
    inverse_4_add,
    multiply_add,
)
from punktfunk.realtime.kernels.views import bytes_at, words_at

STRIP_BYTES_MAX = 1408


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def _take(
    context: int, position: int, size: int, first: int, end: int, width: int, offset: int, scale: int
) -> int:
    """Do the first two layers of ``_interpolate``, which read the data where it lies."""
    words = words_at(context)
    sources, zeros, tables = words_at(words[WORD_SOURCES]), words[CODE_ZEROS], words[CODE_TABLES]
    constants, rows = bytes_at(words[WORD_TWIDDLES]), words[CODE_WORK] + words[CODE_WORK_BYTES] // 2
    low, high = max(first - position, 0), min(end - position, size)
    for row in range(0, size, 4):
        at, d0 = position + row, rows + row * width
        if row + 4 <= low or row >= high:
            clear(d0, 4 * width)
            continue
        s0, s1, s2, s3 = sources[at], sources[at + 1], sources[at + 2], sources[at + 3]
        s0 = s0 + offset if s0 else zeros
        s1 = s1 + offset if s1 else zeros
        s2 = s2 + offset if s2 else zeros
        s3 = s3 + offset if s3 else zeros
        c0 = tables + TABLE_BYTES * int64(constants[at])
        c1 = tables + TABLE_BYTES * int64(constants[at + 2])
        c2 = tables + TABLE_BYTES * int64(constants[LAYER_BYTES + at])
        if size == 4 and scale:
            d0 = words[CODE_WORK]
            inverse_4_add(
                width, s0, s1, s2, s3, d0, d0 + width, d0 + 2 * width, d0 + 3 * width, c0, c1, c2, scale
            )
        else:
            inverse_4(width, s0, s1, s2, s3, d0, d0 + width, d0 + 2 * width, d0 + 3 * width, c0, c1, c2)
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def _interpolate(
    context: int, position: int, size: int, first: int, end: int, width: int, offset: int, scale: int
) -> int:
    """Turn the data at positions [position, position + size) into coefficients.

    size        4 or more; a power of four if ``scale`` is 0, else of two
    first, end  data stands at positions [first, end); all else counts as zero
    scale       0: they stay in the second half of the work area; else they are added, times this constant, to
                the first
    """
    _take(context, position, size, first, end, width, offset, scale)
    words = words_at(context)
    tables, constants = words[CODE_TABLES], bytes_at(words[WORD_TWIDDLES])
    sums, rows = words[CODE_WORK], words[CODE_WORK] + words[CODE_WORK_BYTES] // 2
    low, high = max(first - position, 0), min(end - position, size)
    layer, distance = int64(2 * LAYER_BYTES), int64(4)
    while 2 * distance <= size:
        run, at = distance * width, layer + position
        c0 = tables + TABLE_BYTES * int64(constants[at])
        if 2 * distance == size:
            inverse_2_add(run, rows, rows + run, sums, sums + run, c0, scale)
            return 0
        for row in range(0, size, 4 * distance):
            if row + 4 * distance <= low or row >= high:
                continue
            c0 = tables + TABLE_BYTES * int64(constants[at + row])
            c1 = tables + TABLE_BYTES * int64(constants[at + row + 2 * distance])
            c2 = tables + TABLE_BYTES * int64(constants[LAYER_BYTES + at + row])
            r0 = rows + row * width
            r1, r2, r3 = r0 + run, r0 + 2 * run, r0 + 3 * run
            if 4 * distance == size and scale:
                inverse_4_add(
                    run, r0, r1, r2, r3, sums, sums + run, sums + 2 * run, sums + 3 * run, c0, c1, c2, scale
                )
            else:
                inverse_4(run, r0, r1, r2, r3, r0, r1, r2, r3, c0, c1, c2)
        distance *= 4
        layer += 2 * LAYER_BYTES
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def _meet(
    context: int,
    node: int,
    parts: int,
    distance: int,
    layer: int,
    first: int,
    end: int,
    width: int,
    offset: int,
) -> int:
    """Add the data inside a block of positions, which parity ends in, to that parity.

    The block begins at ``node`` and has ``parts`` parts of ``distance`` positions. The work rows of each hold
    its coefficients, as far as the transform has come. Returns the beginning of the part that parity ends in.
    """
    words = words_at(context)
    sources, targets = words_at(words[WORD_SOURCES]), words_at(words[WORD_TARGETS])
    scales, tables = bytes_at(words[WORD_SCALES] + layer), words[CODE_TABLES]
    rows, scratch = words[CODE_WORK], words[CODE_WORK] + words[CODE_WORK_BYTES] // 2
    last = (first - 1 - node) // distance
    for part in range(max(last, 1), parts):  # part 0 has no other before it
        position = node + part * distance
        absent = distance == 1 and sources[position] == 0
        if position + distance <= first or position >= end or absent:
            continue
        source = scratch
        if distance > 1:
            _interpolate(context, position, distance, first, end, width, offset, 0)
        else:
            source = sources[position] + offset
        for other in range(last + 1):
            if other != part:
                at = node + other * distance
                target = rows + at * width if distance > 1 else targets[at] + offset
                constant = int64(scales[(other ^ part) * distance])
                multiply_add(distance * width, source, target, tables + TABLE_BYTES * constant)
    return node + last * distance


@entry("int64(int64, int64, int64, int64, int64, int64)")
def _evaluate(context: int, size: int, first: int, end: int, width: int, offset: int) -> int:
    """Turn the coefficients in the work rows into parity rows, with what shares their block of ``size``."""
    words = words_at(context)
    rows, tables, sink = words[CODE_WORK], words[CODE_TABLES], words[CODE_WORK] + words[CODE_WORK_BYTES] // 2
    targets, constants = words_at(words[WORD_TARGETS]), bytes_at(words[WORD_TWIDDLES])
    distance, layer, node = int64(1), int64(0), int64(0)
    while 4 * distance < size:
        distance *= 4
        layer += 2 * LAYER_BYTES
    if 2 * distance == size:  # the constant of this layer is that of position 0, which is 0
        add(distance * width, rows, rows + distance * width)
        node = _meet(context, 0, 2, distance, layer, first, end, width, offset)
        distance //= 4
        layer -= 2 * LAYER_BYTES
    while distance > 0:
        run = distance * width
        for row in range(0, first, 4 * distance):
            r0, at = rows + row * width, layer + row
            r1, r2, r3 = r0 + run, r0 + 2 * run, r0 + 3 * run
            d0, d1, d2, d3 = r0, r1, r2, r3
            if distance == 1:
                d0 = targets[row] + offset
                d1 = targets[row + 1] + offset if row + 1 < first else sink
                d2 = targets[row + 2] + offset if row + 2 < first else sink
                d3 = targets[row + 3] + offset if row + 3 < first else sink
            c1 = tables + TABLE_BYTES * int64(constants[at + 2 * distance])
            if row == 0:  # the other two are 0
                forward_4_from_zero(run, r0, r1, r2, r3, d0, d1, d2, d3, c1)
                continue
            c0 = tables + TABLE_BYTES * int64(constants[at])
            c2 = tables + TABLE_BYTES * int64(constants[LAYER_BYTES + at])
            forward_4(run, r0, r1, r2, r3, d0, d1, d2, d3, c0, c1, c2)
        node = _meet(context, node, 4, distance, layer, first, end, width, offset)
        distance //= 4
        layer -= 2 * LAYER_BYTES
    return 0


@entry("int64(int64, int64, int64, int64)")
def transform(context: int, first: int, end: int, shard_bytes: int) -> int:
    """Write the parity of the data at positions [first, end). 0, or BAD_SIZE.

    context       address of the words of ``layout8``: WORD_SOURCES has the address of the data row of every
                  position, 0 for none, and WORD_TARGETS those of the parity rows 0 .. first - 1
    first, end    parity count, at least 1, and the position behind the last data row, at most 256
    shard_bytes   of every row; less than a vector, or than CODE_WORK_BYTES allows a strip, is BAD_SIZE

    Strips are as wide as lets two blocks fit into the work area. The last overlaps the one before.
    """
    if first < 1 or end <= first or end > LIST_COUNT:
        return BAD_SIZE
    words = words_at(context)
    size, layer = int64(4), int64(2 * LAYER_BYTES)
    while size < first:
        size *= 2
        layer += LAYER_BYTES
    scales = bytes_at(words[WORD_SCALES] + layer)
    width = min(words[CODE_WORK_BYTES] // 2 // size, shard_bytes, words[CODE_ZEROS_BYTES])
    width -= width % VECTOR_BYTES
    if width < VECTOR_BYTES:
        return BAD_SIZE
    column = int64(0)
    while column < shard_bytes:
        left = (shard_bytes - column + VECTOR_BYTES - 1) // VECTOR_BYTES * VECTOR_BYTES
        width = min(width, left)
        offset = min(column, shard_bytes - width)
        clear(words[CODE_WORK], size * width)
        for position in range(size, end, size):
            scale = words[CODE_TABLES] + TABLE_BYTES * int64(scales[position])
            _interpolate(context, position, size, first, end, width, offset, scale)
        _evaluate(context, size, first, end, width, offset)
        column += width
    return 0
