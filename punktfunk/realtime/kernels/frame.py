"""One access unit becomes datagrams on the wire: blocks, parity, headers, seal, groups at their times.

Calls the kernels beside it and adds nothing but order, so it has no twin: tests read its datagrams back.
"""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import load_acquire, store_release
from punktfunk.realtime.kernels.gf8 import fill_cauchy, multiply_rows
from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import (
    COUNT_BARE_BLOCKS,
    COUNT_FRAMES,
    COUNT_LATE_FRAMES,
    COUNT_UNPACED_FRAMES,
    DESTINATION_WORD_COUNT,
    LATENCY_CAPTURED_NS,
    LATENCY_ENCODED_NS,
    LATENCY_FIRST_NS,
    LATENCY_LAST_NS,
    RECORD_CAPTURED_NS,
    RECORD_ENCODED_NS,
    RECORD_EXTRA_FLAGS,
    RECORD_FRAME_TYPE,
    RECORD_SEQUENCE,
    RECORD_TIMESTAMP,
    RING_HEAD,
    RING_TAIL,
    STOPPED,
    WORD_CAUCHY_DATA,
    WORD_CAUCHY_PARITY,
    WORD_CIPHER,
    WORD_DATAGRAM_SEQUENCE,
    WORD_FEC_PERCENT,
    WORD_FIRST_FRAME_INDEX,
    WORD_FIRST_SEQUENCE,
    WORD_FRAME_INTERVAL_NS,
    WORD_MINIMUM_PARITY,
    WORD_PACE_WINDOW_NS,
    WORD_PACKET_BYTES,
    WORD_STOP,
)
from punktfunk.realtime.kernels.pace import sleep_until
from punktfunk.realtime.kernels.pack import cut_block, finish_block, plan_blocks, write_frame_header
from punktfunk.realtime.kernels.seal import seal_rows
from punktfunk.realtime.kernels.system import monotonic_ns
from punktfunk.realtime.kernels.udp import GROUP_BYTES_MAX, GROUP_MAX, send_rows
from punktfunk.wire.gamestream.video_blocks import FRAME_HEADER_BYTES, NV_HEADER_BYTES
from punktfunk.wire.gamestream.video_encryption import ENCRYPTED_PREFIX_BYTES

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]


@kernel(
    "int64(int64[::1], uint8[:, ::1], int64, int64, int64, int64, int64[::1], uint8[:, ::1], "
    "uint8[::1], uint8[:, ::1])"
)
def protect_block(
    words: I64,
    packets: U8,
    data_count: int,
    parity_count: int,
    percent: int,
    block_fields: int,
    record: I64,
    coefficients: U8,
    inverses: U8,
    tables: U8,
) -> int:
    """Turn the data shards of a block into finished datagrams: parity, headers, seal. 0 or an error.

    words, packets, coefficients, inverses, tables   as in ``send_loop``
    data_count, parity_count, percent, block_fields   as in ``pack.finish_block``
    record   of the frame
    """
    packet_bytes, cipher = words[WORD_PACKET_BYTES], words[WORD_CIPHER]
    shard_bytes = packet_bytes + NV_HEADER_BYTES
    offset = int64(ENCRYPTED_PREFIX_BYTES if cipher else 0)
    sequence = words[WORD_DATAGRAM_SEQUENCE]
    frame_index = record[RECORD_SEQUENCE] - words[WORD_FIRST_SEQUENCE] + words[WORD_FIRST_FRAME_INDEX]
    if parity_count:
        if words[WORD_CAUCHY_DATA] != data_count or words[WORD_CAUCHY_PARITY] != parity_count:
            fill_cauchy(coefficients, data_count, parity_count, inverses)
            words[WORD_CAUCHY_DATA] = data_count
            words[WORD_CAUCHY_PARITY] = parity_count
        code = multiply_rows(packets, offset, shard_bytes, data_count, parity_count, coefficients, tables)
        if code < 0:
            return code
    count = data_count + parity_count
    code = finish_block(
        packets,
        offset,
        data_count,
        count,
        percent,
        block_fields,
        frame_index,
        record[RECORD_TIMESTAMP],
        sequence,
    )
    if code == 0 and cipher:
        # EVP writes lengths into the record's first word, which nobody reads any more.
        code = seal_rows(packets, count, shard_bytes, cipher, sequence, frame_index, record)
    words[WORD_DATAGRAM_SEQUENCE] = sequence + count
    return code


