"""Where the words of a receiver stand, of its frames and of its blocks. All are int64 but those of blocks.

Each group has one writer and starts its own cache line. Sizes and addresses are proved and written by Python
before the kernel starts.
"""

# Words of control.
STOP = 0
FLUSH_WANTED = 1  # one more for every flush that is asked for
PROBE_WANTED = 2  # one more for every burst of filler whose first and last arrival are asked for
# Constants of the session.
SHARD_MAX = 8  # bytes of the largest shard
DATA_MAX = 9  # K max
SHARDS_MAX = 10  # data and parity of a block
FRAME_MAX = 11  # bytes of the largest access unit
SLAB_COUNT = 12
POOL = 13  # address of the slabs
USED = 14  # address of uint8, 1 for a slab that is in use
PRESENCE = 15  # address of uint8, SLAB_SHARDS for each slab: which shards of a run are there
BLOCKS = 16  # address of int32, SLAB_SHARDS rows of BLOCK_* for each slab
FRAMES = 17  # address of two tables of FRAME_SLOTS rows: video, probe filler
RESTORED = 18  # address of a bitmap for each row of those, one bit for each data shard,
RESTORED_BYTES = 19  # of so many bytes
PRESENT = 20  # address of uint8[SHARDS_MAX]: the loss in hand
PACKET = 21  # address of PACKET_* words
DECODE = 22  # address of the entry of the erasure code's decoder
DECODE_CONTEXT = 23
RING_WORDS = 24  # address of the ring's words
RING_STORAGE = 25  # address of its storage
RING_SIZE = 26  # words of that
RECORD = 27  # address of a record's header
EVENT = 28  # eventfd of whoever takes frames; negative: none
OPEN = 29  # address of the entry that opens; 0: datagrams come in clear
OPEN_CONTEXT = 30
SALT = 31  # four bytes of the nonce, the first one lowest
REPLAY = 32  # address of the bitmap of sequences
SOCKET = 33
DOORBELL = 34
NONCES = 35  # address of GROUP_ROWS rows of NONCE_BYTES
SIZES = 36  # address of int64[GROUP_ROWS]: bytes of each text
RESULTS = 37  # address of uint8[GROUP_ROWS]
LOSS_PPM = 38  # datagrams of a million that are thrown away on purpose
VIRTUAL = 39  # 1: frames are complete when their last packet says, not when the clock does
LOG = 40  # address of rows of LOG_* words, 0 for none,
LOG_ROWS = 41  # a power of two of them
BUFFERS = 42  # address of MESSAGE_COUNT times MESSAGE_BYTES: messages land there and are opened there
MESSAGES = 43  # address of room for the structures of the system call
# The kernel's own.
LOWEST = 48  # no slab below this one is free
NEWEST_KNOWN = 49  # for video, then for probe filler
NEWEST_INDEX = 51
NEWEST_PTS = 53
SEQUENCE_KNOWN = 55
SEQUENCE_NEWEST = 56
RANDOM = 57  # state of the generator of losses; never 0
FLUSH_DONE = 58
SLABS_IN_USE = 59
BATCH = 60  # messages that the next call asks for
PROBE_SEEN = 62  # the burst that PROBE_FIRST_NS and PROBE_LAST_NS belong to
LOG_COUNT = 61  # packets that were logged so far, written last
COUNTS = 64

# Counters, from COUNTS on.
COUNT_NAMES = (
    "packets", "bytes", "media_bytes", "wrong_length", "not_authentic", "replayed", "malformed",
    "contradicting", "surplus", "stale", "no_room", "recovered_shards", "late_shards", "failed_blocks",
    "frames", "dropped_frames", "probe_packets", "probe_bytes", "probe_frames", "probe_first_ns",
    "probe_last_ns", "injected_losses", "datagrams", "calls", "receive_errors", "last_errno",
    "flushes", "flushed_datagrams", "flushed_frames", "slabs_most",
)  # fmt: skip
(
    PACKETS, BYTES, MEDIA_BYTES, WRONG_LENGTH, NOT_AUTHENTIC, REPLAYED, MALFORMED, CONTRADICTING, SURPLUS,
    STALE, NO_ROOM, RECOVERED, LATE, FAILED_BLOCKS, COMPLETE, DROPPED, PROBE_PACKETS, PROBE_BYTES,
    PROBE_FRAMES, PROBE_FIRST_NS, PROBE_LAST_NS, INJECTED, DATAGRAMS, CALLS, ERRORS, LAST_ERRNO,
    FLUSHES, FLUSHED_DATAGRAMS, FLUSHED_FRAMES, SLABS_MOST,
) = range(COUNTS, COUNTS + len(COUNT_NAMES))  # fmt: skip
RECEIVER_WORD_COUNT = 128

SLAB_SHARDS = 32  # of the smallest size, in one slab

# A row for every frame, at its index modulo FRAME_SLOTS: what is not far over lies within 64 indices.
FRAME_SLOTS = 128
FRAME_STATE = 0  # FREE, LIVE or FINISHED
FRAME_INDEX = 1
FRAME_PTS = 2
FRAME_USER_FLAGS = 3
FRAME_SHARD_BYTES = 4
FRAME_BYTES = 5
FRAME_BLOCK_COUNT = 6  # 0 while the totals are not known
FRAME_LAST_BASE = 7  # first shard of the last block
FRAME_DATA_TOTAL = 8  # data shards that there is room for
FRAME_RUN = 9  # first slab,
FRAME_RUN_COUNT = 10  # and how many
FRAME_BLOCK_END = 11  # rows of blocks that were made; the others are not even empty
FRAME_DONE_COUNT = 12
FRAME_PACKET_COUNT = 13
FRAME_RECOVERED_COUNT = 14  # once it is finished: restored shards that did not come after all
FRAME_FIRST_NS = 15
FRAME_ROW_WORDS = 16
FREE, LIVE, FINISHED = 0, 1, 2

# A row for every block, int32.
BLOCK_DATA_COUNT = 0  # 0: none of its packets came
BLOCK_PARITY_COUNT = 1
BLOCK_BASE = 2
BLOCK_SHARD_COUNT = 3  # that are there, of either kind
BLOCK_STATE = 4  # FILLING, WHOLE, REBUILT or FAILED
BLOCK_PARITY_RUN = 5
BLOCK_PARITY_RUN_COUNT = 6  # slabs, 0 for none
BLOCK_DATA_HERE = 7  # data shards that are there
BLOCK_ROW_BYTES = 32
FILLING, WHOLE, REBUILT, FAILED = 0, 1, 2, 3

# The packet in hand.
PACKET_PTS = 0
PACKET_INDEX = 1
PACKET_FRAME_BYTES = 2
PACKET_USER_FLAGS = 3
PACKET_BLOCK = 4
PACKET_BLOCK_COUNT = 5
PACKET_DATA_COUNT = 6
PACKET_PARITY_COUNT = 7
PACKET_SHARD = 8
PACKET_SHARD_BYTES = 9
PACKET_BASE = 10
PACKET_DATA_TOTAL = 11
PACKET_PAYLOAD = 12  # address
PACKET_NOW_NS = 13
PACKET_WORD_COUNT = 16

# A row of the packet log: each authentic packet, the newest overwrites the oldest.
LOG_SEQUENCE = 0  # of its datagram; -1 in clear
LOG_ARRIVED_NS = 1
LOG_HEADER = 2  # five words: the header as it came
LOG_BYTES = 7  # of header and shard
LOG_ROW_WORDS = 8

GROUP_ROWS = 16  # datagrams that are opened at a time: they stay in the first-level cache
