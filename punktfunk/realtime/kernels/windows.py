"""Which frames are still waited for: the newest one, what is given up behind it, what is remembered.

The model is ``wire.native.reassembly``: its ``_advance``, ``_is_over`` and ``_end``.
"""

import numpy as np

from punktfunk.realtime.kernels import layout_receive as at
from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.slabs import free_run
from punktfunk.realtime.kernels.views import bytes_at, counts_at, words_at
from punktfunk.wire.native.packet import USER_PROBE
from punktfunk.wire.native.reassembly import LOSS_WINDOW, LOSS_WINDOW_NS

_HALF = 0x7FFFFFFF
_U32 = 0xFFFFFFFF


@entry("int64(int64, int64, int64)")
def slot_of(receiver: int, space: int, index: int) -> int:
    """Address of the row that a frame has, or would have.

    receiver   address of the receiver's words
    space      0 video, 1 probe filler
    index      of the frame
    """
    row = space * at.FRAME_SLOTS + (index & (at.FRAME_SLOTS - 1))
    return int64(words_at(receiver)[at.FRAMES] + row * (at.FRAME_ROW_WORDS * 8))


@entry("int64(int64, int64, int64)")
def block_of(receiver: int, slot: int, number: int) -> int:
    """Address of the row of a frame's block.

    receiver   address of the receiver's words
    slot       address of the frame's row
    number     of the block
    """
    row = words_at(slot)[at.FRAME_RUN] * at.SLAB_SHARDS + number
    return int64(words_at(receiver)[at.BLOCKS] + row * at.BLOCK_ROW_BYTES)


@entry("int64(int64, int64)")
def _restored_of(receiver: int, slot: int) -> int:
    """Address of the bitmap of what only parity brought of a frame."""
    words = words_at(receiver)
    row = (slot - words[at.FRAMES]) // (at.FRAME_ROW_WORDS * 8)
    return int64(words[at.RESTORED] + row * words[at.RESTORED_BYTES])


@entry("int64(int64, int64)")
def free_parity(receiver: int, block_row: int) -> int:
    """Give back what a block's parity stands in; 0.

    receiver    address of the receiver's words
    block_row   address of the block's row
    """
    block = counts_at(block_row)
    if block[at.BLOCK_PARITY_RUN_COUNT]:
        free_run(receiver, int64(block[at.BLOCK_PARITY_RUN]), int64(block[at.BLOCK_PARITY_RUN_COUNT]))
        block[at.BLOCK_PARITY_RUN_COUNT] = 0
    return 0


@entry("int64(int64, int64, int64)")
def _note_restored(receiver: int, slot: int, block_row: int) -> int:
    """Set the bits of a block's restored shards that did not come after all; how many."""
    words, block = words_at(receiver), counts_at(block_row)
    bits, base = bytes_at(_restored_of(receiver, slot)), int64(block[at.BLOCK_BASE])
    present = bytes_at(words[at.PRESENCE] + words_at(slot)[at.FRAME_RUN] * at.SLAB_SHARDS + base)
    count = int64(0)
    for shard in range(int64(block[at.BLOCK_DATA_COUNT])):
        if present[shard] == 0:
            place = base + shard
            bits[place >> 3] |= 1 << (place & 7)
            count += 1
    return count


@entry("int64(int64, int64)")
def end_frame(receiver: int, slot: int) -> int:
    """Free a frame's memory and remember it; 0.

    receiver   address of the receiver's words
    slot       address of the frame's row
    """
    frame, restored = words_at(slot), int64(0)
    if frame[at.FRAME_RECOVERED_COUNT]:
        bits = bytes_at(_restored_of(receiver, slot))
        for i in range(words_at(receiver)[at.RESTORED_BYTES]):
            bits[i] = 0
        for number in range(frame[at.FRAME_BLOCK_END]):
            row = block_of(receiver, slot, number)
            if counts_at(row)[at.BLOCK_STATE] == at.REBUILT:
                restored += _note_restored(receiver, slot, row)
    for number in range(frame[at.FRAME_BLOCK_END]):
        free_parity(receiver, block_of(receiver, slot, number))
    free_run(receiver, frame[at.FRAME_RUN], frame[at.FRAME_RUN_COUNT])
    frame[at.FRAME_RECOVERED_COUNT] = restored
    frame[at.FRAME_STATE] = at.FINISHED
    return 0


