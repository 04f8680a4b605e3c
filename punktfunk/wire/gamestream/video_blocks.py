"""How a video frame is cut into FEC blocks: the block geometry, in plain integers.

The client derives the parity count of a block from its percentage (moonlight-common-c, RtpVideoQueue.c,
RtpvAddPacket): Q = (D * percent + 99) // 100. Whatever the host does must agree with that to the shard, and
D + Q must not pass 255 where there is parity. Spec: gamestream.md section 4.3; Sunshine src/stream.cpp,
fec::encode and videoBroadcastThread. Layouts of the datagrams are in ``video``.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from punktfunk.errors import LocalProtocolError

NV_HEADER_BYTES: Final = 16
"""Part of the packet size P that the header takes; P - 16 bytes of every shard are the frame's."""
FRAME_HEADER_BYTES: Final = 8
MAX_BLOCK_COUNT: Final = 4
MAX_BLOCK_SHARDS: Final = 255
"""Data and parity together, where there is parity: GF(2^8) has no more rows."""
MAX_BARE_BLOCK_SHARDS: Final = 1023
MAX_FRAME_SHARDS: Final = MAX_BLOCK_COUNT * MAX_BARE_BLOCK_SHARDS
MAX_PERCENT: Final = 255


class Block(NamedTuple):
    """One block: ``data_count`` shards of the frame and ``parity_count`` that repair them.

    ``parity_count`` is always (data_count * percent + 99) // 100, as the client computes it.
    """

    data_count: int
    parity_count: int
    percent: int


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """How a frame is cut: one to four blocks, sent strictly one after the other."""

    blocks: tuple[Block, ...]

    @property
    def data_count(self) -> int:
        """Shards that carry the frame."""
        return sum(block.data_count for block in self.blocks)

    @property
    def shard_count(self) -> int:
        """Shards to send, parity included."""
        return sum(block.data_count + block.parity_count for block in self.blocks)

    @property
    def bare_count(self) -> int:
        """Blocks that have no parity."""
        return sum(block.parity_count == 0 for block in self.blocks)


@dataclass(frozen=True, slots=True)
class OversizeFrame:
    """The frame needs ``data_count`` shards, more than the MAX_FRAME_SHARDS that headers can express."""

    data_count: int


def max_data_count(percent: int) -> int:
    """Most data shards of one block: data and parity share 255 rows; without parity the field's 1023."""
    return MAX_BLOCK_SHARDS * 100 // (100 + percent) if percent else MAX_BARE_BLOCK_SHARDS


def plan_blocks(
    frame_bytes: int, packet_bytes: int, fec_percent: int, minimum_parity: int
) -> BlockPlan | OversizeFrame:
    """Cut an access unit of ``frame_bytes`` (frame header not counted) into blocks for packet size P.

    As few blocks as hold the frame, data spread evenly, earlier blocks one shard larger. A frame past four
    protected blocks keeps as many full protected ones as possible, in front, and the rest goes bare: at 20 %
    four are protected up to 848 shards, three up to 1659, two up to 2470, one up to 3281, none up to 4092.
    (Sunshine drops the parity of the whole frame; moonshine protects three and sends the fourth bare.)

    ``minimum_parity`` (the client's minRequiredFecPackets) raises the percentage of small blocks, never past
    what 8 bits and 255 rows allow. Raises LocalProtocolError for a packet size or percentage out of range.
    """
    if packet_bytes <= NV_HEADER_BYTES + FRAME_HEADER_BYTES or not 0 <= fec_percent <= MAX_PERCENT:
        raise LocalProtocolError(f"no blocks for packets of {packet_bytes} bytes and {fec_percent} % parity")
    data_count = -(-(frame_bytes + FRAME_HEADER_BYTES) // (packet_bytes - NV_HEADER_BYTES))
    if data_count > MAX_FRAME_SHARDS:
        return OversizeFrame(data_count)
    protected_max = max_data_count(fec_percent)
    block_count = -(-data_count // protected_max)
    if block_count <= MAX_BLOCK_COUNT:
        counts = _spread(data_count, block_count)
        return BlockPlan(tuple(_protected(count, fec_percent, minimum_parity) for count in counts))
    bare_count = 1
    while data_count > (MAX_BLOCK_COUNT - bare_count) * protected_max + bare_count * MAX_BARE_BLOCK_SHARDS:
        bare_count += 1
    protected_count = MAX_BLOCK_COUNT - bare_count
    protected = [_protected(protected_max, fec_percent, minimum_parity)] * protected_count
    bare = [Block(count, 0, 0) for count in _spread(data_count - protected_count * protected_max, bare_count)]
    return BlockPlan((*protected, *bare))


def _spread(data_count: int, block_count: int) -> list[int]:
    quotient, remainder = divmod(data_count, block_count)
    return [quotient + (index < remainder) for index in range(block_count)]


def _protected(data_count: int, percent: int, minimum_parity: int) -> Block:
    parity_count = (data_count * percent + 99) // 100
    if percent and parity_count < minimum_parity:
        # The client derives the count from the percentage, so the percentage is chosen first and the count
        # follows from it; going the other way is off by one for many counts above 100.
        wanted = min(minimum_parity, MAX_BLOCK_SHARDS - data_count)
        percent = min(100 * wanted // data_count, MAX_PERCENT)
        parity_count = (data_count * percent + 99) // 100
    return Block(data_count, parity_count, percent)
