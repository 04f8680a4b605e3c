"""Video parity: the kernel against its twin, and against a memcpy of the same data shards."""

from collections.abc import Iterator

import numpy as np

from benchmarks.paired import Row, compare, run
from punktfunk.realtime.kernels import gf8 as fast
from punktfunk.realtime.kernels.cache import simd_mode
from punktfunk.realtime.reference import gf8 as slow

SHAPES = ((20, 4), (50, 10), (100, 20), (212, 43))
SHARD_BYTES = 1408


def rows() -> Iterator[Row]:
    inverses, tables = slow.inverses(), slow.tables()
    for data_count, parity_count in SHAPES:
        random = np.random.default_rng(0)
        block = random.integers(0, 256, (data_count + parity_count, SHARD_BYTES), dtype=np.uint8)
        copy = np.empty((data_count, SHARD_BYTES), np.uint8)
        coefficients = np.zeros((parity_count, data_count), np.uint8)
        fast.fill_cauchy(coefficients, data_count, parity_count, inverses)
        arguments = (block, 0, SHARD_BYTES, data_count, parity_count, coefficients, tables)

        def kernel(arguments: tuple = arguments) -> None:
            fast.multiply_rows(*arguments)

        def twin(arguments: tuple = arguments) -> None:
            slow.multiply_rows(*arguments)

        def memcpy(copy: np.ndarray = copy, block: np.ndarray = block) -> None:
            np.copyto(copy, block[: len(copy)])

        case = f"{data_count}:{parity_count} {simd_mode()}"
        yield compare("fec8", case, "twin", twin, kernel, rounds=20 if data_count > 50 else 40)
        yield compare("fec8", case, "memcpy", memcpy, kernel, rounds=200, repeats=4)


if __name__ == "__main__":
    run(lambda: list(rows()), __doc__)
