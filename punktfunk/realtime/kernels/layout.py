"""Return codes of kernels, and where every word of the sender's arrays stands.

All words are int64, because uint64 beside int64 silently becomes float64 in Numba. Each group of words has
one writer, named beside it, and starts its own 64-byte cache line (8 words).
"""

# Return codes below zero; none is ever an errno, which kernels return only through counters.
EMPTY = -1
BAD_SIZE = -1001
OVERSIZE = -1002
SEAL_FAILED = -1003
STOPPED = -1004
SOCKET_FAILED = -1005
UNSUPPORTED_SHAPE = -1006
TOO_FEW_SHARDS = -1007
FEC_FAILED = -1009

# Ring words. Positions count 8-byte words, never wrap, and are masked for use.
RING_HEAD = 0  # producer
RING_TAIL = 8  # both, by compare-and-swap: the consumer takes a record, the producer drops one
RING_DROPPED = 16  # producer
RING_WORD_COUNT = 24

# A record in the ring: eight words, then the payload, padded to a multiple of eight words.
RECORD_WORDS = 0
RECORD_PAYLOAD_BYTES = 1
RECORD_SEQUENCE = 2
RECORD_FRAME_TYPE = 3
RECORD_CAPTURED_NS = 4
RECORD_ENCODED_NS = 5
RECORD_TIMESTAMP = 6
RECORD_EXTRA_FLAGS = 7
RECORD_HEADER_WORD_COUNT = 8

FRAME_TYPE_FILLER = 0  # of a record that only fills the line: its time stamp is its index

# The context of the pacing that caps the rate.
PACE_BURST_COUNT = 0  # control: datagrams that leave at once
PACE_STEP_NS = 1  # control: between two of the others
PACE_WORD_COUNT = 8

# Sender words.
WORD_STOP = 0  # control
WORD_FEC_PERCENT = 8  # control
WORD_IDR_WANTED = 16  # kernel: one more for every IDR that the stream needs
WORD_DESTINATION_VERSION = 24  # control; odd while the words after it change, 0 before the first destination
WORD_DESTINATION_BYTES = 25  # length of the socket address
WORD_DESTINATION = 26  # 32 bytes: sockaddr_in or sockaddr_in6
DESTINATION_WORD_COUNT = 5  # length and address
ADDRESS_WORD_COUNT = 16  # the kernel's own: destination in use, room for the next
WORD_SOCKET = 32  # constants of the session, written before the kernel starts
WORD_DOORBELL = 33
WORD_PACKET_BYTES = 34
WORD_MINIMUM_PARITY = 35
WORD_PACE_WINDOW_NS = 36  # 0: burst
WORD_FRAME_INTERVAL_NS = 37
WORD_CIPHER = 38  # address of the EVP context; 0: datagrams go out in clear
WORD_FIRST_FRAME_INDEX = 39
WORD_DATAGRAM_SEQUENCE = 40  # kernel: unwrapped sequence number and GCM counter of the next datagram
WORD_FIRST_SEQUENCE = 41  # kernel: push sequence of the first frame that was sent; -1 before it
WORD_SEND_MODE = 42  # kernel: SEND_SEGMENTED, SEND_BATCHED or SEND_SINGLE
WORD_DESTINATION_SEEN = 43  # kernel: the version that its copy of the address has
WORD_DEPARTURE_NS = 44  # kernel: the last time of departure that it gave
WORD_SENT_BELL = 45  # constant: eventfd that is rung after every frame; 0 rings none
WORD_TXTIME = 46  # 1: datagrams carry times of departure; control sets it, the kernel clears it if refused
WORD_TRAFFIC_CLASS = 47  # constant: DSCP << 2 of every datagram; 0 sends no mark
WORD_VARIANTS = 48  # control: address of the VARIANT_* words that the next frame takes
WORD_STREAM_SEQUENCE = 56  # kernel: punktfunk/1's count of packets, which its seal does not use
WORD_SHARD_BYTES = 57  # constants of a punktfunk/1 session from here on
WORD_DATA_MAX = 58  # data shards of a full block
WORD_BLOCK_MAX = 59  # data and parity shards that a block may have
WORD_FEC_SCHEME = 60
WORD_SALT = 61  # four bytes of the nonce, the first one lowest
WORD_PAYLOAD_OFFSET = 62  # where the shard stands in a datagram
WORD_SENDING = 63  # kernel: 0 while it waits for a frame
SENDER_WORD_COUNT = 64

SEND_SEGMENTED = 0  # one sendmsg with UDP generic segmentation offload
SEND_BATCHED = 1  # sendmmsg, one message per datagram
SEND_SINGLE = 2  # sendto

# Counters that the kernel adds to; ``send.counters`` names them in the same order.
COUNT_FRAMES = 0
COUNT_DATAGRAMS = 1
COUNT_BYTES = 2
COUNT_BARE_BLOCKS = 3
COUNT_OVERSIZE = 4
COUNT_UNADDRESSED = 5
COUNT_BEFORE_IDR = 6
COUNT_SEND_ERRORS = 7
COUNT_LOST_DATAGRAMS = 8
COUNT_WOULD_BLOCK = 9
COUNT_LAST_ERRNO = 10
COUNT_LATE_FRAMES = 11
COUNT_SEAL_FAILURES = 12
COUNT_UNPACED_FRAMES = 13
COUNT_FEC_FAILURES = 14
COUNT_FILLER_DATAGRAMS = 15  # of the probes, which are no frames
COUNTER_COUNT = 16

