"""A matrix over GF(2^8) times rows, as the textbook has it. The judge of ``kernels.product8``."""

from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.reference import gf8
from punktfunk.realtime.reference.memory import bytes_at, words_at


def multiply(
    sources: int,
    source_count: int,
    targets: int,
    target_count: int,
    coefficients: int,
    coefficient_stride: int,
    _tables: int,
    row_bytes: int,
) -> int:
    """Write target[j] = sum over i of coefficients[j, i] * source[i]."""
    if source_count < 0 or target_count < 0 or row_bytes < 0:
        return BAD_SIZE
    every = gf8.products()
    rows = [bytes_at(int(address), row_bytes) for address in words_at(sources, source_count)]
    for j, address in enumerate(words_at(targets, target_count)):
        target = bytes_at(int(address), row_bytes)
        target[:] = 0
        for constant, row in zip(
            bytes_at(coefficients + j * coefficient_stride, source_count), rows, strict=True
        ):
            target ^= every[constant][row]
    return 0
