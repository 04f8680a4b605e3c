"""What the decode thread takes and gives: received units, judged units, pictures with their stamps.

All times are CLOCK_MONOTONIC in ns, save ``pts_ns``, which is the host's CLOCK_REALTIME (punktfunk-1 §2.6).
"""

from dataclasses import dataclass, field
from typing import Any, Protocol


class Unit(Protocol):
    """One received access unit, as ``VideoReceiver.pop`` gives it."""

    @property
    def frame_index(self) -> int: ...  # noqa: D102  (the class says it)
    @property
    def pts_ns(self) -> int: ...  # noqa: D102
    @property
    def user_flags(self) -> int: ...  # noqa: D102
    @property
    def access_unit(self) -> Any: ...  # noqa: D102  (bytes-like)
    @property
    def first_ns(self) -> int: ...  # noqa: D102
    @property
    def complete_ns(self) -> int: ...  # noqa: D102


class UnitSource(Protocol):
    """Where units come from; one thread pops."""

    def pop(self, timeout_ns: int) -> Unit | None:
        """Give the oldest complete unit, None after the timeout."""


class Judge(Protocol):
    """Who decides about loss (punktfunk-1 §2.17): called by the decode thread only."""

    def arrived(self, frame: Any) -> bool:
        """Take note of a unit after it was popped. False: leave it out, it is older than one taken."""

    def decoded(self, frame: Any, *, produced: bool, is_key: bool = False) -> bool:
        """Take note of what became of it. False holds the picture that is on the screen."""


@dataclass(slots=True)
class DecodedPicture:
    """A decoded picture and its history. ``frame`` is an ``av.VideoFrame`` of yuv420p or nv12.

    Whoever presents it fills the last two stamps.
    """

    frame: Any
    unit: Unit
    decode_ns: int  # its decoding began
    decoded_ns: int
    is_key: bool
    taken_ns: int = field(default=0)
    presented_ns: int = field(default=0)
