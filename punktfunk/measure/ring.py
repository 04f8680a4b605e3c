"""Rings and wake-ups between two threads of kernels, which hold no GIL.

An item has 64 bytes and is checked by the consumer; its time is that of the whole run over what the consumer
saw. The baseline is ``queue.SimpleQueue`` between two Python threads, with fewer items. A wake-up is one way:
from the producer's stamp to a consumer that slept. "One CPU" has both threads on it; on any
CPU, a virtual machine's hypervisor may have to start the sleeper's first, which takes longer than the rest.
"""

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from punktfunk import realtime
from punktfunk.errors import PunktfunkError
from punktfunk.measure.floors import QUEUE, RING, judged
from punktfunk.measure.options import RingOptions
from punktfunk.measure.paired import F64, Row, paired, single
from punktfunk.measure.steps import Benchmark, Step

if TYPE_CHECKING:
    from punktfunk.realtime import RingRun

WakeKind = Literal["futex", "eventfd"]

_QUEUE_ITEM_COUNT: Final = 50_000
_INTERVAL_NS: Final = 1_000_000
_WAKES: Final[tuple[WakeKind, ...]] = ("futex", "eventfd")


def benchmark(options: RingOptions) -> Benchmark:
    """Throughput of each ring, then wake-ups."""
    throughputs = (
        ("an item", realtime.run_slots),
        ("an item, newest wins", partial(realtime.run_slots, newest=True)),
        ("a record of 0 to 199 bytes, newest wins", realtime.run_records),
    )
    steps = [Step(f"ring: {case}", partial(item_rows, options, case, run)) for case, run in throughputs]
    cpu = max(os.sched_getaffinity(0))
    for via in _WAKES:
        steps.append(Step(f"wake-up by {via}, one CPU", partial(wake_rows, options, via, cpu)))
        steps.append(Step(f"wake-up by {via}", partial(wake_rows, options, via, None)))
    notes = []
    if len(os.sched_getaffinity(0)) < 2:
        notes.append("There is one CPU only, so both ends of a ring took turns on it.")
    return Benchmark(tuple(steps), tuple(notes))


def item_rows(options: RingOptions, case: str, run: "Callable[[int], RingRun]") -> Iterator[Row]:
    """Time one ring and a queue of Python's, in turns; nanoseconds for each item that arrived."""
    spent_ns = np.empty((2, options.rounds))
    with _realtime(options.priority):
        run(options.items // 10)
        for turn in range(options.rounds):
            for which in (0, 1) if turn % 2 else (1, 0):
                spent_ns[which, turn] = _kernel_ns(run, options.items) if which else _queue_ns()
    yield judged(paired("ring", f"kernel to kernel, {case}", "ns", QUEUE, *spent_ns), RING)


@contextlib.contextmanager
def _realtime(priority: int) -> Iterator[None]:
    """Make this thread SCHED_FIFO, and so those that it starts; does nothing where that is not allowed.

    With one CPU it must not be: the end that spins would never let the other run.
    """
    if priority == 0 or len(os.sched_getaffinity(0)) < 2:
        yield
        return
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _kernel_ns(run: "Callable[[int], RingRun]", count: int) -> float:
    done = run(count)
    if done.wrong_count:
        raise PunktfunkError(
            f"{done.wrong_count} of {count} items came damaged", hint="Run `punktfunk warm`."
        )
    return done.elapsed_ns / done.received_count


def _queue_ns() -> float:
    items: queue.SimpleQueue[int] = queue.SimpleQueue()

    def consume() -> None:
        for _ in range(_QUEUE_ITEM_COUNT):
            items.get()

    consumer = threading.Thread(target=consume)
    began_ns = time.perf_counter_ns()
    consumer.start()
    for number in range(_QUEUE_ITEM_COUNT):
        items.put(number)
    consumer.join()
    return (time.perf_counter_ns() - began_ns) / _QUEUE_ITEM_COUNT


def wake_rows(options: RingOptions, via: WakeKind, cpu: int | None) -> Iterator[Row]:
    """Time wake-ups, one a millisecond; microseconds."""
    latencies_ns, policy = realtime.wake_latencies_ns(
        options.wakes, via, interval_ns=_INTERVAL_NS, priority=options.priority, cpu=cpu
    )
    spent_us: F64 = latencies_ns / 1e3
    case = f"wake-up by {via}, {'any CPU' if cpu is None else 'one CPU'}"
    row = single("ring", f"{case} p50", "us", float(np.median(spent_us)), spent_us)
    yield judged(row, RING)
    for percent in (99, 99.9):
        yield single("ring", f"{case} p{percent:g}, {policy}", "us", float(np.percentile(spent_us, percent)))
