"""The passes of Leopard's Fourier transform over GF(2^16), in rows of a work area.

A transform of some power of two of rows, at ``position``, has one layer per doubling; layer i joins rows 2^i
apart, and the twiddle of the block that begins at row r is the element (position + r) >> i. A pass does two
layers, so that rows are loaded and stored half as often. The inverse runs from layer 0 up, the transform back
down; if the number of layers is odd, the topmost is a pass of its own. The inverse can read shards in its
first pass, the transform write them in its last, so nothing is ever copied.

Everywhere: a list of shards is an address of int64 addresses, padded to a multiple of four; ``width`` is the
length of a work row in bytes and the distance to the next, a multiple of STRIP_BYTES, at least one. Callers
have proved all of it: nothing is checked here.
"""

from punktfunk.realtime.kernels.butterfly import Butterfly, Kind, butterfly, clear_bytes, spread
from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.views import words_at

_ZERO: tuple[Kind, ...] = ("zero", "small", "zero")  # the group at position 0
_SMALL: tuple[Kind, ...] = ("small", "small", "small")
_MIXED: tuple[Kind, ...] = ("full", "full", "small")  # elements 256 .. 511 in the lower layer
_FULL: tuple[Kind, ...] = ("full", "full", "full")

_read_small = butterfly(Butterfly(_SMALL, inverse=True, source="shards"))
_read_full = butterfly(Butterfly(_FULL, inverse=True, source="shards"))
_read_sum_small = butterfly(Butterfly(_SMALL, inverse=True, source="shards", target="sum"))
_read_sum_full = butterfly(Butterfly(_FULL, inverse=True, source="shards", target="sum"))
_inverse_zero = butterfly(Butterfly(_ZERO, inverse=True))
_inverse_small = butterfly(Butterfly(_SMALL, inverse=True))
_inverse_mixed = butterfly(Butterfly(_MIXED, inverse=True))
_inverse_full = butterfly(Butterfly(_FULL, inverse=True))
_sum_small = butterfly(Butterfly(_SMALL, inverse=True, target="sum"))
_sum_full = butterfly(Butterfly(_FULL, inverse=True, target="sum"))
_inverse_halves_small = butterfly(Butterfly(("small",), inverse=True))
_inverse_halves_full = butterfly(Butterfly(("full",), inverse=True))
_sum_halves_small = butterfly(Butterfly(("small",), inverse=True, target="sum"))
_sum_halves_full = butterfly(Butterfly(("full",), inverse=True, target="sum"))
_forward_zero = butterfly(Butterfly(_ZERO, inverse=False))
_forward_small = butterfly(Butterfly(_SMALL, inverse=False))
_forward_mixed = butterfly(Butterfly(_MIXED, inverse=False))
_forward_full = butterfly(Butterfly(_FULL, inverse=False))
_write_zero = butterfly(Butterfly(_ZERO, inverse=False, target="shards"))
_write_small = butterfly(Butterfly(_SMALL, inverse=False, target="shards"))
_write_full = butterfly(Butterfly(_FULL, inverse=False, target="shards"))
_halves_zero = butterfly(Butterfly(("zero",), inverse=False))
_halves_small = butterfly(Butterfly(("small",), inverse=False))
_halves_full = butterfly(Butterfly(("full",), inverse=False))


