"""The defaults with what they need, for a variant to be held against."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import Misuse, UnsupportedShape
from punktfunk.realtime.code8 import Code8
from punktfunk.realtime.code16 import Code16
from punktfunk.realtime.kernels.layout_decode import CHOOSE, CHOOSE_CONTEXT
from punktfunk.realtime.variants import Context, Variant, words_at

U8 = NDArray[np.uint8]

_MOST: Final = {"fec8": (200, 55, 1500), "fec16": (1024, 256, 1500)}
"""What the codes of a check are made for: more than its shapes have."""


def code_for_checks(kind: str) -> Code8 | Code16:
    """Make the code that lends its context while a variant is checked."""
    return default_code(kind, *_MOST[kind])


def default_code(kind: str, data_max: int, parity_max: int, shard_bytes: int) -> Code8 | Code16:
    """Make the default of one kind for blocks of so many shards; Misuse for a shape that it has not."""
    try:
        return (Code8 if kind == "fec8" else Code16)(data_max, parity_max, shard_bytes)
    except UnsupportedShape as error:
        raise Misuse(str(error), hint=error.hint or "Name another --shape.") from error


class Decoder:
    """A code over GF(2^16) whose decoder can be told to choose by a variant."""

    def __init__(self, data_max: int, parity_max: int, shard_bytes: int) -> None:
        self.code = Code16(data_max, parity_max, shard_bytes)
        self.address = self.code.decode_address
        self._kept: Context | None = None

    def choose_by(self, variant: Variant) -> int:
        """Install the variant; the address of its context."""
        words = words_at(self.code.context, CHOOSE_CONTEXT + 1)
        self._kept = variant.context_over(int(words[CHOOSE_CONTEXT]))
        words[CHOOSE], words[CHOOSE_CONTEXT] = variant.address, self._kept.address
        return self._kept.address

    def damaged(
        self,
        random: np.random.Generator,
        data_count: int,
        parity_count: int,
        missing_count: int,
        shard_bytes: int,
    ) -> tuple[U8, U8, U8]:
        """Make a block (data, parity), and which of its shards are present: so many data shards are not."""
        data = random.integers(0, 256, (data_count, shard_bytes), dtype=np.uint8)
        parity = np.zeros((parity_count, shard_bytes), np.uint8)
        self.code.encode(data, parity)
        present = np.ones(data_count + parity_count, np.uint8)
        present[random.choice(data_count, missing_count, replace=False)] = 0
        return data, parity, present
