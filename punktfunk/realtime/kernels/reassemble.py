"""Opened packets of punktfunk/1 become access units: each shard goes where it belongs as it comes.

The data of a frame stands in one run of slabs, at its place in the access unit, so a frame without losses is
ready when its last shard is. Parity has a run for each block that needs it. The model is
``wire.native.reassembly``.
"""

from punktfunk.realtime.kernels import layout_receive as at
from punktfunk.realtime.kernels.atomics import copy_bytes, store_release
from punktfunk.realtime.kernels.atomics import words_at as array_at
from punktfunk.realtime.kernels.believe import read_packet
from punktfunk.realtime.kernels.finish import finish_block, finish_frame
from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.slabs import extend_run, free_run, slabs_for, take_run
from punktfunk.realtime.kernels.views import bytes_at, counts_at, words_at
from punktfunk.realtime.kernels.windows import advance, block_of, drop_frame, is_over, slot_of
from punktfunk.wire.native.packet import USER_PROBE, USER_SLICES
from punktfunk.wire.native.slabs import SLAB_BYTES


@entry("int64(int64, int64, int64)")
def _open_frame(receiver: int, slot: int, total: int) -> int:
    """Begin the frame of the packet in hand, with room for ``total`` data shards: 1, or 0 where none is."""
    words, frame = words_at(receiver), words_at(slot)
    packet = words_at(words[at.PACKET])
    count = slabs_for(total * packet[at.PACKET_SHARD_BYTES])
    first = take_run(receiver, count)
    if first < 0:
        words[at.NO_ROOM] += 1
        return int64(0)
    frame[at.FRAME_INDEX] = packet[at.PACKET_INDEX]
    frame[at.FRAME_PTS] = packet[at.PACKET_PTS]
    frame[at.FRAME_USER_FLAGS] = packet[at.PACKET_USER_FLAGS]
    frame[at.FRAME_SHARD_BYTES] = packet[at.PACKET_SHARD_BYTES]
    frame[at.FRAME_BYTES] = packet[at.PACKET_FRAME_BYTES]
    frame[at.FRAME_BLOCK_COUNT] = packet[at.PACKET_BLOCK_COUNT]
    frame[at.FRAME_LAST_BASE] = packet[at.PACKET_BASE]
    frame[at.FRAME_DATA_TOTAL] = total
    frame[at.FRAME_RUN], frame[at.FRAME_RUN_COUNT] = first, count
    frame[at.FRAME_BLOCK_END] = frame[at.FRAME_DONE_COUNT] = 0
    frame[at.FRAME_PACKET_COUNT] = frame[at.FRAME_RECOVERED_COUNT] = 0
    frame[at.FRAME_FIRST_NS] = packet[at.PACKET_NOW_NS]
    frame[at.FRAME_STATE] = at.LIVE
    present = bytes_at(words[at.PRESENCE] + first * at.SLAB_SHARDS)
    for i in range(total):
        present[i] = 0
    return int64(1)


@entry("int64(int64, int64, int64)")
def _move_frame(receiver: int, slot: int, count: int) -> int:
    """Move a frame to a longer run: 1, or 0 where none is."""
    words, frame = words_at(receiver), words_at(slot)
    first, total = frame[at.FRAME_RUN], frame[at.FRAME_DATA_TOTAL]
    target = take_run(receiver, count)
    if target < 0:
        return int64(0)
    pool, presence, blocks = words[at.POOL], words[at.PRESENCE], words[at.BLOCKS]
    size = total * frame[at.FRAME_SHARD_BYTES]
    copy_bytes(pool + target * SLAB_BYTES, pool + first * SLAB_BYTES, size)
    copy_bytes(presence + target * at.SLAB_SHARDS, presence + first * at.SLAB_SHARDS, total)
    row_bytes = at.SLAB_SHARDS * at.BLOCK_ROW_BYTES
    size = frame[at.FRAME_BLOCK_END] * at.BLOCK_ROW_BYTES
    copy_bytes(blocks + target * row_bytes, blocks + first * row_bytes, size)
    free_run(receiver, first, frame[at.FRAME_RUN_COUNT])
    frame[at.FRAME_RUN], frame[at.FRAME_RUN_COUNT] = target, count
    return int64(1)


