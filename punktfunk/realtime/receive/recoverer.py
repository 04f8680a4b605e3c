"""Restoring the lost data shards of a block, for the model of the receiver: its ``Recover``."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from punktfunk.errors import TooFewShards, UnsupportedShape
from punktfunk.wire.native.packet import MIN_SHARD_BYTES, FecScheme
from punktfunk.wire.native.placing import ReceiveLimits

if TYPE_CHECKING:
    from punktfunk.realtime.code8 import Code8
    from punktfunk.realtime.code16 import Code16


class Recoverer:
    """The erasure code of a session, as the model calls it. Its kernels are loaded by the first loss."""

    def __init__(self, limits: ReceiveLimits) -> None:
        self._limits = limits

    def __call__(self, shards: Sequence[bytes | None], data_count: int) -> Sequence[bytes] | None:
        """Restore the data shards of one block; None where too few are there."""
        shard_bytes = next(len(shard) for shard in shards if shard is not None)
        rows = np.zeros((len(shards), shard_bytes), np.uint8)
        present = np.zeros(len(shards), np.uint8)
        for index, shard in enumerate(shards):
            if shard is not None:
                rows[index] = np.frombuffer(shard, np.uint8)
                present[index] = 1
        data, parity = rows[:data_count], rows[data_count:]
        try:
            self._code(data_count, len(parity)).decode(data, parity, present)
        except (TooFewShards, UnsupportedShape):
            return None
        return [row.tobytes() for row in data]

    def _code(self, data_count: int, parity_count: int) -> "Code8 | Code16":
        if self._limits.fec_scheme is FecScheme.GF8:
            return _code8(data_count, parity_count, self._limits.shard_bytes_max)
        return self._code16

    @cached_property
    def _code16(self) -> "Code16":
        from punktfunk.realtime.code16 import Code16

        limits = self._limits
        data_max = min(limits.data_max, limits.data_total_max(MIN_SHARD_BYTES))
        return Code16(data_max, max(limits.shards_max - 1, 1), limits.shard_bytes_max)


@lru_cache(maxsize=16)
def _code8(data_count: int, parity_count: int, shard_bytes: int) -> "Code8":
    from punktfunk.realtime.code8 import Code8

    return Code8(data_count, parity_count, shard_bytes)
