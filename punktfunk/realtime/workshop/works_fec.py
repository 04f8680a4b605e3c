"""Parity by default and variant, of the same bytes into the same rows."""

import re
from typing import Final

import numpy as np

from punktfunk.errors import Misuse
from punktfunk.realtime.variants import Variant
from punktfunk.realtime.workshop.defaults import default_code
from punktfunk.realtime.workshop.works import Trial, repeated, repeated_at

USUAL: Final = {
    "fec8": ("20:4x1408", "50:10x1408", "200:40x1408"),
    "fec16": ("20:4x1408", "50:10x1408", "200:40x1408", "1000:200x1408"),
}
_SHAPE: Final = re.compile(r"(\d{1,5}):(\d{1,5})(?:x(\d{1,5}))?")
_USUAL_BYTES: Final = "1408"


def trial(variant: Variant, shape: str) -> Trial:
    """Read ``DATA:PARITY`` or ``DATA:PARITYxBYTES`` and lay out such a block; Misuse for anything else."""
    found = _SHAPE.fullmatch(shape)
    if not found:
        raise Misuse(
            f"{shape!r} is no shape", hint="Write DATA:PARITY or DATA:PARITYxBYTES, such as 200:40x1408."
        )
    data_count, parity_count, shard_bytes = map(int, found.groups(_USUAL_BYTES))
    code = default_code(variant.kind, data_count, parity_count, shard_bytes)
    rows = np.random.default_rng(0).integers(0, 256, (data_count + parity_count, shard_bytes), np.uint8)
    arguments = (
        rows.ctypes.data, shard_bytes, rows[data_count:].ctypes.data, shard_bytes,
        data_count, parity_count, shard_bytes,
    )  # fmt: skip
    return Trial(
        shape,
        repeated_at(code.encode_address, code.context, arguments, code, rows),
        repeated(variant, variant.context_over(code.context), arguments),
        data_count * shard_bytes,
    )
