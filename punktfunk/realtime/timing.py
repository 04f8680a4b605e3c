"""Rings, wake-ups and UDP timed between threads that hold no GIL: what ``punktfunk bench`` asks realtime for.

Every run checks what it moved and says how much of it was wrong. Loads the kernels.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import LocalProtocolError, PipelineFailed
from punktfunk.plan import RealtimePlan
from punktfunk.realtime.kernels import layout, trials, udp
from punktfunk.realtime.receiver import DatagramReceiver
from punktfunk.realtime.rings import ByteRing, SlotRing
from punktfunk.realtime.thread import promote

SendMode = Literal["gso", "sendmmsg", "sendto", "python"]
WakeKind = Literal["futex", "eventfd", "spin"]
SEND_MODES: Final = {
    "gso": layout.SEND_SEGMENTED,
    "sendmmsg": layout.SEND_BATCHED,
    "sendto": layout.SEND_SINGLE,
}
_JOIN_S: Final = 600.0
_SPIN_COUNT: Final = 1 << 20
_PATIENCE_NS: Final = 50_000_000
_MEDIA_BUFFER_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class RingRun:
    """What went through a ring, and how fast. ``wrong_count`` is of torn, repeated or reordered items."""

    sent_count: int
    received_count: int
    dropped_count: int
    wrong_count: int
    elapsed_ns: int

    @property
    def sent_per_s(self) -> float:
        """Items that the producer got rid of, dropped ones included."""
        return self.sent_count / self.elapsed_ns * 1e9

    @property
    def received_per_s(self) -> float:
        """Items that the consumer saw."""
        return self.received_count / self.elapsed_ns * 1e9


def run_slots(item_count: int, slot_count: int = 1 << 14, *, newest: bool = False) -> RingRun:
    """Send 64-byte items through a slot ring; with ``newest`` a full ring drops its oldest.

    Where both ends share a CPU, as on a busy machine, one fills or empties the ring and the other waits: few
    slots then measure the scheduler.
    """
    ring, results = SlotRing(slot_count), np.zeros(trials.TRIAL_WORD_COUNT, np.int64)
    item, copy = np.zeros(layout.SLOT_WORD_COUNT, np.int64), np.zeros(layout.SLOT_WORD_COUNT, np.int64)
    _beside(
        lambda: trials.consume_slots(ring.words, ring.storage, copy, item_count, results),
        lambda: trials.produce_slots(ring.words, ring.storage, item, item_count, int(newest)),
    )
    return _ring_run(item_count, ring.dropped_count, results)


def run_records(item_count: int, capacity_bytes: int = 1 << 16, longest_bytes: int = 200) -> RingRun:
    """Send records of 0 to ``longest_bytes`` - 1 bytes through a record ring, which drops its oldest."""
    ring, results = ByteRing(capacity_bytes), np.zeros(trials.TRIAL_WORD_COUNT, np.int64)
    payload = (np.arange(255 + longest_bytes) & 255).astype(np.uint8)
    header, copy = (np.zeros(layout.RECORD_HEADER_WORD_COUNT, np.int64) for _ in range(2))
    target = np.zeros(longest_bytes, np.uint8)
    _beside(
        lambda: trials.consume_records(
            ring.words, ring.storage, copy, target, longest_bytes, item_count, results
        ),
        lambda: trials.produce_records(ring.words, ring.storage, header, payload, item_count),
    )
    return _ring_run(item_count, ring.dropped_count, results)


def wake_latencies_ns(
    count: int,
    via: WakeKind = "futex",
    *,
    interval_ns: int = 200_000,
    priority: int = 0,
    cpu: int | None = None,
) -> tuple[NDArray[np.int64], str]:
    """Time from a producer's stamp to a consumer that slept, one way, and the consumer's scheduling policy.

    ``priority`` above 0 asks for SCHED_FIFO for the consumer; ``cpu`` pins both ends there. On two CPUs of a
    virtual machine most of the time is the hypervisor's, which wakes a halted CPU. ``spin`` never sleeps.
    """
    if via == "spin" and cpu is not None:
        raise LocalProtocolError("a consumer that spins needs a CPU beside the producer's")
    # Room for all: a consumer that is kept off its CPU is late, not an error.
    ring, latencies_ns = SlotRing(1 << count.bit_length()), np.zeros(count, np.int64)
    item, copy = np.zeros(layout.SLOT_WORD_COUNT, np.int64), np.zeros(layout.SLOT_WORD_COUNT, np.int64)
    doorbell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) if via == "eventfd" else -1
    spin_count, policy = _SPIN_COUNT if via == "spin" else 0, []

    def consume() -> int:
        policy.append(promote("consumer", threading.get_native_id(), RealtimePlan(cpu, priority)).policy)
        return trials.consume_wakes(ring.words, ring.storage, copy, spin_count, doorbell, latencies_ns)

    def produce() -> int:
        promote("producer", threading.get_native_id(), RealtimePlan(cpu, 0))
        return trials.produce_wakes(ring.words, ring.storage, item, count, interval_ns, doorbell)

    try:
        heard = _beside(consume, produce)
    finally:
        if doorbell >= 0:
            os.close(doorbell)
    if heard != count:
        raise PipelineFailed(f"only {heard} of {count} wake-ups were heard")
    return latencies_ns, policy[0]


class SendTrial:
    """Equal datagrams over loopback. Without ``receiving`` nobody reads: what is timed is the sender.

    With it a thread receives what it can, with UDP_GRO.
    """

    def __init__(
        self,
        datagram_bytes: int = 1400,
        *,
        group_count: int = udp.GROUP_MAX,
        ipv6: bool = False,
        receiving: bool = False,
    ) -> None:
        family, host = (socket.AF_INET6, "::1") if ipv6 else (socket.AF_INET, "127.0.0.1")
        self._client = socket.socket(family, socket.SOCK_DGRAM)
        self._host = socket.socket(family, socket.SOCK_DGRAM)
        self._host.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MEDIA_BUFFER_BYTES)
        self._client.bind((host, 0))
        self._target = self._client.getsockname()
        self._words = np.zeros(layout.SENDER_WORD_COUNT, np.int64)
        self._words[layout.WORD_SOCKET] = self._host.fileno()
        self._packets = np.random.default_rng(0).integers(
            0, 256, (group_count, datagram_bytes), dtype=np.uint8
        )
        self._address = _address_words(family, self._target)
        self._messages = np.zeros(udp.MESSAGE_WORD_COUNT, np.int64)
        self._counters = np.zeros(layout.COUNTER_COUNT, np.int64)
        self._receiver = DatagramReceiver(self._client, datagram_bytes, 1024) if receiving else None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._receive, name="trial-receive")

    def __enter__(self) -> Self:
        if self._receiver is not None:
            self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)
        self._client.close()
        self._host.close()

    def send(self, mode: SendMode, datagram_count: int) -> float:
        """Send at least that many; nanoseconds for each. PipelineFailed if the system refused the mode."""
        if mode == "python":
            datagram, target, send = self._packets[0].tobytes(), self._target, self._host.sendto
            began_ns = time.perf_counter_ns()
            for _ in range(datagram_count):
                send(datagram, target)
            return (time.perf_counter_ns() - began_ns) / datagram_count
        self._words[layout.WORD_SEND_MODE] = SEND_MODES[mode]
        began_ns = time.perf_counter_ns()
        sent_count = trials.send_many(
            self._words, self._packets, self._address, self._messages, self._counters, datagram_count
        )
        elapsed_ns = time.perf_counter_ns() - began_ns
        if sent_count < datagram_count or self._words[layout.WORD_SEND_MODE] != SEND_MODES[mode]:
            problem = os.strerror(int(self._counters[layout.COUNT_LAST_ERRNO]))
            raise PipelineFailed(f"loopback took {sent_count} of {datagram_count} by {mode}: {problem}")
        return elapsed_ns / sent_count

    def received_count(self) -> int:
        """Datagrams that the receiver got so far; 0 without one."""
        return self._receiver.counters()["datagrams"] if self._receiver is not None else 0

    def _receive(self) -> None:
        assert self._receiver is not None
        while not self._ended.is_set():
            self._receiver.receive(_PATIENCE_NS)


def _address_words(family: socket.AddressFamily, target: tuple[str, int]) -> NDArray[np.int64]:
    host = socket.inet_pton(family, target[0])
    body = host.ljust(12, b"\0") if family == socket.AF_INET else bytes(4) + host + bytes(4)
    raw = family.to_bytes(2, "little") + target[1].to_bytes(2, "big") + body
    words = np.zeros(layout.DESTINATION_WORD_COUNT, np.int64)
    words[0] = len(raw)
    words[1:] = np.frombuffer(raw.ljust(32, b"\0"), np.int64)
    return words


def _ring_run(item_count: int, dropped_count: int, results: NDArray[np.int64]) -> RingRun:
    elapsed_ns = int(results[trials.TRIAL_ENDED_NS] - results[trials.TRIAL_STARTED_NS])
    received_count, wrong_count = int(results[trials.TRIAL_RECEIVED]), int(results[trials.TRIAL_WRONG])
    return RingRun(item_count, received_count, dropped_count, wrong_count, elapsed_ns)


def _beside(consume: Callable[[], int], produce: Callable[[], int]) -> int:
    """Run both, each on a thread; what the consumer answered. PipelineFailed if one refuses its arrays."""
    answers: dict[str, int] = {}
    threads = [
        threading.Thread(
            target=lambda name=name, body=body: answers.update({name: body()}),
            name=f"trial-{name}",
            daemon=True,
        )
        for name, body in (("consume", consume), ("produce", produce))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_JOIN_S)
    if len(answers) < 2 or min(answers.values()) < 0:
        raise PipelineFailed(f"a ring trial ended with {answers}")
    return answers["consume"]
