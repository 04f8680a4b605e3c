"""Named ways to do one kind of work, and the number by which a frame records which way made it.

    kind    what its entry computes                 context that the default gets
    ------  --------------------------------------  --------------------------------------------
    fec8    parity of GameStream's code             ``Code8.context``
    fec16   parity of punktfunk/1's code            ``Code16.context``
    seal    encrypted datagrams with tags           ``Cipher.address``
    pace    when the next datagrams may leave       0
    decode  which of three decoders to use          the decoder's own

``docs/lab.md`` has the arguments of each. This file imports no Numba: a list of variants needs none.
"""

import ctypes
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import ConfigError
from punktfunk.realtime.kernels.layout import CODE_OWN

KINDS: Final = ("fec8", "fec16", "seal", "pace", "decode")
_CODES: Final = ("fec8", "fec16")
DEFAULT: Final = "default"
DEFAULT_NUMBER: Final = 0
FIRST_OWN_NUMBER: Final = 256
"""Numbers below are those of variants that punktfunk ships; each fits 16 bits of the latency log."""
_NUMBER_COUNT: Final = 1 << 16

SHIPPED: Final = {
    "seal": {"evp": 1, "aesni": 2, "vaes": 3},
    "decode": {"direct": 1, "cauchy": 2, "full": 3, "transposed": 4},
}
"""What a default chooses from, by kind and name, with the number that stands for it for ever."""

CODE_DEFAULT: Final = 5  # word of a researcher's context: address of the context that the default gets
_SHARED_WORD_COUNT: Final = 5  # CODE_TABLES to CODE_ZEROS_BYTES

Prepare = Callable[[], Sequence[int | NDArray[Any]]]
"""Makes a variant's own context words: whole numbers, and arrays, which become their addresses."""


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What an entry gets as its first argument, and the arrays that must live as long as it is used."""

    address: int
    kept: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """One way to do one kind of work: an entry that lies at ``address`` of this process for its whole life.

    ``number`` is what frames record. ``wants_own_context`` tells a researcher's variant, whose context is
    its own, from those that punktfunk ships, which share the default's.
    """

    kind: str
    name: str
    number: int
    address: int
    wants_own_context: bool = False
    prepare: Prepare | None = None

    def context_over(self, default_context: int) -> Context:
        """Make the context to call it with, once for every stream.

        ``default_context`` is what the default gets. A researcher's context has CODE_OWN words and then what
        ``prepare`` answered. Of the former CODE_DEFAULT is ``default_context``; for erasure codes those
        before it are the CODE_* words of ``layout``.
        """
        if not self.wants_own_context:
            return Context(default_context)
        try:
            values = tuple(self.prepare()) if self.prepare else ()
            words = np.array([0] * CODE_OWN + [_word(value) for value in values], np.int64)
        except Exception as error:  # a researcher's function may raise anything, and a host must go on
            raise ConfigError(
                f"{self.kind} {self.name}: its prepare() failed: {type(error).__name__}: {error}",
                hint="It answers a list of whole numbers and of arrays without gaps.",
            ) from error
        if self.kind in _CODES and default_context:
            words[:_SHARED_WORD_COUNT] = words_at(default_context, _SHARED_WORD_COUNT)
        words[CODE_DEFAULT] = default_context
        return Context(words.ctypes.data, (words, *values))


def own_number(kind: str, name: str, source: bytes) -> int:
    """Give a researcher's variant its number: the same on every machine, another once its file is edited."""
    digest = hashlib.sha256(b"\0".join((kind.encode(), name.encode(), source))).digest()
    return FIRST_OWN_NUMBER + int.from_bytes(digest[:8], "little") % (_NUMBER_COUNT - FIRST_OWN_NUMBER)


def unpack_numbers(packed: int) -> dict[str, int]:
    """Split the VARIANTS column of a latency log: numbers of ``fec``, ``seal`` and ``pace``."""
    return {part: packed >> shift & 0xFFFF for part, shift in (("fec", 0), ("seal", 16), ("pace", 32))}


def _word(value: int | NDArray[Any]) -> int:
    if not isinstance(value, np.ndarray):
        return index(value)
    if not value.flags.c_contiguous:
        raise ValueError("numpy.ascontiguousarray closes the gaps of an array")
    return value.ctypes.data


def words_at(address: int, count: int) -> NDArray[np.int64]:
    """View the words at an address."""
    return np.ctypeslib.as_array((ctypes.c_int64 * count).from_address(address))
