"""Which variants make the frames of one sender, published so that a frame sees all of a choice or none."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import LocalProtocolError
from punktfunk.realtime.kernels import layout
from punktfunk.realtime.kernels.mailbox import post_word
from punktfunk.realtime.rings import aligned_words
from punktfunk.realtime.variants import DEFAULT_NUMBER, Context, Variant

_PARTS: Final = {
    "fec8": layout.VARIANT_FEC,
    "fec16": layout.VARIANT_FEC,
    "seal": layout.VARIANT_SEAL,
    "pace": layout.VARIANT_PACE,
}
"""Where address, context and number of each kind stand in the variant words."""


@dataclass(frozen=True, slots=True)
class Default:
    """What a sender uses unless told otherwise: an entry, and the context it is called with."""

    address: int
    context: int


class Choice:
    """The variants in use. Every set that was ever published stays alive: a frame may still be read from it.

    ``defaults`` has one entry for each kind that the sender knows; ``words`` are its sender words.
    """

    def __init__(self, words: NDArray[np.int64], defaults: dict[str, Default]) -> None:
        self._words = words
        self._defaults = defaults
        self._contexts: dict[Variant, Context] = {}
        self._published: list[NDArray[np.int64]] = []
        first = aligned_words(layout.VARIANT_WORD_COUNT)
        for kind, default in defaults.items():
            _write(first, kind, default.address, default.context, DEFAULT_NUMBER)
        self._publish(first)

    def swap(self, kind: str, variant: Variant | None) -> None:
        """Use ``variant``, or with None the default, from the next frame on.

        LocalProtocolError for a kind that this sender has no use for, or a variant of another kind.
        """
        if kind not in self._defaults:
            raise LocalProtocolError(f"this stream uses no {kind}: it has {', '.join(self._defaults)}")
        default = self._defaults[kind]
        following = self._published[-1].copy()
        if variant is None:
            _write(following, kind, default.address, default.context, DEFAULT_NUMBER)
        elif variant.kind != kind:
            raise LocalProtocolError(f"{variant.name} is a variant of {variant.kind}, not of {kind}")
        else:
            if variant not in self._contexts:
                self._contexts[variant] = variant.context_over(default.context)
            _write(following, kind, variant.address, self._contexts[variant].address, variant.number)
        self._publish(following)

    def _publish(self, chosen: NDArray[np.int64]) -> None:
        self._published.append(chosen)
        post_word(self._words, layout.WORD_VARIANTS, chosen.ctypes.data)


def _write(words: NDArray[np.int64], kind: str, address: int, context: int, number: int) -> None:
    place = _PARTS[kind]
    words[place : place + 3] = address, context, number
