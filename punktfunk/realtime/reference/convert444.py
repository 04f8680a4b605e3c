"""BGRx to YCbCr 4:4:4 in whole arrays: the judge of ``kernels.convert444``."""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.reference.convert import even_channels, weigh_channels

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
I32 = NDArray[np.int32]


def convert_444(pixels: U32, width: int, luma: U8, blue: U8, red: U8, weights: I32) -> int:
    """Weigh every pixel three times."""
    picture = even_channels(pixels, width)
    for index, plane in enumerate((luma, blue, red)):
        sample = weigh_channels(picture, weights[4 * index : 4 * index + 4], 0)
        plane[: sample.shape[0], : sample.shape[1]] = sample
    return 0
