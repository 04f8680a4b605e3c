"""One access unit becomes punktfunk/1's datagrams: all data shards first, then the parity of every block.

Data needs no parity, so it leaves before parity is computed: a client that loses nothing has the frame
sooner. Each payload is copied, headed and sealed while it is in the first-level cache, a few datagrams at a
time, into a group of rows that every group uses again; the access unit itself stays as it is, and the
erasure code reads its shards there. Only parity has rows of its own.

Calls what is beside it and what the variant words name, and adds nothing but order, so it has no twin: tests
read its datagrams back.
"""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import load_acquire, words_at
from punktfunk.realtime.kernels.calls import call_address
from punktfunk.realtime.kernels.group import begin_frame, note_frame, send_group
from punktfunk.realtime.kernels.jit import entry, int64, kernel
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    COUNT_BARE_BLOCKS,
    COUNT_FEC_FAILURES,
    COUNT_FILLER_DATAGRAMS,
    COUNTER_COUNT,
    FRAME_COUNTERS,
    FRAME_DATA,
    FRAME_DATA_BYTES,
    FRAME_HEADER,
    FRAME_NONCES,
    FRAME_PACKETS,
    FRAME_PERCENT,
    FRAME_RECORD,
    FRAME_ROW_COUNT,
    FRAME_SHARD_TOTAL,
    FRAME_STRIDE,
    FRAME_TYPE_FILLER,
    FRAME_VARIANTS,
    FRAME_WINDOW_NS,
    FRAME_WORD_COUNT,
    FRAME_WORDS,
    NONCE_BYTES,
    NONCE_ROW_COUNT,
    OVERSIZE,
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
    WORD_BLOCK_MAX,
    WORD_DATA_MAX,
    WORD_DATAGRAM_SEQUENCE,
    WORD_FEC_PERCENT,
    WORD_FEC_SCHEME,
    WORD_FIRST_FRAME_INDEX,
    WORD_FIRST_SEQUENCE,
    WORD_PAYLOAD_OFFSET,
    WORD_SALT,
    WORD_SHARD_BYTES,
    WORD_STREAM_SEQUENCE,
)
from punktfunk.realtime.kernels.native_pack import (
    copy_shards,
    parity_count,
    write_headers,
    write_sequences,
)
from punktfunk.realtime.kernels.rows import rows_at
from punktfunk.realtime.kernels.udp import GROUP_BYTES_MAX, GROUP_MAX
from punktfunk.wire.native.blocks import MAX_BLOCK_COUNT
from punktfunk.wire.native.packet import HEADER_BYTES, SEQUENCE_BYTES

I64 = NDArray[np.int64]

# Where the header's fields stand in the FRAME_HEADER words.
_BLOCK_INDEX, _BLOCK_COUNT, _DATA_COUNT, _PARITY_COUNT, _SHARD_INDEX = 5, 6, 7, 8, 9


@kernel("int64(int64[::1], int64[::1], int64, int64)")
def _describe_block(frame: I64, words: I64, block: int, data_total: int) -> int:
    """Write the header's fields of one block; its parity count."""
    header = frame[FRAME_HEADER:]
    most, last = words[WORD_DATA_MAX], header[_BLOCK_COUNT] - 1
    data_count = most if block < last else data_total - last * most
    header[_BLOCK_INDEX] = block
    header[_DATA_COUNT] = data_count
    header[_PARITY_COUNT] = parity_count(data_count, frame[FRAME_PERCENT], words[WORD_BLOCK_MAX])
    return int64(header[_PARITY_COUNT])


