"""What asking a pacer costs; where it puts the datagrams is for ``lab compare --live`` to show."""

from typing import Final

from punktfunk.errors import Misuse
from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.kernels.pace import deadline
from punktfunk.realtime.variants import Variant
from punktfunk.realtime.workshop.works import Trial, repeated, repeated_at

USUAL: Final = {"pace": ("600",)}
_WINDOW_NS: Final = 14_583_333


def trial(variant: Variant, shape: str) -> Trial:
    """Ask for a datagram in the middle of a frame of so many; Misuse for anything but a number."""
    if not shape.isdecimal() or not 0 < int(shape) < 1 << 16:
        raise Misuse(f"{shape!r} is no shape", hint="Write the number of a frame's datagrams, such as 600.")
    total = int(shape)
    arguments = (1 << 40, _WINDOW_NS, total // 2, total)
    return Trial(
        f"one of {total} datagrams",
        repeated_at(address_of_entry(deadline), 0, arguments),
        repeated(variant, variant.context_over(0), arguments),
        0,
    )
