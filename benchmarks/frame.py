"""A frame's way from the capture stamp to its last packet in the system's hands, and where its time goes.

The real pipeline streams the test card, 720p60, by libx264 to a loopback socket. "picture": draw, convert,
hand over; "encode": libx264; "send": all that comes after encoding (hand-over, parity, headers, seal, system
calls). Budgets of "send" for a 25 kB frame in a burst: p50 under 300 us, p99 under 1000 us. The test card
needs far less than 25 kB, so in the 25 kB cases every access unit is filled up with a filler NAL unit. With
pacing on, "spread" is what lies between a frame's first and its last packet. Up to 64 kB leave in one system
call, so a 25 kB frame is not spread; one of 200 kB is.

Paired rows: the same 25 kB frame, in turns, through the kernel (from the push, so with the wake-up of its
thread) and through one Python thread that builds and sends packet by packet; its parity is either our own
kernel's or the textbook's.
"""

import threading
import time
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from benchmarks.paired import Row, paired, run, single
from benchmarks.sending import (
    FEC_PERCENT,
    FRAME_BYTES,
    FRAME_INTERVAL_NS,
    KEY,
    MINIMUM_PARITY,
    PACKET_BYTES,
    PRIORITY,
    send_plan,
    sending,
)  # fmt: skip
from punktfunk.measure.send import loopback
from punktfunk.plan import (
    Codec,
    ColourSpace,
    EncodePlan,
    FrameType,
    Mode,
    Pacing,
    RealtimePlan,
    TestcardSource,
    VideoPlan,
)  # fmt: skip
from punktfunk.realtime import Pipeline, prepare_process
from punktfunk.realtime.code8 import Code8
from punktfunk.realtime.encode.base import AccessUnit
from punktfunk.realtime.encode.lavc import LavcEncoder
from punktfunk.realtime.encode.picture import Picture
from punktfunk.realtime.kernels import layout
from punktfunk.realtime.reference import gf8 as slow
from punktfunk.wire.gamestream.video import FrameInfo, build_datagrams
from punktfunk.wire.gamestream.video_blocks import BlockPlan, plan_blocks
from punktfunk.wire.gamestream.video_encryption import build_encrypted

MODE = Mode(1280, 720, 60_000)
BITRATE_BPS = FRAME_BYTES * 8 * 60
WARM_FRAMES, FRAMES = 60, 600  # the latency log holds 1024
LARGE_FRAME_BYTES = 200_000
ROUNDS = 150
JOIN_NS = 5_000_000_000
INVERSES, TABLES = slow.inverses(), slow.tables()
FILLER_NAL = b"\0\0\0\1\x0c"


class TimedEncoder(LavcEncoder):
    """The host's encoder with a stopwatch; fills access units up to ``least_bytes``."""

    least_bytes = 0

    def __init__(self, plan: EncodePlan, mode: Mode) -> None:
        super().__init__(plan, mode)
        self.spent_ns: list[int] = []
        self.frame_bytes: list[int] = []

    def encode(self, picture: Picture, *, key: bool) -> list[AccessUnit]:
        """Encode, note the time, and fill up."""
        began_ns = time.monotonic_ns()
        units = super().encode(picture, key=key)
        self.spent_ns.append(time.monotonic_ns() - began_ns)
        self.frame_bytes += [len(unit.data) for unit in units]
        return [AccessUnit(self._fill(unit.data), unit.is_key) for unit in units]

    def _fill(self, data: bytes) -> bytes:
        room = self.least_bytes - len(data) - len(FILLER_NAL) - 1
        return data + FILLER_NAL + b"\xff" * room + b"\x80" if room >= 0 else data


class Streamed:
    """What one stream left behind: times of each frame in us, sizes, and how pf-send ran."""

    def __init__(self, pacing: Pacing, least_bytes: int = 0, key: bytes | None = None) -> None:
        encoders: list[TimedEncoder] = []

        def open_encoder(plan: EncodePlan, mode: Mode) -> TimedEncoder:
            encoders.append(TimedEncoder(plan, mode))
            encoders[0].least_bytes = least_bytes
            return encoders[0]

        plan = VideoPlan(
            TestcardSource(MODE),
            EncodePlan(Codec.H264, "libx264", BITRATE_BPS, ColourSpace.BT709, full_range=False),
            send_plan(pacing, key),
            RealtimePlan(None, PRIORITY),
        )
        with loopback() as (host, address):
            pipeline = Pipeline(plan, host.fileno(), open_encoder=open_encoder)
            try:
                pipeline.start()
                pipeline.set_destination(address, host.family)
                while pipeline.counters()["frames"] < WARM_FRAMES + FRAMES:
                    threading.Event().wait(0.1)
                    if failure := pipeline.failure():
                        raise SystemExit(str(failure))
                log = pipeline.latencies()
                self.policy = pipeline.placements()[0].policy
            finally:
                pipeline.stop(JOIN_NS)
        assert log is not None
        kept = slice(WARM_FRAMES, WARM_FRAMES + FRAMES)
        captured, encoded, first, last = log[kept, :4].T / 1e3
        encode = np.array(encoders[0].spent_ns[kept]) / 1e3
        self.counters = pipeline.counters()
        self.mean_bytes = max(least_bytes, int(np.mean(encoders[0].frame_bytes[kept])))
        self.spread_us = last - first
        self.times_us = {
            "capture to last packet": last - captured,
            "picture": encoded - captured - encode,
            "encode": encode,
            "send": last - encoded,
            "send: until woken": first - encoded,
        }


