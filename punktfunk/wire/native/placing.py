"""What a receiver of punktfunk/1 believes of a media header, before anything is stored for it.

A header that contradicts itself, or what the session agreed on, is dropped here. Of one that is believed the
answer says where its block stands: shards are counted from the frame's first, so a shard's place in the
access unit is known when it arrives, in whatever order.

A unit that is sent while it is encoded comes in blocks whose headers have a block count of 0, *sentinels*,
until the last one tells the length. They have two shapes:

    user flag 0x80   frame_bytes says               K                block begins at shard
    ---------------  -----------------------------  ---------------  ---------------------
    clear            0                              exactly K max    block_index * K max
    set (slices)     where the block begins, bytes  at most K max    frame_bytes / P

Spec: punktfunk-1.md section 2.7, with the order and the corner cases of the Rust implementation
(packet/reassemble.rs). Ours asks more of slices in one point: block b begins at shard b or later, as every
block before it has a shard. The other lets such a packet in and drops its frame at the end.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from punktfunk.errors import LocalProtocolError
from punktfunk.wire.native.blocks import FIELD_SHARDS, MAX_PERCENT, wanted_parity
from punktfunk.wire.native.packet import MAX_SHARD_BYTES, MIN_SHARD_BYTES, USER_SLICES, FecScheme, Header

MIN_SLICE_SHARDS: Final = 16
"""Data shards that a block of slices has at least before its unit ends."""
FRAME_BYTES_MIN: Final = 8 << 20
FRAME_BYTES_MAX: Final = 64 << 20
IN_FLIGHT_FRAMES: Final = 4
"""Unfinished frames together are at most so many times the largest frame."""


def frame_ceiling_bytes(bitrate_kbps: int, refresh_hz: int) -> int:
    """Largest access unit that a session may have: four times the mean, 8 to 64 MiB; 64 for a rate of 0."""
    if bitrate_kbps == 0:
        return FRAME_BYTES_MAX
    usual = 4 * (bitrate_kbps * 125 // max(refresh_hz, 1))
    return min(max(usual, FRAME_BYTES_MIN), FRAME_BYTES_MAX)


@dataclass(frozen=True, slots=True)
class ReceiveLimits:
    """What a session allows: of Welcome, but for the largest shard, which the client offered in Hello."""

    data_max: int
    fec_scheme: FecScheme
    shard_bytes_max: int
    frame_bytes_max: int

    def __post_init__(self) -> None:
        if not 1 <= self.data_max <= FIELD_SHARDS[self.fec_scheme]:
            raise LocalProtocolError(f"{self.data_max} data shards a block with {self.fec_scheme.name}")
        if not MIN_SHARD_BYTES <= self.shard_bytes_max <= MAX_SHARD_BYTES:
            raise LocalProtocolError(f"shards of {self.shard_bytes_max} bytes: 512 to {MAX_SHARD_BYTES}")
        if not 1 <= self.frame_bytes_max <= FRAME_BYTES_MAX:
            raise LocalProtocolError(f"frames of {self.frame_bytes_max} bytes: 1 to {FRAME_BYTES_MAX}")

    @property
    def shards_max(self) -> int:
        """Data and parity shards of a block, at any percentage that a host may go to."""
        most = self.data_max + wanted_parity(self.data_max, MAX_PERCENT)
        return min(most, FIELD_SHARDS[self.fec_scheme])

    def data_total_max(self, shard_bytes: int) -> int:
        """Count the data shards of the largest frame."""
        return -(-self.frame_bytes_max // shard_bytes)

    def block_count_max(self, shard_bytes: int, *, slices: bool) -> int:
        """Count the blocks of the largest frame."""
        total = self.data_total_max(shard_bytes)
        if slices:
            return total // min(MIN_SLICE_SHARDS, self.data_max) + 2
        return -(-total // self.data_max)


class Place(NamedTuple):
    """Where a block stands in its frame, and how long the frame is for certain; both in data shards."""

    base: int
    data_total: int


def find_place(header: Header, limits: ReceiveLimits) -> Place | None:
    """Say where a header's block stands; None where it is not believed."""
    size, count = header.shard_bytes, header.data_count
    total = count + header.parity_count
    believed = size % 2 == 0 and MIN_SHARD_BYTES <= size <= limits.shard_bytes_max
    believed &= 1 <= count <= limits.data_max and header.shard_index < total <= limits.shards_max
    believed &= header.block_count == 0 or header.block_index < header.block_count
    if not believed or header.frame_bytes > limits.frame_bytes_max:
        return None
    block_max = limits.block_count_max(size, slices=bool(header.user_flags & USER_SLICES))
    if header.block_count == 0:
        return _place_of_sentinel(header, limits, block_max)
    return _place_of_known(header, limits) if header.block_count <= block_max else None


def _place_of_known(header: Header, limits: ReceiveLimits) -> Place | None:
    total = max(1, -(-header.frame_bytes // header.shard_bytes))
    last = header.block_index + 1 == header.block_count
    if header.user_flags & USER_SLICES:
        base = total - header.data_count
        return Place(base, total) if last and base >= header.block_index else None
    full_count, rest = divmod(total - 1, limits.data_max)
    expected = rest + 1 if last else limits.data_max
    if header.block_count != full_count + 1 or header.data_count != expected:
        return None
    return Place(header.block_index * limits.data_max, total)


def _place_of_sentinel(header: Header, limits: ReceiveLimits, block_max: int) -> Place | None:
    size, count = header.shard_bytes, header.data_count
    if header.block_index + 1 >= block_max:
        return None
    if header.user_flags & USER_SLICES:
        base, rest = divmod(header.frame_bytes, size)
        if rest or base < header.block_index or (base + count) * size > limits.frame_bytes_max:
            return None
        return Place(base, base + count)
    if header.frame_bytes or count != limits.data_max:
        return None
    base = header.block_index * limits.data_max
    return Place(base, base + count)
