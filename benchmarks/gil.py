"""What a busy Python thread costs pf-send.

pf-send is one kernel call that holds no GIL. Its baseline is a Python thread that waits for the same doorbell
and calls the same kernels per frame, which must get the GIL first. Both get the same 25 kB frame in every
round, 60 rounds a second, order flipped. "wake-up": from the push until the sender makes the first datagram;
"frame": until the last datagram is with the system. The push itself is a Python call, as it is in pf-encode:
beside the hog it has to wait for the GIL too, before the clock of these rows starts.
"""

import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.paired import Row, interval, paired, run, single
from benchmarks.sending import FRAME_BYTES, FRAME_INTERVAL_NS, PythonSender, Sending, sending
from punktfunk.measure.hog import hog
from punktfunk.realtime.kernels import layout

ROUNDS = 300
BLOCK_ROUNDS = 25
PARTS = (
    ("wake-up", layout.LATENCY_ENCODED_NS, layout.LATENCY_FIRST_NS),
    ("frame", layout.LATENCY_FIRST_NS, layout.LATENCY_LAST_NS),
    ("push to sent", layout.LATENCY_ENCODED_NS, layout.LATENCY_LAST_NS),
)


def samples(senders: tuple[Sending, Sending]) -> NDArray[np.int64]:
    """Rows of the latency log: (quiet or hogged, kernel or Python thread, round, column).

    Quiet and hogged take turns in short blocks, so that what else the machine does meets both.
    """
    log = np.zeros((2, 2, ROUNDS, layout.LATENCY_COLUMN_COUNT), np.int64)
    frame = bytes(FRAME_BYTES)
    with hog() as busy:
        for turn in range(2 * ROUNDS):
            block, place = divmod(turn, BLOCK_ROUNDS)
            hogged, number = block % 2, block // 2 * BLOCK_ROUNDS + place
            (busy.set if hogged else busy.clear)()
            for which in (0, 1) if turn % 2 else (1, 0):
                time.sleep(FRAME_INTERVAL_NS / 2e9)
                log[hogged, which, number] = senders[which].send(frame)
    return log


def rows() -> Iterator[Row]:
    """Compare the two designs, quiet and hogged; then each of ours with the hog and without."""
    with sending() as ours, sending(kind=PythonSender) as python:
        for sender in (ours, python):
            sender.send(bytes(FRAME_BYTES))
        log = samples((ours, python))
        policy = ours.policy
    for part, begin, end in PARTS:
        spent_us = (log[..., end] - log[..., begin]) / 1e3
        for state, (kernel_us, python_us) in zip(("quiet", "hog"), spent_us, strict=True):
            case = f"{part}, {state}, {policy}"
            yield paired("gil", case, "us", "Python thread", python_us, kernel_us)
            yield single("gil", f"{case}: p99", "us", float(np.quantile(kernel_us, 0.99)))
            yield single("gil", f"{case}: p99 of Python thread", "us", float(np.quantile(python_us, 0.99)))
        for name, (quiet_us, hogged_us) in zip(
            ("kernel", "Python thread"), spent_us.swapaxes(0, 1), strict=True
        ):
            ratio, low, high = interval(quiet_us / hogged_us)
            medians = float(np.median(hogged_us)), float(np.median(quiet_us))
            case = f"{part}, {name} beside a hog"
            yield Row("gil", case, "us", *medians, "the same without hog", ratio, low, high)


if __name__ == "__main__":
    run(lambda: list(rows()), __doc__)
