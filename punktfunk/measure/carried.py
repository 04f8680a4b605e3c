"""A stream over loopback, from the host's own sender to the client's own receiver, and what became of it.

Both threads live as in a session, each pinned to a CPU of its own where there are two, SCHED_FIFO where that
is allowed. Two more, just below those, stand for encoder and decoder: one pushes frames at ticks, the other
takes them and compares every byte. That costs time of both cores, but none of it is counted as
the sender's and the receiver's own. Losses are the receiving kernel's dice, so the socket
between them must lose nothing by itself.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from punktfunk import realtime
from punktfunk.measure.paired import F64
from punktfunk.plan import FrameType, MediaCipher, NativeSendPlan, Pacing, RealtimePlan, ReceivePlan
from punktfunk.wire.native.placing import FRAME_BYTES_MAX, frame_ceiling_bytes

if TYPE_CHECKING:
    from punktfunk.realtime import NativeSender, VideoReceiver

SHARD_BYTES: Final = 1408
DATA_MAX: Final = 4096
_KEY: Final = bytes(range(16))
_SALT: Final = bytes(4)
_UNIT_COUNT: Final = 5  # different ones, in turns: what belongs to another frame does not pass
_SETTLE_FRAMES: Final = 12
_PATIENCE_S: Final = 0.2
_JOIN_NS: Final = 5_000_000_000
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Stream:
    """What to carry. ``rate_bps`` is of access units; parity and headers come on top."""

    rate_bps: int
    refresh_hz: int
    percent: int
    loss_ppm: int
    seconds: float
    priority: int = 20

    @property
    def frame_bytes(self) -> int:
        """Size of every access unit."""
        return max(self.rate_bps // 8 // self.refresh_hz, 64)

    @property
    def frame_count(self) -> int:
        """How many frames are counted."""
        return max(int(self.seconds * self.refresh_hz), 1)


@dataclass(slots=True)
class Carried:
    """What came of a stream: frames, bytes that differ, shares of a core in percent, latencies."""

    frame_count: int
    taken_count: int
    corrupt_bytes: int
    sender_percent: float
    receiver_percent: float
    pushed_to_complete_us: F64
    counters: dict[str, int]
    sent_datagrams: int
    late_frames: int  # that the sender's ring dropped: it was not sent in time
    memory_bytes: int

    @property
    def lost_count(self) -> int:
        """Frames that nobody could take."""
        return self.frame_count - self.taken_count

    @property
    def lost_datagrams(self) -> int:
        """Count what the system lost between the two sockets."""
        return self.sent_datagrams - self.counters["datagrams"]

    @property
    def clean(self) -> bool:
        """Whether everything arrived as it was."""
        return self.lost_count == 0 and self.corrupt_bytes == 0


def carry(stream: Stream) -> Carried:
    """Carry one stream; what came of it."""
    random = np.random.default_rng(stream.rate_bps)
    units = random.integers(0, 256, (_UNIT_COUNT, stream.frame_bytes), np.uint8)
    interval_ns = _NS // stream.refresh_hz
    with _ends(stream) as (sender, receiver, sender_thread), _feeding(stream) as feeding:
        taker = realtime.UnitTaker(receiver, units, _SETTLE_FRAMES + stream.frame_count)
        taker.start()
        _promote_just_below("take units", taker.native_id, stream)
        try:
            sender.push(
                units[0].tobytes(), frame_type=FrameType.IDR, captured_ns=0, encoded_ns=0,
                pts_ns=time.monotonic_ns(),
            )  # fmt: skip
            feeding.submit(realtime.feed_units, sender, units, interval_ns, _SETTLE_FRAMES - 1).result()
            began_ns = time.monotonic_ns(), _cpu_ns(sender_thread), receiver.cpu_ns()
            fed = feeding.submit(realtime.feed_units, sender, units, interval_ns, stream.frame_count)
            pushed_ns = fed.result()
            ended_ns = time.monotonic_ns(), _cpu_ns(sender_thread), receiver.cpu_ns()
            time.sleep(_PATIENCE_S)
        finally:
            taker.finish()
        spent = [ended - began for ended, began in zip(ended_ns, began_ns, strict=True)]
        complete_ns = taker.complete_ns[_SETTLE_FRAMES:]
        latencies = (complete_ns - pushed_ns)[complete_ns > 0]
        return Carried(
            stream.frame_count,
            latencies.size,
            taker.wrong_bytes,
            100 * spent[1] / spent[0],
            100 * spent[2] / spent[0],
            (latencies if latencies.size else np.zeros(1)) / 1e3,
            receiver.counters(),
            sender.counters()["datagrams"],
            sender.counters()["ring_drops"],
            receiver.memory_bytes,
        )


@contextmanager
def _feeding(stream: Stream) -> Iterator[ThreadPoolExecutor]:
    """Start the thread that pushes."""
    with ThreadPoolExecutor(1, "push units") as feeding:
        _promote_just_below("push units", feeding.submit(threading.get_native_id).result(), stream)
        yield feeding


def _promote_just_below(name: str, thread_id: int, stream: Stream) -> None:
    realtime.promote(name, thread_id, RealtimePlan(None, max(stream.priority - 1, 0)))


def _cpu_ns(thread: threading.Thread) -> int:
    assert thread.ident is not None
    return time.clock_gettime_ns(time.pthread_getcpuclockid(thread.ident))


@contextmanager
def _ends(stream: Stream) -> Iterator[tuple["NativeSender", "VideoReceiver", threading.Thread]]:
    """Start a sender and a receiver, each on its thread; stop both at the end."""
    cpus = sorted(os.sched_getaffinity(0))
    ceiling = frame_ceiling_bytes(stream.rate_bps // 1000, stream.refresh_hz)
    receive_plan = ReceivePlan(
        SHARD_BYTES, DATA_MAX, 1, stream.percent, MediaCipher.AES_128_GCM, _KEY, _SALT,
        min(ceiling, FRAME_BYTES_MAX), stream.loss_ppm, stream.rate_bps,
    )  # fmt: skip
    send_plan = NativeSendPlan(
        SHARD_BYTES, DATA_MAX, 1, stream.percent, MediaCipher.AES_128_GCM, _KEY, _SALT, Pacing.BURST,
        _NS // stream.refresh_hz,
    )  # fmt: skip
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host,
    ):
        client.bind(("127.0.0.1", 0))
        host.setblocking(False)  # noqa: FBT003  the name of the argument is flag
        receiver = realtime.VideoReceiver(
            receive_plan, client.fileno(), RealtimePlan(cpus[-1], stream.priority)
        )
        try:
            receiver.start()
            sender = realtime.NativeSender(send_plan, host.fileno(), stream.frame_bytes)
            with closing(sender):
                sender.set_destination(*client.getsockname())
                thread = threading.Thread(target=sender.run, name="pf-send")
                thread.start()
                try:
                    assert thread.native_id is not None
                    realtime.promote("pf-send", thread.native_id, RealtimePlan(cpus[0], stream.priority))
                    yield sender, receiver, thread
                finally:
                    sender.stop()
                    thread.join()
        finally:
            receiver.stop(_JOIN_NS)