@entry("int64(int64, int64, int64)")
def _grow_frame(receiver: int, slot: int, total: int) -> int:
    """Make room for ``total`` data shards: 1, or 0 where there is none."""
    words, frame = words_at(receiver), words_at(slot)
    first, count = frame[at.FRAME_RUN], frame[at.FRAME_RUN_COUNT]
    wanted = slabs_for(total * frame[at.FRAME_SHARD_BYTES])
    if wanted > count:
        if extend_run(receiver, first, count, wanted - count):
            frame[at.FRAME_RUN_COUNT] = wanted
        elif not _move_frame(receiver, slot, wanted):
            words[at.NO_ROOM] += 1
            return int64(0)
    present = bytes_at(words[at.PRESENCE] + frame[at.FRAME_RUN] * at.SLAB_SHARDS)
    for i in range(frame[at.FRAME_DATA_TOTAL], total):
        present[i] = 0
    frame[at.FRAME_DATA_TOTAL] = total
    return int64(1)


@entry("int64(int64, int64)")
def _contradicts(receiver: int, slot: int) -> int:
    """Tell whether blocks that came before the totals cannot be part of such a frame: 1 or 0."""
    frame, packet = words_at(slot), words_at(words_at(receiver)[at.PACKET])
    last = packet[at.PACKET_BLOCK_COUNT] - 1
    for number in range(frame[at.FRAME_BLOCK_END]):
        block = counts_at(block_of(receiver, slot, number))
        if block[at.BLOCK_DATA_COUNT] == 0:
            continue
        end = int64(block[at.BLOCK_BASE]) + int64(block[at.BLOCK_DATA_COUNT])
        if packet[at.PACKET_USER_FLAGS] & USER_SLICES:
            if number >= last or end > packet[at.PACKET_BASE]:
                return int64(1)
        elif number > last or (number == last and end != packet[at.PACKET_DATA_TOTAL]):
            return int64(1)
    return int64(0)


@entry("int64(int64, int64)")
def _agrees(receiver: int, slot: int) -> int:
    """Hold the packet in hand against what its frame is known to be, and note the totals: 1 or 0."""
    frame, packet = words_at(slot), words_at(words_at(receiver)[at.PACKET])
    slices = packet[at.PACKET_USER_FLAGS] & USER_SLICES
    block_count = packet[at.PACKET_BLOCK_COUNT]
    if frame[at.FRAME_SHARD_BYTES] != packet[at.PACKET_SHARD_BYTES]:
        return int64(0)
    if frame[at.FRAME_USER_FLAGS] & USER_SLICES != slices:
        return int64(0)
    if block_count == 0 and frame[at.FRAME_BLOCK_COUNT]:
        end = packet[at.PACKET_BASE] + packet[at.PACKET_DATA_COUNT]
        below = packet[at.PACKET_BLOCK] + 1 < frame[at.FRAME_BLOCK_COUNT]
        return int64(below and (slices == 0 or end <= frame[at.FRAME_LAST_BASE]))
    if block_count and frame[at.FRAME_BLOCK_COUNT]:
        same = frame[at.FRAME_BYTES] == packet[at.PACKET_FRAME_BYTES]
        return int64(same and frame[at.FRAME_BLOCK_COUNT] == block_count)
    if block_count:
        if _contradicts(receiver, slot):
            drop_frame(receiver, slot)
            return int64(0)
        frame[at.FRAME_BYTES], frame[at.FRAME_BLOCK_COUNT] = packet[at.PACKET_FRAME_BYTES], block_count
        frame[at.FRAME_LAST_BASE] = packet[at.PACKET_BASE]
    return int64(1)


