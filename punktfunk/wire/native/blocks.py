"""How punktfunk/1 cuts a frame into FEC blocks, and in which order their shards leave.

Every block holds exactly ``data_max`` shards (K max of Welcome) but the last, which holds the rest: no
balancing, so a receiver knows from the frame's length where each shard belongs. An empty access unit still
makes one shard. Of a frame sent whole all data shards of all blocks leave first, then all parity of all
blocks: a frame without loss is complete before the first parity comes.

Parity of a block is ceil(K * percent / 100), at least 2, none at 0 percent; K + m never passes what the
receiver made room for at the percentage of Welcome, nor the field. The percentage may change between any two
frames. Spec: punktfunk-1.md section 2.7 items 1 to 4.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from punktfunk.errors import LocalProtocolError
from punktfunk.wire.native.packet import (
    FLAG_FIRST_PACKET,
    FLAG_LAST_PACKET,
    FLAG_PICTURE,
    MAX_SHARD_BYTES,
    MIN_SHARD_BYTES,
    FecScheme,
    Header,
    build_packet,
)

MAX_PERCENT: Final = 90
MIN_PARITY_COUNT: Final = 2
MAX_BLOCK_COUNT: Final = 0xFFFF
FIELD_SHARDS: Final = {FecScheme.GF8: 255, FecScheme.GF16: 65535}
"""Data and parity together that one block of each field can have."""
USUAL_DATA_MAX: Final = {FecScheme.GF8: 200, FecScheme.GF16: 4096}

Parity = Callable[[Sequence[bytes], int], Sequence[bytes]]
"""(data shards, parity count) -> parity shards, all of the same length."""


class Block(NamedTuple):
    """One block: ``data_count`` shards of the frame and ``parity_count`` that repair them."""

    data_count: int
    parity_count: int


@dataclass(frozen=True, slots=True)
class Geometry:
    """What Welcome settles for a session. LocalProtocolError for numbers that no session may have."""

    shard_bytes: int
    data_max: int
    fec_scheme: FecScheme
    welcome_percent: int

    def __post_init__(self) -> None:
        even = self.shard_bytes % 2 == 0
        if not even or not MIN_SHARD_BYTES <= self.shard_bytes <= MAX_SHARD_BYTES:
            raise LocalProtocolError(f"shards of {self.shard_bytes} bytes: even, 512 to {MAX_SHARD_BYTES}")
        if not 1 <= self.data_max <= FIELD_SHARDS[self.fec_scheme]:
            raise LocalProtocolError(f"{self.data_max} data shards a block with {self.fec_scheme.name}")
        check_percent(self.welcome_percent)

    @property
    def block_max(self) -> int:
        """Data and parity shards that a block may have: what a receiver made room for."""
        full = self.data_max + wanted_parity(self.data_max, self.welcome_percent)
        return min(full, FIELD_SHARDS[self.fec_scheme])

    def parity_count(self, data_count: int, percent: int) -> int:
        """Parity shards of a block with ``data_count`` at this percentage."""
        return min(wanted_parity(data_count, percent), self.block_max - data_count)

    def data_count(self, frame_bytes: int) -> int:
        """Shards that carry a frame of this length."""
        return max(1, -(-frame_bytes // self.shard_bytes))

    def blocks(self, frame_bytes: int, percent: int) -> list[Block]:
        """Cut a frame of ``frame_bytes``; LocalProtocolError past 65,535 blocks or 32 bits of length."""
        check_percent(percent)
        full_count, rest = divmod(self.data_count(frame_bytes), self.data_max)
        counts = [self.data_max] * full_count + [rest] * (rest > 0)
        if len(counts) > MAX_BLOCK_COUNT or frame_bytes > 0xFFFFFFFF:
            raise LocalProtocolError(f"a frame of {frame_bytes} bytes makes {len(counts)} blocks")
        return [Block(count, self.parity_count(count, percent)) for count in counts]


def check_percent(percent: int) -> None:
    """LocalProtocolError for a parity percentage outside 0 .. 90."""
    if not 0 <= percent <= MAX_PERCENT:
        raise LocalProtocolError(f"parity of {percent} % is not between 0 and {MAX_PERCENT}")


def wanted_parity(data_count: int, percent: int) -> int:
    """Parity shards that a block should have, were there room for them."""
    return max(MIN_PARITY_COUNT, -(-data_count * percent // 100)) if percent else 0


def emission_order(blocks: Sequence[Block]) -> Iterator[tuple[int, int]]:
    """Give (block index, shard index) of every shard in the order in which a whole frame leaves."""
    for index, block in enumerate(blocks):
        yield from ((index, shard) for shard in range(block.data_count))
    for index, block in enumerate(blocks):
        yield from ((index, block.data_count + shard) for shard in range(block.parity_count))


class FrameInfo(NamedTuple):
    """What the headers of one frame say beside its geometry."""

    pts_ns: int
    frame_index: int
    first_stream_sequence: int
    user_flags: int


def build_packets(
    access_unit: bytes, geometry: Geometry, percent: int, info: FrameInfo, parity: Parity
) -> list[bytes]:
    """All packets of a frame in the order of sending, unencrypted: the slow, plain twin of the kernels."""
    blocks = geometry.blocks(len(access_unit), percent)
    shards: list[list[bytes]] = []
    for index, block in enumerate(blocks):
        starts = ((index * geometry.data_max + i) * geometry.shard_bytes for i in range(block.data_count))
        data = [
            access_unit[at : at + geometry.shard_bytes].ljust(geometry.shard_bytes, b"\0") for at in starts
        ]
        shards.append([*data, *(parity(data, block.parity_count) if block.parity_count else ())])
    order = list(emission_order(blocks))
    packets = []
    for place, (block_index, shard_index) in enumerate(order):
        flags = FLAG_PICTURE
        flags |= FLAG_FIRST_PACKET if place == 0 else 0
        flags |= FLAG_LAST_PACKET if place == len(order) - 1 else 0
        header = Header(
            info.pts_ns,
            info.frame_index,
            info.first_stream_sequence + place,
            len(access_unit),
            info.user_flags,
            block_index,
            len(blocks),
            *blocks[block_index],
            shard_index,
            geometry.shard_bytes,
            geometry.fec_scheme,
            flags,
        )
        packets.append(build_packet(header, shards[block_index][shard_index]))
    return packets
