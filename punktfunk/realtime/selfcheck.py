"""Every computing kernel against its twin, on inputs that reach all of its branches."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from punktfunk.plan import ColourSpace
from punktfunk.realtime import colour
from punktfunk.realtime.kernels import convert, gf8, pack, seal
from punktfunk.realtime.reference import convert as slow_convert
from punktfunk.realtime.reference import gf8 as slow_gf8
from punktfunk.realtime.reference import pack as slow_pack
from punktfunk.realtime.reference import seal as slow_seal

if TYPE_CHECKING:
    from collections.abc import Callable

_SEED: Final = 20240229
_KEY: Final = np.arange(16, dtype=np.uint8)

Arrays = tuple[NDArray[Any], ...]


def differing() -> list[str]:
    """Names of kernels that answer otherwise than their twins; empty when all is well."""
    checks: dict[str, Callable[[np.random.Generator], bool]] = {
        "gf8": _gf8_agrees,
        "pack": _pack_agrees,
        "seal": _seal_agrees,
        "convert": _convert_agrees,
    }
    return [name for name, agrees in checks.items() if not agrees(np.random.default_rng(_SEED))]


def _same(fast: Any, slow: Any, outputs: Arrays, *inputs: Any) -> bool:
    """Run both on copies of the outputs; equal codes and equal arrays."""
    ours, theirs = ([array.copy() for array in outputs] for _ in range(2))
    codes = fast(*ours, *inputs), slow(*theirs, *inputs)
    equal = all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    return equal and codes[0] == codes[1]


def _gf8_agrees(random: np.random.Generator) -> bool:
    inverses, tables = slow_gf8.inverses(), slow_gf8.tables()
    agrees = True
    # 15 parity rows take groups of 8, 4, 2 and 1; widths end inside a strip, on one, and before the first.
    for data_count, parity_count, row_bytes in ((9, 15, 1040), (3, 7, 1408), (4, 2, 31)):
        coefficients = np.zeros((parity_count, data_count), np.uint8)
        counts = data_count, parity_count
        agrees &= _same(gf8.fill_cauchy, slow_gf8.fill_cauchy, (coefficients,), *counts, inverses)
        gf8.fill_cauchy(coefficients, *counts, inverses)
        rows = random.integers(0, 256, (data_count + parity_count, row_bytes + 40), dtype=np.uint8)
        arguments = (32, row_bytes, *counts, coefficients, tables)
        agrees &= _same(gf8.multiply_rows, slow_gf8.multiply_rows, (rows,), *arguments)
    return agrees


def _pack_agrees(random: np.random.Generator) -> bool:
    blocks = np.zeros((4, 3), np.int64)
    frame = random.integers(0, 256, 5000, dtype=np.uint8)
    packets = random.integers(0, 256, (12, 1040 + 32), dtype=np.uint8)
    agrees = True
    for frame_bytes in (1, 25_000, 900_000, 5_000_000):
        agrees &= _same(pack.plan_blocks, slow_pack.plan_blocks, (blocks,), frame_bytes, 1024, 20, 2)
    header = (4000, 1024, 2, 1_234_567)
    agrees &= _same(pack.write_frame_header, slow_pack.write_frame_header, (frame,), *header)
    agrees &= _same(
        pack.cut_block, slow_pack.cut_block, (packets,), 32, 1024, 6, frame, 100, 4900, 0xFFFFFE, 1
    )
    return agrees & _same(
        pack.finish_block, slow_pack.finish_block, (packets,), 32, 9, 12, 33, 0x301, 1 << 20, 1 << 31, 0x1FFFE
    )


def _seal_agrees(random: np.random.Generator) -> bool:
    packets = random.integers(0, 256, (3, 32 + 1040), dtype=np.uint8)
    ours, theirs = packets.copy(), packets.copy()
    fast, slow = seal.open_cipher(_KEY), slow_seal.open_cipher(_KEY)
    arguments = (1 << 33, 77, np.zeros(1, np.int64))
    codes = (
        seal.seal_rows(ours, 3, 1040, fast, *arguments),
        slow_seal.seal_rows(theirs, 3, 1040, slow, *arguments),
    )
    seal.close_cipher(fast)
    slow_seal.close_cipher(slow)
    return codes == (0, 0) and np.array_equal(ours, theirs)


def _convert_agrees(random: np.random.Generator) -> bool:
    pixels = random.integers(0, 1 << 32, (7, 45), dtype=np.uint32)
    luma, half = np.zeros((8, 64), np.uint8), np.zeros((4, 32), np.uint8)
    agrees = True
    conversions: tuple[tuple[Arrays, Any, Any], ...] = (
        ((luma, half, half), convert.convert_i420, slow_convert.convert_i420),
        ((luma, luma[:4]), convert.convert_nv12, slow_convert.convert_nv12),
    )
    for space in ColourSpace:
        weights = colour.fixed_point(space, full_range=space is ColourSpace.BT601)
        for planes, fast, slow in conversions:
            ours, theirs = ([plane.copy() for plane in planes] for _ in range(2))
            codes = fast(pixels, 41, *ours, weights), slow(pixels, 41, *theirs, weights)
            agrees &= codes == (0, 0) and all(map(np.array_equal, ours, theirs))
    return agrees
