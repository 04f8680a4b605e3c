"""Memory of a decoder over GF(2^16): allocated once, touched, and named in the words of a code's context.

A code that only encodes never needs it: ``code16.Code16`` asks for it when the address of the decoder is.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels import layout16, layout_decode
from punktfunk.realtime.kernels.butterfly import STRIP_BYTES
from punktfunk.realtime.kernels.choose16 import choose
from punktfunk.realtime.kernels.decode16 import decode
from punktfunk.realtime.kernels.gf16 import LEAST_BYTES
from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.reference import locator, memory
from punktfunk.realtime.reference.leopard import power_of_two

I64 = NDArray[np.int64]

_WORK_BYTES = 1 << 20  # wide strips are worth more than a work area that fits the second-level cache
_COEFFICIENT_BYTES = 1 << 18  # a matrix that does not fit is made and used in groups of rows


@dataclass(frozen=True, slots=True)
class Costs:
    """What the units of the cost model ``kernels.choose16`` cost, in ns; chunks have 64 bytes.

    The defaults were fitted by ``fit_decoder.fit`` in AVX2 mode on an AMD Zen 3, in a quiet minute. Only
    their ratios decide.
    """

    direct_small: float = 0.75  # product of a chunk of a shard by an element below 256
    direct_wide: float = 1.6  # by any element
    work_small: float = 1.1  # of a chunk of a work row
    work_wide: float = 1.1
    layer_small: float = 0.93  # one layer of a transform, per chunk, with at most 256 positions
    layer_wide: float = 0.9  # with more
    row: float = 1.0  # reading or writing a chunk of a shard
    coefficient: float = 11.0  # one coefficient of a matrix
    position: float = 6.0  # one position of the locator


def equip(words: I64, keep: Callable[[int], int], data_max: int, parity_max: int, shard_bytes: int) -> int:
    """Give the context all that ``kernels.decode16.decode`` needs; the address of that entry.

    words    (CODE16_WORD_COUNT,)   of the code, equipped for encoding; the decoder's are written
    keep     allocates so many bytes of zeros, at the start of a page, and returns their address
    data_max, parity_max, shard_bytes   the most data shards, parity shards, bytes of a shard
    """
    loss_max = min(data_max, parity_max)
    powers = power_of_two(data_max), power_of_two(parity_max)
    size = max(8, power_of_two(min(min(powers) + max(data_max, parity_max), 65536)))
    costs = keep(8 * layout_decode.COST_WORD_COUNT)
    set_costs(costs, Costs())
    words[layout_decode.CHOOSE] = address_of_entry(choose)
    words[layout_decode.CHOOSE_CONTEXT] = costs
    words[layout_decode.DATA_MAX] = data_max
    words[layout_decode.LOSS_MAX] = loss_max
    words[layout_decode.SIZE_MAX] = size
    spectra = keep(8 * size)
    _fill_spectra(spectra, size)
    words[layout_decode.SPECTRA] = spectra
    for word, count, width in (
        (layout_decode.SCALES, size, 4),
        (layout_decode.WANTED, size + 1, 8),
        (layout_decode.POSITIONS, data_max + loss_max, 4),
        (layout_decode.MISSING, loss_max, 4),
        (layout_decode.CHOSEN, loss_max, 4),
        (layout_decode.INPUTS, data_max + 3, 8),
        (layout_decode.ROWS, data_max + 3, 8),
        (layout_decode.TARGETS, loss_max + 3, 8),
        (layout_decode.SYNDROMES, loss_max, 8),
    ):
        words[word] = keep(width * count)
    rows = max(3 * min(powers), size)
    work = max(rows * LEAST_BYTES, min(_WORK_BYTES, rows * (shard_bytes + STRIP_BYTES)))
    words[layout_decode.DECODER_WORK] = keep(work)
    words[layout_decode.DECODER_WORK_BYTES] = work
    coefficients = max(_COEFFICIENT_BYTES, 4 * data_max * (layout16.COEFFICIENT_BYTES + 2))
    words[layout_decode.COEFFICIENTS] = keep(coefficients)
    words[layout_decode.COEFFICIENTS_BYTES] = coefficients
    return address_of_entry(decode)


def set_costs(address: int, costs: Costs) -> None:
    """Write the words of the cost model, 2^-10 ns each, to where CHOOSE_CONTEXT says they are."""
    values = [round(1024 * getattr(costs, field.name)) for field in fields(costs)]
    memory.words_at(address, len(values))[:] = values


def _fill_spectra(address: int, size: int) -> None:
    count = 8
    while count <= size:
        spectrum = locator.spectrum(count)
        ctypes.memmove(address + 4 * count, spectrum.ctypes.data, spectrum.nbytes)
        count *= 2
