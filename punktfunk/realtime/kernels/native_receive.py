"""The life of ``pf-receive``: one call that takes datagrams, opens them and makes access units of them.

The system glues datagrams of one sender together (UDP_GRO): a message then is rows of equal length, which are
opened where they stand, a few at a time, and placed while they are in the first-level cache. Nothing of a
datagram is believed, counted as received or let into the replay window before it is authentic.

Calls what is beside it and adds nothing but order, so tests send it what they sealed and hold the outcome
against ``wire.native``.
"""

import numpy as np
from numba import types
from numpy.typing import NDArray

from punktfunk.realtime.kernels import layout_receive as at
from punktfunk.realtime.kernels.atomics import address_of, load_acquire, store_release
from punktfunk.realtime.kernels.atomics import words_at as array_at
from punktfunk.realtime.kernels.calls import call_address
from punktfunk.realtime.kernels.jit import entry, int64, kernel
from punktfunk.realtime.kernels.layout import BAD_SIZE, NONCE_BYTES, SOCKET_FAILED, STOPPED
from punktfunk.realtime.kernels.reassemble import take_packet
from punktfunk.realtime.kernels.rows import get_big, get_little, put_big, put_little
from punktfunk.realtime.kernels.system import drain_eventfd, errno, monotonic_ns, wait_readable
from punktfunk.realtime.kernels.views import bytes_at, words_at
from punktfunk.realtime.kernels.windows import forget_frames
from punktfunk.wire.native.packet import (
    HEADER_BYTES,
    MAX_DATAGRAM_BYTES,
    MIN_DATAGRAM_BYTES,
    SALT_BYTES,
    SENDER_BIT,
    SEQUENCE_BYTES,
    TAG_BYTES,
)
from punktfunk.wire.native.replay import REPLAY_WINDOW

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]

_recvmmsg = types.ExternalFunction(
    "recvmmsg", types.int32(types.int32, types.int64, types.uint32, types.int32, types.int64)
)

MESSAGE_COUNT = 32
MESSAGE_BYTES = 65_536
_GLUED_COUNT = 4  # messages for one call while they are glued: more would not stay in the cache
MESSAGE_ROOM_BYTES = 128  # of one message: struct mmsghdr here, and behind all of those the rest
_HEADER_BYTES, _REST_BYTES = 64, 64
_REST = MESSAGE_COUNT * _HEADER_BYTES  # struct iovec, then room for control messages
_LENGTH = 7  # word of struct mmsghdr
_CONTROL, _CONTROL_BYTES = 16, 48
_LOW = 0xFFFFFFFF
_UDP_GRO = 17 | 104 << 32
_MSG_DONTWAIT = 0x40
_EINTR, _EAGAIN, _EBADF, _ENOTSOCK = 4, 11, 9, 88
_IDLE_MS = 500  # the doorbell ends a wait; this only bounds it
_FLUSH_CALLS = 4096


@entry("int64(int64, int64)")
def accept_sequence(receiver: int, sequence: int) -> int:
    """Note the sequence of an authentic datagram: 1 if it is new, 0 if it came before or is too old.

    receiver   address of the receiver's words
    sequence   from the datagram
    """
    words = words_at(receiver)
    bits, newest = bytes_at(words[at.REPLAY]), words[at.SEQUENCE_NEWEST]
    place = sequence & (REPLAY_WINDOW - 1)
    bit = 1 << (place & 7)
    if sequence < 0:
        return int64(0)
    if words[at.SEQUENCE_KNOWN] == 0 or sequence - newest >= REPLAY_WINDOW:
        for i in range(REPLAY_WINDOW >> 3):
            bits[i] = 0
    elif sequence > newest:
        for passed in range(newest + 1, sequence + 1):
            bits[(passed & (REPLAY_WINDOW - 1)) >> 3] &= ~(1 << (passed & 7))
    elif newest - sequence >= REPLAY_WINDOW or bits[place >> 3] & bit:
        return int64(0)
    if words[at.SEQUENCE_KNOWN] == 0 or sequence > newest:
        words[at.SEQUENCE_NEWEST] = sequence
    words[at.SEQUENCE_KNOWN] = 1
    bits[place >> 3] |= bit
    return int64(1)


@entry("int64(int64)")
def _is_lost(receiver: int) -> int:
    """Throw the dice for one datagram: 1 where it counts as lost. Marsaglia's xorshift, 13, 7 and 17."""
    words = words_at(receiver)
    state = np.uint64(words[at.RANDOM])
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    words[at.RANDOM] = int64(state)
    return int64(state % np.uint64(1_000_000) < np.uint64(words[at.LOSS_PPM]))


