"""Whole frames through the host's own sender: parity, headers, encryption, sending, to a loopback socket.

Frames at a rate stand in ``punktfunk.measure.stream``. "In turns": the same frame, in the measuring thread,
by the same kernel call and by a sender in Python that works packet by packet. "Stages" are the parts by
themselves, each repeated with warm memory and timed by the thread's own CPU clock, so they add up to less
than the whole.
"""

import contextlib
import importlib.util
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from punktfunk import realtime
from punktfunk.measure.fec import WITHOUT_LEOPARD
from punktfunk.measure.floors import PER_PACKET
from punktfunk.measure.options import FrameOptions
from punktfunk.measure.paired import Row, Work, measure_works, own_ns, paired, single
from punktfunk.measure.send import loopback
from punktfunk.measure.sender import KEY, SHARD_BYTES, FrameMaker, data_max, python_sender
from punktfunk.measure.steps import Benchmark, Step
from punktfunk.measure.stream import frame_row, make_frame, python_pushed_rows, streamed_rows
from punktfunk.wire.native.blocks import wanted_parity
from punktfunk.wire.native.packet import HEADER_BYTES, OFFSET_PAYLOAD, SEQUENCE_BYTES, TAG_BYTES

_STAGE_ROUNDS: Final = 20
_GROUP: Final = 44  # datagrams of one call: 44 * 1472 bytes


def benchmark(options: FrameOptions) -> Benchmark:
    """Frames at a rate, frames in turns with Python, and the stages."""
    title = f"{options.frames} frames at {options.rate} Hz"
    steps = [
        Step(f"{title}, and their control", partial(streamed_rows, options)),
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


def turn_rows(options: FrameOptions) -> Iterator[Row]:
    """Send the same frame by our kernel and by Python, in turns, in this thread."""
    frame = make_frame(options)
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
    yield frame_row(options, paired("frame", "in one call", "us", PER_PACKET, *spent_us))
    yield frame_row(
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
    return frame_row(options, replace(row, ours_least=float(spent_us.min())))
