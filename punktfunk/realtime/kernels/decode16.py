"""Missing data shards over GF(2^16), from as many parity shards: which decoder, with what, strip by strip.

There are four, for the same answer. Products of the shards with rows of the decoding matrix (``gf16``), for
few losses; syndromes and the inverse of their Cauchy matrix, as a matrix or by transforms (``syndromes16``);
Leopard's own (``full16``). The entry at a word of the context says which one a loss gets: by default the cost
model ``choose16``.
"""

from punktfunk.realtime.kernels.butterfly import STRIP_BYTES
from punktfunk.realtime.kernels.calls import call_address
from punktfunk.realtime.kernels.encode16 import list_rows, power_of_two, read_ends, write_ends
from punktfunk.realtime.kernels.erasures16 import (
    count_wanted,
    fill_matrix,
    list_data,
    list_losses,
    list_positions,
    list_shards,
    scale_positions,
)
from punktfunk.realtime.kernels.full16 import solve_full
from punktfunk.realtime.kernels.gf16 import LEAST_BYTES, multiply_rows
from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    CODE_TABLES,
    CODE_ZEROS,
    CODE_ZEROS_BYTES,
    UNSUPPORTED_SHAPE,
)
from punktfunk.realtime.kernels.layout16 import (
    CODE16_ENDS,
    CODE16_ENDS_BYTES,
    COEFFICIENT_BYTES,
)
from punktfunk.realtime.kernels.layout_decode import (
    CAUCHY,
    CHOOSE,
    CHOOSE_CONTEXT,
    COEFFICIENTS,
    COEFFICIENTS_BYTES,
    DATA_AT,
    DATA_MAX,
    DECODER,
    DECODER_WORK_BYTES,
    DIRECT,
    FULL,
    GROUP,
    INPUT_COUNT,
    INPUTS,
    SIZE,
    SIZE_MAX,
    SYNDROMES,
    TARGETS,
    TRANSPOSED,
    UNIT,
    WIDE,
)
from punktfunk.realtime.kernels.syndromes16 import solve_transposed, syndrome_rows
from punktfunk.realtime.kernels.views import words_at

_LEAST_SIZE = 8  # positions that ``locator`` takes


@entry("int64(int64, int64, int64, int64)")
def _place(context: int, data_count: int, parity_count: int, shard_bytes: int) -> int:
    """Prove that the context fits the code and note its positions. 0, BAD_SIZE or UNSUPPORTED_SHAPE."""
    words = words_at(context)
    least, most = min(data_count, parity_count), max(data_count, parity_count)
    if least < 1 or most > 65535 or power_of_two(least) + most > 65536:
        return UNSUPPORTED_SHAPE
    data_power, unit = power_of_two(data_count), power_of_two(parity_count)
    data_at, far = unit, data_count
    if data_power < unit:
        unit, data_at, far = data_power, int64(0), parity_count
    words[UNIT], words[DATA_AT] = unit, data_at
    words[SIZE] = max(power_of_two(unit + far), int64(_LEAST_SIZE))
    if shard_bytes < 2 or shard_bytes & 1 or data_count > words[DATA_MAX] or words[SIZE] > words[SIZE_MAX]:
        return BAD_SIZE
    return 0


@entry("int64(int64, int64, int64, int64, int64)")
def _plan(context: int, data_count: int, parity_count: int, missing_count: int, shard_bytes: int) -> int:
    """Choose the decoder and prove that there is room for its work; rows of the work area or BAD_SIZE."""
    words = words_at(context)
    decoder = int64(DIRECT)
    if words[UNIT] >= 4:  # transforms take no fewer rows, and no more than two shards are missing
        asked = (words[CHOOSE_CONTEXT], data_count, parity_count, missing_count, shard_bytes)
        decoder = call_address(words[CHOOSE], asked)
    if decoder < DIRECT or decoder > TRANSPOSED:
        return BAD_SIZE
    row_count, input_count = 3 * words[UNIT], int64(0)
    if decoder == DIRECT:
        row_count, input_count = int64(0), data_count
    elif decoder == CAUCHY:
        input_count = missing_count
    elif decoder == FULL:
        row_count = words[SIZE]
    words[DECODER], words[INPUT_COUNT], words[GROUP] = decoder, input_count, missing_count
    if input_count:
        most = words[COEFFICIENTS_BYTES] // (input_count * (COEFFICIENT_BYTES + 2))
        words[GROUP] = min(missing_count, most)
    room = max(shard_bytes & -STRIP_BYTES, int64(LEAST_BYTES))
    ends = LEAST_BYTES * (data_count + missing_count)
    if words[GROUP] < 1 or room > words[CODE_ZEROS_BYTES] or ends > words[CODE16_ENDS_BYTES]:
        return BAD_SIZE
    return row_count if row_count * LEAST_BYTES <= words[DECODER_WORK_BYTES] else BAD_SIZE


