"""The life of ``pf-send``: one call that pops frames and sends them until it is told to stop.

Which protocol a frame is sent by stands in FRAME_FUNCTION. Adds nothing but order, so it has no twin: tests
read its datagrams back.
"""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import address_of, load_acquire, store_release
from punktfunk.realtime.kernels.calls import call_address
from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    COUNT_BEFORE_IDR,
    COUNT_FEC_FAILURES,
    COUNT_OVERSIZE,
    COUNT_SEAL_FAILURES,
    COUNT_UNADDRESSED,
    EMPTY,
    FEC_FAILED,
    FRAME_FUNCTION,
    FRAME_OFFSET_BYTES,
    FRAME_TYPE_FILLER,
    OVERSIZE,
    RECORD_FRAME_TYPE,
    RECORD_SEQUENCE,
    SOCKET_FAILED,
    STOPPED,
    WORD_DOORBELL,
    WORD_FIRST_SEQUENCE,
    WORD_IDR_WANTED,
    WORD_SENDING,
    WORD_STOP,
)
from punktfunk.realtime.kernels.mailbox import read_destination
from punktfunk.realtime.kernels.ring import pop
from punktfunk.realtime.kernels.system import drain_eventfd, wait_fd

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]
_IDR = 2  # plan.FrameType.IDR
_READABLE = 1
_IDLE_MS = 500  # the doorbell ends a wait; this only bounds it


@kernel(
    "int64(int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], uint8[::1], int64[::1], int64[::1])"
)
def send_next(
    words: I64,
    ring_words: I64,
    ring: I64,
    frame: I64,
    record: I64,
    data: U8,
    address: I64,
    counters: I64,
) -> int:
    """Send the oldest frame of the ring, or drop and count it; 0, EMPTY, or what ends the thread.

    words         (SENDER_WORD_COUNT,)   see ``layout``
    ring_words, ring   the ring, see ``kernels.ring``
    frame         (FRAME_WORD_COUNT,)   addresses of all the arrays here and of some more
    record        (RECORD_HEADER_WORD_COUNT,)   header of the frame in hand
    data          (bytes,)   its access unit
    address       (ADDRESS_WORD_COUNT,)   destination in use, and room for the next
    counters      (COUNTER_COUNT,)

    Frames before a destination is known, and then up to the first IDR, which is asked for, are dropped;
    filler needs no IDR.
    STOPPED, SOCKET_FAILED and BAD_SIZE end the thread.
    """
    store_release(words, WORD_SENDING, int64(1))  # before the pop: a frame in hand is never taken for none
    frame_bytes = pop(ring_words, ring, record, data, frame[FRAME_OFFSET_BYTES])
    if frame_bytes == EMPTY:
        store_release(words, WORD_SENDING, int64(0))
        return EMPTY
    if read_destination(words, address) == 0:
        counters[COUNT_UNADDRESSED] += 1
        return int64(0)
    if words[WORD_FIRST_SEQUENCE] < 0 and record[RECORD_FRAME_TYPE] != FRAME_TYPE_FILLER:
        if record[RECORD_FRAME_TYPE] != _IDR:
            counters[COUNT_BEFORE_IDR] += 1
            store_release(words, WORD_IDR_WANTED, words[WORD_IDR_WANTED] + 1)
            return int64(0)
        words[WORD_FIRST_SEQUENCE] = record[RECORD_SEQUENCE]
    code = int64(OVERSIZE)
    if frame_bytes >= 0:
        code = call_address(frame[FRAME_FUNCTION], (address_of(frame), frame_bytes))
    if code >= 0 or code in (STOPPED, SOCKET_FAILED, BAD_SIZE):
        return min(code, int64(0))
    place = int64(COUNT_SEAL_FAILURES)
    if code == OVERSIZE:
        place = int64(COUNT_OVERSIZE)
    elif code == FEC_FAILED:
        place = int64(COUNT_FEC_FAILURES)
    counters[place] += 1
    store_release(words, WORD_IDR_WANTED, words[WORD_IDR_WANTED] + 1)
    return int64(0)


@kernel(
    "int64(int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], uint8[::1], int64[::1], int64[::1])"
)
def send_loop(
    words: I64,
    ring_words: I64,
    ring: I64,
    frame: I64,
    record: I64,
    data: U8,
    address: I64,
    counters: I64,
) -> int:
    """Send frames until WORD_STOP is set: then STOPPED. BAD_SIZE or SOCKET_FAILED when it cannot go on.

    words, ring_words, ring, frame, record, data, address, counters   as in ``send_next``
    """
    while load_acquire(words, WORD_STOP) == 0:
        code = send_next(words, ring_words, ring, frame, record, data, address, counters)
        if code == EMPTY:
            wait_fd(words[WORD_DOORBELL], _READABLE, _IDLE_MS)
            drain_eventfd(words[WORD_DOORBELL])
        elif code < 0:
            return code
    return STOPPED
