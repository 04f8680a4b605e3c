"""Ten bits for each colour in whole arrays: the judge of ``kernels.convert10``."""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.reference.convert import even_channels, weigh_channels

U16 = NDArray[np.uint16]
U32 = NDArray[np.uint32]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]


def _put(plane: U16, sample: NDArray[np.uint16], shift: int) -> None:
    plane[: sample.shape[0], : sample.shape[1]] = sample << shift


def _fours(picture: I64) -> I64:
    fours: I64 = picture[::2, ::2] + picture[::2, 1::2] + picture[1::2, ::2] + picture[1::2, 1::2]
    return fours


def convert_420_10(pixels: U32, width: int, luma: U16, blue: U16, red: U16, weights: I32, shift: int) -> int:
    """Weigh pixels, and means of four."""
    _put(luma, weigh_channels(even_channels(pixels, width, 10), weights[:4], 0, 10), shift)
    fours = _fours(even_channels(pixels, width, 10))
    _put(blue, weigh_channels(fours, weights[4:8], 2, 10), shift)
    _put(red, weigh_channels(fours, weights[8:12], 2, 10), shift)
    return 0


def convert_p010(pixels: U32, width: int, luma: U16, chroma: U16, weights: I32, shift: int) -> int:
    """Weigh pixels, and means of four, Cb and Cr in turn."""
    even = width + (width & 1)
    convert_420_10(pixels, width, luma, chroma[:, :even:2], chroma[:, 1:even:2], weights, shift)
    return 0


def convert_444_10(pixels: U32, width: int, luma: U16, blue: U16, red: U16, weights: I32, shift: int) -> int:
    """Weigh every pixel three times."""
    picture = even_channels(pixels, width, 10)
    for index, plane in enumerate((luma, blue, red)):
        _put(plane, weigh_channels(picture, weights[4 * index : 4 * index + 4], 0, 10), shift)
    return 0
