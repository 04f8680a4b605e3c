"""Whole frames through the host's own sender: parity, headers, encryption, sending, to a loopback socket.

"At a rate": the sending thread runs as pf-send does, pinned and SCHED_FIFO where that is allowed, beside a
Python thread that keeps the GIL busy. A kernel on a thread of the same rights pushes a frame at every tick;
in the rows "pushed from Python" an ordinary Python thread does, which has to get the GIL from the hog. "In
one call" is from the frame's first step in the kernel to the return of its last system call; "until woken" is
what lies between the push and that first step; a frame is late when it is gone more than an interval after
its tick.

"In turns": the same frame, in the measuring thread, by the same kernel call and by a sender in Python that
works packet by packet. "Stages" are the parts by themselves, each repeated with warm memory and timed by the
thread's own CPU clock, so they add up to less than the whole.
"""

import contextlib
import importlib.util
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from punktfunk import realtime
from punktfunk.errors import PunktfunkError
from punktfunk.measure.fec import WITHOUT_LEOPARD
from punktfunk.measure.floors import FRAME, MODES, PER_PACKET, judged
from punktfunk.measure.hog import hog
from punktfunk.measure.options import FrameOptions
from punktfunk.measure.paired import F64, Row, Work, measure_works, own_ns, paired, single
from punktfunk.measure.send import loopback
from punktfunk.measure.sender import KEY, SHARD_BYTES, FrameMaker, data_max, python_sender
from punktfunk.measure.steps import Benchmark, Step
from punktfunk.plan import RealtimePlan
from punktfunk.wire.native.blocks import wanted_parity
from punktfunk.wire.native.packet import HEADER_BYTES, OFFSET_PAYLOAD, SEQUENCE_BYTES, TAG_BYTES

if TYPE_CHECKING:
    from punktfunk.realtime import Placement

_STANDARD: Final = FrameOptions()
_HARVEST: Final = 512  # frames; the log holds 1024
_SETTLE_FRAMES: Final = 30
_PATIENCE_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.02  # longer than a frame takes from the ring to its last packet
_STAGE_ROUNDS: Final = 20
_GROUP: Final = 44  # datagrams of one call: 44 * 1472 bytes


def benchmark(options: FrameOptions) -> Benchmark:
    """Frames at a rate, frames in turns with Python, and the stages."""
    title = f"{options.frames} frames at {options.rate} Hz"
    steps = [
        Step(title, partial(streamed_rows, options)),
        Step(f"{title}, pushed from Python", partial(python_pushed_rows, options)),
    ]
    notes = []
    if options.protocol == "gamestream" or importlib.util.find_spec("reed_solomon_leopard"):
        steps.append(Step("frames in turns with Python", partial(turn_rows, options)))
    else:
        notes.append(WITHOUT_LEOPARD)
    if options.protocol == "punktfunk":
        steps.append(Step("stages", partial(stage_rows, options)))
    return Benchmark(tuple(steps), tuple(notes))


class _Running:
    """A sender on a thread of its own, as pf-send's, and what pushes into it."""

    def __init__(self, options: FrameOptions, host: socket.socket, address: tuple[str, int]) -> None:
        self.maker = FrameMaker(options, host.fileno())
        self.sender = self.maker.sender
        self.sender.set_destination(*address)
        self._thread = threading.Thread(target=self.sender.run, name="pf-send")
        self._thread.start()
        assert self._thread.native_id is not None
        plan = RealtimePlan(options.pinned_cpu, options.priority)
        self.placement: Placement = realtime.promote("pf-send", self._thread.native_id, plan)

    def wait_until_empty(self) -> None:
        """Return when every frame is gone; PunktfunkError if that takes seconds."""
        deadline_s, sent_count = time.monotonic() + _PATIENCE_S, -1
        while (counters := self.sender.counters())["ring_bytes"] or counters["frames"] != sent_count:
            sent_count = counters["frames"]
            if time.monotonic() > deadline_s or not self._thread.is_alive():
                raise PunktfunkError(f"frames were not sent: {self.sender.counters()}")
            time.sleep(_LOOK_EVERY_S)

    def close(self) -> None:
        """End the thread and free the sender."""
        self.sender.stop()
        self._thread.join()
        self.sender.close()


