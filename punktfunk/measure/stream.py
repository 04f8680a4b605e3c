"""Frames at a rate through the host's own sender, as it runs in a stream, and their control.

The sending thread runs as pf-send does, pinned and SCHED_FIFO where that is allowed, beside a Python thread
that keeps the GIL busy. A kernel on a thread of the same rights pushes a frame at every tick; in the rows
"pushed from Python" an ordinary Python thread does, which has to get the GIL from the hog. "In one call" is
from the frame's first step in the kernel to the return of its last system call; "until woken" is what lies
between the push and that first step; a frame is late when it is gone more than an interval after its tick.

The control tells what the machine does to any thread: a hypervisor that takes the CPU away for milliseconds
does so whatever the thread's rights. It takes turns with the stream, a second each, on a thread of the same
rights beside the same hog: at as many ticks of the same rate it reads the clock as often as fits into the
median of the first second's frames, and does nothing else. It has no memory traffic and no system call but
its sleep, so it is disturbed less than any sender could be.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from punktfunk import realtime
from punktfunk.errors import PunktfunkError
from punktfunk.measure.floors import FRAME, MODES, judged
from punktfunk.measure.hog import hog
from punktfunk.measure.options import FrameOptions
from punktfunk.measure.paired import F64, Row, single
from punktfunk.measure.send import loopback
from punktfunk.measure.sender import FrameMaker
from punktfunk.plan import RealtimePlan

if TYPE_CHECKING:
    from punktfunk.realtime import FrameTimes, Placement, TickTimes

I64 = NDArray[np.int64]
_STANDARD: Final = FrameOptions()
_LOG_FRAMES: Final = 512  # at once; the sender's log holds 1024
_SETTLE_FRAMES: Final = 30
_PATIENCE_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.02  # longer than a frame takes from the ring to its last packet


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
    """Frames from a kernel's thread: how long each part took, in microseconds; and the control's ticks."""
    streamed, control = _Streamed(options, _feed), _Control(options)
    streamed.run(control)
    times, placement = streamed.times, streamed.placement
    in_call_us = (times.last_ns - times.first_ns) / 1e3
    where = f"{placement.policy}, {'any CPU' if placement.cpu is None else f'CPU {placement.cpu}'}"
    late = single("frame", "late frames", "", streamed.late_count)
    yield frame_row(options, late, control=control.late_count)
    yield from _percentiles(options, "in one call", in_call_us)
    tail = single("frame", "in one call p99 / p50", "", _tail(in_call_us))
    yield frame_row(options, tail, control=_tail(control.spent_us))
    yield frame_row(options, single("frame", "in one call, slowest", "us", float(in_call_us.max())))
    yield from control.rows()
    yield from _percentiles(options, f"until woken ({where})", (times.first_ns - times.encoded_ns) / 1e3)
    yield from _percentiles(options, "tick to sent", (times.last_ns - times.captured_ns) / 1e3)
    refused = single("frame", "datagrams that the system refused", "", streamed.refused_count)
    yield frame_row(options, refused)
    for reason in dict.fromkeys(reason for reason in (placement.reason, control.reason) if reason):
        yield frame_row(options, single("frame", f"not as asked: {reason}", "", 0))


def python_pushed_rows(options: FrameOptions) -> Iterator[Row]:
    """Frames from a Python thread, as the encoder's is: what it adds."""
    streamed = _Streamed(options, _push)
    streamed.run()
    times = streamed.times
    yield frame_row(options, single("frame", "pushed from Python: late frames", "", streamed.late_count))
    for case, spent_ns in (
        ("tick to push", times.encoded_ns - times.captured_ns),
        ("push to sent", times.last_ns - times.encoded_ns),
    ):
        yield from _percentiles(options, f"pushed from Python: {case}", spent_ns / 1e3)


def _percentiles(options: FrameOptions, case: str, spent_us: F64) -> Iterator[Row]:
    yield frame_row(options, single("frame", f"{case} p50", "us", float(np.median(spent_us)), spent_us))
    yield frame_row(options, single("frame", f"{case} p99", "us", float(np.percentile(spent_us, 99))))


_Feed = Callable[[FrameOptions, _Running, bytes, int], None]
"""Makes so many frames arrive at the sender, one at each tick."""


