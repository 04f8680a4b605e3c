"""One access unit becomes GameStream's datagrams: blocks, parity, headers, seal, groups at their times.

Calls what is beside it and what the variant words name, and adds nothing but order, so it has no twin: tests
read its datagrams back.
"""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import address_of, load_acquire, words_at
from punktfunk.realtime.kernels.calls import call_address
from punktfunk.realtime.kernels.group import begin_frame, note_frame, send_group
from punktfunk.realtime.kernels.jit import entry, int64, kernel
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    COUNT_BARE_BLOCKS,
    COUNTER_COUNT,
    FEC_FAILED,
    FRAME_BLOCKS,
    FRAME_COUNTERS,
    FRAME_DATA,
    FRAME_DATA_BYTES,
    FRAME_NONCES,
    FRAME_PACKETS,
    FRAME_RECORD,
    FRAME_ROW_COUNT,
    FRAME_STARTED_NS,
    FRAME_STRIDE,
    FRAME_VARIANTS,
    FRAME_WORD_COUNT,
    FRAME_WORDS,
    NONCE_BYTES,
    NONCE_ROW_COUNT,
    RECORD_CAPTURED_NS,
    RECORD_EXTRA_FLAGS,
    RECORD_FRAME_TYPE,
    RECORD_HEADER_WORD_COUNT,
    RECORD_SEQUENCE,
    RECORD_TIMESTAMP,
    SEAL_FAILED,
    SENDER_WORD_COUNT,
    VARIANT_FEC,
    VARIANT_FEC_CONTEXT,
    VARIANT_SEAL,
    VARIANT_SEAL_CONTEXT,
    VARIANT_WORD_COUNT,
    WORD_DATAGRAM_SEQUENCE,
    WORD_FEC_PERCENT,
    WORD_FIRST_FRAME_INDEX,
    WORD_FIRST_SEQUENCE,
    WORD_MINIMUM_PARITY,
    WORD_PACKET_BYTES,
    WORD_PAYLOAD_OFFSET,
)
from punktfunk.realtime.kernels.pack import (
    cut_block,
    finish_block,
    plan_blocks,
    write_frame_header,
    write_prefixes,
)
from punktfunk.realtime.kernels.rows import rows_at, table_at
from punktfunk.realtime.kernels.udp import GROUP_BYTES_MAX, GROUP_MAX
from punktfunk.wire.gamestream.video_blocks import FRAME_HEADER_BYTES, MAX_BLOCK_COUNT, NV_HEADER_BYTES
from punktfunk.wire.gamestream.video_encryption import OFFSET_PREFIX_TAG

I64 = NDArray[np.int64]


@kernel("int64(int64[::1], int64[::1])")
def _frame_index(words: I64, record: I64) -> int:
    """Index of the frame as the client sees it."""
    return int64(record[RECORD_SEQUENCE] - words[WORD_FIRST_SEQUENCE] + words[WORD_FIRST_FRAME_INDEX])


@kernel("int64(int64[::1], int64[::1], int64[::1], int64, int64)")
def _protect_block(frame: I64, words: I64, record: I64, block: int, block_count: int) -> int:
    """Compute the parity of a block and finish all its headers; 0 or an error."""
    variants = words_at(frame[FRAME_VARIANTS], VARIANT_WORD_COUNT)
    stride, offset = frame[FRAME_STRIDE], words[WORD_PAYLOAD_OFFSET]
    shard_bytes = words[WORD_PACKET_BYTES] + NV_HEADER_BYTES
    fields = table_at(address_of(frame) + FRAME_BLOCKS * 8, MAX_BLOCK_COUNT, 3)
    data_count, parity_count = fields[block, 0], fields[block, 1]
    if parity_count:
        data = frame[FRAME_PACKETS] + offset
        parity = data + data_count * stride
        code = call_address(
            variants[VARIANT_FEC],
            (
                variants[VARIANT_FEC_CONTEXT], data, stride, parity, stride, data_count, parity_count,
                shard_bytes,
            ),
        )  # fmt: skip
        if code != 0:
            return FEC_FAILED
    return finish_block(
        rows_at(frame[FRAME_PACKETS], frame[FRAME_ROW_COUNT], stride),
        offset,
        data_count,
        data_count + parity_count,
        fields[block, 2],
        block | (block_count - 1) << 8,
        _frame_index(words, record),
        record[RECORD_TIMESTAMP],
        words[WORD_DATAGRAM_SEQUENCE],
    )


