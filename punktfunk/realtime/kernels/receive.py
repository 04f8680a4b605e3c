"""Take datagrams from the system, many per call: recvmmsg, and segments that it glued together (UDP_GRO).

A glued message is as long as 64 KiB, so messages land in buffers of the caller and are cut into rows from
there; what does not fit into the rows of one call waits for the next. Moves bytes only: tests receive over
loopback what they sent, and from a system that refuses.
"""

import numpy as np
from numba import types
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import address_of, copy_bytes
from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    DESTINATION_WORD_COUNT,
    RECEIVE_BYTES,
    RECEIVE_CALLS,
    RECEIVE_DATAGRAMS,
    RECEIVE_ERRORS,
    RECEIVE_LAST_ERRNO,
    RECEIVE_MESSAGE,
    RECEIVE_MESSAGE_COUNT,
    RECEIVE_OFFSET,
    RECEIVE_TRUNCATED,
    RECEIVE_WORD_COUNT,
    SOCKET_FAILED,
)
from punktfunk.realtime.kernels.system import errno, wait_fd

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]

_recvmmsg = types.ExternalFunction(
    "recvmmsg", types.int32(types.int32, types.int64, types.uint32, types.int32, types.int64)
)

RECEIVE_MESSAGE_WORDS = 24  # of one message: struct mmsghdr here, and behind all of those the rest
_HEADER_WORDS, _REST_WORDS = 8, 16
_NAME_LENGTH, _CONTROL_LENGTH, _FLAGS, _LENGTH = 1, 5, 6, 7  # words of struct mmsghdr
_VECTOR, _SOURCE, _CONTROL = 0, 2, 6  # words of the rest: struct iovec, socket address, control messages
_SOURCE_BYTES, _CONTROL_BYTES = 32, 80
_LOW = 0xFFFFFFFF
_UDP_GRO = 17 | 104 << 32
_MSG_TRUNC, _MSG_DONTWAIT = 0x20, 0x40
_READABLE = 1
_EINTR, _EAGAIN, _EBADF, _ENOTSOCK = 4, 11, 9, 88


@kernel("int64(int64[::1], int64, int64)")
def _segment_bytes(messages: I64, place: int, control_bytes: int) -> int:
    """Bytes of each datagram that the system glued into a message; 0 where it is one datagram."""
    end = place + min(control_bytes, _CONTROL_BYTES) // 8
    while place + 2 < end:
        if messages[place + 1] == _UDP_GRO:
            return int64(messages[place + 2] & _LOW)
        if messages[place] < 16:
            return int64(0)
        place += (messages[place] + 7) >> 3
    return int64(0)


