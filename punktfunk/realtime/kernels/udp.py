"""Hand equal datagrams that lie one behind the other to the system, in as few calls as it allows.

Segmentation offload (one call for up to 64 datagrams) where the route can do it, else sendmmsg, else sendto.
Moves bytes only: tests send over loopback in each mode.
"""

import numpy as np
from numba import types
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import address_of
from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    COUNT_BYTES,
    COUNT_DATAGRAMS,
    COUNT_LAST_ERRNO,
    COUNT_LOST_DATAGRAMS,
    COUNT_SEND_ERRORS,
    COUNT_WOULD_BLOCK,
    DESTINATION_WORD_COUNT,
    SEND_BATCHED,
    SEND_SEGMENTED,
    SEND_SINGLE,
    SOCKET_FAILED,
    WORD_SEND_MODE,
    WORD_SOCKET,
)
from punktfunk.realtime.kernels.system import errno, monotonic_ns, sleep_to_ns, wait_fd

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]

_p, _i = types.int64, types.int32
_sendmsg = types.ExternalFunction("sendmsg", _p(_i, _p, _i))
_sendmmsg = types.ExternalFunction("sendmmsg", _i(_i, _p, types.uint32, _i))

GROUP_MAX = 64  # datagrams; also the kernel's UDP_MAX_SEGMENTS of old
GROUP_BYTES_MAX = 65_000  # one UDP payload is at most 65507 bytes
_MESSAGE_WORDS = 8  # struct mmsghdr, 64 bytes
_VECTOR_WORDS = GROUP_MAX * _MESSAGE_WORDS
_CONTROL_WORDS = _VECTOR_WORDS + GROUP_MAX * 2  # behind the struct iovec of 16 bytes each
MESSAGE_WORD_COUNT = _CONTROL_WORDS + 4

_SEGMENT_CONTROL_BYTES = 18  # CMSG_LEN(2)
_SEGMENT_SPACE_BYTES = 24  # CMSG_SPACE(2)
_UDP_SEGMENT = 17 | 103 << 32  # level SOL_UDP, type UDP_SEGMENT
_MSG_NOSIGNAL = 0x4000
_WRITABLE = 4

_EINTR, _EIO, _EAGAIN, _EBADF, _ENOTSOCK = 4, 5, 11, 9, 88
_EINVAL, _EMSGSIZE, _ENOPROTOOPT, _EOPNOTSUPP, _ENOSYS = 22, 90, 92, 95, 38
_ENOBUFS, _ENOMEM, _ECONNREFUSED = 105, 12, 111
_PATIENCE_NS = 4_000_000  # how long one group may wait for room before its rest is given up
_NAP_NS = 200_000


@kernel("void(int64[::1], uint8[:, ::1], int64, int64, int64[::1], int64)")
def _describe(messages: I64, packets: U8, first: int, count: int, address: I64, segmented: int) -> None:
    """Fill in the structures for ``count`` rows: one message for all when ``segmented``, else one each."""
    base, stride = address_of(messages), int64(packets.shape[1])
    for i in range(1 if segmented else count):
        message, vector = i * _MESSAGE_WORDS, _VECTOR_WORDS + i * 2
        messages[vector] = address_of(packets) + (first + i) * stride
        messages[vector + 1] = stride * count if segmented else stride
        messages[message] = address_of(address) + 8
        messages[message + 1] = address[0]
        messages[message + 2] = base + vector * 8
        messages[message + 3] = 1
        messages[message + 4] = base + _CONTROL_WORDS * 8 if segmented else 0
        messages[message + 5] = _SEGMENT_SPACE_BYTES if segmented else 0
        messages[message + 6] = 0
    messages[_CONTROL_WORDS] = _SEGMENT_CONTROL_BYTES
    messages[_CONTROL_WORDS + 1] = _UDP_SEGMENT
    messages[_CONTROL_WORDS + 2] = stride


