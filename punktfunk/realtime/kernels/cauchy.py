"""Which shards a decoder works with, and the numbers that rebuild the missing ones from them, in closed form.

Every shard has a position: a code of transform size U (a power of two, ``layout16``) has its small side at
0 .. U-1 and its large side from U on; high rate means that the large side is data. Data y and parity x meet
in the generator as G[x, y] = w / (x xor y), where w = large position >> log2 U: a Cauchy matrix, scaled by
data column (high rate) or by parity row (low rate). With missing data y_b, as many received parities x_a, and

    F(z) = product over b of (z - y_b) / product over a of (z - x_a),   a factor that is 0 left out,

partial fractions of F / (z - y_b) give what Lagrange interpolation is for polynomials. A missing shard is the
sum over all received data shards and the x_a (those are the inputs z) of

    input * g(z) / (g(y_b) * (z - y_b)),   g(z) = F(z) * w(z) for data at high rate,
                                           g(z) = F(z) / w(z) for parity at low rate, else g(z) = F(z).

The same elements with only the x_a as inputs are the inverse of the Cauchy matrix, for syndromes (received
parity minus parity of the received data) instead of shards. g is kept as logarithms, which ``locator`` makes.
"""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import address_of
from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import BAD_SIZE, TOO_FEW_SHARDS
from punktfunk.realtime.kernels.locator import locate, residue
from punktfunk.realtime.kernels.views import counts_at

U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]
I32 = NDArray[np.int32]


@kernel("int64(uint8[::1], int64, int32[::1], int32[::1])")
def survey(present: U8, data_count: int, missing: I32, chosen: I32) -> int:
    """List the missing data shards and as many received parity shards, the first ones; return how many.

    present      (data_count + parity_count,)   0: the shard is not there; data first
    data_count   0 to the number of shards
    missing      (>= number of missing data shards,)   written: their indices
    chosen       (>= the same,)                        written: indices of parity shards, from 0

    TOO_FEW_SHARDS where parity does not reach, BAD_SIZE where a list is too short for that to be known.
    """
    count, parities, most = int64(0), int64(0), min(int64(missing.size), int64(chosen.size))
    if data_count < 0 or data_count > present.size:
        return BAD_SIZE
    for i in range(data_count):
        if present[i] == 0:
            if count == most:
                return TOO_FEW_SHARDS if present.size - data_count <= most else BAD_SIZE
            missing[count] = i
            count += 1
    for j in range(data_count, int64(present.size)):
        if parities < count and present[j] != 0:
            chosen[parities] = j - data_count
            parities += 1
    return count if parities == count else TOO_FEW_SHARDS


@kernel("int64(int32[::1], int32[::1], int64, int64, int64, int32[::1], int32[::1], uint16[::1])")
def fill_scales(
    missing: I32,
    chosen: I32,
    count: int,
    unit: int,
    high_rate: int,
    scales: I32,
    spectrum: I32,
    logarithms: U16,
) -> int:
    """Write the logarithm of g, as the module says, for every position; 0 or BAD_SIZE.

    missing, chosen   (>= count,)   data and parity indices, as ``survey`` lists them
    count             how many of each
    unit              the transform size U, a power of two
    high_rate         1: data is the large side; 0: parity is
    scales            (n,)   written: 0 to 65534; n a power of two above every position
    spectrum          (n,)   ``reference.locator.spectrum(n)``
    logarithms        (65536,)   of every element
    """
    size = int64(scales.size)
    if count < 0 or count > missing.size or count > chosen.size or unit < 1 or logarithms.size != 65536:
        return BAD_SIZE
    data_at = unit if high_rate else int64(0)
    parity_at = unit - data_at
    for i in range(count):
        if data_at + missing[i] >= size or parity_at + chosen[i] >= size:
            return BAD_SIZE
    scales[:] = 0
    for i in range(count):
        scales[data_at + missing[i]] = 1
        scales[parity_at + chosen[i]] = -1
    if locate(scales, spectrum) < 0:
        return BAD_SIZE
    values, chunk = counts_at(address_of(scales)), int64(1)
    while chunk * unit < size:
        weight = int64(logarithms[chunk])
        weight = weight if high_rate else -weight
        for z in range(chunk * unit, (chunk + 1) * unit):
            values[z] = residue(values[z] + weight)
        chunk += 1
    return 0


@kernel("int64(int32[::1], int32[::1], int64, int64, int64, int32[::1], int32[::1])")
def fill_locator(
    missing: I32, chosen: I32, count: int, unit: int, high_rate: int, scales: I32, spectrum: I32
) -> int:
    """Write the logarithm of E for every position, E(z) = product over all e but the chosen ones of (z - e).

    missing, chosen   (>= count,)   data and parity indices, as ``survey`` lists them
    count             how many of each
    unit              the transform size U, a power of two
    high_rate         1: data is the large side; 0: parity is
    scales            (n,)   written: 0 to 65534; n a power of two above every position
    spectrum          (n,)   ``reference.locator.spectrum(n)``

    The e are the missing data and every position on the side of parity that is not chosen, whether there is
    such a shard or not. 0 or BAD_SIZE.
    """
    size = int64(scales.size)
    if count < 0 or count > missing.size or count > chosen.size or unit < 1 or unit > size:
        return BAD_SIZE
    data_at = unit if high_rate else int64(0)
    parity_at = unit - data_at
    for i in range(count):
        if data_at + missing[i] >= size or parity_at + chosen[i] >= size:
            return BAD_SIZE
    scales[:] = 0
    scales[parity_at : unit if high_rate else size] = 1
    for i in range(count):
        scales[data_at + missing[i]] = 1
        scales[parity_at + chosen[i]] = 0
    return locate(scales, spectrum)


@kernel("int64(uint16[:, ::1], int32[::1], int32[::1], int32[::1], uint16[::1], uint16[::1])")
def fill_coefficients(
    coefficients: U16, missing: I32, inputs: I32, scales: I32, powers: U16, logarithms: U16
) -> int:
    """Write coefficients[b, i] = g(z_i) / (g(y_b) * (z_i - y_b)), never 0. 0 or BAD_SIZE.

    coefficients   (missing, inputs)   elements, written
    missing        (missing,)   positions y_b of shards to write
    inputs         (inputs,)    positions z_i of the shards or syndromes they are made from; none is a y_b
    scales         (n,)         logarithms of g, as ``fill_scales`` writes them
    powers, logarithms   (65536,)   of the field
    """
    count, input_count, size = int64(missing.size), int64(inputs.size), int64(scales.size)
    if coefficients.shape[0] != count or coefficients.shape[1] != input_count:
        return BAD_SIZE
    if powers.size != 65536 or logarithms.size != 65536 or size > 65536:
        return BAD_SIZE
    for i in range(count):
        if missing[i] < 0 or missing[i] >= size:
            return BAD_SIZE
    for i in range(input_count):
        if inputs[i] < 0 or inputs[i] >= size:
            return BAD_SIZE
    for b in range(count):
        y = int64(missing[b])
        below = int64(scales[y])
        for i in range(input_count):
            z = int64(inputs[i])
            exponent = int64(scales[z]) - below - int64(logarithms[z ^ y])
            exponent += 65535 if exponent < 0 else 0
            exponent += 65535 if exponent < 0 else 0
            coefficients[b, i] = powers[exponent]
    return 0
