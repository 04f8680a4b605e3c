"""What a receiver believes of a media header: ``wire.native.placing``, and ``packet.parse_packet`` before it.

Fields are read once, into the words of the packet in hand.
"""

from punktfunk.realtime.kernels import layout_receive as at
from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.rows import get_little
from punktfunk.realtime.kernels.views import words_at
from punktfunk.wire.native.packet import HEADER_BYTES, MAGIC, MIN_SHARD_BYTES, USER_SLICES
from punktfunk.wire.native.placing import MIN_SLICE_SHARDS

_U16, _U32 = 0xFFFF, 0xFFFFFFFF


@entry("int64(int64, int64, int64)")
def _place_of_sentinel(receiver: int, slices: int, data_total_max: int) -> int:
    """Find where a block of a frame of unknown length stands; 0 where that cannot be."""
    words = words_at(receiver)
    packet = words_at(words[at.PACKET])
    size, count = packet[at.PACKET_SHARD_BYTES], packet[at.PACKET_DATA_COUNT]
    number, frame_bytes, most = packet[at.PACKET_BLOCK], packet[at.PACKET_FRAME_BYTES], words[at.DATA_MAX]
    if slices:
        base = frame_bytes // size
        far = number + 1 >= data_total_max // min(int64(MIN_SLICE_SHARDS), most) + 2
        if far or base * size != frame_bytes or base < number or (base + count) * size > words[at.FRAME_MAX]:
            return int64(0)
    else:
        base = number * most
        if number + 1 >= (data_total_max + most - 1) // most or frame_bytes != 0 or count != most:
            return int64(0)
    packet[at.PACKET_BASE], packet[at.PACKET_DATA_TOTAL] = base, base + count
    return int64(1)


@entry("int64(int64, int64, int64)")
def _place_of_known(receiver: int, slices: int, data_total_max: int) -> int:
    """Find where a block of a frame of known length stands; 0 where that cannot be."""
    words = words_at(receiver)
    packet = words_at(words[at.PACKET])
    size, count, most = packet[at.PACKET_SHARD_BYTES], packet[at.PACKET_DATA_COUNT], words[at.DATA_MAX]
    number, block_count = packet[at.PACKET_BLOCK], packet[at.PACKET_BLOCK_COUNT]
    total = max((packet[at.PACKET_FRAME_BYTES] + size - 1) // size, int64(1))
    last = number + 1 == block_count
    if slices:
        base = total - count
        if block_count > data_total_max // min(int64(MIN_SLICE_SHARDS), most) + 2:
            return int64(0)
        if not last or base < number:
            return int64(0)
    else:
        base = number * most
        expected = total - base if last else most
        # No more than the largest frame has: its length was bounded.
        if block_count != (total + most - 1) // most or count != expected:
            return int64(0)
    packet[at.PACKET_BASE], packet[at.PACKET_DATA_TOTAL] = base, total
    return int64(1)


@entry("int64(int64, int64, int64, int64)")
def read_packet(receiver: int, text: int, text_bytes: int, now_ns: int) -> int:
    """Read an opened packet into the PACKET words: 1, or 0 where it is not believed.

    receiver     address of the receiver's words
    text         address of the packet: header and shard
    text_bytes   of it; what is behind the shard is ignored
    now_ns       when it came
    """
    words = words_at(receiver)
    packet = words_at(words[at.PACKET])
    if text_bytes < HEADER_BYTES:
        return int64(0)
    sizes, block, shard = get_little(text + 16), get_little(text + 24), get_little(text + 32)
    packet[at.PACKET_PTS] = get_little(text)
    packet[at.PACKET_INDEX] = get_little(text + 8) & _U32
    packet[at.PACKET_FRAME_BYTES] = sizes & _U32
    packet[at.PACKET_USER_FLAGS] = sizes >> 32 & _U32
    packet[at.PACKET_BLOCK] = block & _U16
    packet[at.PACKET_BLOCK_COUNT] = block >> 16 & _U16
    packet[at.PACKET_DATA_COUNT] = block >> 32 & _U16
    packet[at.PACKET_PARITY_COUNT] = block >> 48 & _U16
    packet[at.PACKET_SHARD] = shard & _U16
    packet[at.PACKET_SHARD_BYTES] = shard >> 16 & _U16
    packet[at.PACKET_PAYLOAD], packet[at.PACKET_NOW_NS] = text + HEADER_BYTES, now_ns
    size, count = packet[at.PACKET_SHARD_BYTES], packet[at.PACKET_DATA_COUNT]
    total = count + packet[at.PACKET_PARITY_COUNT]
    believed = shard >> 32 & 0xFF == MAGIC and text_bytes >= HEADER_BYTES + size
    believed = believed and size & 1 == 0 and size >= MIN_SHARD_BYTES and size <= words[at.SHARD_MAX]
    believed = believed and 1 <= count <= words[at.DATA_MAX] and total <= words[at.SHARDS_MAX]
    believed = believed and packet[at.PACKET_SHARD] < total
    if not believed or packet[at.PACKET_FRAME_BYTES] > words[at.FRAME_MAX]:
        return int64(0)
    slices = packet[at.PACKET_USER_FLAGS] & USER_SLICES
    data_total_max = (words[at.FRAME_MAX] + size - 1) // size
    if packet[at.PACKET_BLOCK_COUNT] == 0:
        return _place_of_sentinel(receiver, slices, data_total_max)
    inside = packet[at.PACKET_BLOCK] < packet[at.PACKET_BLOCK_COUNT]
    return _place_of_known(receiver, slices, data_total_max) if inside else int64(0)
