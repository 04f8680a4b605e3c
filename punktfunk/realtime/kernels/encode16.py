"""Parity shards over GF(2^16), as Leopard and reed-solomon-simd compute them.

With k data and m parity shards, K and M their powers of two (the next that is not less):

    K >= M   high rate: chunks of M data shards go through the inverse transform at positions M, 2M, 3M ...;
             the sum of all goes through the transform at position 0, and its first m rows are parity
    K < M    low rate: the data goes through the inverse transform at position 0; parity shard j is row j of
             its transform at position K, 2K, 3K ..., chunk by chunk of K

For K = M both give the same. A power below 4 has too few rows for the passes: there the generator matrix
itself, known in closed form, multiplies the rows. Shards are worked on strip by strip, as wide as the work
area has room and the caches hold; the last, if it is no whole number of chunks, in copies.
"""

from punktfunk.realtime.kernels.atomics import copy_bytes
from punktfunk.realtime.kernels.butterfly import STRIP_BYTES, clear_bytes
from punktfunk.realtime.kernels.gf16 import LEAST_BYTES, multiply_rows, write_coefficients
from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    CODE_TABLES,
    CODE_WORK,
    CODE_WORK_BYTES,
    CODE_ZEROS,
    CODE_ZEROS_BYTES,
    UNSUPPORTED_SHAPE,
)
from punktfunk.realtime.kernels.layout16 import (
    CHUNK_BYTES,
    CODE16_COEFFICIENTS,
    CODE16_COEFFICIENTS_BYTES,
    CODE16_ENDS,
    CODE16_ENDS_BYTES,
    CODE16_LIST_COUNT,
    CODE16_READY_DATA,
    CODE16_READY_PARITY,
    CODE16_READY_WIDE,
    CODE16_ROWS,
    CODE16_SPARE,
    CODE16_SPARE_BYTES,
    CODE16_STRIP_BYTES,
    CODE16_TARGETS,
    COEFFICIENT_BYTES,
    LOGARITHMS_OFFSET,
    POWERS_OFFSET,
)
from punktfunk.realtime.kernels.leopard import forward_shards, inverse_shards
from punktfunk.realtime.kernels.views import elements_at, words_at

_HALF = CHUNK_BYTES // 2
_ORDER = 65535


@entry("int64(int64)")
def power_of_two(count: int) -> int:
    """Next power of two that is not less than ``count``, which is at least 1."""
    bits = int64(count - 1)
    bits |= bits >> 1
    bits |= bits >> 2
    bits |= bits >> 4
    bits |= bits >> 8
    bits |= bits >> 16
    return bits + 1


@entry("int64(int64, int64, int64, int64, int64)")
def list_rows(first: int, stride: int, count: int, padding: int, rows: int) -> int:
    """Write the addresses of ``count`` rows, and ``padding`` up to a multiple of four. Their number.

    first      address of the first row
    stride     from each row to the next, in bytes
    count      rows
    padding    address that fills the list up
    rows       address of the list, int64
    """
    list_, padded = words_at(rows), (count + 3) & -4
    for i in range(count):
        list_[i] = first + i * stride
    for i in range(count, padded):
        list_[i] = padding
    return padded


@entry("int64(int64, int64, int64, int64, int64, int64)")
def read_ends(rows: int, count: int, column: int, size: int, ends: int, width: int) -> int:
    """Copy the ends of shards into rows of whole chunks. 0.

    rows       list of shards
    count      of them
    column     where the end begins, in bytes: a multiple of CHUNK_BYTES
    size       of the end, even
    ends       address of ``count`` rows
    width      of each of these, a multiple of CHUNK_BYTES not less than ``size``

    Of a last chunk that is not whole, the first half are the low bytes of symbols and the second the high.
    """
    list_ = words_at(rows)
    whole, half = size & -CHUNK_BYTES, (size & (CHUNK_BYTES - 1)) >> 1
    for i in range(count):
        source, target = list_[i] + column, ends + i * width
        clear_bytes(target, width)
        copy_bytes(target, source, whole)
        copy_bytes(target + whole, source + whole, half)
        copy_bytes(target + whole + _HALF, source + whole + half, half)
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64)")
def write_ends(rows: int, count: int, column: int, size: int, ends: int, width: int) -> int:
    """Copy rows of whole chunks to the ends of shards: ``read_ends`` the other way round. 0.

    rows       list of shards
    count      of them
    column     where the end begins, in bytes: a multiple of CHUNK_BYTES
    size       of the end, even
    ends       address of ``count`` rows
    width      of each of these, a multiple of CHUNK_BYTES not less than ``size``
    """
    list_ = words_at(rows)
    whole, half = size & -CHUNK_BYTES, (size & (CHUNK_BYTES - 1)) >> 1
    for i in range(count):
        target, source = list_[i] + column, ends + i * width
        copy_bytes(target, source, whole)
        copy_bytes(target + whole, source + whole, half)
        copy_bytes(target + whole + half, source + whole + _HALF, half)
    return 0


