"""The defaults with what they need, for a variant to be held against."""

from typing import Final

from punktfunk.errors import Misuse, UnsupportedShape
from punktfunk.realtime.code8 import Code8
from punktfunk.realtime.code16 import Code16

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
