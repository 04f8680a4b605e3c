"""A child process in which sendmsg, sendmmsg and recvmmsg are ours, and refuse as hypothesis pleases.

LLVM finds a symbol that was added before one of the C library, so the kernels call these doubles. They write
down what was accepted; a model of what each error means says what must have become of every datagram.
"""

import ctypes
import errno
import struct

import llvmlite.binding
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

problem = ctypes.c_int(0)
script: list[int] = []  # what the next calls do: > 0 accepts so many datagrams, <= 0 fails with that errno
accepted: list[bytes] = []
controls: list[dict[tuple[int, int], bytes]] = []
calls: list[str] = []

LONG = ctypes.c_long
SENDMSG = ctypes.CFUNCTYPE(LONG, ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
MANY = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
RECEIVE = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p
)
ERRNO = ctypes.CFUNCTYPE(LONG)
POLL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int)
CLOCK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.POINTER(LONG))
NAP = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.POINTER(LONG), ctypes.c_void_p)
clock = [0]  # what the doubles say that it is, in ns


def message(address: int) -> tuple[bytes, dict[tuple[int, int], bytes]]:
    _, _, vectors, count, control, control_bytes = struct.unpack("QIxxxxQQQQ", ctypes.string_at(address, 48))
    assert count == 1
    base, size = struct.unpack("QQ", ctypes.string_at(vectors, 16))
    found, raw = {}, ctypes.string_at(control, control_bytes) if control_bytes else b""
    while raw:
        length, level, kind = struct.unpack("Qii", raw[:16])
        found[level, kind] = raw[16:length]
        raw = raw[-(-length // 8) * 8 :]
    return ctypes.string_at(base, size), found


def fails() -> int:
    """The count that the next call accepts; 0 when it fails, with ``problem`` set."""
    step = script.pop(0) if script else 1000
    if step <= 0:
        problem.value = -step
    return max(step, 0)


@SENDMSG
def sendmsg(_fd: int, address: int, _flags: int) -> int:
    count = fails()
    data, control = message(address)
    size = struct.unpack("H", control[17, 103])[0] if (17, 103) in control else len(data)
    calls.append("gso" if (17, 103) in control else "single")
    if not count:
        return -1
    datagrams = [data[start : start + size] for start in range(0, len(data), size)][:count]
    accepted.extend(datagrams)
    controls.append(control)
    return sum(map(len, datagrams))


@MANY
def sendmmsg(_fd: int, address: int, count: int, _flags: int) -> int:
    calls.append("many")
    taken = min(fails(), count)
    if not taken:
        return -1
    for index in range(taken):
        data, control = message(address + 64 * index)
        accepted.append(data)
        controls.append(control)
    return taken


@RECEIVE
def recvmmsg(_fd: int, address: int, count: int, _flags: int, _timeout: int) -> int:
    taken = min(fails(), count)
    if not taken:
        return -1
    for index in range(taken):
        header = address + 64 * index
        vectors = struct.unpack("Q", ctypes.string_at(header + 16, 8))[0]
        base = struct.unpack("Q", ctypes.string_at(vectors, 8))[0]
        number = len(accepted)
        ctypes.memmove(base, number.to_bytes(4, "little"), 4)
        ctypes.memmove(header + 40, bytes(8), 8)  # no control message
        ctypes.memmove(header + 56, (4).to_bytes(8, "little"), 8)
        accepted.append(number.to_bytes(4, "little"))
    return taken


@ERRNO
def errno_location() -> int:
    return ctypes.addressof(problem)


@POLL
def poll(_entries: int, _count: int, timeout_ms: int) -> int:
    clock[0] += max(timeout_ms, 0) * 500_000
    return 1


@CLOCK
def clock_gettime(_clock: int, timespec) -> int:
    timespec[0], timespec[1] = divmod(clock[0], 1_000_000_000)
    return 0


@NAP
def clock_nanosleep(_clock: int, _flags: int, timespec, _rest: int) -> int:
    clock[0] = max(clock[0], timespec[0] * 1_000_000_000 + timespec[1])
    return 0


for name, double in {
    "sendmsg": sendmsg, "sendmmsg": sendmmsg, "recvmmsg": recvmmsg, "__errno_location": errno_location,
    "poll": poll, "clock_gettime": clock_gettime, "clock_nanosleep": clock_nanosleep,
}.items():  # fmt: skip
    llvmlite.binding.add_symbol(name, ctypes.cast(double, ctypes.c_void_p).value)

from punktfunk.realtime.kernels import receive, udp  # noqa: E402  (the doubles must come first)
from punktfunk.realtime.kernels.layout import (  # noqa: E402
    COUNT_DATAGRAMS,
    COUNT_LAST_ERRNO,
    COUNT_LOST_DATAGRAMS,
    COUNT_SEND_ERRORS,
    COUNT_WOULD_BLOCK,
    COUNTER_COUNT,
    RECEIVE_ERRORS,
    RECEIVE_LAST_ERRNO,
    RECEIVE_WORD_COUNT,
    SEND_BATCHED,
    SEND_SEGMENTED,
    SEND_SINGLE,
    SENDER_WORD_COUNT,
    SOCKET_FAILED,
    WORD_SEND_MODE,
    WORD_TRAFFIC_CLASS,
    WORD_TXTIME,
)

PATIENCE_NS = 4_000_000
LOWERS_TO_BATCHED = {errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.ENOPROTOOPT, errno.EOPNOTSUPP}
NO_ROOM = {errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM}
ERRORS = [
    errno.EINTR, *NO_ROOM, *LOWERS_TO_BATCHED, errno.ENOSYS, errno.ECONNREFUSED, errno.ENETUNREACH,
    errno.EPERM, errno.EBADF, errno.ENOTSOCK,
]  # fmt: skip
STEPS = st.lists(st.one_of(st.integers(1, 64), st.sampled_from([-number for number in ERRORS])), max_size=14)


class Model:
    """What ``send_rows`` promises, in Python: steps in, and what must be seen afterwards."""

    def __init__(self, count: int, mode: int, *, times: bool, steps: list[int]) -> None:
        self.left, self.mode, self.times = count, mode, times
        self.sent = self.waits = self.errors = self.last = 0
        self.clock_ns = 0
        self.code: int | None = None
        steps = list(steps)
        while self.left and self.code is None:
            step = steps.pop(0) if steps else 1000
            if step > 0:
                most = 1 if self.mode == SEND_SINGLE else self.left
                taken = min(step, most)
                self.sent, self.left = self.sent + taken, self.left - taken
            else:
                self.fail(-step)

    def fail(self, number: int) -> None:
        if number == errno.EINTR:
            return
        if number in NO_ROOM:
            self.waits += 1
            if self.clock_ns < PATIENCE_NS:
                self.clock_ns += 1_000_000 if number == errno.EAGAIN else 200_000
                return
        self.last = number
        if number in (errno.EBADF, errno.ENOTSOCK):
            self.code = SOCKET_FAILED
        elif number == errno.EINVAL and self.times:
            self.times = False
        elif self.mode == SEND_SEGMENTED and number in LOWERS_TO_BATCHED:
            self.mode = SEND_BATCHED
        elif self.mode == SEND_BATCHED and number in (errno.ENOSYS, errno.EOPNOTSUPP):
            self.mode = SEND_SINGLE
        else:
            self.errors += 1
            if number != errno.ECONNREFUSED or self.clock_ns >= PATIENCE_NS:
                self.code = self.sent


@settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    count=st.integers(1, 60), mode=st.sampled_from([SEND_SEGMENTED, SEND_BATCHED, SEND_SINGLE]),
    times=st.booleans(), marked=st.booleans(), steps=STEPS,
)  # fmt: skip
def sending(*, count: int, mode: int, times: bool, marked: bool, steps: list[int]) -> None:
    for log in (accepted, controls, calls):
        log.clear()
    script[:] = steps
    clock[0] = 5_000_000_000
    words, counters = np.zeros(SENDER_WORD_COUNT, np.int64), np.zeros(COUNTER_COUNT, np.int64)
    words[WORD_SEND_MODE], words[WORD_TXTIME], words[WORD_TRAFFIC_CLASS] = mode, times, 160 * marked
    rows = np.random.default_rng(count).integers(0, 256, (64, 48), dtype=np.uint8)
    address = np.array([16, socket_word(2, 9), 0, 0, 0])
    messages = np.zeros(udp.MESSAGE_WORD_COUNT, np.int64)
    depart_ns = clock[0] + 7
    code = udp.send_rows(words, rows, 2, count, address, messages, counters, depart_ns)
    model = Model(count, mode, times=times, steps=steps)
    assert code == (model.sent if model.code is None else model.code), (code, model.code, model.sent)
    assert accepted == [rows[2 + i].tobytes() for i in range(model.sent)]
    assert words[WORD_SEND_MODE] == model.mode
    assert words[WORD_TXTIME] == model.times
    lost = 0 if model.code == SOCKET_FAILED else model.left
    assert [int(counters[index]) for index in (
        COUNT_DATAGRAMS, COUNT_LOST_DATAGRAMS, COUNT_WOULD_BLOCK, COUNT_SEND_ERRORS, COUNT_LAST_ERRNO,
    )] == [model.sent, lost, model.waits, model.errors, model.last]  # fmt: skip
    for control in controls:
        assert control.get((0, 1)) == (struct.pack("i", 160) if marked else None)
        assert (1, 61) not in control or control[1, 61] == struct.pack("q", depart_ns)
    if model.left == 0:  # then the last thing that happened was that a call was accepted
        assert ((1, 61) in controls[-1]) == model.times


def socket_word(family: int, port: int) -> int:
    return int.from_bytes(family.to_bytes(2, "little") + port.to_bytes(2, "big"), "little")


@settings(max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, row_count=st.integers(1, 40))
def receiving(steps: list[int], row_count: int) -> None:
    accepted.clear()
    script[:] = [*steps, -errno.EAGAIN]
    words = np.zeros(RECEIVE_WORD_COUNT, np.int64)
    buffers, rows = np.zeros((16, 64), np.uint8), np.zeros((row_count, 64), np.uint8)
    messages = np.zeros(16 * receive.RECEIVE_MESSAGE_WORDS, np.int64)
    lengths, sources = np.zeros(row_count, np.int64), np.zeros((row_count, 5), np.int64)
    got, failed = [], 0
    for _ in range(200):
        code = receive.receive_rows(3, words, buffers, messages, rows, lengths, sources, 0)
        if code == SOCKET_FAILED:
            failed += 1
            continue
        got += [rows[row, : lengths[row]].tobytes() for row in range(code)]
        if code == 0 and not script:
            break
        if not script:
            script.append(-errno.EAGAIN)
    errors = [-step for step in steps if step <= 0 and step not in (-errno.EAGAIN, -errno.EINTR)]
    assert got == accepted
    assert words[RECEIVE_ERRORS] == len(errors)
    assert words[RECEIVE_LAST_ERRNO] == (errors[-1] if errors else 0)
    assert failed <= sum(number in (errno.EBADF, errno.ENOTSOCK) for number in errors)


if __name__ == "__main__":
    sending()
    receiving()
    print("agrees")
