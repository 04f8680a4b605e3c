"""What pf-encode needs of an encoder."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from punktfunk.plan import EncodePlan, Mode

if TYPE_CHECKING:
    from punktfunk.realtime.encode.picture import Picture


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One encoded picture, ready for the wire: headers in front of key frames and nowhere else."""

    data: bytes
    is_key: bool


class Encoder(Protocol):
    """Pictures in, access units out, one for one and at once. Used by one thread at a time."""

    def new_picture(self) -> "Picture":
        """Make a picture of the encoder's size and pixel format."""

    def encode(self, picture: "Picture", *, key: bool) -> list[AccessUnit]:
        """Encode; ``key`` asks for an IDR. PipelineFailed when the encoder gives up."""

    def set_bitrate(self, bitrate_bps: int) -> None:
        """Change the rate. The next picture may come out as a key frame whether asked for or not."""

    def close(self) -> None:
        """End the encoder's threads and free its memory."""


OpenEncoder = Callable[[EncodePlan, Mode], Encoder]
"""Opens an encoder; EnvironmentProblem where it cannot be."""