@kernel("int64(int64, int64[::1], uint8[:, ::1], int64[::1])")
def _fill(fd: int, words: I64, buffers: U8, messages: I64) -> int:
    """Ask the system for messages; how many came, 0 for none or an error that passes, SOCKET_FAILED."""
    count, base = int64(buffers.shape[0]), address_of(messages)
    for i in range(count):
        header, rest = i * _HEADER_WORDS, count * _HEADER_WORDS + i * _REST_WORDS
        messages[header] = base + (rest + _SOURCE) * 8
        messages[header + _NAME_LENGTH] = _SOURCE_BYTES
        messages[header + 2] = base + (rest + _VECTOR) * 8
        messages[header + 3] = 1
        messages[header + 4] = base + (rest + _CONTROL) * 8
        messages[header + _CONTROL_LENGTH] = _CONTROL_BYTES
        messages[header + _FLAGS] = 0
        messages[rest + _VECTOR] = address_of(buffers) + i * buffers.shape[1]
        messages[rest + _VECTOR + 1] = buffers.shape[1]
        for j in range(_SOURCE_BYTES // 8):
            messages[rest + _SOURCE + j] = 0
    words[RECEIVE_CALLS] += 1
    came = int64(_recvmmsg(np.int32(fd), base, np.uint32(count), np.int32(_MSG_DONTWAIT), 0))
    if came >= 0:
        words[RECEIVE_MESSAGE], words[RECEIVE_MESSAGE_COUNT], words[RECEIVE_OFFSET] = 0, came, 0
        return came
    problem = errno()
    if problem in (_EAGAIN, _EINTR):
        return int64(0)
    words[RECEIVE_ERRORS] += 1
    words[RECEIVE_LAST_ERRNO] = problem
    return int64(SOCKET_FAILED) if problem in (_EBADF, _ENOTSOCK) else int64(0)


@kernel("int64(int64[::1], uint8[:, ::1], int64[::1], uint8[:, ::1], int64[::1], int64[:, ::1], int64)")
def _cut(words: I64, buffers: U8, messages: I64, rows: U8, lengths: I64, sources: I64, row: int) -> int:
    """Cut waiting messages into rows from ``row`` on; the first row that is still free."""
    while row < rows.shape[0] and words[RECEIVE_MESSAGE] < words[RECEIVE_MESSAGE_COUNT]:
        index = words[RECEIVE_MESSAGE]
        header = index * _HEADER_WORDS
        rest = int64(buffers.shape[0]) * _HEADER_WORDS + index * _REST_WORDS
        total = messages[header + _LENGTH] & _LOW
        offset = words[RECEIVE_OFFSET]
        segment = _segment_bytes(messages, rest + _CONTROL, messages[header + _CONTROL_LENGTH])
        size = min(segment, total - offset) if segment else total
        # What the system cut off was cut from the end: only the last datagram of a glued message is lost.
        whole = offset + size < total or not messages[header + _FLAGS] & _MSG_TRUNC
        if whole and size <= rows.shape[1]:
            target = address_of(rows) + row * rows.shape[1]
            copy_bytes(target, address_of(buffers) + index * buffers.shape[1] + offset, size)
            lengths[row] = size
            sources[row, 0] = messages[header + _NAME_LENGTH] & _LOW
            for j in range(DESTINATION_WORD_COUNT - 1):
                sources[row, 1 + j] = messages[rest + _SOURCE + j]
            words[RECEIVE_DATAGRAMS] += 1
            words[RECEIVE_BYTES] += size
            row += 1
        else:
            words[RECEIVE_TRUNCATED] += 1
        words[RECEIVE_OFFSET] = offset + size
        if offset + size >= total:
            words[RECEIVE_MESSAGE], words[RECEIVE_OFFSET] = index + 1, 0
    return row


@kernel(
    "int64(int64, int64[::1], uint8[:, ::1], int64[::1], uint8[:, ::1], int64[::1], int64[:, ::1], int64)"
)
def receive_rows(
    fd: int, words: I64, buffers: U8, messages: I64, rows: U8, lengths: I64, sources: I64, timeout_ms: int
) -> int:
    """Receive datagrams into rows: how many, 0 when none came in time, BAD_SIZE or SOCKET_FAILED.

    fd         a UDP socket
    words      (RECEIVE_WORD_COUNT,)   counters, and where cutting goes on; zeros to begin with
    buffers    (messages, bytes)   65535 bytes take whatever comes; with UDP_GRO off a datagram's are enough
    messages   (messages * RECEIVE_MESSAGE_WORDS,)   room for the structures of the system call
    rows       (rows, datagram bytes)   written; a longer datagram is thrown away and counted as truncated
    lengths    (rows,)   bytes of each row that were written
    sources    (rows, DESTINATION_WORD_COUNT)   length of the sender's socket address, then the address
    timeout_ms   how long to wait for the first datagram; 0 does not wait

    Answers when the rows are full or nothing more waits. An error that passes (the echo of a datagram that
    nobody wanted, no memory) is counted, and the next call goes on.
    """
    count = int64(rows.shape[0])
    if words.size < RECEIVE_WORD_COUNT or messages.size < buffers.shape[0] * RECEIVE_MESSAGE_WORDS:
        return BAD_SIZE
    if lengths.size < count or sources.shape[0] < count or sources.shape[1] < DESTINATION_WORD_COUNT:
        return BAD_SIZE
    if count < 1 or buffers.shape[0] < 1 or buffers.shape[0] > 1024 or buffers.shape[1] < 1:
        return BAD_SIZE
    row, waited = int64(0), timeout_ms <= 0
    while True:
        row = _cut(words, buffers, messages, rows, lengths, sources, row)
        if row == count:
            return row
        came = _fill(fd, words, buffers, messages)
        if came <= 0 and (row or waited or came < 0):
            return row or came  # a socket that failed says so again
        if came == 0:
            wait_fd(fd, _READABLE, timeout_ms)
            waited = True