@entry("int64(int64, int64, int64, int64, int64)")
def _prepare(receiver: int, rows: int, stride: int, count: int, last_bytes: int) -> int:
    """Write sizes and nonces of a group of datagrams; a negative size for what is not to be opened. 0."""
    words = words_at(receiver)
    sealed = words[at.OPEN] != 0
    extra = int64(SEQUENCE_BYTES + TAG_BYTES) if sealed else int64(0)
    least = int64(MIN_DATAGRAM_BYTES) if sealed else int64(HEADER_BYTES)
    salt = words[at.SALT] & _LOW & ~int64(SENDER_BIT)
    sizes = words_at(words[at.SIZES])
    for row in range(count):
        size = last_bytes if row == count - 1 else stride
        sizes[row] = size - extra
        if words[at.LOSS_PPM] and _is_lost(receiver):
            words[at.INJECTED] += 1
            sizes[row] = -1
        elif size < least or size > MAX_DATAGRAM_BYTES:
            words[at.WRONG_LENGTH] += 1
            sizes[row] = -1
        elif sealed:
            nonce = words[at.NONCES] + row * NONCE_BYTES
            put_little(nonce, salt)
            put_big(nonce + SALT_BYTES, get_big(rows + row * stride))
    return int64(0)


@entry("int64(int64, int64, int64, int64, int64)")
def _log(receiver: int, text: int, text_bytes: int, sequence: int, now_ns: int) -> int:
    """Write one packet into the log, if there is one; 0."""
    words = words_at(receiver)
    count = words[at.LOG_COUNT]
    if words[at.LOG] == 0 or text_bytes < HEADER_BYTES:
        return int64(0)
    row = words_at(words[at.LOG] + (count & (words[at.LOG_ROWS] - 1)) * (at.LOG_ROW_WORDS * 8))
    row[at.LOG_SEQUENCE], row[at.LOG_ARRIVED_NS], row[at.LOG_BYTES] = sequence, now_ns, text_bytes
    for i in range(HEADER_BYTES // 8):
        row[at.LOG_HEADER + i] = get_little(text + 8 * i)
    store_release(array_at(receiver, at.RECEIVER_WORD_COUNT), at.LOG_COUNT, count + 1)
    return int64(0)


@entry("int64(int64, int64, int64, int64, int64, int64)")
def take_datagrams(receiver: int, rows: int, stride: int, count: int, last_bytes: int, now_ns: int) -> int:
    """Take datagrams that lie one behind the other; how many frames they completed, or BAD_SIZE.

    receiver     address of the receiver's words
    rows         address of the first, which is opened where it stands, like the others
    stride       bytes from one to the next, and of each but the last
    count        1 .. GROUP_ROWS
    last_bytes   of the last, at most ``stride``
    now_ns       when they came
    """
    words = words_at(receiver)
    if count < 1 or count > at.GROUP_ROWS or last_bytes > stride or last_bytes < 0:
        return BAD_SIZE
    _prepare(receiver, rows, stride, count, last_bytes)
    sizes, results = words_at(words[at.SIZES]), bytes_at(words[at.RESULTS])
    sealed = words[at.OPEN] != 0
    offset = int64(SEQUENCE_BYTES) if sealed else int64(0)
    if sealed:
        code = call_address(
            words[at.OPEN],
            (
                words[at.OPEN_CONTEXT], rows, stride, count, offset, words[at.SIZES], int64(-1), offset,
                words[at.NONCES], words[at.RESULTS],
            ),
        )  # fmt: skip
        if code < 0:
            return int64(code)
    completed = int64(0)
    for row in range(count):
        datagram, size = rows + row * stride, sizes[row]
        sequence = get_big(datagram) if sealed else int64(-1)
        if size < 0:
            continue
        if sealed and results[row] == 0:
            words[at.NOT_AUTHENTIC] += 1
        elif sealed and not accept_sequence(receiver, sequence):
            words[at.REPLAYED] += 1
        else:
            words[at.BYTES] += last_bytes if row == count - 1 else stride
            _log(receiver, datagram + offset, size, sequence, now_ns)
            completed += take_packet(receiver, datagram + offset, size, now_ns)
    words[at.DATAGRAMS] += count
    return completed


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64)")
def take_group(words: I64, rows: U8, stride: int, count: int, last_bytes: int, now_ns: int) -> int:
    """Do as ``take_datagrams`` with arrays: how a test, or a replay under another clock, hands them over.

    words        (RECEIVER_WORD_COUNT,)   of the receiver
    rows         (bytes,)   datagrams, one behind the other; opened there
    stride, count, last_bytes, now_ns   as there
    """
    if words.size < at.RECEIVER_WORD_COUNT or stride < 1 or count < 1 or count > at.GROUP_ROWS:
        return BAD_SIZE
    if (count - 1) * stride + last_bytes > rows.size:
        return BAD_SIZE
    return take_datagrams(address_of(words), address_of(rows), stride, count, last_bytes, now_ns)


@kernel("int64(int64[::1])")
def forget(words: I64) -> int:
    """Forget all that was begun: how many frames, or BAD_SIZE.

    words   (RECEIVER_WORD_COUNT,)   of the receiver
    """
    return forget_frames(address_of(words)) if words.size >= at.RECEIVER_WORD_COUNT else int64(BAD_SIZE)


@entry("int64(int64, int64)")
def _segment_bytes(control: int, control_bytes: int) -> int:
    """Bytes of each datagram that the system glued into a message; 0 where it is one datagram."""
    place, end = words_at(control), int64(0)
    while end + 24 <= control_bytes:
        if place[1] == _UDP_GRO:
            return int64(place[2] & _LOW)
        if place[0] < 16:
            return int64(0)
        end += (place[0] + 7) & -8
        place = words_at(control + end)
    return int64(0)