@entry("int64(int64, int64, int64)")
def _prepare(context: int, data_count: int, missing_count: int) -> int:
    """Do all work that does not touch shards."""
    words = words_at(context)
    unit, data_at, size, decoder = words[UNIT], words[DATA_AT], words[SIZE], words[DECODER]
    scale_positions(context, missing_count, unit, data_at, size, int64(decoder == FULL))
    if decoder != DIRECT:
        count_wanted(context, missing_count, unit, data_at, size, int64(decoder != FULL))
    if words[INPUT_COUNT]:
        list_positions(context, data_count, missing_count, unit, data_at, int64(decoder == DIRECT))
        if words[GROUP] == missing_count:
            words[WIDE] = fill_matrix(context, missing_count, 0, missing_count, words[INPUT_COUNT], size)
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64)")
def _multiply(context: int, rows: int, missing_count: int, work: int, column: int, width: int) -> int:
    """Write one strip of the missing shards as products, a group of them at a time."""
    words = words_at(context)
    input_count, group, wide = words[INPUT_COUNT], words[GROUP], words[WIDE]
    for first in range(0, missing_count, group):
        some = min(group, missing_count - first)
        if group < missing_count:
            wide = fill_matrix(context, missing_count, first, some, input_count, words[SIZE])
        multiply_rows(
            words[CODE_TABLES], rows, input_count, 0 if work else column, width, work, words[COEFFICIENTS],
            input_count * COEFFICIENT_BYTES, wide, words[TARGETS] + 8 * first, some, column,
        )  # fmt: skip
    return 0


@entry("int64(int64, int64, int64)")
def strip_bytes(work_bytes: int, row_count: int, whole: int) -> int:
    """Width of the strips that a decoder works on, at least LEAST_BYTES and at most ``whole``.

    work_bytes   of the work area: at least row_count * LEAST_BYTES
    row_count    rows of it that a strip needs, 0 for none
    whole        bytes of a shard: a multiple of STRIP_BYTES, at least LEAST_BYTES
    """
    if row_count == 0:
        return whole
    most = (work_bytes // row_count) & -STRIP_BYTES
    count = (whole + most - 1) // most
    return max(((whole + count - 1) // count + STRIP_BYTES - 1) & -STRIP_BYTES, int64(LEAST_BYTES))


@entry("int64(int64, int64, int64, int64, int64)")
def _solve(context: int, data_count: int, missing_count: int, whole: int, width: int) -> int:
    """Write ``whole`` bytes of all missing shards. The last strip is moved back rather than cut."""
    words = words_at(context)
    unit, data_at, decoder = words[UNIT], words[DATA_AT], words[DECODER]
    inputs, syndromes = words[INPUTS], words[SYNDROMES]
    list_data(context, data_count, missing_count)
    for begin in range(0, whole, width):
        column = min(begin, whole - width)
        if decoder == DIRECT:
            _multiply(context, inputs, missing_count, 0, column, width)
        elif decoder == CAUCHY:
            syndrome_rows(context, data_count, unit, data_at, missing_count, column, width)
            _multiply(context, syndromes, missing_count, 1, column, width)
        elif decoder == TRANSPOSED:
            solve_transposed(context, data_count, unit, data_at, missing_count, column, width)
        else:
            solve_full(context, data_count, unit, data_at, missing_count, words[SIZE], column, width)
    return 0


@entry("int64(int64, int64, int64)")
def _solve_ends(context: int, data_count: int, missing_count: int) -> int:
    """Solve for the rows that hold the ends of shards, each widened to LEAST_BYTES."""
    words = words_at(context)
    ends = words[CODE16_ENDS]
    list_rows(ends, LEAST_BYTES, data_count, words[CODE_ZEROS], words[INPUTS])
    list_rows(ends + data_count * LEAST_BYTES, LEAST_BYTES, missing_count, words[CODE_ZEROS], words[TARGETS])
    return _solve(context, data_count, missing_count, int64(LEAST_BYTES), int64(LEAST_BYTES))


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
    """Write all missing data shards. Their number; or, with nothing written, why not.

    context                 address of the context; ``code16.Code16`` makes it
    data, data_stride       address of the first data shard, and from each to the next in bytes
    parity, parity_stride   the same for parity, which is only read
    present                 address of uint8[data_count + parity_count], 0 for a shard that is not there
    data_count              data shards, at least 1
    parity_count            parity shards, at least 1; the smaller count rounded up to a power of two and the
                            larger are together at most 65536
    shard_bytes             of every shard: even, at least 2

    TOO_FEW_SHARDS if fewer than ``data_count`` are present, UNSUPPORTED_SHAPE for other counts, BAD_SIZE for
    other sizes or where the context was made for less.
    """
    words = words_at(context)
    code = _place(context, data_count, parity_count, shard_bytes)
    missing_count = list_losses(context, present, data_count, parity_count) if code == 0 else code
    if missing_count <= 0:
        return missing_count
    row_count = _plan(context, data_count, parity_count, missing_count, shard_bytes)
    if row_count < 0:
        return row_count
    _prepare(context, data_count, missing_count)
    list_shards(context, data, data_stride, parity, parity_stride, data_count, missing_count)
    whole = shard_bytes & -STRIP_BYTES
    whole = whole if whole >= LEAST_BYTES else int64(0)
    if whole:
        width = strip_bytes(words[DECODER_WORK_BYTES], row_count, whole)
        _solve(context, data_count, missing_count, whole, width)
    if whole < shard_bytes:
        ends, rest = words[CODE16_ENDS], shard_bytes - whole
        read_ends(words[INPUTS], data_count, whole, rest, ends, LEAST_BYTES)
        _solve_ends(context, data_count, missing_count)
        list_shards(context, data, data_stride, parity, parity_stride, data_count, missing_count)
        target_ends = ends + data_count * LEAST_BYTES
        write_ends(words[TARGETS], missing_count, whole, rest, target_ends, LEAST_BYTES)
    return missing_count
