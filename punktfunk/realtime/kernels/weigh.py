"""Weighing the colours of packed pixels: what every conversion kernel does with a pixel, or with four.

Support of the convert kernels: no kernel lives here. In LLVM and not in Numba, because Numba would compute in
64 bits: every product widens, and vectors hold half.
"""

from typing import Any

from llvmlite import ir
from numba import types

from punktfunk.realtime.kernels.jit import intrinsic

FRACTION_BITS = 15
_I32 = ir.IntType(32)


def _channels(builder: Any, pixel: Any, bits: int) -> list[Any]:
    """Red, green and blue of 0xXXRRGGBB, or of the same with ten bits each."""
    mask = _I32((1 << bits) - 1)
    return [builder.and_(builder.lshr(pixel, _I32(shift)), mask) for shift in (2 * bits, bits, 0)]


def _weigh(builder: Any, channels: Any, weights: Any, scale_bits: int, bits: int) -> Any:
    """One sample: channels times weights plus the rest, over 2**15 times the pixels in a channel."""
    rest = builder.shl(weights[3], _I32(scale_bits)) if scale_bits else weights[3]
    total = rest
    for channel, weight in zip(channels, weights[:3], strict=True):
        total = builder.add(total, builder.mul(channel, weight))
    sample = builder.ashr(total, _I32(FRACTION_BITS + scale_bits))
    # Full range puts pure blue and red half over the top: rounded they would wrap. Nothing comes out below 0.
    top = _I32((1 << bits) - 1)
    capped = builder.select(builder.icmp_signed(">", sample, top), top, sample)
    return builder.trunc(capped, ir.IntType(8 if bits == 8 else 16))


def _sample(bits: int) -> Any:
    return types.uint8 if bits == 8 else types.uint16


def pixel_weigher(bits: int) -> Any:
    """Make the intrinsic (pixel, red, green, blue, rest) -> sample of ``bits`` bits."""

    def weigh(_typing: Any, _pixel: Any, _red: Any, _green: Any, _blue: Any, _rest: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            channels = _channels(builder, arguments[0], bits)
            return _weigh(builder, channels, arguments[1:], 0, bits)

        return _sample(bits)(types.uint32, *[types.int32] * 4), generate

    return intrinsic(weigh)


def four_weigher(bits: int) -> Any:
    """Make the intrinsic (four pixels, red, green, blue, rest of one pixel) -> sample of their mean."""

    def weigh(
        _typing: Any, _p0: Any, _p1: Any, _p2: Any, _p3: Any, _red: Any, _green: Any, _blue: Any, _rest: Any
    ) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            each = [_channels(builder, pixel, bits) for pixel in arguments[:4]]
            sums = [
                builder.add(builder.add(a, b), builder.add(c, d)) for a, b, c, d in zip(*each, strict=True)
            ]
            return _weigh(builder, sums, arguments[4:], 2, bits)

        return _sample(bits)(*[types.uint32] * 4, *[types.int32] * 4), generate

    return intrinsic(weigh)


@intrinsic
def move_up(_typing: Any, _sample: Any, _bits: Any) -> Any:
    """Shift a sample of 16 bits to the left, in 16 bits."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.shl(arguments[0], arguments[1])

    return types.uint16(types.uint16, types.uint16), generate
