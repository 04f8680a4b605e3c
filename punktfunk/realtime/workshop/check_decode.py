"""Choices of a decoder: one that there is, and blocks that come out whole whatever it is."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.layout_decode import DIRECT, TRANSPOSED
from punktfunk.realtime.lab import ARGUMENTS
from punktfunk.realtime.variants import Variant
from punktfunk.realtime.workshop.checking import Wrong, callable_at
from punktfunk.realtime.workshop.defaults import Decoder

U8 = NDArray[np.uint8]

_QUESTION_COUNT: Final = 300
_BLOCK_COUNT: Final = 30
_DATA_MAX, _PARITY_MAX, _BYTES_MAX = 300, 120, 400


def check(variant: Variant, seed: int) -> Iterator[str]:
    """Yield what is asked next; ``Wrong`` for an answer that is none, or a block that is not restored."""
    random = np.random.default_rng(seed)
    decoder = Decoder(_DATA_MAX, _PARITY_MAX, _BYTES_MAX)
    context = decoder.choose_by(variant)
    choose = callable_at(variant.address, len(ARGUMENTS["decode"]))
    yield f"{_QUESTION_COUNT} questions"
    for _ in range(_QUESTION_COUNT):
        data_count, parity_count = (int(2 ** random.uniform(0, 15)) for _ in range(2))
        missing_count = int(random.integers(1, min(data_count, parity_count) + 1))
        answer = choose(context, data_count, parity_count, missing_count, 2 * int(random.integers(1, 800)))
        if not DIRECT <= answer <= TRANSPOSED:
            raise Wrong(f"it answered {answer} for {missing_count} missing of {data_count}:{parity_count}")
    for _ in range(_BLOCK_COUNT):
        data_count = int(random.integers(1, _DATA_MAX + 1))
        parity_count = int(random.integers(1, _PARITY_MAX + 1))
        missing_count = int(random.integers(1, min(data_count, parity_count) + 1))
        shard_bytes = 2 * int(random.integers(1, _BYTES_MAX // 2 + 1))
        yield f"{missing_count} missing of {data_count}:{parity_count} x {shard_bytes} bytes"
        _restore(decoder, random, data_count, parity_count, missing_count, shard_bytes)


def _restore(
    decoder: Decoder,
    random: np.random.Generator,
    data_count: int,
    parity_count: int,
    missing_count: int,
    shard_bytes: int,
) -> None:
    data, parity, present = decoder.damaged(random, data_count, parity_count, missing_count, shard_bytes)
    lost = present[:data_count] == 0
    want = data.copy()
    data[lost] = 0
    decoder.code.decode(data, parity, present)
    different = np.argwhere(data != want)
    if len(different):
        row, byte = map(int, different[0])
        raise Wrong(f"data row {row}, byte {byte}: {data[row, byte]:#04x} instead of {want[row, byte]:#04x}")