@entry("int64(int64, int64, int64, int64)")
def _finish_rows(frame_address: int, row: int, count: int, place: int) -> int:
    """Write headers of ``count`` rows whose payloads stand there, and seal them; 0 or an error."""
    frame = words_at(frame_address, FRAME_WORD_COUNT)
    words = words_at(frame[FRAME_WORDS], SENDER_WORD_COUNT)
    variants = words_at(frame[FRAME_VARIANTS], VARIANT_WORD_COUNT)
    stride, header = frame[FRAME_STRIDE], frame[FRAME_HEADER:]
    at = frame[FRAME_PACKETS] + row * stride
    rows = rows_at(at, count, stride)
    sealed = variants[VARIANT_SEAL] != 0
    offset = int64(SEQUENCE_BYTES) if sealed else int64(0)
    header[2] = words[WORD_STREAM_SEQUENCE]
    words[WORD_STREAM_SEQUENCE] += count
    code = write_headers(rows, offset, count, header, place, frame[FRAME_SHARD_TOTAL])
    header[_SHARD_INDEX] += count
    if code != 0 or not sealed:
        return code
    nonces = rows_at(frame[FRAME_NONCES], NONCE_ROW_COUNT, NONCE_BYTES)
    code = write_sequences(rows, count, words[WORD_DATAGRAM_SEQUENCE], words[WORD_SALT], nonces)
    # Used up whatever happens next: a sequence number never comes twice.
    words[WORD_DATAGRAM_SEQUENCE] += count
    if code != 0:
        return code
    text_bytes = HEADER_BYTES + words[WORD_SHARD_BYTES]
    code = call_address(
        variants[VARIANT_SEAL],
        (
            variants[VARIANT_SEAL_CONTEXT], at, stride, count, offset, text_bytes, offset + text_bytes,
            offset, frame[FRAME_NONCES],
        ),
    )  # fmt: skip
    return code if code == 0 else int64(SEAL_FAILED)


