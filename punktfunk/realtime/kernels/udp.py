"""Hand equal datagrams that lie one behind the other to the system, in as few calls as it allows.

Segmentation offload (one call for up to 64 datagrams) where the route can do it, else sendmmsg, else a call
for each. Moves bytes only: tests send over loopback in each mode, and through a system that refuses.
"""

import numpy as np
from numba import types
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import address_of, words_at
from punktfunk.realtime.kernels.jit import entry, int64, kernel
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    COUNT_BYTES,
    COUNT_DATAGRAMS,
    COUNT_LAST_ERRNO,
    COUNT_LOST_DATAGRAMS,
    COUNT_SEND_ERRORS,
    COUNT_WOULD_BLOCK,
    COUNTER_COUNT,
    DESTINATION_WORD_COUNT,
    SEND_BATCHED,
    SEND_SEGMENTED,
    SEND_SINGLE,
    SENDER_WORD_COUNT,
    SOCKET_FAILED,
    WORD_DEPARTURE_NS,
    WORD_SEND_MODE,
    WORD_SOCKET,
    WORD_TRAFFIC_CLASS,
    WORD_TXTIME,
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
MESSAGE_WORD_COUNT = _CONTROL_WORDS + 9  # three control messages of CMSG_SPACE(2 to 8) = 24 bytes

# A control message: CMSG_LEN, then level and type, then the value.
_SEGMENT_LENGTH, _CLASS_LENGTH, _TXTIME_LENGTH = 18, 20, 24
_UDP_SEGMENT = 17 | 103 << 32  # SOL_UDP
_SCM_TXTIME = 1 | 61 << 32  # SOL_SOCKET
_IP_TOS = 0 | 1 << 32  # SOL_IP; also for an IPv4 address on an IPv6 socket
_IPV6_TCLASS = 41 | 67 << 32  # SOL_IPV6
_AF_INET6 = 10
_MAPPED_PREFIX = 0xFFFF0000  # bytes 8 to 11 of ::ffff:a.b.c.d, as a little-endian word has them
_MSG_NOSIGNAL = 0x4000
_WRITABLE = 4

_EINTR, _EIO, _EAGAIN, _EBADF, _ENOTSOCK = 4, 5, 11, 9, 88
_EINVAL, _EMSGSIZE, _ENOPROTOOPT, _EOPNOTSUPP, _ENOSYS = 22, 90, 92, 95, 38
_ENOBUFS, _ENOMEM, _ECONNREFUSED = 105, 12, 111
_PATIENCE_NS = 4_000_000  # how long one group may wait for room before its rest is given up
_NAP_NS = 200_000


@kernel("int64(int64[::1], int64, int64, int64, int64)")
def _put_control(messages: I64, used: int, length: int, kind: int, value: int) -> int:
    """Append a control message behind ``used`` words; how many words are used now."""
    place = _CONTROL_WORDS + used
    messages[place] = length
    messages[place + 1] = kind
    messages[place + 2] = value
    return used + 3


@kernel("int64(int64[::1], int64[::1], int64[::1], int64, int64)")
def _control(words: I64, address: I64, messages: I64, segment_bytes: int, depart_ns: int) -> int:
    """Write what goes beside the bytes: traffic class, time of departure, segment size. Its bytes."""
    used = int64(0)
    if words[WORD_TRAFFIC_CLASS]:
        mapped = address[2] == 0 and address[3] & 0xFFFFFFFF == _MAPPED_PREFIX
        plain = address[1] & 0xFFFF != _AF_INET6 or mapped
        kind = int64(_IP_TOS) if plain else int64(_IPV6_TCLASS)
        used = _put_control(messages, used, _CLASS_LENGTH, kind, words[WORD_TRAFFIC_CLASS])
    if words[WORD_TXTIME]:
        used = _put_control(messages, used, _TXTIME_LENGTH, _SCM_TXTIME, depart_ns)
    if segment_bytes:
        used = _put_control(messages, used, _SEGMENT_LENGTH, _UDP_SEGMENT, segment_bytes)
    return used * 8