def streamed_rows(options: FrameOptions) -> Iterator[Row]:
    """Frames from a kernel's thread: how long each part took, in microseconds."""
    streamed = _Streamed(options, _feed)
    times, placement = streamed.times, streamed.placement
    in_call_us = (times.last_ns - times.first_ns) / 1e3
    p50, p99 = (float(np.percentile(in_call_us, percent)) for percent in (50, 99))
    where = f"{placement.policy}, {'any CPU' if placement.cpu is None else f'CPU {placement.cpu}'}"
    yield _row(options, single("frame", "late frames", "", streamed.late_count))
    yield _row(options, single("frame", "in one call p50", "us", p50, in_call_us))
    yield _row(options, single("frame", "in one call p99", "us", p99))
    yield _row(options, single("frame", "in one call p99 / p50", "", p99 / p50))
    yield _row(options, single("frame", "in one call, slowest", "us", float(in_call_us.max())))
    woken_us = (times.first_ns - times.encoded_ns) / 1e3
    yield from _percentiles(options, f"until woken ({where})", woken_us)
    yield from _percentiles(options, "tick to sent", (times.last_ns - times.captured_ns) / 1e3)
    yield _row(options, single("frame", "datagrams that the system refused", "", streamed.refused_count))
    if placement.reason:
        yield _row(options, single("frame", f"not as asked: {placement.reason}", "", 0))


def python_pushed_rows(options: FrameOptions) -> Iterator[Row]:
    """Frames from a Python thread, as the encoder's is: what it adds."""
    streamed = _Streamed(options, _push)
    times = streamed.times
    yield _row(options, single("frame", "pushed from Python: late frames", "", streamed.late_count))
    for case, spent_ns in (
        ("tick to push", times.encoded_ns - times.captured_ns),
        ("push to sent", times.last_ns - times.encoded_ns),
    ):
        yield from _percentiles(options, f"pushed from Python: {case}", spent_ns / 1e3)


def _percentiles(options: FrameOptions, case: str, spent_us: F64) -> Iterator[Row]:
    yield _row(options, single("frame", f"{case} p50", "us", float(np.median(spent_us)), spent_us))
    yield _row(options, single("frame", f"{case} p99", "us", float(np.percentile(spent_us, 99))))


_Feed = Callable[[FrameOptions, _Running, bytes, int], None]
"""Makes so many frames arrive at the sender, one at each tick."""


class _Streamed:
    """What one stream left behind. Frames that were dropped on the way count as late."""

    def __init__(self, options: FrameOptions, feed: _Feed) -> None:
        frame = _frame(options)
        with loopback() as (host, address), contextlib.closing(_Running(options, host, address)) as running:
            _push(options, running, frame, _SETTLE_FRAMES)
            running.wait_until_empty()
            before = running.sender.counters()
            with hog() as busy:
                if options.hog:
                    busy.set()
                logs = [_stream(options, running, feed, frame, count) for count in _parts(options.frames)]
            after, self.placement = running.sender.counters(), running.placement
        self.times = realtime.frame_times(np.concatenate(logs))
        late = (self.times.last_ns - self.times.captured_ns) * options.rate > 1_000_000_000
        self.late_count = int(late.sum()) + options.frames - len(late)
        refused = ("send_errors", "lost_datagrams")
        self.refused_count = sum(after[name] - before[name] for name in refused)


def _parts(frames: int) -> list[int]:
    return [min(_HARVEST, frames - done) for done in range(0, frames, _HARVEST)]


def _stream(
    options: FrameOptions,
    running: _Running,
    feed: _Feed,
    frame: bytes,
    count: int,
) -> NDArray[np.int64]:
    """Feed ``count`` frames; their rows of the log, fewer where some were dropped."""
    before = running.sender.counters()
    feed(options, running, frame, count)
    running.wait_until_empty()
    sent_count = running.sender.counters()["frames"] - before["frames"]
    return running.sender.latencies()[-sent_count:]


def _push(options: FrameOptions, running: _Running, frame: bytes, count: int) -> None:
    """Push from this thread at every tick."""
    began_ns = time.monotonic_ns() + 10_000_000
    for number in range(count):
        tick_ns = began_ns + number * 1_000_000_000 // options.rate
        while (left_ns := tick_ns - time.monotonic_ns()) > 0:
            time.sleep(left_ns / 1e9)
        running.maker.push(frame, tick_ns)