@entry("int64(int64, int64)")
def drop_frame(receiver: int, slot: int) -> int:
    """Do as ``end_frame``, and count a video frame as dropped; 0.

    receiver   address of the receiver's words
    slot       address of the frame's row
    """
    if not words_at(slot)[at.FRAME_USER_FLAGS] & USER_PROBE:
        words_at(receiver)[at.DROPPED] += 1
    return end_frame(receiver, slot)


@entry("int64(int64, int64)")
def _is_late(newest_pts: int, pts: int) -> int:
    """Whether a capture lies more than 120 ms before another; both are unsigned."""
    newest, own = np.uint64(newest_pts), np.uint64(pts)
    return int64(newest > own and newest - own > np.uint64(LOSS_WINDOW_NS))


@entry("int64(int64, int64)")
def advance(receiver: int, space: int) -> int:
    """Let the packet in hand move its window: give up what is too far behind, forget what is over. 0.

    receiver   address of the receiver's words
    space      0 video, 1 probe filler
    """
    words = words_at(receiver)
    packet = words_at(words[at.PACKET])
    index, pts = packet[at.PACKET_INDEX], packet[at.PACKET_PTS]
    if words[at.NEWEST_KNOWN + space]:
        newer = (index - words[at.NEWEST_INDEX + space]) & _U32
        if newer > _HALF or (newer == 0 and pts == words[at.NEWEST_PTS + space]):
            return 0
    words[at.NEWEST_KNOWN + space] = 1
    words[at.NEWEST_INDEX + space], words[at.NEWEST_PTS + space] = index, pts
    for number in range(at.FRAME_SLOTS):
        slot = slot_of(receiver, space, number)
        frame = words_at(slot)
        if frame[at.FRAME_STATE] == at.FREE:
            continue
        far = ((index - frame[at.FRAME_INDEX]) & _U32) > LOSS_WINDOW
        if frame[at.FRAME_STATE] == at.LIVE and (far or _is_late(pts, frame[at.FRAME_PTS])):
            drop_frame(receiver, slot)
        if far:
            frame[at.FRAME_STATE] = at.FREE
    return 0


@entry("int64(int64, int64)")
def is_over(receiver: int, space: int) -> int:
    """Tell whether the frame of the packet in hand is delivered, given up, or too old to begin: 1 or 0.

    receiver   address of the receiver's words
    space      0 video, 1 probe filler

    Counts a shard as late that was restored before it came.
    """
    words = words_at(receiver)
    packet = words_at(words[at.PACKET])
    slot = slot_of(receiver, space, packet[at.PACKET_INDEX])
    frame = words_at(slot)
    if frame[at.FRAME_STATE] == at.FINISHED and frame[at.FRAME_INDEX] == packet[at.PACKET_INDEX]:
        words[at.SURPLUS] += 1
        if frame[at.FRAME_RECOVERED_COUNT] and packet[at.PACKET_SHARD] < packet[at.PACKET_DATA_COUNT]:
            bits = bytes_at(_restored_of(receiver, slot))
            place = packet[at.PACKET_BASE] + packet[at.PACKET_SHARD]
            bit = 1 << (place & 7)
            if bits[place >> 3] & bit:
                bits[place >> 3] &= ~bit
                frame[at.FRAME_RECOVERED_COUNT] -= 1
                words[at.LATE] += 1
        return int64(1)
    behind = (words[at.NEWEST_INDEX + space] - packet[at.PACKET_INDEX]) & _U32
    if behind > LOSS_WINDOW or _is_late(words[at.NEWEST_PTS + space], packet[at.PACKET_PTS]):
        words[at.STALE] += 1
        return int64(1)
    return int64(0)


@entry("int64(int64)")
def forget_frames(receiver: int) -> int:
    """Forget every frame, video and filler, as if none had come: how many were unfinished.

    receiver   address of the receiver's words
    """
    words, count = words_at(receiver), int64(0)
    for space in range(2):
        words[at.NEWEST_KNOWN + space], words[at.NEWEST_INDEX + space] = 0, -1
        for number in range(at.FRAME_SLOTS):
            slot = slot_of(receiver, int64(space), int64(number))
            if words_at(slot)[at.FRAME_STATE] == at.LIVE:
                end_frame(receiver, slot)
                count += 1
                words[at.FLUSHED_FRAMES] += 1 - space
            words_at(slot)[at.FRAME_STATE] = at.FREE
    return count
