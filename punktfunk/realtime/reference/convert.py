"""BGRx to YCbCr 4:2:0 in whole arrays: the judge of ``kernels.convert``."""

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
I32 = NDArray[np.int32]

_FRACTION_BITS = 15


def _even(pixels: U32, width: int) -> NDArray[np.int64]:
    """(rows, columns, 3) of red, green, blue; the last row and column repeated to even counts."""
    picture = pixels[:, :width]
    picture = np.pad(picture, ((0, picture.shape[0] & 1), (0, picture.shape[1] & 1)), mode="edge")
    return np.stack([picture >> shift & 255 for shift in (16, 8, 0)], axis=-1).astype(np.int64)


def _weigh(channels: NDArray[np.int64], weights: I32, scale_bits: int) -> U8:
    total = channels @ weights[:3].astype(np.int64) + (int(weights[3]) << scale_bits)
    sample: U8 = np.minimum(total >> _FRACTION_BITS + scale_bits, 255).astype(np.uint8)
    return sample


def fill_luma(pixels: U32, width: int, luma: U8, weights: I32) -> int:
    """Weigh every pixel."""
    picture = _even(pixels, width)
    luma[: picture.shape[0], : picture.shape[1]] = _weigh(picture, weights[:4], 0)
    return 0


def _chroma(pixels: U32, width: int, weights: I32) -> tuple[U8, U8]:
    picture = _even(pixels, width)
    sums = picture[::2, ::2] + picture[::2, 1::2] + picture[1::2, ::2] + picture[1::2, 1::2]
    return _weigh(sums, weights[4:8], 2), _weigh(sums, weights[8:12], 2)


def convert_i420(pixels: U32, width: int, luma: U8, blue: U8, red: U8, weights: I32) -> int:
    """Weigh pixels, and means of four."""
    fill_luma(pixels, width, luma, weights)
    of_blue, of_red = _chroma(pixels, width, weights)
    blue[: of_blue.shape[0], : of_blue.shape[1]] = of_blue
    red[: of_red.shape[0], : of_red.shape[1]] = of_red
    return 0


def convert_nv12(pixels: U32, width: int, luma: U8, chroma: U8, weights: I32) -> int:
    """Weigh pixels, and means of four, Cb and Cr in turn."""
    fill_luma(pixels, width, luma, weights)
    of_blue, of_red = _chroma(pixels, width, weights)
    chroma[: of_blue.shape[0], : 2 * of_blue.shape[1] : 2] = of_blue
    chroma[: of_red.shape[0], 1 : 2 * of_red.shape[1] : 2] = of_red
    return 0
