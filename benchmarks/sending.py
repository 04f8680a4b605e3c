"""What the benchmarks of the sending path share: senders, each on a thread of its own."""

import contextlib
import os
import select
import threading
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from punktfunk.measure.send import loopback
from punktfunk.plan import FrameType, Pacing, RealtimePlan, SendPlan
from punktfunk.realtime.kernels import layout
from punktfunk.realtime.send.sender import VideoSender
from punktfunk.realtime.thread import promote

FRAME_INTERVAL_NS = 16_666_667
FRAME_BYTES = 25_000
PACKET_BYTES = 1392
FEC_PERCENT = 20
MINIMUM_PARITY = 2
CAPACITY_BYTES = 1 << 20
KEY = bytes(range(16))
PRIORITY = 20
PATIENCE_S = 1.0


def send_plan(pacing: Pacing = Pacing.BURST, key: bytes | None = None) -> SendPlan:
    return SendPlan(PACKET_BYTES, FEC_PERCENT, MINIMUM_PARITY, key, pacing, FRAME_INTERVAL_NS)


class Sending:
    """A VideoSender whose ``run`` lives on a thread of its own, as pf-send's does, promoted where allowed."""

    def __init__(self, sender: VideoSender, address: tuple[str, int]) -> None:
        self.sender = sender
        sender.set_destination(*address)
        self._thread = threading.Thread(target=sender.run)
        self._thread.start()
        assert self._thread.native_id is not None
        placement = promote("pf-send", self._thread.native_id, RealtimePlan(None, PRIORITY))
        self.policy = placement.policy

    def send(self, access_unit: bytes) -> NDArray[np.int64]:
        """Push one frame and wait until it is gone; its row of the latency log."""
        frame_count = self.sender.counters()["frames"]
        now_ns = time.monotonic_ns()
        self.sender.push(
            access_unit,
            frame_type=FrameType.IDR,
            captured_ns=now_ns,
            encoded_ns=now_ns,
            timestamp_90k=now_ns * 9 // 100_000 & 0xFFFFFFFF,
        )
        deadline_s = time.monotonic() + PATIENCE_S
        while self.sender.counters()["frames"] == frame_count:
            if time.monotonic() > deadline_s:
                raise SystemExit(f"a frame was not sent: {self.sender.counters()}")
            time.sleep(0.001)
        row: NDArray[np.int64] = self.sender.latencies()[-1]
        return row

    def close(self) -> None:
        """End the thread and free the sender."""
        self.sender.stop()
        self._thread.join()
        self.sender.close()


@contextlib.contextmanager
def sending(key: bytes | None = None, kind: type[VideoSender] = VideoSender) -> Iterator[Sending]:
    with loopback() as (host, address):
        running = Sending(kind(send_plan(Pacing.BURST, key), host.fileno(), CAPACITY_BYTES), address)
        try:
            yield running
        finally:
            running.close()


class PythonSender(VideoSender):
    """The rejected design: a Python thread that waits for the doorbell and calls the kernels per frame."""

    def run(self) -> None:
        """Do what ``send_loop`` does, in Python."""
        poll = select.poll()
        poll.register(self._doorbell, select.POLLIN)
        while not self._words[layout.WORD_STOP]:
            if not self.send_next():
                poll.poll(500)
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._doorbell)
