"""The life of ``pf-send``: one call that pops frames and sends them until it is told to stop.

Calls the kernels beside it and adds nothing but order, so it has no twin: tests read its datagrams back.
"""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import load_acquire, store_release
from punktfunk.realtime.kernels.frame import send_frame
from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    COUNT_BEFORE_IDR,
    COUNT_OVERSIZE,
    COUNT_SEAL_FAILURES,
    COUNT_UNADDRESSED,
    EMPTY,
    OVERSIZE,
    RECORD_FRAME_TYPE,
    RECORD_SEQUENCE,
    SOCKET_FAILED,
    STOPPED,
    WORD_DOORBELL,
    WORD_FIRST_SEQUENCE,
    WORD_IDR_WANTED,
    WORD_STOP,
)
from punktfunk.realtime.kernels.mailbox import read_destination
from punktfunk.realtime.kernels.ring import pop
from punktfunk.realtime.kernels.system import drain_eventfd, wait_fd
from punktfunk.wire.gamestream.video_blocks import FRAME_HEADER_BYTES

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]
_IDR = 2  # plan.FrameType.IDR
_READABLE = 1
_IDLE_MS = 500  # the doorbell ends a wait; this only bounds it


@kernel(
    "int64(int64[::1], int64[::1], int64[::1], int64[::1], int64[:, ::1], uint8[::1], uint8[:, ::1], "
    "uint8[:, ::1], uint8[::1], uint8[:, ::1], int64[::1], int64[::1], int64[::1], int64[:, ::1])"
)
def send_loop(
    words: I64,
    ring_words: I64,
    ring: I64,
    record: I64,
    blocks: I64,
    frame: U8,
    packets: U8,
    coefficients: U8,
    inverses: U8,
    tables: U8,
    address: I64,
    messages: I64,
    counters: I64,
    latencies: I64,
) -> int:
    """Send frames until WORD_STOP is set: then STOPPED. BAD_SIZE or SOCKET_FAILED when it cannot go on.

    words         (SENDER_WORD_COUNT,)   see ``layout``
    ring_words, ring   the ring, see ``kernels.ring``
    record        (RECORD_HEADER_WORD_COUNT,)   header of the frame in hand
    blocks        (4, 3)   its blocks
    frame         (frame capacity + 8,)   its bytes
    packets       (1023, datagram bytes)   one block's datagrams
    coefficients  (255, 255)   parity matrix in use
    inverses      (256,)   of GF(2^8)
    tables        (256, TABLE_BYTES)   see ``simd``
    address       (16,)   destination in use, room for the next, and the pacing of the frame in hand
    messages      (MESSAGE_WORD_COUNT,)   see ``udp``
    counters, latencies   (COUNTER_COUNT,), (frames, LATENCY_COLUMN_COUNT)

    Frames before a destination is known, and then up to the first IDR, which is asked for, are dropped.
    """
    while load_acquire(words, WORD_STOP) == 0:
        frame_bytes = pop(ring_words, ring, record, frame, FRAME_HEADER_BYTES)
        if frame_bytes == EMPTY:
            wait_fd(words[WORD_DOORBELL], _READABLE, _IDLE_MS)
            drain_eventfd(words[WORD_DOORBELL])
            continue
        if read_destination(words, address) == 0:
            counters[COUNT_UNADDRESSED] += 1
            continue
        if words[WORD_FIRST_SEQUENCE] < 0:
            if record[RECORD_FRAME_TYPE] != _IDR:
                counters[COUNT_BEFORE_IDR] += 1
                store_release(words, WORD_IDR_WANTED, words[WORD_IDR_WANTED] + 1)
                continue
            words[WORD_FIRST_SEQUENCE] = record[RECORD_SEQUENCE]
        code = int64(OVERSIZE)
        if frame_bytes >= 0:
            code = send_frame(
                words, ring_words, record, blocks, frame, frame_bytes, packets, coefficients, inverses,
                tables, address, messages, counters, latencies,
            )  # fmt: skip
        if code in (STOPPED, SOCKET_FAILED, BAD_SIZE):
            return code
        if code < 0:
            counters[COUNT_OVERSIZE if code == OVERSIZE else COUNT_SEAL_FAILURES] += 1
            store_release(words, WORD_IDR_WANTED, words[WORD_IDR_WANTED] + 1)
    return STOPPED
