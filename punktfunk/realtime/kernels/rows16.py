"""What decoders over GF(2^16) do to single rows, beside transforms and matrix products.

Work rows are in the tower form that ``butterfly`` describes, shards in Leopard's basis; ``width`` is a
multiple of STRIP_BYTES, at least one. Callers have proved it: nothing is checked here.
"""

from collections.abc import Callable
from typing import Any

from numba import types

from punktfunk.realtime.kernels.butterfly import PAIR_BYTES, Field, Kind
from punktfunk.realtime.kernels.jit import entry, intrinsic


def _generate_read(builder: Any, arguments: Any, kind: Kind) -> None:
    """Append the loop of ``read_row``, for elements of one kind; arguments as there."""
    tables, target, source, shard, width, element = arguments
    field = Field(builder, tables)
    tower, twiddle = field.tower(), field.twiddle(kind, element)
    with field.strip(width, PAIR_BYTES) as offset:
        received = field.convert(field.load_shard(shard, offset), tower)
        pair = field.plus(field.load_pair(builder.add(source, offset)), received)
        field.store_pair(builder.add(target, offset), field.times(pair, twiddle))


def _generate_write(builder: Any, arguments: Any, kind: Kind) -> None:
    """Append the loop of ``write_row``, for elements of one kind; arguments as there."""
    tables, source, shard, width, element = arguments
    field = Field(builder, tables)
    tower, twiddle = field.tower(), field.twiddle(kind, element)
    with field.strip(width, PAIR_BYTES) as offset:
        pair = field.times(field.load_pair(builder.add(source, offset)), twiddle)
        field.store_shard(shard, offset, field.convert(pair, tower))


def _reading(kind: Kind) -> Callable[..., Any]:
    @intrinsic
    def read(_typing: Any, _tb: Any, _t: Any, _s: Any, _row: Any, _n: Any, _e: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            _generate_read(builder, arguments, kind)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6), generate

    return read


def _writing(kind: Kind) -> Callable[..., Any]:
    @intrinsic
    def write(_typing: Any, _tb: Any, _s: Any, _row: Any, _n: Any, _e: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            _generate_write(builder, arguments, kind)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), generate

    return write


@intrinsic
def _add(_typing: Any, _target: Any, _source: Any, _n: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        target, source, size = arguments
        field = Field(builder, None)
        with field.strip(size, PAIR_BYTES) as offset:
            place = builder.add(target, offset)
            total = field.plus(field.load_pair(place), field.load_pair(builder.add(source, offset)))
            field.store_pair(place, total)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 3), generate


_read_small, _read_full, _write_small, _write_full = (
    make(kind) for make in (_reading, _writing) for kind in ("small", "full")
)


@entry("int64(int64, int64, int64, int64, int64, int64)")
def read_row(tables: int, target: int, source: int, shard: int, width: int, element: int) -> int:
    """Write work row ``target``: the sum of a work row and a shard, times an element. 0.

    tables    address of the tables
    target    address of the row to write
    source    address of a work row, which may be the target or zeros
    shard     address of the shard's part, a multiple of CHUNK_BYTES from its first byte
    width     of the rows and of the part
    element   any, 0 to 65535
    """
    if element < 256:
        _read_small(tables, target, source, shard, width, element)
    else:
        _read_full(tables, target, source, shard, width, element)
    return 0


@entry("int64(int64, int64, int64, int64, int64)")
def write_row(tables: int, source: int, shard: int, width: int, element: int) -> int:
    """Write a shard's part: a work row times an element. 0.

    tables    address of the tables
    source    address of the row
    shard     address of the part, a multiple of CHUNK_BYTES from the shard's first byte
    width     of the row and of the part
    element   any, 0 to 65535
    """
    if element < 256:
        _write_small(tables, source, shard, width, element)
    else:
        _write_full(tables, source, shard, width, element)
    return 0


@entry("int64(int64, int64, int64)")
def add_rows(target: int, source: int, size: int) -> int:
    """Add ``size`` bytes of work rows to others. 0.

    target   address of the rows that change
    source   address of the others
    size     in bytes: a multiple of STRIP_BYTES, at least one
    """
    _add(target, source, size)
    return 0
