"""BGRx to YCbCr 4:2:0 in whole arrays: the judge of ``kernels.convert``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
I32 = NDArray[np.int32]

_FRACTION_BITS = 15


def even_channels(pixels: U32, width: int, bits: int = 8) -> NDArray[np.int64]:
    """(rows, columns, 3) of red, green, blue; the last row and column repeated to even counts."""
    picture = pixels[:, :width]
    picture = np.pad(picture, ((0, picture.shape[0] & 1), (0, picture.shape[1] & 1)), mode="edge")
    mask = (1 << bits) - 1
    return np.stack([picture >> shift & mask for shift in (2 * bits, bits, 0)], axis=-1).astype(np.int64)


def weigh_channels(channels: NDArray[np.int64], weights: I32, scale_bits: int, bits: int = 8) -> NDArray[Any]:
    """Weigh sums of 2**scale_bits pixels into samples of ``bits`` bits."""
    total = channels @ weights[:3].astype(np.int64) + (int(weights[3]) << scale_bits)
    capped = np.minimum(total >> _FRACTION_BITS + scale_bits, (1 << bits) - 1)
    samples: NDArray[Any] = capped.astype(np.uint8 if bits == 8 else np.uint16)
    return samples


def _fill_luma(pixels: U32, width: int, luma: U8, weights: I32) -> None:
    picture = even_channels(pixels, width)
    luma[: picture.shape[0], : picture.shape[1]] = weigh_channels(picture, weights[:4], 0)


def _chroma(pixels: U32, width: int, weights: I32) -> tuple[U8, U8]:
    picture = even_channels(pixels, width)
    sums = picture[::2, ::2] + picture[::2, 1::2] + picture[1::2, ::2] + picture[1::2, 1::2]
    return weigh_channels(sums, weights[4:8], 2), weigh_channels(sums, weights[8:12], 2)


def convert_i420(pixels: U32, width: int, luma: U8, blue: U8, red: U8, weights: I32) -> int:
    """Weigh pixels, and means of four."""
    _fill_luma(pixels, width, luma, weights)
    of_blue, of_red = _chroma(pixels, width, weights)
    blue[: of_blue.shape[0], : of_blue.shape[1]] = of_blue
    red[: of_red.shape[0], : of_red.shape[1]] = of_red
    return 0


def convert_nv12(pixels: U32, width: int, luma: U8, chroma: U8, weights: I32) -> int:
    """Weigh pixels, and means of four, Cb and Cr in turn."""
    _fill_luma(pixels, width, luma, weights)
    of_blue, of_red = _chroma(pixels, width, weights)
    chroma[: of_blue.shape[0], : 2 * of_blue.shape[1] : 2] = of_blue
    chroma[: of_red.shape[0], 1 : 2 * of_red.shape[1] : 2] = of_red
    return 0
