"""What a client may ask of the host to get a clean picture again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeyframeAsk:
    """RequestKeyframe: begin again with an IDR."""


@dataclass(frozen=True, slots=True)
class RfiAsk:
    """RfiRequest: the frames ``first_index`` to ``last_index`` (32 bits, wrapping) never came whole."""

    first_index: int
    last_index: int


Ask = KeyframeAsk | RfiAsk

INDEX_MASK = 0xFFFFFFFF
_HALF = 1 << 31


def index_distance(ahead: int, behind: int) -> int:
    """Count steps from ``behind`` to ``ahead`` on the circle of 32 bits: negative if ``ahead`` is older."""
    return ((ahead - behind + _HALF) & INDEX_MASK) - _HALF
