"""Which decoder over GF(2^16) is cheapest for a loss, by a linear model of what each does.

With U the transform size, k data shards of c chunks of 64 bytes, L missing ones, n positions:

    decoder      work
    -----------  -----------------------------------------------------------------------------------
    direct       L k products of a shard, k shards read for every two missing ones
    cauchy       the syndromes, L L products of a work row
    transposed   the syndromes, L rows read, an inverse of the power of two that L needs, transforms
                 of as many rows for each chunk that is hit, L rows written
    full         k rows read, transformed as n, derived, transformed back, L rows written

Syndromes cost an inverse of U rows for each U data shards, and a transform of U rows, of which L are wanted.
A coefficient for each product, and positions of the locator, cost the same however long shards are. The words
say what each unit costs on this machine; ``realtime.fit_decoder`` measures them.
"""

from punktfunk.realtime.kernels.encode16 import power_of_two
from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.layout16 import CHUNK_BYTES
from punktfunk.realtime.kernels.layout_decode import (
    CAUCHY,
    COST_COEFFICIENT,
    COST_DIRECT_SMALL,
    COST_LAYER_SMALL,
    COST_POSITION,
    COST_ROW,
    COST_WORK_SMALL,
    DIRECT,
    FULL,
    TRANSPOSED,
)
from punktfunk.realtime.kernels.views import words_at


@entry("int64(int64, int64, int64, int64)")
def count_layers(size: int, rows: int, wanted: int, together: int) -> int:
    """Count the rows that the layers of transforms go through if only some rows are wanted.

    size       rows of one transform: a power of two
    rows       of all transforms
    wanted     how many of them are
    together   1: the first ones; 0: wherever
    """
    total, block = int64(0), int64(1)
    while block < size:
        layers = int64(1)
        block *= 2
        if block < size:  # a pass does two layers of blocks of four times the size, or leaves a block out
            layers, block = int64(2), block * 2
        touched = (wanted + block - 1) & -block if together else wanted * block
        total += layers * min(rows, touched)
    return total


@entry("int64(int64, int64, int64, int64, int64, int64)")
def estimate(
    context: int, data_count: int, parity_count: int, missing_count: int, shard_bytes: int, decoder: int
) -> int:
    """Cost of one decoder, in 2^-10 ns: a sum of counts, each times a word.

    context         address of the COST_ words
    data_count, parity_count   shards of the code, at least 1
    missing_count   missing data shards
    shard_bytes     of every shard
    decoder         DIRECT, CAUCHY, FULL or TRANSPOSED
    """
    words = words_at(context)
    data_power, unit = power_of_two(data_count), power_of_two(parity_count)
    inner, far = min(unit, power_of_two(missing_count)), data_count
    if data_power < unit:
        unit, inner, far = data_power, data_power, parity_count
    positions = power_of_two(unit + far)
    wide, chunks = int64(positions > 256), (shard_bytes + CHUNK_BYTES - 1) // CHUNK_BYTES
    total: int = positions * words[COST_POSITION]
    if decoder == DIRECT:
        product = chunks * words[COST_DIRECT_SMALL + wide] + words[COST_COEFFICIENT]
        reads = (missing_count + 1) // 2 * data_count
        total += missing_count * data_count * product + reads * chunks * words[COST_ROW]
        return total
    layer, row = chunks * words[COST_LAYER_SMALL + wide], chunks * words[COST_ROW]
    total += positions * words[COST_POSITION]  # which rows are wanted
    if decoder == FULL:
        through = count_layers(positions, positions, positions, 0)
        through += count_layers(positions, positions, missing_count, 0)
        total += through * layer + (positions + data_count + missing_count) * row
        return total
    through = count_layers(unit, data_count, data_count, 0) + count_layers(unit, unit, missing_count, 1)
    if decoder == CAUCHY:
        product = chunks * words[COST_WORK_SMALL + wide] + words[COST_COEFFICIENT]
        products = missing_count * missing_count
        total += through * layer + missing_count * row + products * product
        return total
    hit = min((data_count + inner - 1) // inner, missing_count) * inner
    through += count_layers(inner, inner, inner, 0) + count_layers(inner, hit, missing_count, 0)
    total += through * layer + 2 * missing_count * row
    return total


@entry("int64(int64, int64, int64, int64, int64)")
def choose(context: int, data_count: int, parity_count: int, missing_count: int, shard_bytes: int) -> int:
    """Say which decoder is cheapest: DIRECT, CAUCHY, FULL or TRANSPOSED of ``layout_decode``.

    context         address of the COST_ words
    data_count, parity_count   shards of the code, at least 1
    missing_count   missing data shards
    shard_bytes     of every shard
    """
    best, least = int64(DIRECT), int64(0)
    for decoder in range(DIRECT, TRANSPOSED + 1):
        cost = estimate(context, data_count, parity_count, missing_count, shard_bytes, decoder)
        if decoder == DIRECT or cost < least:
            best, least = decoder, cost
    return best
