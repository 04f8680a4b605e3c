"""What a receiver knows of frames that are not complete, and which packets contradict it.

The state of ``reassembly``, without what happens to it.
"""

from dataclasses import dataclass, field
from typing import Final

from punktfunk.wire.native.packet import USER_SLICES, Header
from punktfunk.wire.native.placing import Place
from punktfunk.wire.native.slabs import Run

_U32: Final = 0xFFFFFFFF


@dataclass(slots=True)
class Block:
    """One block of a frame: what its headers say, what came of it, what only parity brought."""

    data_count: int
    parity_count: int
    base: int
    shards: dict[int, bytes] = field(default_factory=dict)
    parity: Run | None = None
    done: bool = False
    restored: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Frame:
    """A frame that is not complete; totals are 0 while they are not known."""

    shard_bytes: int
    pts_ns: int
    user_flags: int
    run: Run
    data_total: int
    first_ns: int
    frame_bytes: int = 0
    block_count: int = 0
    last_base: int = 0
    done_count: int = 0
    packet_count: int = 0
    recovered_count: int = 0
    blocks: dict[int, Block] = field(default_factory=dict)

    def learn(self, header: Header, place: Place) -> None:
        """Note the totals, and where the last block of slices begins."""
        self.frame_bytes, self.block_count, self.last_base = (
            header.frame_bytes,
            header.block_count,
            place.base,
        )


@dataclass(slots=True)
class Window:
    """One space of frame indices: the newest, what is unfinished, and the restored shards of what is over."""

    newest_index: int = -1
    newest_pts_ns: int = 0
    frames: dict[int, Frame] = field(default_factory=dict)
    finished: dict[int, set[int]] = field(default_factory=dict)

    def behind(self, index: int) -> int:
        """Count the frames from this one to the newest."""
        return (self.newest_index - index) & _U32


def contradicts(frame: Frame, header: Header, place: Place) -> bool:
    """Whether blocks that came before the totals cannot be part of such a frame."""
    last = header.block_count - 1
    if header.user_flags & USER_SLICES:
        return any(
            number >= last or block.base + block.data_count > place.base
            for number, block in frame.blocks.items()
        )
    return any(
        number > last or (number == last and block.base + block.data_count != place.data_total)
        for number, block in frame.blocks.items()
    )


def overlaps(frame: Frame, header: Header, place: Place) -> bool:
    """Whether a new block of slices would stand in another, or before one with a lower number."""
    end = place.base + header.data_count
    return any(
        block.base + block.data_count > place.base if number < header.block_index else end > block.base
        for number, block in frame.blocks.items()
    )