@kernel("void(int64[::1], int64, int64, int64, int64[::1], int64, int64)")
def _describe(
    messages: I64, rows: int, stride: int, count: int, address: I64, control_bytes: int, segmented: int
) -> None:
    """Fill in the structures for ``count`` rows: one message for all when ``segmented``, else one each."""
    base = address_of(messages)
    for i in range(1 if segmented else count):
        message, vector = i * _MESSAGE_WORDS, _VECTOR_WORDS + i * 2
        messages[vector] = rows + i * stride
        messages[vector + 1] = stride * count if segmented else stride
        messages[message] = address_of(address) + 8
        messages[message + 1] = address[0]
        messages[message + 2] = base + vector * 8
        messages[message + 3] = 1
        messages[message + 4] = base + _CONTROL_WORDS * 8 if control_bytes else 0
        messages[message + 5] = control_bytes
        messages[message + 6] = 0


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
    lowered = True
    if problem == _EINVAL and words[WORD_TXTIME]:
        words[WORD_TXTIME] = 0  # the socket was never told of times; this says nothing about the mode
    elif mode == SEND_SEGMENTED and problem in (_EIO, _EINVAL, _EMSGSIZE, _ENOPROTOOPT, _EOPNOTSUPP):
        words[WORD_SEND_MODE] = SEND_BATCHED
    elif mode == SEND_BATCHED and problem in (_ENOSYS, _EOPNOTSUPP):
        words[WORD_SEND_MODE] = SEND_SINGLE
    else:
        lowered = False
    if lowered:
        return 1
    counters[COUNT_SEND_ERRORS] += 1
    # ECONNREFUSED tells of an earlier datagram; this one was not tried.
    return 1 if problem == _ECONNREFUSED and monotonic_ns() < patience_ns else 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def _send_at(
    words_address: int,
    rows: int,
    stride: int,
    count: int,
    destination: int,
    messages_address: int,
    counters_address: int,
    depart_ns: int,
) -> int:
    """Do what ``send_rows`` does, with sizes that it has checked."""
    words = words_at(words_address, SENDER_WORD_COUNT)
    address = words_at(destination, DESTINATION_WORD_COUNT)
    messages = words_at(messages_address, MESSAGE_WORD_COUNT)
    counters = words_at(counters_address, COUNTER_COUNT)
    fd = np.int32(words[WORD_SOCKET])
    now_ns = monotonic_ns()
    patience_ns = now_ns + _PATIENCE_NS
    if words[WORD_TXTIME]:
        # A queue that keeps times sorts by them, and what has none overtakes what waits: so all get one, and
        # none goes back.
        depart_ns = max(depart_ns, words[WORD_DEPARTURE_NS], now_ns)
        words[WORD_DEPARTURE_NS] = depart_ns
    sent = int64(0)
    while sent < count:
        mode, left = words[WORD_SEND_MODE], count - sent
        segmented = mode == SEND_SEGMENTED and left > 1
        control_bytes = _control(words, address, messages, stride if segmented else 0, depart_ns)
        _describe(messages, rows + sent * stride, stride, left, address, control_bytes, segmented)
        if mode == SEND_BATCHED:
            accepted = int64(_sendmmsg(fd, messages_address, np.uint32(left), np.int32(_MSG_NOSIGNAL)))
        else:
            accepted = _sendmsg(fd, messages_address, np.int32(_MSG_NOSIGNAL))
            if accepted >= 0:
                accepted //= stride
        if accepted > 0:
            counters[COUNT_DATAGRAMS] += accepted
            counters[COUNT_BYTES] += accepted * stride
            sent += accepted
            continue
        # Nothing accepted and no error: as good as no room.
        verdict = _may_retry(words, errno() if accepted < 0 else int64(_EAGAIN), patience_ns, counters)
        if verdict < 0:
            return verdict
        if verdict == 0:
            counters[COUNT_LOST_DATAGRAMS] += count - sent
            return sent
    return sent


@kernel("int64(int64[::1], uint8[:, ::1], int64, int64, int64[::1], int64[::1], int64[::1], int64)")
def send_rows(
    words: I64,
    packets: U8,
    first: int,
    count: int,
    address: I64,
    messages: I64,
    counters: I64,
    depart_ns: int,
) -> int:
    """Send rows ``first`` to ``first + count - 1``; answer how many went out, BAD_SIZE or SOCKET_FAILED.

    words      sender words: the socket and WORD_TRAFFIC_CLASS are read, WORD_SEND_MODE and WORD_TXTIME are
               read and lowered
    packets    (rows, datagram bytes)   every row is one datagram
    first, count   at most GROUP_MAX rows and GROUP_BYTES_MAX bytes
    address    (>= DESTINATION_WORD_COUNT,)   length of the socket address, then the address
    messages   (MESSAGE_WORD_COUNT,)   room for the structures that the system calls read
    counters   (COUNTER_COUNT,)   added to
    depart_ns  CLOCK_MONOTONIC time at which the route's queue lets them go, where WORD_TXTIME is 1; 0, and a
               time that has passed: now. Never before what was sent earlier

    A full socket is waited for, in all at most 4 ms; what then still does not fit, or finds no route, is
    counted as lost. Errors that mean *not like this* lower the mode for good: the caller resets it with the
    destination.
    """
    stride = int64(packets.shape[1])
    if first < 0 or count < 1 or first + count > packets.shape[0] or stride < 1:
        return BAD_SIZE
    if count > GROUP_MAX or count * stride > GROUP_BYTES_MAX or address.size < DESTINATION_WORD_COUNT:
        return BAD_SIZE
    if messages.size < MESSAGE_WORD_COUNT or counters.size < COUNTER_COUNT or words.size < SENDER_WORD_COUNT:
        return BAD_SIZE
    return _send_at(
        address_of(words), address_of(packets) + first * stride, stride, count, address_of(address),
        address_of(messages), address_of(counters), depart_ns,
    )  # fmt: skip
