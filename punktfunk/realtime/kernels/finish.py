"""What becomes of a block of which enough shards are there, and of a frame whose blocks are all done.

Missing shards are rebuilt where they belong; the access unit then stands in one piece, and goes into the ring
with what is to be told of it. The model is ``wire.native.reassembly``.

Words of a record, behind the ring's own two:

    word  low half                             high half
    ----  -----------------------------------  ------------------------
       2  frame index                          user flags
       3  packets                              shards that were rebuilt
       4  CLOCK_MONOTONIC ns of its first packet
       5  the same when it was complete
       6  pts, CLOCK_REALTIME ns of the capture
       7  data shards                          blocks
"""

from punktfunk.realtime.kernels import layout_receive as at
from punktfunk.realtime.kernels.atomics import copy_bytes
from punktfunk.realtime.kernels.atomics import words_at as array_at
from punktfunk.realtime.kernels.calls import call_address
from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.layout import RECORD_HEADER_WORD_COUNT, RING_WORD_COUNT
from punktfunk.realtime.kernels.ring import push
from punktfunk.realtime.kernels.rows import rows_at
from punktfunk.realtime.kernels.system import add_to_eventfd, monotonic_ns
from punktfunk.realtime.kernels.views import counts_at, words_at
from punktfunk.realtime.kernels.windows import block_of, drop_frame, end_frame, free_parity
from punktfunk.wire.native.packet import USER_PROBE
from punktfunk.wire.native.slabs import SLAB_BYTES


@entry("int64(int64, int64, int64)")
def _rebuild(receiver: int, slot: int, block_row: int) -> int:
    """Write the data shards of a block that are missing: how many, or less than 1 where it cannot be done."""
    words, frame, block = words_at(receiver), words_at(slot), counts_at(block_row)
    base, size = int64(block[at.BLOCK_BASE]), frame[at.FRAME_SHARD_BYTES]
    count, parity_count = int64(block[at.BLOCK_DATA_COUNT]), int64(block[at.BLOCK_PARITY_COUNT])
    run, parity_run = frame[at.FRAME_RUN], int64(block[at.BLOCK_PARITY_RUN])
    present, slabs = words[at.PRESENT], words[at.PRESENCE]
    copy_bytes(present, slabs + run * at.SLAB_SHARDS + base, count)
    copy_bytes(present + count, slabs + parity_run * at.SLAB_SHARDS, parity_count)
    data = words[at.POOL] + run * SLAB_BYTES + base * size
    parity = words[at.POOL] + parity_run * SLAB_BYTES
    asked = (words[at.DECODE_CONTEXT], data, size, parity, size, present, count, parity_count, size)
    return int64(call_address(words[at.DECODE], asked))


@entry("int64(int64, int64, int64)")
def finish_block(receiver: int, slot: int, block_row: int) -> int:
    """Complete a block of which enough shards are there: 1, or 0 where it fails.

    receiver    address of the receiver's words
    slot        address of the frame's row
    block_row   address of the block's row
    """
    words, frame, block = words_at(receiver), words_at(slot), counts_at(block_row)
    block[at.BLOCK_STATE] = at.WHOLE
    if block[at.BLOCK_DATA_HERE] < block[at.BLOCK_DATA_COUNT]:
        missing = _rebuild(receiver, slot, block_row)
        block[at.BLOCK_STATE] = at.REBUILT if missing > 0 else at.FAILED
        if missing > 0:
            words[at.RECOVERED] += missing
            frame[at.FRAME_RECOVERED_COUNT] += missing
        else:
            words[at.FAILED_BLOCKS] += 1
    free_parity(receiver, block_row)
    if block[at.BLOCK_STATE] == at.FAILED:
        return int64(0)
    frame[at.FRAME_DONE_COUNT] += 1
    return int64(1)


@entry("int64(int64, int64)")
def _is_tiled(receiver: int, slot: int) -> int:
    """Tell whether a frame's blocks follow each other without a gap: 1 or 0."""
    frame, base = words_at(slot), int64(0)
    for number in range(frame[at.FRAME_BLOCK_COUNT]):
        block = counts_at(block_of(receiver, slot, number))
        if block[at.BLOCK_BASE] != base:
            return int64(0)
        base += int64(block[at.BLOCK_DATA_COUNT])
    return int64(1)


@entry("int64(int64, int64)")
def finish_frame(receiver: int, slot: int) -> int:
    """Hand over a frame whose blocks are all done: 1, or 0 where it is none or filler.

    receiver   address of the receiver's words
    slot       address of the frame's row
    """
    words, frame = words_at(receiver), words_at(slot)
    if not _is_tiled(receiver, slot):
        words[at.CONTRADICTING] += 1
        drop_frame(receiver, slot)
        return int64(0)
    if frame[at.FRAME_USER_FLAGS] & USER_PROBE:
        words[at.PROBE_FRAMES] += 1
        end_frame(receiver, slot)
        return int64(0)
    record = array_at(words[at.RECORD], RECORD_HEADER_WORD_COUNT)
    now_ns = words_at(words[at.PACKET])[at.PACKET_NOW_NS]
    record[2] = frame[at.FRAME_INDEX] | frame[at.FRAME_USER_FLAGS] << 32
    record[3] = frame[at.FRAME_PACKET_COUNT] | frame[at.FRAME_RECOVERED_COUNT] << 32
    record[4] = frame[at.FRAME_FIRST_NS]
    record[5] = now_ns if words[at.VIRTUAL] else monotonic_ns()
    record[6] = frame[at.FRAME_PTS]
    record[7] = frame[at.FRAME_DATA_TOTAL] | frame[at.FRAME_BLOCK_COUNT] << 32
    unit = rows_at(words[at.POOL] + frame[at.FRAME_RUN] * SLAB_BYTES, 1, frame[at.FRAME_BYTES])[0]
    ring_words = array_at(words[at.RING_WORDS], RING_WORD_COUNT)
    push(ring_words, array_at(words[at.RING_STORAGE], words[at.RING_SIZE]), record, unit)
    if words[at.EVENT] >= 0:
        add_to_eventfd(words[at.EVENT])
    words[at.COMPLETE] += 1
    end_frame(receiver, slot)
    return int64(1)
