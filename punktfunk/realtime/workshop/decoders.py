"""Choices that are none: always the same decoder over GF(2^16), to be held against the cost model's."""

from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.layout_decode import CAUCHY, DIRECT, FULL, TRANSPOSED

_CHOOSE = "int64(int64, int64, int64, int64, int64)"


@entry(_CHOOSE)
def direct(_context: int, _data_count: int, _parity_count: int, _missing_count: int, _bytes: int) -> int:
    """Solve for the missing rows."""
    return int64(DIRECT)


@entry(_CHOOSE)
def cauchy(_context: int, _data_count: int, _parity_count: int, _missing_count: int, _bytes: int) -> int:
    """Invert the Cauchy matrix of the syndromes."""
    return int64(CAUCHY)


@entry(_CHOOSE)
def full(_context: int, _data_count: int, _parity_count: int, _missing_count: int, _bytes: int) -> int:
    """Run Leopard's own transforms."""
    return int64(FULL)


@entry(_CHOOSE)
def transposed(_context: int, _data_count: int, _parity_count: int, _missing_count: int, _bytes: int) -> int:
    """Run the transposed code's transform."""
    return int64(TRANSPOSED)