@entry("int64(int64, int64)")
def _overlaps(receiver: int, slot: int) -> int:
    """Tell whether the block of the packet in hand would stand in another, or out of order: 1 or 0."""
    frame, packet = words_at(slot), words_at(words_at(receiver)[at.PACKET])
    base = packet[at.PACKET_BASE]
    end = base + packet[at.PACKET_DATA_COUNT]
    for number in range(frame[at.FRAME_BLOCK_END]):
        block = counts_at(block_of(receiver, slot, number))
        if block[at.BLOCK_DATA_COUNT]:
            begin = int64(block[at.BLOCK_BASE])
            if number < packet[at.PACKET_BLOCK] and begin + int64(block[at.BLOCK_DATA_COUNT]) > base:
                return int64(1)
            if number > packet[at.PACKET_BLOCK] and end > begin:
                return int64(1)
    return int64(0)


@entry("int64(int64, int64)")
def _open_block(receiver: int, slot: int) -> int:
    """Address of the row of the block that the packet in hand belongs to; 0 where it contradicts it."""
    words, frame = words_at(receiver), words_at(slot)
    packet = words_at(words[at.PACKET])
    number = packet[at.PACKET_BLOCK]
    while frame[at.FRAME_BLOCK_END] <= number:
        row = counts_at(block_of(receiver, slot, frame[at.FRAME_BLOCK_END]))
        row[at.BLOCK_DATA_COUNT] = row[at.BLOCK_PARITY_RUN_COUNT] = 0
        row[at.BLOCK_STATE] = at.FILLING
        frame[at.FRAME_BLOCK_END] += 1
    address = block_of(receiver, slot, number)
    block = counts_at(address)
    agrees = True
    if block[at.BLOCK_DATA_COUNT] == 0:
        agrees = not packet[at.PACKET_USER_FLAGS] & USER_SLICES or not _overlaps(receiver, slot)
        if agrees:
            block[at.BLOCK_DATA_COUNT] = packet[at.PACKET_DATA_COUNT]
            block[at.BLOCK_PARITY_COUNT] = packet[at.PACKET_PARITY_COUNT]
            block[at.BLOCK_BASE] = packet[at.PACKET_BASE]
            block[at.BLOCK_SHARD_COUNT] = block[at.BLOCK_DATA_HERE] = 0
    agrees = agrees and block[at.BLOCK_DATA_COUNT] == packet[at.PACKET_DATA_COUNT]
    agrees = agrees and block[at.BLOCK_PARITY_COUNT] == packet[at.PACKET_PARITY_COUNT]
    if agrees and block[at.BLOCK_BASE] == packet[at.PACKET_BASE]:
        return address
    words[at.CONTRADICTING] += 1
    return int64(0)


@entry("int64(int64, int64)")
def _open_parity(receiver: int, block_row: int) -> int:
    """Find where a block's parity stands, if need be anew: 1, or 0 where there is no room."""
    words, block = words_at(receiver), counts_at(block_row)
    if block[at.BLOCK_PARITY_RUN_COUNT]:
        return int64(1)
    parity_count = int64(block[at.BLOCK_PARITY_COUNT])
    count = slabs_for(parity_count * words_at(words[at.PACKET])[at.PACKET_SHARD_BYTES])
    first = take_run(receiver, count)
    if first < 0:
        words[at.NO_ROOM] += 1
        return int64(0)
    block[at.BLOCK_PARITY_RUN], block[at.BLOCK_PARITY_RUN_COUNT] = first, count
    present = bytes_at(words[at.PRESENCE] + first * at.SLAB_SHARDS)
    for i in range(parity_count):
        present[i] = 0
    return int64(1)


