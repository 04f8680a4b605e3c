"""Leopard's code over GF(2^16): the four decoders against Gaussian elimination."""

import ctypes

import numpy as np

from punktfunk.realtime.code16 import Code16
from punktfunk.realtime.kernels import layout_decode
from punktfunk.realtime.reference import decode16 as slow
from punktfunk.realtime.reference import leopard

# High rate with small and wide twiddles, low rate, a generator too small for transforms; all kinds of ends.
_SHAPES = ((20, 6, 1388), (280, 9, 256), (7, 20, 190), (6, 2, 66))
_CHOOSER = ctypes.CFUNCTYPE(*[ctypes.c_int64] * 6)


def agrees(random: np.random.Generator) -> bool:
    """Compare them."""
    agrees = True
    for data_count, parity_count, shard_bytes in _SHAPES:
        original = random.integers(0, 256, (data_count, shard_bytes), dtype=np.uint8)
        parity = leopard.encode(original, parity_count)
        present = np.ones(data_count + parity_count, np.uint8)
        count = min(data_count, parity_count) - 1
        present[random.permutation(data_count)[:count]] = 0
        present[data_count] = 0
        damaged = np.where(present[:data_count, None] == 0, np.uint8(0), original)
        agrees &= np.array_equal(slow.restore(damaged, parity, present), original)
        code = Code16(data_count, parity_count, shard_bytes)
        for decoder in range(layout_decode.TRANSPOSED + 1):
            data = damaged.copy()
            agrees &= _decode_by(code, decoder, data, parity, present) == count
            agrees &= np.array_equal(data, original)
    return bool(agrees)


def _decode_by(code: Code16, decoder: int, data: slow.U8, parity: slow.U8, present: slow.U8) -> int:
    chooser = _CHOOSER(lambda *_: decoder)
    if code.decode_address:  # which gives the context its decoder's words
        word = ctypes.c_int64.from_address(code.context + 8 * layout_decode.CHOOSE)
        word.value = ctypes.cast(chooser, ctypes.c_void_p).value or 0
    return code.decode(data, parity, present)