@entry("int64(int64)")
def _fill(receiver: int) -> int:
    """Ask the system for messages; how many came, 0 for none or an error that passes, SOCKET_FAILED."""
    words = words_at(receiver)
    base, buffers = words[at.MESSAGES], words[at.BUFFERS]
    for i in range(words[at.BATCH]):
        header, rest = words_at(base + i * _HEADER_BYTES), words_at(base + _REST + i * _REST_BYTES)
        header[0] = header[1] = 0
        header[2], header[3] = base + _REST + i * _REST_BYTES, 1
        header[4], header[5] = base + _REST + i * _REST_BYTES + _CONTROL, _CONTROL_BYTES
        header[6] = header[_LENGTH] = 0
        rest[0], rest[1] = buffers + i * MESSAGE_BYTES, MESSAGE_BYTES
    words[at.CALLS] += 1
    fd, asked = np.int32(words[at.SOCKET]), np.uint32(words[at.BATCH])
    came = int64(_recvmmsg(fd, base, asked, np.int32(_MSG_DONTWAIT), 0))
    if came >= 0:
        return came
    problem = errno()
    if problem in (_EAGAIN, _EINTR):
        return int64(0)
    words[at.ERRORS] += 1
    words[at.LAST_ERRNO] = problem
    return int64(SOCKET_FAILED) if problem in (_EBADF, _ENOTSOCK) else int64(0)


@entry("int64(int64, int64)")
def _stride_of(receiver: int, index: int) -> int:
    """Bytes from datagram to datagram in a message, its own if it is one; notes if messages are glued."""
    words = words_at(receiver)
    header = words_at(words[at.MESSAGES] + index * _HEADER_BYTES)
    control = words[at.MESSAGES] + _REST + index * _REST_BYTES + _CONTROL
    segment = _segment_bytes(control, min(header[5], int64(_CONTROL_BYTES)))
    size = header[_LENGTH] & _LOW
    words[at.BATCH] = _GLUED_COUNT if segment > 0 and size > 8 * segment else MESSAGE_COUNT
    return segment if 0 < segment < size else max(size, int64(1))


@entry("int64(int64)")
def receive_once(receiver: int) -> int:
    """Take what waits, at most one call's worth: how many messages came; SOCKET_FAILED or BAD_SIZE.

    receiver   address of the receiver's words
    """
    words = words_at(receiver)
    came = _fill(receiver)
    now_ns = monotonic_ns()
    for index in range(came):
        stride = _stride_of(receiver, index)
        size = words_at(words[at.MESSAGES] + index * _HEADER_BYTES)[_LENGTH] & _LOW
        place = words[at.BUFFERS] + index * MESSAGE_BYTES
        words[at.DATAGRAMS] += int64(size == 0)
        words[at.WRONG_LENGTH] += int64(size == 0)
        while size > 0:
            count = min((size + stride - 1) // stride, int64(at.GROUP_ROWS))
            taken = min(size, count * stride)
            code = take_datagrams(receiver, place, stride, count, taken - (count - 1) * stride, now_ns)
            if code < 0:
                return code
            size -= taken
            place += taken
    return came


@entry("int64(int64)")
def _flush(receiver: int) -> int:
    """Throw away what waits in the socket, and all that was begun; 0 or SOCKET_FAILED."""
    words = words_at(receiver)
    for _ in range(_FLUSH_CALLS):
        came = _fill(receiver)
        if came < 0:
            return came
        if came == 0:
            break
        for index in range(came):
            stride = _stride_of(receiver, index)
            size = words_at(words[at.MESSAGES] + index * _HEADER_BYTES)[_LENGTH] & _LOW
            words[at.FLUSHED_DATAGRAMS] += (size + stride - 1) // stride
    forget_frames(receiver)
    words[at.FLUSHES] += 1
    return int64(0)


@kernel("int64(int64[::1])")
def receive_loop(words: I64) -> int:
    """Receive until STOP is set: then STOPPED. SOCKET_FAILED or BAD_SIZE when it cannot go on.

    words   (RECEIVER_WORD_COUNT,)   of the receiver; BUFFERS and MESSAGES are as large as this module says
    """
    if words.size < at.RECEIVER_WORD_COUNT or words[at.BUFFERS] == 0 or words[at.MESSAGES] == 0:
        return BAD_SIZE
    receiver = address_of(words)
    while load_acquire(words, at.STOP) == 0:
        wanted, code = load_acquire(words, at.FLUSH_WANTED), int64(0)
        if wanted != words[at.FLUSH_DONE]:
            code = _flush(receiver)
            store_release(words, at.FLUSH_DONE, wanted)
        asked = words[at.BATCH]
        came = receive_once(receiver) if code == 0 else code
        if came < 0:
            return came
        if came < asked:
            wait_readable(words[at.SOCKET], words[at.DOORBELL], _IDLE_MS)
            drain_eventfd(words[at.DOORBELL])
    return STOPPED