@entry("int64(int64, int64, int64, int64, int64, int64, int64)")
def inverse_read(
    tables: int, shards: int, count: int, column: int, position: int, work: int, width: int
) -> int:
    """Layers 0 and 1 of the inverse, from shards to work rows. 0.

    tables     address of the tables
    shards     list of ``count`` shards, padded with zeros
    column     where their part begins, in bytes: a multiple of CHUNK_BYTES
    position   of the first row, a multiple of 4
    work       address of the rows to write, ``count`` rounded up to a multiple of 4
    width      of a row, and of the part
    """
    for r in range(0, count, 4):
        element, row = position + r, work + r * width
        if element < 256:
            _read_small(width, shards + 8 * r, 0, row, width, column, element, tables)
        else:
            _read_full(width, shards + 8 * r, 0, row, width, column, element, tables)
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64)")
def inverse_read_sum(
    tables: int, shards: int, count: int, column: int, position: int, work: int, width: int
) -> int:
    """Inverse of every group of four shards, all of it xored into the same four work rows. 0.

    tables     address of the tables
    shards     list of ``count`` shards, padded with zeros
    column     where their part begins, in bytes: a multiple of CHUNK_BYTES
    position   of the first row, a multiple of 4
    work       address of four rows
    width      of a row, and of the part
    """
    for r in range(0, count, 4):
        if position + r < 256:
            _read_sum_small(width, shards + 8 * r, 0, work, width, column, position + r, tables)
        else:
            _read_sum_full(width, shards + 8 * r, 0, work, width, column, position + r, tables)
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64)")
def inverse_pass(tables: int, work: int, width: int, count: int, position: int, layer: int) -> int:
    """Layers ``layer`` and ``layer`` + 1 of the inverse, in place. 0.

    tables     address of the tables
    work       address of the rows
    width      of a row
    count      rows that are not all zero; groups that begin behind them are left out
    position   of the first row
    layer      lower layer of the two, even
    """
    distance = int64(1) << layer
    run = distance * width
    for r in range(0, count, 4 * distance):
        element, row = (position + r) >> layer, work + r * width
        if element < 4:
            _inverse_zero(run, row, run, row, run, 0, element, tables)
        elif element < 256:
            _inverse_small(run, row, run, row, run, 0, element, tables)
        elif element < 512:
            _inverse_mixed(run, row, run, row, run, 0, element, tables)
        else:
            _inverse_full(run, row, run, row, run, 0, element, tables)
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64)")
def inverse_last(tables: int, work: int, width: int, position: int, layer: int, pair: int, total: int) -> int:
    """Topmost layers of the inverse. 0.

    tables     address of the tables
    work       address of the rows
    width      of a row
    position   of the first row
    layer      lowest layer of the pass
    pair       1 for two layers (rows: 4 << layer), 0 for one (2 << layer)
    total      0: in place; else the address of as many rows, which the result is xored into
    """
    run = width << layer
    element = position >> layer
    if pair:
        if not total:
            return inverse_pass(tables, work, width, 1, position, layer)
        if element < 256:
            _sum_small(run, work, run, total, run, 0, element, tables)
        else:
            _sum_full(run, work, run, total, run, 0, element, tables)
    elif total:
        if element < 256:
            _sum_halves_small(run, work, run, total, run, 0, element, tables)
        else:
            _sum_halves_full(run, work, run, total, run, 0, element, tables)
    elif element < 256:
        _inverse_halves_small(run, work, run, work, run, 0, element, tables)
    else:
        _inverse_halves_full(run, work, run, work, run, 0, element, tables)
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64)")
def forward_halves(tables: int, source: int, work: int, width: int, position: int, layer: int) -> int:
    """Topmost layer of a transform with an odd number of layers. 0.

    tables     address of the tables
    source     address of 2 << layer rows
    work       address of as many rows, which may be the same
    width      of a row
    position   of the first row
    layer      the topmost
    """
    run = width << layer
    element = position >> layer
    if element == 0:
        _halves_zero(run, source, run, work, run, 0, element, tables)
    elif element < 256:
        _halves_small(run, source, run, work, run, 0, element, tables)
    else:
        _halves_full(run, source, run, work, run, 0, element, tables)
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def forward_pass(
    tables: int, source: int, work: int, width: int, count: int, position: int, layer: int, wanted: int
) -> int:
    """Layers ``layer`` + 1 and ``layer`` of the transform. 0.

    tables     address of the tables
    source     address of the rows
    work       address of the rows to write, which may be the same
    width      of a row
    count      rows from the first on that are wanted; groups that begin behind them are left out
    position   of the first row
    layer      lower layer of the two, even
    wanted     0, or the address of int64: how many rows before row r are wanted, for every r from 0 to count
               rounded up to a multiple of 4 << layer; groups without a wanted row are left out
    """
    distance = int64(1) << layer
    run = distance * width
    for r in range(0, count, 4 * distance):
        if wanted and words_at(wanted)[r] == words_at(wanted)[r + 4 * distance]:
            continue
        element, row, target = (position + r) >> layer, source + r * width, work + r * width
        if element < 4:
            _forward_zero(run, row, run, target, run, 0, element, tables)
        elif element < 256:
            _forward_small(run, row, run, target, run, 0, element, tables)
        elif element < 512:
            _forward_mixed(run, row, run, target, run, 0, element, tables)
        else:
            _forward_full(run, row, run, target, run, 0, element, tables)
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64)")
def forward_write(
    tables: int, work: int, width: int, count: int, position: int, shards: int, column: int
) -> int:
    """Layers 1 and 0 of the transform, from work rows to shards. 0.

    tables     address of the tables
    work       address of the rows, ``count`` rounded up to a multiple of 4
    width      of a row, and of the part
    count      how many shards are wanted
    position   of the first row, a multiple of 4
    shards     list of ``count`` shards, padded with one that nobody reads
    column     where their part begins, in bytes: a multiple of CHUNK_BYTES
    """
    for r in range(0, count, 4):
        element, row = position + r, work + r * width
        if element < 4:
            _write_zero(width, row, width, shards + 8 * r, 0, column, element, tables)
        elif element < 256:
            _write_small(width, row, width, shards + 8 * r, 0, column, element, tables)
        else:
            _write_full(width, row, width, shards + 8 * r, 0, column, element, tables)
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def inverse_shards(
    tables: int,
    shards: int,
    count: int,
    column: int,
    position: int,
    size: int,
    work: int,
    width: int,
    total: int,
) -> int:
    """Whole inverse of ``size`` rows, of which the first ``count`` are shards and the others zero. 0.

    tables     address of the tables
    shards     list of ``count`` shards, padded with zeros; at most ``size``, but any number if ``size`` is 4
               and ``total`` is given: then every four are a transform of their own, at the next position
    column     where their part begins, in bytes: a multiple of CHUNK_BYTES
    position   of the first row, a multiple of ``size``
    size       rows, a power of two, at least 4
    work       address of ``size`` rows
    width      of a row, and of the part
    total      0: the result stays in ``work``; else address of ``size`` rows, which it is xored into
    """
    if size == 4:
        if total:
            return inverse_read_sum(tables, shards, count, column, position, total, width)
        return inverse_read(tables, shards, count, column, position, work, width)
    top = int64(0)  # lowest layer of the topmost pass
    while size > 4 << top:
        top += 2
    quarter = int64(1) << top
    lone = total != 0 and count <= quarter and size == 4 * quarter and position >> top < 256
    filled = (count + 3) & -4
    clear_bytes(work + filled * width, ((quarter if lone else size) - filled) * width)
    for r in range(0, count, 16):  # two passes while sixteen rows are in the nearest cache
        some, row = min(16, count - r), work + r * width
        inverse_read(tables, shards + 8 * r, some, column, position + r, row, width)
        if size > 16:
            inverse_pass(tables, row, width, some, position + r, 2)
    layer = int64(4 if size > 16 else 2)
    while layer < top:
        inverse_pass(tables, work, width, count, position, layer)
        layer += 2
    if lone:
        spread(quarter * width, work, total, quarter * width, position >> top, tables)
    elif size > 1 << layer:
        inverse_last(tables, work, width, position, layer, int64(size == 4 << layer), total)
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def forward_shards(
    tables: int,
    source: int,
    work: int,
    width: int,
    size: int,
    position: int,
    count: int,
    shards: int,
    column: int,
) -> int:
    """Whole transform of ``size`` rows; the first ``count`` go to shards. 0.

    tables     address of the tables
    source     address of ``size`` rows
    work       address of as many rows that are written, which may be the same
    width      of a row, and of the part
    size       rows, a power of two, at least 4
    position   of the first row, a multiple of ``size``
    count      shards, at most ``size``
    shards     list of them, padded with one that nobody reads
    column     where their part begins, in bytes: a multiple of CHUNK_BYTES
    """
    layer = int64(0)
    while size > 1 << layer:
        layer += 1
    if layer & 1:
        layer -= 1
        forward_halves(tables, source, work, width, position, layer)
        source = work
    while layer > 4:
        layer -= 2
        forward_pass(tables, source, work, width, count, position, layer, 0)
        source = work
    if layer == 2:
        return forward_write(tables, source, width, count, position, shards, column)
    for r in range(0, count, 16):
        some, row = min(16, count - r), work + r * width
        forward_pass(tables, source + r * width, row, width, some, position + r, 2, 0)
        forward_write(tables, row, width, some, position + r, shards + 8 * r, column)
    return 0