@kernel("int64(int64[::1], int64[::1], int64, int64, int64)")
def _seal(frame: I64, words: I64, row: int, count: int, frame_index: int) -> int:
    """Write the prefixes of ``count`` rows and seal them, a few at a time; 0 or an error."""
    variants = words_at(frame[FRAME_VARIANTS], VARIANT_WORD_COUNT)
    stride, offset = frame[FRAME_STRIDE], words[WORD_PAYLOAD_OFFSET]
    nonces = rows_at(frame[FRAME_NONCES], NONCE_ROW_COUNT, NONCE_BYTES)
    text_bytes = words[WORD_PACKET_BYTES] + NV_HEADER_BYTES
    end = row + count
    while row < end:
        size = min(int64(NONCE_ROW_COUNT), end - row)
        at = frame[FRAME_PACKETS] + row * stride
        counter = words[WORD_DATAGRAM_SEQUENCE] + row
        code = write_prefixes(rows_at(at, size, stride), size, counter, frame_index, nonces)
        if code != 0:
            return code
        code = call_address(
            variants[VARIANT_SEAL],
            (
                variants[VARIANT_SEAL_CONTEXT], at, stride, size, offset, text_bytes,
                int64(OFFSET_PREFIX_TAG), int64(0), frame[FRAME_NONCES],
            ),
        )  # fmt: skip
        if code != 0:
            return SEAL_FAILED
        row += size
    return int64(0)


@kernel("int64(int64[::1], int64[::1], int64, int64, int64, int64)")
def _send_block(frame: I64, words: I64, frame_address: int, first: int, count: int, frame_index: int) -> int:
    """Seal and send the first ``count`` rows, group after group; 0 or an error."""
    stride = frame[FRAME_STRIDE]
    sealed = words_at(frame[FRAME_VARIANTS], VARIANT_WORD_COUNT)[VARIANT_SEAL] != 0
    group, row, code = min(int64(GROUP_MAX), GROUP_BYTES_MAX // stride), int64(0), int64(0)
    while row < count and code >= 0:
        size = min(group, count - row)
        if sealed:
            code = _seal(frame, words, row, size, frame_index)
        if code == 0:
            code = send_group(frame_address, frame[FRAME_PACKETS] + row * stride, first + row, size)
        row += size
        code = min(code, int64(0))
    return code


@entry("int64(int64, int64)")
def send_frame(frame_address: int, frame_bytes: int) -> int:
    """Send one frame, block after block. 0 or an error; OVERSIZE sends nothing.

    frame_address   of the FRAME_* words; the access unit stands behind the room for the frame header
    frame_bytes     of the access unit
    """
    frame = words_at(frame_address, FRAME_WORD_COUNT)
    words = words_at(frame[FRAME_WORDS], SENDER_WORD_COUNT)
    record = words_at(frame[FRAME_RECORD], RECORD_HEADER_WORD_COUNT)
    packet_bytes, percent = words[WORD_PACKET_BYTES], load_acquire(words, WORD_FEC_PERCENT)
    blocks = table_at(frame_address + FRAME_BLOCKS * 8, MAX_BLOCK_COUNT, 3)
    block_count = plan_blocks(blocks, frame_bytes, packet_bytes, percent, words[WORD_MINIMUM_PARITY])
    if block_count < 0:
        return block_count
    total = int64(0)
    for index in range(block_count):
        total += blocks[index, 0] + blocks[index, 1]
        if blocks[index, 0] + blocks[index, 1] > frame[FRAME_ROW_COUNT]:
            return BAD_SIZE
    begin_frame(frame_address, total)
    data = rows_at(frame[FRAME_DATA], 1, frame[FRAME_DATA_BYTES])[0]
    elapsed_ns = frame[FRAME_STARTED_NS] - record[RECORD_CAPTURED_NS]
    code = write_frame_header(data, frame_bytes, packet_bytes, record[RECORD_FRAME_TYPE], elapsed_ns)
    packets = rows_at(frame[FRAME_PACKETS], frame[FRAME_ROW_COUNT], frame[FRAME_STRIDE])
    position, end, first = int64(0), FRAME_HEADER_BYTES + frame_bytes, int64(0)
    for index in range(block_count):
        data_count, count = blocks[index, 0], blocks[index, 0] + blocks[index, 1]
        if code == 0:
            code = cut_block(
                packets, words[WORD_PAYLOAD_OFFSET], packet_bytes, data_count, data, position, end,
                words[WORD_DATAGRAM_SEQUENCE], record[RECORD_EXTRA_FLAGS],
            )  # fmt: skip
        if code == 0:
            code = _protect_block(frame, words, record, index, block_count)
        if code == 0:
            code = _send_block(frame, words, frame_address, first, count, _frame_index(words, record))
        # Used up whatever happened: a counter never comes twice under one key.
        words[WORD_DATAGRAM_SEQUENCE] += count
        if code != 0:
            return code
        if count == data_count and percent > 0:
            words_at(frame[FRAME_COUNTERS], COUNTER_COUNT)[COUNT_BARE_BLOCKS] += 1
        position = min(position + data_count * (packet_bytes - NV_HEADER_BYTES), end)
        first += count
    return note_frame(frame_address, frame_bytes)
