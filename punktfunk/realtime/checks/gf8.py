"""Parity over GF(2^8): the matrix kernel."""

import numpy as np

from punktfunk.realtime.checks.same import same
from punktfunk.realtime.kernels import gf8
from punktfunk.realtime.reference import gf8 as slow_gf8


def agrees(random: np.random.Generator) -> bool:
    """Compare them."""
    inverses, tables = slow_gf8.inverses(), slow_gf8.tables()
    agrees = True
    # 15 parity rows take groups of 8, 4, 2 and 1; widths end inside a strip, on one, and before the first.
    for data_count, parity_count, row_bytes in ((9, 15, 1040), (3, 7, 1408), (4, 2, 31)):
        coefficients = np.zeros((parity_count, data_count), np.uint8)
        counts = data_count, parity_count
        agrees &= same(gf8.fill_cauchy, slow_gf8.fill_cauchy, (coefficients,), *counts, inverses)
        gf8.fill_cauchy(coefficients, *counts, inverses)
        rows = random.integers(0, 256, (data_count + parity_count, row_bytes + 40), dtype=np.uint8)
        arguments = (32, row_bytes, *counts, coefficients, tables)
        agrees &= same(gf8.multiply_rows, slow_gf8.multiply_rows, (rows,), *arguments)
    return agrees
