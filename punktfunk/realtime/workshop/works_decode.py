"""Restoring the same losses by the default's choice of a decoder and by the variant's."""

import re
from typing import Final

import numpy as np

from punktfunk.errors import Misuse
from punktfunk.realtime.variants import Variant
from punktfunk.realtime.workshop.defaults import Decoder
from punktfunk.realtime.workshop.works import Trial, repeated_at

USUAL: Final = {
    "decode": ("20:4x1408-1", "200:40x1408-10", "200:40x1408-40", "1000:200x1408-50", "1000:200x1408-200")
}
_SHAPE: Final = re.compile(r"(\d{1,5}):(\d{1,5})x(\d{1,5})-(\d{1,5})")


def trial(variant: Variant, shape: str) -> Trial:
    """Read ``DATA:PARITYxBYTES-MISSING`` and lose so many of such a block; Misuse for anything else."""
    found = _SHAPE.fullmatch(shape)
    counts = tuple(map(int, found.groups())) if found else (0, 0, 0, 0)
    data_count, parity_count, shard_bytes, missing_count = counts
    if not 1 <= missing_count <= min(data_count, parity_count):
        raise Misuse(
            f"{shape!r} is no shape", hint="Write DATA:PARITYxBYTES-MISSING, such as 200:40x1408-10."
        )
    random = np.random.default_rng(0)
    default, ours = (Decoder(data_count, parity_count, shard_bytes) for _ in range(2))
    ours.choose_by(variant)
    data, parity, present = default.damaged(random, data_count, parity_count, missing_count, shard_bytes)
    arguments = (
        data.ctypes.data, data.strides[0], parity.ctypes.data, parity.strides[0], present.ctypes.data,
        data_count, parity_count, shard_bytes,
    )  # fmt: skip
    by_default, by_ours = (
        repeated_at(decoder.address, decoder.code.context, arguments, decoder, data, parity, present)
        for decoder in (default, ours)
    )
    return Trial(shape, by_default, by_ours, data_count * shard_bytes)