def streamed_rows() -> Iterator[Row]:
    """Stream in each way."""
    for name, pacing, least_bytes, key in (
        ("burst", Pacing.BURST, 0, None),
        ("burst 25 kB", Pacing.BURST, FRAME_BYTES, None),
        ("burst 25 kB encrypted", Pacing.BURST, FRAME_BYTES, KEY),
        ("paced 25 kB", Pacing.FRAME, FRAME_BYTES, None),
        ("paced 200 kB", Pacing.FRAME, LARGE_FRAME_BYTES, None),
    ):
        done = Streamed(pacing, least_bytes, key)
        yield single("frame", f"{name}, {done.policy}: mean size", "kB", done.mean_bytes / 1000)
        parts = done.times_us
        if pacing is Pacing.FRAME:
            share = np.median(done.spread_us) * 1e5 / FRAME_INTERVAL_NS
            yield single("frame", f"{name}: spread over the interval", "%", float(share))
            parts = {"capture to last packet": parts["capture to last packet"], "spread": done.spread_us}
        for part, spent_us in parts.items():
            for percent in (50, 99):
                value = float(np.percentile(spent_us, percent))
                yield single("frame", f"{name}: {part} p{percent}", "us", value)
        for counter in ("late_frames", "replaced_frames", "ring_drops"):
            if done.counters[counter]:
                yield single("frame", f"{name}: {counter}", "", done.counters[counter])


_code = cache(Code8)


def kernel_parity(data: list[bytes], parity_count: int) -> list[bytes]:
    """Ask the kernel, as a Python sender of today would ask some library."""
    rows = np.zeros((len(data) + parity_count, len(data[0])), np.uint8)
    for row, shard in zip(rows, data, strict=False):
        row[:] = np.frombuffer(shard, np.uint8)
    _code(len(data), parity_count, rows.shape[1]).encode(rows[: len(data)], rows[len(data) :])
    return [row.tobytes() for row in rows[len(data) :]]


def textbook_parity(data: list[bytes], parity_count: int) -> list[bytes]:
    """Ask the twin."""
    rows = np.zeros((len(data) + parity_count, len(data[0])), np.uint8)
    for row, shard in zip(rows, data, strict=False):
        row[:] = np.frombuffer(shard, np.uint8)
    coefficients = np.zeros((parity_count, len(data)), np.uint8)
    slow.fill_cauchy(coefficients, len(data), parity_count, INVERSES)
    slow.multiply_rows(rows, 0, rows.shape[1], len(data), parity_count, coefficients, TABLES)
    return [row.tobytes() for row in rows[len(data) :]]


def python_sender(parity: Callable[[list[bytes], int], list[bytes]], key: bytes | None) -> Iterator[float]:
    """Send one frame packet by packet for each ``next``; how long it took, in us."""
    frame = bytes(FRAME_BYTES)
    sequence = 0
    with loopback() as (host, address):
        while True:
            began_ns = time.monotonic_ns()
            plan = plan_blocks(len(frame), PACKET_BYTES, FEC_PERCENT, MINIMUM_PARITY)
            assert isinstance(plan, BlockPlan)
            info = FrameInfo(1, FrameType.IDR, 0, sequence, 0)
            for datagram in build_datagrams(frame, PACKET_BYTES, plan, info, parity):
                host.sendto(build_encrypted(key, sequence, 1, datagram) if key else datagram, address)
                sequence += 1
            yield (time.monotonic_ns() - began_ns) / 1e3


def paired_rows() -> Iterator[Row]:
    """Compare the kernel with a sender in Python."""
    frame = bytes(FRAME_BYTES)
    for name, key in (("burst 25 kB", None), ("burst 25 kB encrypted", KEY)):
        for baseline, parity, rounds in (
            ("Python per packet, parity by kernel", kernel_parity, ROUNDS),
            ("Python per packet, textbook parity", textbook_parity, ROUNDS // 5),
        ):
            theirs = python_sender(parity, key)
            spent_us = np.empty((2, rounds))
            with sending(key) as ours:
                for turn in range(-2, rounds):  # two rounds to warm up, overwritten by later ones
                    for which in (0, 1) if turn % 2 else (1, 0):
                        if which:
                            spent_us[0, turn] = next(theirs)
                        else:
                            row = ours.send(frame)
                            spent = row[layout.LATENCY_LAST_NS] - row[layout.LATENCY_ENCODED_NS]
                            spent_us[1, turn] = spent / 1e3
            theirs.close()
            yield paired("frame", name, "us", baseline, *spent_us)


def rows() -> list[Row]:
    prepare_process()
    return [*streamed_rows(), *paired_rows()]


if __name__ == "__main__":
    run(rows, __doc__)
