"""How much video one machine carries from the host's sender to the client's receiver, whole and sealed.

Everything of punktfunk/1 that touches a packet takes part: parity, sealing, one socket, another, opening,
placing, repair. ``punktfunk.measure.carried`` says how a stream runs. The highest clean rate is the highest
of a ladder's at which every byte of every frame arrived in each of two runs; it is then refined by quarters
of a gigabit.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from punktfunk.measure.carried import Carried, Stream, carry
from punktfunk.measure.floors import THROUGHPUT, judged
from punktfunk.measure.options import ThroughputOptions
from punktfunk.measure.paired import Row, single
from punktfunk.measure.steps import Benchmark, Step

_STANDARD: Final = ThroughputOptions()
_MBPS: Final = 1_000_000
_LADDER_MBPS: Final = (500, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 10_000, 12_000)
_FINER_MBPS: Final = 250
_TRIAL_S: Final = 2.0
_LADDER_PERCENT: Final = 10
_SMALL_MBPS: Final = 20


def benchmark(options: ThroughputOptions) -> Benchmark:
    """Measure the stream that was asked for, a lossy one, a small one, and the highest clean rate."""
    rate = f"{options.rate_mbps / 1000:g} Gbit/s"
    steps = [
        Step(
            f"{options.seconds} s at {rate}, {options.loss_percent:g} % lost", partial(stream_rows, options)
        ),
        Step("5 % lost, 25 % parity", partial(lossy_rows, options)),
        Step("1280x720 at 120 frames a second", partial(small_rows, options)),
    ]
    if options.highest:
        steps.append(Step("highest clean rate", partial(highest_rows, options)))
    return Benchmark(tuple(steps))


def _stream(options: ThroughputOptions) -> Stream:
    return Stream(
        options.rate_mbps * _MBPS,
        options.refresh_hz,
        options.percent,
        round(options.loss_percent * 10_000),
        options.seconds,
        options.priority,
    )


def _row(options: ThroughputOptions, case: str, unit: str, value: float) -> Row:
    """Make a row; floors are for the standard stream, of whatever length."""
    same = replace(options, seconds=_STANDARD.seconds, highest=_STANDARD.highest)
    return judged(single("throughput", case, unit, value), THROUGHPUT, asked=same == _STANDARD)


def stream_rows(options: ThroughputOptions) -> Iterator[Row]:
    """Carry the stream that was asked for."""
    carried = carry(_stream(options))
    counters = carried.counters
    yield _row(options, "frames lost", "", carried.lost_count)
    yield _row(options, "corrupt bytes", "", carried.corrupt_bytes)
    yield _row(options, "sender's share of a core", "%", carried.sender_percent)
    yield _row(options, "receiver's share of a core", "%", carried.receiver_percent)
    for name, percent in (("p50", 50), ("p99", 99), ("slowest", 100)):
        value = float(np.percentile(carried.pushed_to_complete_us, percent))
        yield _row(options, f"pushed to complete {name}", "us", value)
    yield _row(options, "datagrams thrown away on purpose", "", counters["injected_losses"])
    yield _row(options, "datagrams that the system lost", "", carried.lost_datagrams)
    yield _row(options, "frames that were not sent in time", "", carried.late_frames)
    yield _row(options, "frames that were not taken in time", "", counters["ring_drops"])
    yield _row(options, "shards restored", "", counters["recovered_shards"])
    yield _row(options, "receiver's memory at most", "MiB", carried.memory_bytes / (1 << 20))
    yield _row(options, "of it in use for unfinished frames at most", "KiB", counters["slabs_most"] * 16)


def lossy_rows(options: ThroughputOptions) -> Iterator[Row]:
    """Carry the same with 5 % loss and 25 % parity."""
    carried = carry(replace(_stream(options), percent=25, loss_ppm=50_000))
    case = "5 % loss, 25 % parity"
    yield _row(options, f"{case}: frames lost", "%", 100 * carried.lost_count / carried.frame_count)
    yield _row(options, f"{case}: corrupt bytes", "", carried.corrupt_bytes)
    late_count = carried.late_frames + carried.counters["ring_drops"]
    yield _row(options, f"{case}: frames that were not sent or taken in time", "", late_count)
    yield _row(options, f"{case}: datagrams that the system lost", "", carried.lost_datagrams)


def small_rows(options: ThroughputOptions) -> Iterator[Row]:
    """Carry small frames: how long each takes from its push to its last shard."""
    carried = carry(Stream(_SMALL_MBPS * _MBPS, 120, 20, 0, options.seconds, options.priority))
    for name, percent in (("p50", 50), ("p99", 99), ("slowest", 100)):
        value = float(np.percentile(carried.pushed_to_complete_us, percent))
        yield _row(options, f"720p120: pushed to complete {name}", "us", value)
    yield _row(options, "720p120: frames lost", "", carried.lost_count)


def highest_rows(options: ThroughputOptions) -> Iterator[Row]:
    """Climb until something is lost."""
    best: Carried | None = None
    best_mbps = 0
    for rate_mbps in _LADDER_MBPS:
        carried = _trial(options, rate_mbps)
        if not carried.clean:
            break
        best, best_mbps = carried, rate_mbps
    for rate_mbps in range(best_mbps + _FINER_MBPS, best_mbps + 4 * _FINER_MBPS, _FINER_MBPS):
        carried = _trial(options, rate_mbps)
        if not carried.clean:
            break
        best, best_mbps = carried, rate_mbps
    yield _row(options, "highest clean rate of access units", "Gbit/s", best_mbps / 1000)
    if best:
        frame_bits = 8 * best.counters["bytes"] / best.counters["frames"]
        yield _row(options, "the same on the wire", "Gbit/s", frame_bits * options.refresh_hz / 1e9)
        yield _row(options, "sender's share of a core there", "%", best.sender_percent)
        yield _row(options, "receiver's share of a core there", "%", best.receiver_percent)


def _trial(options: ThroughputOptions, rate_mbps: int) -> Carried:
    """Carry a rate twice; the run that was not clean, if one was not."""
    stream = Stream(rate_mbps * _MBPS, options.refresh_hz, _LADDER_PERCENT, 0, _TRIAL_S / 2, options.priority)
    first = carry(stream)
    return carry(stream) if first.clean else first