@entry("int64(int64, int64, int64)")
def generate_matrix(context: int, data_count: int, parity_count: int) -> int:
    """Have the context hold the coefficients of a code with a power below 4: parity by data. 0, or BAD_SIZE.

    context        address of the context
    data_count     data shards
    parity_count   parity shards

    High rate: coefficient[j, i] = ((M + i) >> log2 M) / (j xor (M + i)). Low rate: K + j for M + i, i for j.
    """
    words = words_at(context)
    if words[CODE16_READY_DATA] == data_count and words[CODE16_READY_PARITY] == parity_count:
        return 0
    total = data_count * parity_count
    if total * (COEFFICIENT_BYTES + 2) > words[CODE16_COEFFICIENTS_BYTES]:
        return BAD_SIZE
    tables, place = words[CODE_TABLES], words[CODE16_COEFFICIENTS]
    powers, logarithms = elements_at(tables + POWERS_OFFSET), elements_at(tables + LOGARITHMS_OFFSET)
    elements = elements_at(place + total * COEFFICIENT_BYTES)
    data_power, parity_power = power_of_two(data_count), power_of_two(parity_count)
    power = min(data_power, parity_power)
    shift = int64(power == 2)
    for j in range(parity_count):
        for i in range(data_count):
            far, near = (power + i, j) if data_power >= parity_power else (power + j, i)
            difference = int64(logarithms[far >> shift]) - int64(logarithms[far ^ near])
            elements[j * data_count + i] = powers[difference + _ORDER if difference < 0 else difference]
    wide = write_coefficients(tables, place + total * COEFFICIENT_BYTES, total, place)
    words[CODE16_READY_DATA], words[CODE16_READY_PARITY] = data_count, parity_count
    words[CODE16_READY_WIDE] = wide
    return 0


@entry("int64(int64, int64, int64, int64, int64)")
def encode_strip(context: int, data_count: int, parity_count: int, column: int, width: int) -> int:
    """Write one strip of all parity shards. 0.

    context        address of the context, whose lists name the shards
    data_count     data shards
    parity_count   parity shards
    column         where the strip begins, in bytes: a multiple of CHUNK_BYTES
    width          of the strip, which the work area has room for
    """
    words = words_at(context)
    tables, work, rows = words[CODE_TABLES], words[CODE_WORK], words[CODE16_ROWS]
    targets = words[CODE16_TARGETS]
    data_power, parity_power = power_of_two(data_count), power_of_two(parity_count)
    size = min(data_power, parity_power)
    other = work + size * width
    if size < 4:
        return multiply_rows(
            tables, rows, data_count, column, width, 0, words[CODE16_COEFFICIENTS],
            data_count * COEFFICIENT_BYTES, words[CODE16_READY_WIDE], targets, parity_count, column,
        )  # fmt: skip
    if data_power < parity_power:
        inverse_shards(tables, rows, data_count, column, 0, size, work, width, 0)
        for done in range(0, parity_count, size):
            some, place = min(size, parity_count - done), targets + 8 * done
            forward_shards(tables, work, other, width, size, size + done, some, place, column)
        return 0
    inverse_shards(tables, rows, min(size, data_count), column, size, size, work, width, 0)
    step = data_count if size == 4 else size
    for done in range(size, data_count, step):
        some, place = min(step, data_count - done), rows + 8 * done
        inverse_shards(tables, place, some, column, size + done, size, other, width, work)
    return forward_shards(tables, work, work, width, size, 0, parity_count, targets, column)