def _feed(options: FrameOptions, running: _Running, frame: bytes, count: int) -> None:
    """Push from a kernel, on a thread as realtime as the sender's and on the same CPU."""

    def body() -> None:
        plan = RealtimePlan(options.pinned_cpu, options.priority)
        realtime.promote("feeder", threading.get_native_id(), plan)
        realtime.feed_frames(running.sender, frame, 1_000_000_000 // options.rate, count)

    thread = threading.Thread(target=body, name="feeder")
    thread.start()
    thread.join()


def turn_rows(options: FrameOptions) -> Iterator[Row]:
    """Send the same frame by our kernel and by Python, in turns, in this thread."""
    frame = _frame(options)
    spent_us = np.empty((2, options.rounds))
    pushed_us = np.empty(options.rounds)
    with loopback() as (host, address):
        theirs = python_sender(options, host, address, frame)
        maker = FrameMaker(options, host.fileno())
        with contextlib.closing(maker.sender):
            maker.sender.set_destination(*address)
            for turn in range(-3, options.rounds):  # three to warm up, overwritten by the last
                for which in (0, 1) if turn % 2 else (1, 0):
                    began_ns = time.monotonic_ns()
                    if which == 0:
                        theirs()
                        spent_us[0, turn] = (time.monotonic_ns() - began_ns) / 1e3
                        continue
                    maker.push(frame, began_ns)
                    maker.sender.send_next()
                    times = realtime.frame_times(maker.sender.latencies()[-1:])
                    spent_us[1, turn] = (times.last_ns[0] - times.first_ns[0]) / 1e3
                    pushed_us[turn] = (times.last_ns[0] - began_ns) / 1e3
    yield _row(options, paired("frame", "in one call", "us", PER_PACKET, *spent_us))
    yield _row(
        options, paired("frame", "with push and call from Python", "us", PER_PACKET, spent_us[0], pushed_us)
    )


def stage_rows(options: FrameOptions) -> Iterator[Row]:
    """Time parity, encryption and sending of one frame by themselves, and a copy of the frame."""
    data_count = data_max(options)
    parity_count = wanted_parity(data_count, options.percent)
    data = realtime.aligned_rows(data_count, SHARD_BYTES, seed=0)
    copy = realtime.copying(realtime.aligned_rows(data_count, SHARD_BYTES), data)
    yield _stage(options, "stage: copy of the frame (memcpy)", copy)
    if parity_count:
        code = realtime.deciding_code(data_count, parity_count, SHARD_BYTES, "auto")
        parity = realtime.aligned_rows(parity_count, SHARD_BYTES)
        yield _stage(options, "stage: parity", realtime.encoding(code, data, parity))
    count = data_count + parity_count
    packets = realtime.aligned_rows(count, OFFSET_PAYLOAD + SHARD_BYTES + TAG_BYTES, seed=1)
    nonces = realtime.aligned_rows(count, 16, seed=2)
    with realtime.Cipher(KEY, "aes-128-gcm") as cipher:
        sealing = realtime.sealing(
            cipher,
            packets,
            nonces,
            text_offset=SEQUENCE_BYTES,
            text_bytes=HEADER_BYTES + SHARD_BYTES,
            tag_offset=OFFSET_PAYLOAD + SHARD_BYTES,
            aad_bytes=SEQUENCE_BYTES,
        )
        yield _stage(options, f"stage: encryption ({cipher.implementation})", sealing)
    with realtime.SendTrial(packets.shape[1], group_count=_GROUP) as trial:
        yield _stage(options, "stage: sending (GSO)", lambda times: trial.send("gso", times * count))


def _stage(options: FrameOptions, case: str, work: Work) -> Row:
    spent_us = measure_works(work, work, rounds=_STAGE_ROUNDS, clock=own_ns)[1] * 1e6
    row = single("frame", case, "us", float(np.median(spent_us)))
    return _row(options, replace(row, ours_least=float(spent_us.min())))


def _row(options: FrameOptions, row: Row) -> Row:
    """Add mode and floor. Floors are for the standard frame, with everything that disturbs it."""
    mode = realtime.simd_mode()
    same = ("frame_bytes", "rate", "frames", "percent", "protocol", "hog")
    standard = all(getattr(options, name) == getattr(_STANDARD, name) for name in same)
    return judged(replace(row, mode=mode), FRAME, asked=standard and mode in MODES)


def _frame(options: FrameOptions) -> bytes:
    return np.random.default_rng(0).integers(0, 256, options.frame_bytes, dtype=np.uint8).tobytes()