@kernel(
    "int64(int64[::1], uint8[:, ::1], int64, int64, int64[::1], int64[::1], int64[::1], int64[::1], "
    "int64[::1])"
)
def send_block(
    words: I64,
    packets: U8,
    first: int,
    count: int,
    pace: I64,
    ring_words: I64,
    address: I64,
    messages: I64,
    counters: I64,
) -> int:
    """Send the first ``count`` rows in groups, each at its time. 0, STOPPED, SOCKET_FAILED or BAD_SIZE.

    words, packets, ring_words, address, messages, counters   as in ``send_loop``
    first, count   shards of the frame sent before this block, and shards of this block
    pace           start time in ns, window in ns (0: at once), shards of the whole frame

    A frame that waits in the ring ends the pacing of this one: being late twice helps nobody.
    """
    group = min(int64(GROUP_MAX), GROUP_BYTES_MAX // int64(packets.shape[1]))
    row = int64(0)
    while row < count:
        if load_acquire(words, WORD_STOP) != 0:
            return STOPPED
        if pace[1] > 0 and first + row > 0:
            if load_acquire(ring_words, RING_HEAD) != load_acquire(ring_words, RING_TAIL):
                pace[1] = 0
                counters[COUNT_UNPACED_FRAMES] += 1
            elif sleep_until(words, pace[0] + pace[1] * (first + row) // pace[2]) != 0:
                return STOPPED
        size = min(group, count - row)
        code = send_rows(words, packets, row, size, address, messages, counters, 0)
        if code < 0:
            return code
        row += size
    return 0


@kernel("void(int64[::1], int64[::1], int64, int64[::1], int64[:, ::1])")
def note_frame(words: I64, record: I64, started_ns: int, counters: I64, latencies: I64) -> None:
    """Count a sent frame and log its times.

    words, counters, latencies   as in ``send_loop``
    record       of the frame
    started_ns   when its first datagram was about to be made
    """
    done_ns = monotonic_ns()
    row = counters[COUNT_FRAMES] % latencies.shape[0]
    latencies[row, LATENCY_CAPTURED_NS] = record[RECORD_CAPTURED_NS]
    latencies[row, LATENCY_ENCODED_NS] = record[RECORD_ENCODED_NS]
    latencies[row, LATENCY_FIRST_NS] = started_ns
    latencies[row, LATENCY_LAST_NS] = done_ns
    if done_ns - record[RECORD_ENCODED_NS] > words[WORD_FRAME_INTERVAL_NS]:
        counters[COUNT_LATE_FRAMES] += 1
    store_release(counters, COUNT_FRAMES, counters[COUNT_FRAMES] + 1)


@kernel(
    "int64(int64[::1], int64[::1], int64[::1], int64[:, ::1], uint8[::1], int64, uint8[:, ::1], "
    "uint8[:, ::1], uint8[::1], uint8[:, ::1], int64[::1], int64[::1], int64[::1], int64[:, ::1])"
)
def send_frame(
    words: I64,
    ring_words: I64,
    record: I64,
    blocks: I64,
    frame: U8,
    frame_bytes: int,
    packets: U8,
    coefficients: U8,
    inverses: U8,
    tables: U8,
    address: I64,
    messages: I64,
    counters: I64,
    latencies: I64,
) -> int:
    """Send one frame, block after block. 0 or an error; OVERSIZE sends nothing.

    record        of the frame; its access unit stands in ``frame`` behind the room for the frame header
    frame_bytes   of the access unit
    words, ring_words, blocks, frame, packets, coefficients, inverses, tables, address, messages, counters,
    latencies
                  as in ``send_loop``
    """
    packet_bytes, percent = words[WORD_PACKET_BYTES], load_acquire(words, WORD_FEC_PERCENT)
    offset = int64(ENCRYPTED_PREFIX_BYTES if words[WORD_CIPHER] else 0)
    block_count = plan_blocks(blocks, frame_bytes, packet_bytes, percent, words[WORD_MINIMUM_PARITY])
    if block_count < 0:
        return block_count
    started_ns = monotonic_ns()
    elapsed_ns = started_ns - record[RECORD_CAPTURED_NS]
    code = write_frame_header(frame, frame_bytes, packet_bytes, record[RECORD_FRAME_TYPE], elapsed_ns)
    pace = address[2 * DESTINATION_WORD_COUNT :]
    pace[0], pace[1], pace[2] = started_ns, words[WORD_PACE_WINDOW_NS], 0
    for index in range(block_count):
        pace[2] += blocks[index, 0] + blocks[index, 1]
    position, end, first = int64(0), FRAME_HEADER_BYTES + frame_bytes, int64(0)
    for index in range(block_count):
        data_count, parity_count = blocks[index, 0], blocks[index, 1]
        if code == 0:
            code = cut_block(
                packets, offset, packet_bytes, data_count, frame, position, end,
                words[WORD_DATAGRAM_SEQUENCE], record[RECORD_EXTRA_FLAGS],
            )  # fmt: skip
        if code == 0:
            code = protect_block(
                words, packets, data_count, parity_count, blocks[index, 2], index | (block_count - 1) << 8,
                record, coefficients, inverses, tables,
            )  # fmt: skip
        if code == 0:
            count = data_count + parity_count
            code = send_block(words, packets, first, count, pace, ring_words, address, messages, counters)
        if code != 0:
            return code
        if parity_count == 0 and percent > 0:
            counters[COUNT_BARE_BLOCKS] += 1
        position = min(position + data_count * (packet_bytes - NV_HEADER_BYTES), end)
        first += data_count + parity_count
    note_frame(words, record, started_ns, counters, latencies)
    return 0