@kernel("int64(int64[::1], int64[::1], int64, int64)")
def _send_data(frame: I64, words: I64, frame_address: int, data_total: int) -> int:
    """Send every shard of the access unit, in groups that reach over the ends of blocks; 0 or an error."""
    stride, shard_bytes, most = frame[FRAME_STRIDE], words[WORD_SHARD_BYTES], words[WORD_DATA_MAX]
    shards = rows_at(frame[FRAME_DATA], data_total, shard_bytes)
    group, place = min(int64(GROUP_MAX), GROUP_BYTES_MAX // stride), int64(0)
    while place < data_total:
        size, row = min(group, data_total - place), int64(0)
        while row < size:
            shard = (place + row) % most
            if shard == 0:
                _describe_block(frame, words, (place + row) // most, data_total)
            frame[FRAME_HEADER + _SHARD_INDEX] = shard
            count = min(int64(NONCE_ROW_COUNT), size - row, most - shard)
            rows = rows_at(frame[FRAME_PACKETS] + row * stride, count, stride)
            code = copy_shards(rows, words[WORD_PAYLOAD_OFFSET], count, shards, place + row)
            if code == 0:
                code = _finish_rows(frame_address, row, count, place + row)
            if code != 0:
                return code
            row += count
        code = send_group(frame_address, frame[FRAME_PACKETS], place, size)
        if code < 0:
            return code
        place += size
    return int64(0)


@kernel("int64(int64[::1], int64[::1], int64, int64)")
def _encode(frame: I64, words: I64, block: int, parity: int) -> int:
    """Compute the parity payloads of the block that the header names, where they will be sent from."""
    variants = words_at(frame[FRAME_VARIANTS], VARIANT_WORD_COUNT)
    stride, shard_bytes = frame[FRAME_STRIDE], words[WORD_SHARD_BYTES]
    data = frame[FRAME_DATA] + block * words[WORD_DATA_MAX] * shard_bytes
    target = frame[FRAME_PACKETS] + GROUP_MAX * stride + words[WORD_PAYLOAD_OFFSET]
    data_count = frame[FRAME_HEADER + _DATA_COUNT]
    code = call_address(
        variants[VARIANT_FEC],
        (variants[VARIANT_FEC_CONTEXT], data, shard_bytes, target, stride, data_count, parity, shard_bytes),
    )
    return int64(code)


@kernel("int64(int64[::1], int64[::1], int64, int64)")
def _send_parity(frame: I64, words: I64, frame_address: int, data_total: int) -> int:
    """Compute and send the parity of one block after the other; 0 or an error.

    The data is out: parity that cannot be computed is counted, and a client without losses will not miss it.
    """
    counters = words_at(frame[FRAME_COUNTERS], COUNTER_COUNT)
    stride, place = frame[FRAME_STRIDE], data_total
    group = min(int64(GROUP_MAX), GROUP_BYTES_MAX // stride)
    if frame[FRAME_SHARD_TOTAL] <= group:
        frame[FRAME_WINDOW_NS] = 0  # as small as one group: parity that comes a frame later repairs nothing
    for block in range(frame[FRAME_HEADER + _BLOCK_COUNT]):
        parity = _describe_block(frame, words, block, data_total)
        if parity == 0:
            counters[COUNT_BARE_BLOCKS] += 1
            continue
        if _encode(frame, words, block, parity) != 0:
            counters[COUNT_FEC_FAILURES] += 1
            place += parity
            continue
        frame[FRAME_HEADER + _SHARD_INDEX] = frame[FRAME_HEADER + _DATA_COUNT]
        done = int64(0)
        while done < parity:
            size, row = min(group, parity - done), int64(0)
            while row < size:
                count = min(int64(NONCE_ROW_COUNT), size - row)
                code = _finish_rows(frame_address, GROUP_MAX + done + row, count, place + row)
                if code != 0:
                    return code
                row += count
            rows = frame[FRAME_PACKETS] + (GROUP_MAX + done) * stride
            code = send_group(frame_address, rows, place, size)
            if code < 0:
                return code
            done += size
            place += size
    return int64(0)


@entry("int64(int64, int64)")
def send_native_frame(frame_address: int, frame_bytes: int) -> int:
    """Send one frame. 0 or an error; OVERSIZE and BAD_SIZE send nothing.

    frame_address   of the FRAME_* words; the access unit stands at the start of its buffer
    frame_bytes     of the access unit

    Filler has no parity and no row in the log: its frame index is its own.
    """
    frame = words_at(frame_address, FRAME_WORD_COUNT)
    words = words_at(frame[FRAME_WORDS], SENDER_WORD_COUNT)
    record = words_at(frame[FRAME_RECORD], RECORD_HEADER_WORD_COUNT)
    shard_bytes, most = words[WORD_SHARD_BYTES], words[WORD_DATA_MAX]
    data_total = max((frame_bytes + shard_bytes - 1) // shard_bytes, int64(1))
    block_count = (data_total + most - 1) // most
    if block_count > MAX_BLOCK_COUNT or data_total * shard_bytes > frame[FRAME_DATA_BYTES]:
        return OVERSIZE
    filler = record[RECORD_FRAME_TYPE] == FRAME_TYPE_FILLER
    frame[FRAME_PERCENT] = int64(0) if filler else load_acquire(words, WORD_FEC_PERCENT)
    parity = parity_count(min(most, data_total), frame[FRAME_PERCENT], words[WORD_BLOCK_MAX])
    last = parity_count(data_total - (block_count - 1) * most, frame[FRAME_PERCENT], words[WORD_BLOCK_MAX])
    # A small block may have more parity than a full one, which leaves less room for it.
    if GROUP_MAX + max(parity, last) > frame[FRAME_ROW_COUNT]:
        return BAD_SIZE
    header = frame[FRAME_HEADER:]
    header[0] = record[RECORD_TIMESTAMP]
    header[1] = record[RECORD_SEQUENCE] - words[WORD_FIRST_SEQUENCE] + words[WORD_FIRST_FRAME_INDEX]
    if filler:
        header[0], header[1] = int64(0), record[RECORD_TIMESTAMP]
    header[3] = frame_bytes
    header[4] = record[RECORD_EXTRA_FLAGS]
    header[_BLOCK_COUNT] = block_count
    header[10] = shard_bytes
    header[11] = words[WORD_FEC_SCHEME]
    tail = rows_at(frame[FRAME_DATA] + frame_bytes, 1, data_total * shard_bytes - frame_bytes)
    for i in range(tail.shape[1]):
        tail[0, i] = 0
    begin_frame(frame_address, data_total + (block_count - 1) * parity + last)
    if filler:
        frame[FRAME_WINDOW_NS] = 0  # who fills the line keeps the time
        words_at(frame[FRAME_COUNTERS], COUNTER_COUNT)[COUNT_FILLER_DATAGRAMS] += data_total
    code = _send_data(frame, words, frame_address, data_total)
    if code == 0 and frame[FRAME_PERCENT] > 0:
        code = _send_parity(frame, words, frame_address, data_total)
    if code == 0 and not filler:
        note_frame(frame_address, frame_bytes)
    return code