# Rows of the latency log: one per frame, the newest overwrites the oldest.
LATENCY_CAPTURED_NS = 0
LATENCY_ENCODED_NS = 1
LATENCY_FIRST_NS = 2
LATENCY_LAST_NS = 3
LATENCY_VARIANTS = 4  # FEC id | seal id << 16 | pace id << 32
LATENCY_BYTES = 5  # of the access unit
LATENCY_TIMESTAMP = 6  # of the record: punktfunk/1's pts, GameStream's 90 kHz time stamp
LATENCY_DATAGRAMS = 7
LATENCY_COLUMN_COUNT = 8

# Variant words: what makes a frame. Written once, then published whole through WORD_VARIANTS, and never again
# changed: a frame reads the address once and keeps to it.
VARIANT_FEC = 0  # address of the entry; see docs/lab.md for the arguments of each
VARIANT_FEC_CONTEXT = 1
VARIANT_FEC_ID = 2
VARIANT_SEAL = 3  # 0: datagrams go out in clear
VARIANT_SEAL_CONTEXT = 4  # address of the cipher
VARIANT_SEAL_ID = 5
VARIANT_PACE = 6
VARIANT_PACE_CONTEXT = 7
VARIANT_PACE_ID = 8
VARIANT_WORD_COUNT = 16

# Frame words: what the functions that send one frame are called with. Addresses and sizes of the sender's
# arrays, proved and written by Python before the kernel starts; then what they keep about the frame in hand.
FRAME_WORDS = 0  # sender words
FRAME_RING_WORDS = 1
FRAME_RECORD = 2
FRAME_DATA = 3  # the access unit's buffer,
FRAME_DATA_BYTES = 4  # and its size
FRAME_PACKETS = 5  # rows of FRAME_STRIDE bytes, one datagram each
FRAME_STRIDE = 6
FRAME_ROW_COUNT = 7
FRAME_NONCES = 8  # NONCE_ROW_COUNT rows of NONCE_BYTES
FRAME_ADDRESS = 9
FRAME_MESSAGES = 10
FRAME_COUNTERS = 11
FRAME_LATENCIES = 12
FRAME_LATENCY_COUNT = 13  # rows
FRAME_FUNCTION = 14  # the entry that sends a frame: (frame words, bytes of the access unit) -> 0 or a code
FRAME_OFFSET_BYTES = 15  # where the access unit stands in its buffer
FRAME_VARIANTS = 16  # kernel, of the frame in hand: address of its variant words,
FRAME_STARTED_NS = 17
FRAME_WINDOW_NS = 18  # 0 once it is not paced any more
FRAME_SHARD_TOTAL = 19
FRAME_PERCENT = 20
FRAME_HEADER = 24  # kernel: fields of punktfunk/1's packet header, in wire order without magic and version
FRAME_HEADER_FIELD_COUNT = 12
FRAME_BLOCKS = 40  # kernel: three words for each of GameStream's four blocks
FRAME_WORD_COUNT = 56

NONCE_ROW_COUNT = 16  # datagrams that are sealed at a time: they stay in the first-level cache

# Words that every context of an erasure code begins with; what follows them belongs to the code.
CODE_TABLES = 0  # address of the field's tables
CODE_WORK = 1  # address of the work area, 64-byte aligned
CODE_WORK_BYTES = 2
CODE_ZEROS = 3  # address of zeros that nobody writes
CODE_ZEROS_BYTES = 4
CODE_OWN = 8  # first word that the code itself defines

NONCE_BYTES = 16  # a row of the nonces that a seal gets: 12 bytes of nonce, then padding

# Slot ring words: items of 64 bytes between two kernels. Positions count slots and are masked for use.
SLOT_HEAD = 0  # producer
SLOT_TAIL_SEEN = 1  # producer: where the tail was when it last looked
SLOT_DROPPED = 2  # producer: slots that gave way to newer ones
SLOT_REFUSED = 3  # producer: items that found the ring full
SLOT_TAIL = 8  # both, by compare-and-swap: the consumer takes a slot, the producer drops one
SLOT_HEAD_SEEN = 16  # consumer: where the head was when it last looked
SLOT_SLEEPING = 24  # both: 1 while the consumer sleeps on this word, or is about to
SLOT_RING_WORD_COUNT = 32
SLOT_WORD_COUNT = 8  # of one slot
FULL = -1008

# Latency histogram words; one writer, read by anyone. The buckets follow.
HISTOGRAM_COUNT = 0  # written last
HISTOGRAM_SUM_NS = 1
HISTOGRAM_MAX_NS = 2
HISTOGRAM_MIN_NS = 3  # valid while the count is not 0
HISTOGRAM_BUCKETS = 8
HISTOGRAM_STEP_BITS = 6  # an octave has 64 steps: a bucket is at most 1/64 of its values wide
HISTOGRAM_OCTAVE_COUNT = 40  # up to 2**40 ns, 18 minutes; beyond it the last bucket
HISTOGRAM_WORD_COUNT = HISTOGRAM_BUCKETS + (
    HISTOGRAM_OCTAVE_COUNT - HISTOGRAM_STEP_BITS + 1 << HISTOGRAM_STEP_BITS
)

# Receiver words.
RECEIVE_CALLS = 0  # kernel: the counters
RECEIVE_DATAGRAMS = 1
RECEIVE_BYTES = 2
RECEIVE_TRUNCATED = 3  # datagrams longer than their room: thrown away
RECEIVE_ERRORS = 4
RECEIVE_LAST_ERRNO = 5
RECEIVE_MESSAGE = 8  # kernel: the message whose segments come next,
RECEIVE_MESSAGE_COUNT = 9  # of how many that the last call brought,
RECEIVE_OFFSET = 10  # and the byte in it where they go on
RECEIVE_WORD_COUNT = 16
