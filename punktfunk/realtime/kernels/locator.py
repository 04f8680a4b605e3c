"""For every element z of a subspace, the logarithm of a product of differences with z: the error locator.

Decoders need F(z) = sum over t of weight[t] * log(z xor t) modulo 65535, with log(0) taken as 0: weight 1
multiplies by (z - t), weight -1 divides by it, and a root skips itself. As z - t is z xor t, F is a
convolution over xor, which a Walsh-Hadamard transform turns into products: n log n additions, not n * n.

Leopard transforms all 65536 elements whatever the code (LeopardFF16.cpp, ErrorLocator). Logarithms of the
first n elements are enough when all positions are below n; dividing by n is multiplying by 65536 / n, as 2 to
the 16th is 1 modulo 65535, and that factor is kept in the transformed logarithms.

Residues are centred (at most 32767 either way) and weights are 1, 0 or -1, so that no sum of 65536 of them
leaves an int32: the transforms need no reduction at all.
"""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import address_of
from punktfunk.realtime.kernels.jit import entry, int64, kernel
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.kernels.views import counts_at

I32 = NDArray[np.int32]


@kernel("int64(int64)")
def residue(value: int) -> int:
    """``value`` modulo 65535, 0 to 65534, without a division; value is any int32 and a little more."""
    folded = (value & 65535) + (value >> 16) + 65535  # 2 to the 16th is 1; the shift rounds down
    folded = (folded & 65535) + (folded >> 16)
    return folded - 65535 if folded >= 65535 else folded


@kernel("void(int64, int64)")
def _walsh_hadamard(address: int, count: int) -> None:
    """In place over ``count`` int32: the first three layers in registers, the others along whole vectors.

    Pointers, because LLVM vectorises this loop over them and not over slices (4 times the speed).
    """
    values = counts_at(address)
    for r in range(0, count, 8):
        a, b = values[r] + values[r + 1], values[r] - values[r + 1]
        c, d = values[r + 2] + values[r + 3], values[r + 2] - values[r + 3]
        e, f = values[r + 4] + values[r + 5], values[r + 4] - values[r + 5]
        g, h = values[r + 6] + values[r + 7], values[r + 6] - values[r + 7]
        a, b, c, d = a + c, b + d, a - c, b - d
        e, f, g, h = e + g, f + h, e - g, f - h
        values[r], values[r + 1], values[r + 2], values[r + 3] = a + e, b + f, c + g, d + h
        values[r + 4], values[r + 5], values[r + 6], values[r + 7] = a - e, b - f, c - g, d - h
    distance = int64(8)
    while distance < count:
        for r in range(0, count, 2 * distance):
            for i in range(r, r + distance):
                x, y = values[i], values[i + distance]
                values[i] = x + y
                values[i + distance] = x - y
        distance *= 2


@entry("int64(int64, int64, int64)")
def _locate(weights: int, spectrum: int, count: int) -> int:
    """``locate`` at addresses: an entry, so that the kernels which use it stay small."""
    values, factors = counts_at(weights), counts_at(spectrum)
    _walsh_hadamard(weights, count)
    for i in range(count):
        product = np.int32(values[i] * factors[i])
        folded = np.int32((product & 65535) + (product >> 16))
        values[i] = folded - 65535 if folded > 32767 else folded
    _walsh_hadamard(weights, count)
    for i in range(count):
        values[i] = residue(values[i])
    return 0


@kernel("int64(int32[::1], int32[::1])")
def locate(weights: I32, spectrum: I32) -> int:
    """Replace every weight by F, as the module says; 0, or BAD_SIZE with nothing written.

    weights    (n,)   1, 0 or -1; becomes F, 0 to 65534
    spectrum   (n,)   ``reference.locator.spectrum(n)``: the transformed logarithms, centred

    n is a power of two from 8 to 65536.
    """
    count = int64(weights.size)
    if count < 8 or count > 65536 or count & (count - 1) or spectrum.size != count:
        return BAD_SIZE
    return _locate(address_of(weights), address_of(spectrum), count)
