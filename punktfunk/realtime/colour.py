"""Numbers of the RGB to YCbCr conversion, for the convert kernels: ITU-R BT.601, BT.709 and BT.2020."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from punktfunk.plan import ColourSpace

FRACTION_BITS: Final = 15

_LUMA_WEIGHTS: Final = {  # of red and blue; green has the rest
    ColourSpace.BT601: (0.299, 0.114),
    ColourSpace.BT709: (0.2126, 0.0722),
    ColourSpace.BT2020: (0.2627, 0.0593),
}


def matrix(colour_space: ColourSpace, *, full_range: bool, bits: int = 8) -> NDArray[np.float64]:
    """Return (3, 4): Y, Cb and Cr from red, green, blue (0 .. 2**bits - 1) and 1."""
    red, blue = _LUMA_WEIGHTS[colour_space]
    luma = np.array([red, 1 - red - blue, blue])
    luma_scale, chroma_scale = _scales(full_range=full_range, bits=bits)
    black, middle = (0 if full_range else 16 << bits - 8), 1 << bits - 1
    chroma_blue = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
    chroma_red = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
    return np.array(
        [
            [*(luma * luma_scale), black],
            [*(chroma_blue * chroma_scale), middle],
            [*(chroma_red * chroma_scale), middle],
        ]
    )


def _scales(*, full_range: bool, bits: int) -> tuple[float, float]:
    """How far luma and chroma go, of all values that a sample could have."""
    step, top = 1 << bits - 8, (1 << bits) - 1
    return (1.0, 1.0) if full_range else (219 * step / top, 224 * step / top)


def fixed_point(colour_space: ColourSpace, *, full_range: bool, bits: int = 8) -> NDArray[np.int32]:
    """Return (12,) int32: ``matrix`` row by row, in 1 / 2**15; grey stays exactly grey.

    Weights of a luma row add up to the scale, those of a chroma row to 0, after rounding too: green takes the
    rest. The constants hold the half that makes shifting round.
    """
    real = matrix(colour_space, full_range=full_range, bits=bits)
    scaled = np.rint(real * (1 << FRACTION_BITS)).astype(np.int32)
    wanted = int(np.rint(_scales(full_range=full_range, bits=bits)[0] * (1 << FRACTION_BITS)))
    for row, total in enumerate((wanted, 0, 0)):
        scaled[row, 1] = total - scaled[row, 0] - scaled[row, 2]
    scaled[:, 3] += 1 << FRACTION_BITS - 1
    return scaled.reshape(-1)