@entry("int64(int64, int64, int64)")
def _store(receiver: int, slot: int, block_row: int) -> int:
    """Keep the shard in hand: 1, or 0 where the block has no more of it than before."""
    words, frame, block = words_at(receiver), words_at(slot), counts_at(block_row)
    packet = words_at(words[at.PACKET])
    count, shard, size = packet[at.PACKET_DATA_COUNT], packet[at.PACKET_SHARD], packet[at.PACKET_SHARD_BYTES]
    is_data, state = shard < count, int64(block[at.BLOCK_STATE])
    run, place = frame[at.FRAME_RUN], packet[at.PACKET_BASE] + shard
    if state != at.FILLING:
        words[at.SURPLUS] += 1
        present = bytes_at(words[at.PRESENCE] + run * at.SLAB_SHARDS)
        if state == at.REBUILT and is_data and present[place] == 0:
            present[place] = 1
            words[at.LATE] += 1
        return int64(0)
    if not is_data:
        if not _open_parity(receiver, block_row):
            return int64(0)
        run, place = int64(block[at.BLOCK_PARITY_RUN]), shard - count
    present = bytes_at(words[at.PRESENCE] + run * at.SLAB_SHARDS)
    if present[place]:
        return int64(0)
    present[place] = 1
    copy_bytes(words[at.POOL] + run * SLAB_BYTES + place * size, packet[at.PACKET_PAYLOAD], size)
    block[at.BLOCK_SHARD_COUNT] += 1
    block[at.BLOCK_DATA_HERE] += int64(is_data)
    frame[at.FRAME_PACKET_COUNT] += 1
    return int64(1)


@entry("int64(int64, int64, int64)")
def _note_packet(receiver: int, text_bytes: int, now_ns: int) -> int:
    """Count the packet in hand; 1 where it is probe filler, 0 for video."""
    words = words_at(receiver)
    packet = words_at(words[at.PACKET])
    if packet[at.PACKET_USER_FLAGS] & USER_PROBE:
        words[at.PROBE_PACKETS] += 1
        words[at.PROBE_BYTES] += text_bytes
        wanted = words[at.PROBE_WANTED]
        if words[at.PROBE_FIRST_NS] == 0 or words[at.PROBE_SEEN] != wanted:
            words[at.PROBE_FIRST_NS] = now_ns
        words[at.PROBE_LAST_NS] = now_ns
        store_release(array_at(receiver, at.RECEIVER_WORD_COUNT), at.PROBE_SEEN, wanted)
        return int64(1)
    if packet[at.PACKET_SHARD] < packet[at.PACKET_DATA_COUNT]:
        words[at.MEDIA_BYTES] += packet[at.PACKET_SHARD_BYTES]
    return int64(0)


@entry("int64(int64, int64)")
def _place(receiver: int, slot: int) -> int:
    """Find where the packet in hand belongs: the address of its block's row, 0 where there is none."""
    words, frame = words_at(receiver), words_at(slot)
    total = words_at(words[at.PACKET])[at.PACKET_DATA_TOTAL]
    if frame[at.FRAME_STATE] != at.LIVE and not _open_frame(receiver, slot, total):
        return int64(0)
    if not _agrees(receiver, slot):
        words[at.CONTRADICTING] += 1
        return int64(0)
    if total > frame[at.FRAME_DATA_TOTAL] and not _grow_frame(receiver, slot, total):
        return int64(0)
    return _open_block(receiver, slot)


@entry("int64(int64, int64, int64, int64)")
def take_packet(receiver: int, text: int, text_bytes: int, now_ns: int) -> int:
    """Take one opened packet: 1 if it completed a video frame, which is then in the ring; else 0.

    receiver     address of the receiver's words
    text         address of the packet: header and shard
    text_bytes   of it
    now_ns       when it came
    """
    words = words_at(receiver)
    words[at.PACKETS] += 1
    if not read_packet(receiver, text, text_bytes, now_ns):
        words[at.MALFORMED] += 1
        return int64(0)
    space = _note_packet(receiver, text_bytes, now_ns)
    advance(receiver, space)
    if is_over(receiver, space):
        return int64(0)
    slot = slot_of(receiver, space, words_at(words[at.PACKET])[at.PACKET_INDEX])
    row, frame = _place(receiver, slot), words_at(slot)
    if row == 0 or not _store(receiver, slot, row):
        return int64(0)
    block = counts_at(row)
    if block[at.BLOCK_SHARD_COUNT] < block[at.BLOCK_DATA_COUNT] or not finish_block(receiver, slot, row):
        return int64(0)
    known = frame[at.FRAME_BLOCK_COUNT]
    return finish_frame(receiver, slot) if known and frame[at.FRAME_DONE_COUNT] == known else int64(0)
