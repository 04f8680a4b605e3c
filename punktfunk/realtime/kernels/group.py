"""What every frame does, whatever its protocol: begin, send group after group at its time, be counted.

Entries over the FRAME_* words, called by the functions that cut and protect a frame. They add order and
move bytes, so they have no twin: tests read the datagrams back.
"""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import load_acquire, store_release, words_at
from punktfunk.realtime.kernels.calls import call_address
from punktfunk.realtime.kernels.jit import entry, int64, kernel
from punktfunk.realtime.kernels.layout import (
    ADDRESS_WORD_COUNT,
    COUNT_FRAMES,
    COUNT_LATE_FRAMES,
    COUNT_UNPACED_FRAMES,
    COUNTER_COUNT,
    FRAME_ADDRESS,
    FRAME_COUNTERS,
    FRAME_LATENCIES,
    FRAME_LATENCY_COUNT,
    FRAME_MESSAGES,
    FRAME_RECORD,
    FRAME_RING_WORDS,
    FRAME_SHARD_TOTAL,
    FRAME_STARTED_NS,
    FRAME_STRIDE,
    FRAME_VARIANTS,
    FRAME_WINDOW_NS,
    FRAME_WORD_COUNT,
    FRAME_WORDS,
    LATENCY_BYTES,
    LATENCY_CAPTURED_NS,
    LATENCY_COLUMN_COUNT,
    LATENCY_DATAGRAMS,
    LATENCY_ENCODED_NS,
    LATENCY_FIRST_NS,
    LATENCY_LAST_NS,
    LATENCY_TIMESTAMP,
    LATENCY_VARIANTS,
    RECORD_CAPTURED_NS,
    RECORD_ENCODED_NS,
    RECORD_HEADER_WORD_COUNT,
    RECORD_TIMESTAMP,
    RING_HEAD,
    RING_TAIL,
    RING_WORD_COUNT,
    SENDER_WORD_COUNT,
    STOPPED,
    VARIANT_FEC_ID,
    VARIANT_PACE,
    VARIANT_PACE_CONTEXT,
    VARIANT_PACE_ID,
    VARIANT_SEAL_ID,
    VARIANT_WORD_COUNT,
    WORD_FRAME_INTERVAL_NS,
    WORD_PACE_WINDOW_NS,
    WORD_SENT_BELL,
    WORD_STOP,
    WORD_TXTIME,
    WORD_VARIANTS,
)
from punktfunk.realtime.kernels.pace import sleep_until
from punktfunk.realtime.kernels.rows import rows_at, table_at
from punktfunk.realtime.kernels.system import add_to_eventfd, monotonic_ns
from punktfunk.realtime.kernels.udp import MESSAGE_WORD_COUNT, send_rows

I64 = NDArray[np.int64]

_LONGEST_WINDOWS = 2  # a pacing variant may stretch a frame, but never hold it
_LEAD_NS = 500_000  # how long before its time of departure a group is handed to a queue that keeps such times


@entry("int64(int64, int64)")
def begin_frame(frame_address: int, shard_total: int) -> int:
    """Note when the frame begins and what makes it; answer the address of its variant words.

    frame_address   of the FRAME_* words
    shard_total     datagrams that the frame will have
    """
    frame = words_at(frame_address, FRAME_WORD_COUNT)
    words = words_at(frame[FRAME_WORDS], SENDER_WORD_COUNT)
    # Read once: a frame is made by one set of variants from its first byte to its row in the log.
    frame[FRAME_VARIANTS] = load_acquire(words, WORD_VARIANTS)
    frame[FRAME_STARTED_NS] = monotonic_ns()
    frame[FRAME_WINDOW_NS] = words[WORD_PACE_WINDOW_NS]
    frame[FRAME_SHARD_TOTAL] = shard_total
    return int64(frame[FRAME_VARIANTS])