@entry("int64(int64, int64, int64)")
def strip_width(context: int, row_count: int, size: int) -> int:
    """Width of strips that ``size`` bytes of shards are cut into; BAD_SIZE if there is no room for one.

    context     address of the context
    row_count   rows of the work area that a strip needs, at least 1
    size        a multiple of STRIP_BYTES, at least one
    """
    words = words_at(context)
    if row_count * size <= min(words[CODE_WORK_BYTES], words[CODE16_STRIP_BYTES]):
        return size
    most = min(words[CODE_WORK_BYTES], max(words[CODE16_STRIP_BYTES], row_count * STRIP_BYTES)) // row_count
    most &= -STRIP_BYTES
    if most < STRIP_BYTES:
        return BAD_SIZE
    strips = (size + most - 1) // most
    return int64((size + strips - 1) // strips + STRIP_BYTES - 1) & -STRIP_BYTES


@entry("int64(int64, int64, int64, int64)")
def _end_width(context: int, data_count: int, parity_count: int, shard_bytes: int) -> int:
    """Width of the copies of what is no whole strip of a shard; 0 if there is none. BAD_SIZE without room."""
    words = words_at(context)
    shortest = int64(STRIP_BYTES if min(data_count, parity_count) > 2 else LEAST_BYTES)
    whole = shard_bytes & -STRIP_BYTES
    end = shard_bytes - whole if whole >= shortest else shard_bytes
    width = max((end + STRIP_BYTES - 1) & -STRIP_BYTES, shortest) if end else int64(0)
    if max(data_count, parity_count) + 3 > words[CODE16_LIST_COUNT]:
        return BAD_SIZE
    if max(whole, width) > min(words[CODE_ZEROS_BYTES], words[CODE16_SPARE_BYTES]):
        return BAD_SIZE
    return BAD_SIZE if width * (data_count + parity_count) > words[CODE16_ENDS_BYTES] else width


@entry("int64(int64, int64, int64, int64)")
def _full_width(context: int, data_count: int, parity_count: int, whole: int) -> int:
    """Width of the strips that ``whole`` bytes are cut into, with the context made ready. Or BAD_SIZE."""
    size = power_of_two(min(data_count, parity_count))
    if size >= 4:
        return strip_width(context, 2 * size, whole)
    return whole if generate_matrix(context, data_count, parity_count) == 0 else int64(BAD_SIZE)


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def encode(
    context: int,
    data: int,
    data_stride: int,
    parity: int,
    parity_stride: int,
    data_count: int,
    parity_count: int,
    shard_bytes: int,
) -> int:
    """Write all parity shards. 0, or BAD_SIZE or UNSUPPORTED_SHAPE with nothing written.

    context                 address of the context; ``code16.Code16`` makes it
    data, data_stride       address of the first data shard, and from each to the next in bytes
    parity, parity_stride   the same for parity; the two may not overlap
    data_count              data shards, at least 1
    parity_count            parity shards, at least 1; the smaller count rounded up to a power of two and the
                            larger are together at most 65536
    shard_bytes             of every shard: even, at least 2
    """
    words = words_at(context)
    least, most = min(data_count, parity_count), max(data_count, parity_count)
    if least < 1 or most > 65535 or power_of_two(least) + most > 65536:
        return UNSUPPORTED_SHAPE
    if shard_bytes < 2 or shard_bytes & 1:
        return BAD_SIZE
    end = _end_width(context, data_count, parity_count, shard_bytes)
    whole = shard_bytes & -STRIP_BYTES if end < shard_bytes else int64(0)
    width = _full_width(context, data_count, parity_count, max(whole, end))
    if end < 0 or width < 0:
        return BAD_SIZE
    rows, targets, spare = words[CODE16_ROWS], words[CODE16_TARGETS], words[CODE16_SPARE]
    list_rows(data, data_stride, data_count, words[CODE_ZEROS], rows)
    list_rows(parity, parity_stride, parity_count, spare, targets)
    column = int64(0)
    while column < whole:
        some = min(width, whole - column)
        encode_strip(context, data_count, parity_count, column, some)
        column += some
    if whole < shard_bytes:
        ends = words[CODE16_ENDS]
        parity_ends = ends + data_count * end
        read_ends(rows, data_count, whole, shard_bytes - whole, ends, end)
        list_rows(ends, end, data_count, words[CODE_ZEROS], rows)
        list_rows(parity_ends, end, parity_count, spare, targets)
        encode_strip(context, data_count, parity_count, 0, end)
        list_rows(parity, parity_stride, parity_count, spare, targets)
        write_ends(targets, parity_count, whole, shard_bytes - whole, parity_ends, end)
    return 0