class _Streamed:
    """What one stream left behind. Frames that were dropped on the way count as late."""

    times: "FrameTimes"
    placement: "Placement"
    late_count: int
    refused_count: int

    def __init__(self, options: FrameOptions, feed: _Feed) -> None:
        self._options, self._feed = options, feed

    def run(self, control: "_Control | None" = None) -> None:
        """Send all frames in parts, each followed by as many ticks of the control."""
        options, frame = self._options, make_frame(self._options)
        logs: list[I64] = []
        with loopback() as (host, address), contextlib.closing(_Running(options, host, address)) as running:
            _push(options, running, frame, _SETTLE_FRAMES)
            running.wait_until_empty()
            before = running.sender.counters()
            with hog() as busy:
                if options.hog:
                    busy.set()
                for count in _parts(options):
                    logs.append(_stream(options, running, self._feed, frame, count))
                    if control:
                        control.follow(logs[0], count)
            after, self.placement = running.sender.counters(), running.placement
        self.times = realtime.frame_times(np.concatenate(logs))
        sent_late_count = _late_count(options, self.times.captured_ns, self.times.last_ns)
        self.late_count = sent_late_count + options.frames - len(self.times.last_ns)
        refused = ("send_errors", "lost_datagrams")
        self.refused_count = sum(after[name] - before[name] for name in refused)


class _Control:
    """The clock loop at the stream's ticks, and what it saw."""

    def __init__(self, options: FrameOptions) -> None:
        self._options = options
        self._read_count = 0
        self._parts: list[TickTimes] = []
        self.reason = ""

    def follow(self, log: I64, count: int) -> None:
        """Loop at ``count`` ticks, on a thread like the feeder; as long as frames of ``log`` at the median.

        That is settled by the first call, at half an interval at most: longer loops might be late by
        themselves.
        """
        times, interval_ns = realtime.frame_times(log), 1_000_000_000 // self._options.rate
        duration_ns = min(float(np.median(times.last_ns - times.first_ns)), interval_ns / 2)

        def body() -> None:
            self._read_count = self._read_count or realtime.reads_for(duration_ns)
            self._parts.append(realtime.loop_at_ticks(interval_ns, self._read_count, count))

        self.reason = _in_thread(self._options, "control", body).reason

    @property
    def spent_us(self) -> F64:
        """How long each loop took."""
        spent_ns: I64 = np.concatenate([part.last_ns - part.first_ns for part in self._parts])
        return spent_ns / 1e3

    @property
    def late_count(self) -> int:
        """Loops that ended more than an interval after their tick."""
        return sum(_late_count(self._options, part.tick_ns, part.last_ns) for part in self._parts)

    def rows(self) -> Iterator[Row]:
        """Tell what the machine did to a thread that has nothing to do with punktfunk."""
        spent_us = self.spent_us
        for case, unit, value, samples in (
            ("control, a clock loop at the same ticks: late", "", self.late_count, None),
            ("control: p50", "us", float(np.median(spent_us)), spent_us),
            ("control: p99 / p50", "", _tail(spent_us), None),
            ("control, slowest", "us", float(spent_us.max()), None),
        ):
            yield frame_row(self._options, single("frame", case, unit, value, samples))


def _late_count(options: FrameOptions, tick_ns: I64, last_ns: I64) -> int:
    return int(np.count_nonzero((last_ns - tick_ns) * options.rate > 1_000_000_000))


def _tail(spent_us: F64) -> float:
    """How much longer the slowest of a hundred takes than the usual one."""
    return float(np.percentile(spent_us, 99) / np.median(spent_us))


def _parts(options: FrameOptions) -> list[int]:
    """Frames of each part: a second's, fewer where the log could not hold them."""
    most = min(_LOG_FRAMES, options.rate)
    return [min(most, options.frames - done) for done in range(0, options.frames, most)]


def _stream(
    options: FrameOptions,
    running: _Running,
    feed: _Feed,
    frame: bytes,
    count: int,
) -> I64:
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
    interval_ns = 1_000_000_000 // options.rate
    _in_thread(options, "feeder", lambda: realtime.feed_frames(running.sender, frame, interval_ns, count))


def _in_thread(options: FrameOptions, name: str, body: Callable[[], object]) -> "Placement":
    """Run ``body`` on a thread of the sender's rights and CPU, and wait for it; what it was granted."""

    def promoted() -> "Placement":
        plan = RealtimePlan(options.pinned_cpu, options.priority)
        placement = realtime.promote(name, threading.get_native_id(), plan)
        body()
        return placement

    with ThreadPoolExecutor(1, name) as pool:
        return pool.submit(promoted).result()


def frame_row(options: FrameOptions, row: Row, *, control: float | None = None) -> Row:
    """Add mode, floor and control. Floors are for the standard frame, with everything that disturbs it."""
    mode = realtime.simd_mode()
    same = ("frame_bytes", "rate", "frames", "percent", "protocol", "hog")
    standard = all(getattr(options, name) == getattr(_STANDARD, name) for name in same)
    return judged(replace(row, mode=mode), FRAME, asked=standard and mode in MODES, control=control)


def make_frame(options: FrameOptions) -> bytes:
    """Make bytes that stand for an encoded frame."""
    return np.random.default_rng(0).integers(0, 256, options.frame_bytes, dtype=np.uint8).tobytes()