@kernel("int64(int64[::1], int64[::1], int64)")
def _wait(frame: I64, words: I64, first: int) -> int:
    """Wait until the group may leave; its time of departure for the route's queue (0: now), or STOPPED."""
    if load_acquire(words, WORD_STOP) != 0:
        return STOPPED
    if frame[FRAME_WINDOW_NS] <= 0:
        return int64(0)
    ring_words = words_at(frame[FRAME_RING_WORDS], RING_WORD_COUNT)
    if first > 0 and load_acquire(ring_words, RING_HEAD) != load_acquire(ring_words, RING_TAIL):
        frame[FRAME_WINDOW_NS] = 0
        words_at(frame[FRAME_COUNTERS], COUNTER_COUNT)[COUNT_UNPACED_FRAMES] += 1
        return int64(0)
    variants = words_at(frame[FRAME_VARIANTS], VARIANT_WORD_COUNT)
    started_ns, window_ns = frame[FRAME_STARTED_NS], frame[FRAME_WINDOW_NS]
    context, total = variants[VARIANT_PACE_CONTEXT], frame[FRAME_SHARD_TOTAL]
    depart_ns = call_address(variants[VARIANT_PACE], (context, started_ns, window_ns, first, total))
    depart_ns = max(min(depart_ns, started_ns + _LONGEST_WINDOWS * window_ns), started_ns)
    lead_ns = int64(_LEAD_NS) if words[WORD_TXTIME] else int64(0)
    if sleep_until(words, depart_ns - lead_ns) != 0:
        return STOPPED
    return int64(depart_ns)


@entry("int64(int64, int64, int64, int64)")
def send_group(frame_address: int, rows_address: int, first: int, count: int) -> int:
    """Send finished datagrams when they may leave; how many went out, STOPPED, BAD_SIZE or SOCKET_FAILED.

    frame_address   of the FRAME_* words
    rows_address    of the first datagram; the others follow, FRAME_STRIDE bytes apart
    first           datagrams of the frame that went before
    count           at most what ``udp.send_rows`` takes at once

    A frame that waits in the ring ends the pacing of this one: being late twice helps nobody.
    """
    frame = words_at(frame_address, FRAME_WORD_COUNT)
    words = words_at(frame[FRAME_WORDS], SENDER_WORD_COUNT)
    depart_ns = _wait(frame, words, first)
    if depart_ns < 0:
        return depart_ns
    return send_rows(
        words,
        rows_at(rows_address, count, frame[FRAME_STRIDE]),
        0,
        count,
        words_at(frame[FRAME_ADDRESS], ADDRESS_WORD_COUNT),
        words_at(frame[FRAME_MESSAGES], MESSAGE_WORD_COUNT),
        words_at(frame[FRAME_COUNTERS], COUNTER_COUNT),
        depart_ns,
    )


@entry("int64(int64, int64)")
def note_frame(frame_address: int, frame_bytes: int) -> int:
    """Count a sent frame, log its times, its variants and its size, and ring the bell of those who wait; 0.

    frame_address   of the FRAME_* words
    frame_bytes     of the access unit
    """
    frame = words_at(frame_address, FRAME_WORD_COUNT)
    words = words_at(frame[FRAME_WORDS], SENDER_WORD_COUNT)
    counters = words_at(frame[FRAME_COUNTERS], COUNTER_COUNT)
    record = words_at(frame[FRAME_RECORD], RECORD_HEADER_WORD_COUNT)
    variants = words_at(frame[FRAME_VARIANTS], VARIANT_WORD_COUNT)
    latencies = table_at(frame[FRAME_LATENCIES], frame[FRAME_LATENCY_COUNT], LATENCY_COLUMN_COUNT)
    row = counters[COUNT_FRAMES] % latencies.shape[0]
    done_ns = monotonic_ns()
    latencies[row, LATENCY_CAPTURED_NS] = record[RECORD_CAPTURED_NS]
    latencies[row, LATENCY_ENCODED_NS] = record[RECORD_ENCODED_NS]
    latencies[row, LATENCY_FIRST_NS] = frame[FRAME_STARTED_NS]
    latencies[row, LATENCY_LAST_NS] = done_ns
    numbers = variants[VARIANT_FEC_ID] | variants[VARIANT_SEAL_ID] << 16 | variants[VARIANT_PACE_ID] << 32
    latencies[row, LATENCY_VARIANTS] = numbers
    latencies[row, LATENCY_BYTES] = frame_bytes
    latencies[row, LATENCY_TIMESTAMP] = record[RECORD_TIMESTAMP]
    latencies[row, LATENCY_DATAGRAMS] = frame[FRAME_SHARD_TOTAL]
    if done_ns - record[RECORD_ENCODED_NS] > words[WORD_FRAME_INTERVAL_NS]:
        counters[COUNT_LATE_FRAMES] += 1
    store_release(counters, COUNT_FRAMES, counters[COUNT_FRAMES] + 1)
    if words[WORD_SENT_BELL] > 0:
        add_to_eventfd(words[WORD_SENT_BELL])
    return int64(0)
