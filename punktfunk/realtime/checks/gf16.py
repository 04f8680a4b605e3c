"""The code over GF(2^16): parity of both rates, by transform and by matrix."""

import numpy as np

from punktfunk.realtime.code16 import Code16
from punktfunk.realtime.reference import leopard


def agrees(random: np.random.Generator) -> bool:
    """Compare parity with the generator matrix's."""
    code = Code16(300, 70, 194)
    agrees = True
    # Small and wide matrices; 1 to 8 layers; both rates; elements below and above 256; whole chunks and ends.
    for data_count, parity_count, size in (
        (3, 1, 130), (9, 2, 194), (280, 2, 128), (2, 9, 66), (5, 4, 64), (10, 5, 192), (3, 70, 126),
        (300, 70, 194),
    ):  # fmt: skip
        data = random.integers(0, 256, (data_count, size), dtype=np.uint8)
        parity = np.zeros((parity_count, size), np.uint8)
        code.encode(data, parity)
        rows = [0, parity_count // 2, parity_count - 1]
        agrees &= np.array_equal(parity[rows], leopard.encode_rows(data, parity_count, rows))
    return agrees