@kernel("int64(int64[::1], int64, int64, int64[::1])")
def _may_retry(words: I64, problem: int, patience_ns: int, counters: I64) -> int:
    """After a failed call: 1 to try again (perhaps in another mode), 0 to give up, SOCKET_FAILED."""
    if problem == _EINTR:
        return 1
    if problem in (_EAGAIN, _ENOBUFS, _ENOMEM):
        counters[COUNT_WOULD_BLOCK] += 1
        if monotonic_ns() < patience_ns:
            if problem == _EAGAIN:
                wait_fd(words[WORD_SOCKET], _WRITABLE, 2)
            else:
                sleep_to_ns(monotonic_ns() + _NAP_NS)
            return 1
    counters[COUNT_LAST_ERRNO] = problem
    if problem in (_EBADF, _ENOTSOCK):
        return SOCKET_FAILED
    mode = words[WORD_SEND_MODE]
    if mode == SEND_SEGMENTED and problem in (_EIO, _EINVAL, _EMSGSIZE, _ENOPROTOOPT, _EOPNOTSUPP):
        words[WORD_SEND_MODE] = SEND_BATCHED
        return 1
    if mode == SEND_BATCHED and problem in (_ENOSYS, _EOPNOTSUPP):
        words[WORD_SEND_MODE] = SEND_SINGLE
        return 1
    counters[COUNT_SEND_ERRORS] += 1
    # ECONNREFUSED tells of an earlier datagram; this one was not tried.
    return 1 if problem == _ECONNREFUSED and monotonic_ns() < patience_ns else 0


@kernel("int64(int64[::1], uint8[:, ::1], int64, int64, int64[::1], int64[::1], int64[::1])")
def send_rows(
    words: I64, packets: U8, first: int, count: int, address: I64, messages: I64, counters: I64
) -> int:
    """Send rows ``first`` to ``first + count - 1``; answer how many went out, BAD_SIZE or SOCKET_FAILED.

    words      sender words: the socket is read, WORD_SEND_MODE is read and lowered
    packets    (rows, datagram bytes)   every row is one datagram
    first, count   at most GROUP_MAX rows and GROUP_BYTES_MAX bytes
    address    (>= DESTINATION_WORD_COUNT,)   length of the socket address, then the address
    messages   (MESSAGE_WORD_COUNT,)   room for the structures that the system calls read
    counters   (COUNTER_COUNT,)   added to

    A full socket is waited for, in all at most 4 ms; what then still does not fit, or finds no route, is
    counted as lost. Errors that mean *not like this* lower the mode for good: the caller resets it with the
    destination.
    """
    stride = int64(packets.shape[1])
    if first < 0 or count < 1 or first + count > packets.shape[0] or messages.size < MESSAGE_WORD_COUNT:
        return BAD_SIZE
    if count > GROUP_MAX or count * stride > GROUP_BYTES_MAX or address.size < DESTINATION_WORD_COUNT:
        return BAD_SIZE
    fd, base = np.int32(words[WORD_SOCKET]), address_of(messages)
    patience_ns = monotonic_ns() + _PATIENCE_NS
    sent = int64(0)
    while sent < count:
        mode, left = words[WORD_SEND_MODE], count - sent
        segmented = mode == SEND_SEGMENTED and left > 1
        _describe(messages, packets, first + sent, left, address, segmented)
        if mode == SEND_BATCHED:
            accepted = int64(_sendmmsg(fd, base, np.uint32(left), np.int32(_MSG_NOSIGNAL)))
        else:
            accepted = _sendmsg(fd, base, np.int32(_MSG_NOSIGNAL))
            if accepted >= 0:
                accepted = left if segmented else int64(1)
        if accepted >= 0:
            counters[COUNT_DATAGRAMS] += accepted
            counters[COUNT_BYTES] += accepted * stride
            sent += accepted
            continue
        verdict = _may_retry(words, errno(), patience_ns, counters)
        if verdict < 0:
            return verdict
        if verdict == 0:
            counters[COUNT_LOST_DATAGRAMS] += count - sent
            return sent
    return sent
