"""Compares a variant with the textbook. Only a child process may do so: it may crash, or never return.

Every check is a generator that says what comes next, so that whoever watches the child knows what it did
last; ``Wrong`` says what the first difference was.
"""

import ctypes
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Final

from punktfunk.errors import ConfigError
from punktfunk.realtime.kernels import layout
from punktfunk.realtime.variants import Variant

_CHECKS: Final = {
    "fec8": "check_fec",
    "fec16": "check_fec",
    "seal": "check_seal",
    "pace": "check_pace",
    "decode": "check_decode",
}
_CODES: Final = {
    value: name
    for name, value in vars(layout).items()
    if name in ("BAD_SIZE", "UNSUPPORTED_SHAPE", "TOO_FEW_SHARDS", "SEAL_FAILED", "STOPPED")
}


class Wrong(ConfigError):
    """The variant answers otherwise than the textbook; says where first."""


def check(variant: Variant, seed: int) -> Iterator[str]:
    """Yield what is tried next, to the end; ``Wrong`` if something differs."""
    module = import_module(f"punktfunk.realtime.workshop.{_CHECKS[variant.kind]}")
    steps: Iterator[str] = module.check(variant, seed)
    return steps


def callable_at(address: int, argument_count: int) -> Callable[..., int]:
    """Make an entry callable from Python: int64 arguments, int64 result, without the GIL."""
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * argument_count)(address)


def expect_zero(code: int) -> None:
    """``Wrong`` for a code that is not 0: a variant must do every shape that the default does."""
    if code != 0:
        raise Wrong(
            f"it answered {code}{f' ({_CODES[code]})' if code in _CODES else ''} instead of 0; "
            "what it cannot do itself it may hand to the default"
        )
