"""``punktfunk`` with what a test asks of it by environment; all else is the product: ``python altered_host.py serve ...``.

ALTERED_PICTURE=busy    the test card carries a strip of noise, so that each frame needs many datagrams
ALTERED_FOLDER=FOLDER   FOLDER/tasks.json always lists Trio's living tasks; while FOLDER/encoder-error exists the
                        encoder fails, and while FOLDER/encoder-stall exists it does not come back
"""

import faulthandler
import json
import os
import signal
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import trio

from punktfunk.cli import main
from punktfunk.realtime.capture.testcard import TestcardCapture
from punktfunk.realtime.encode.lavc import LavcEncoder

NOISE_PX = 144
NOISE_COUNT = 7
TASKS_BYTES = 1 << 14


def make_busy() -> None:
    draw_card = TestcardCapture.draw_frame
    noise: dict[tuple[int, ...], Any] = {}

    def draw_frame(self: TestcardCapture, captured_ns: int) -> None:
        draw_card(self, captured_ns)
        middle = self._pixels.shape[0] // 2
        strip = self._pixels[middle : middle + NOISE_PX]
        if strip.shape not in noise:
            grey = np.random.default_rng(1).integers(64, 192, (NOISE_COUNT, *strip.shape), np.uint32)
            noise[strip.shape] = grey * np.uint32(0x010101)
        strip[:] = noise[strip.shape][self._frame_number % NOISE_COUNT]

    TestcardCapture.draw_frame = draw_frame  # type: ignore[method-assign]


def make_breakable(folder: Path) -> None:
    encode_with_libavcodec = LavcEncoder.encode

    def encode(self: LavcEncoder, picture: Any, *, key: bool) -> Any:
        while (folder / "encoder-stall").exists():
            time.sleep(0.01)
        if (folder / "encoder-error").exists():
            # What libavcodec says, through the wrapper that the product has around it.
            self._context = _Refusing(self._context.time_base)
        return encode_with_libavcodec(self, picture, key=key)

    LavcEncoder.encode = encode  # type: ignore[method-assign]


class _Refusing:
    """An encoder's context that takes no more pictures."""

    def __init__(self, time_base: Any) -> None:
        self.time_base = time_base

    def encode(self, _frame: Any) -> Any:
        raise av.error.ExternalError(542398533, "Generic error in an external library")


class Tasks(trio.abc.Instrument):
    """Keeps a file that names the living tasks and how many there are of each."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)  # kept: some tests leave no descriptors
        self._living: Counter[str] = Counter()

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        self._living[task.name] += 1
        self._write()

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        self._living[task.name] -= 1
        self._write()

    def _write(self) -> None:
        os.pwrite(self._file, json.dumps(+self._living).encode().ljust(TASKS_BYTES), 0)


if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR2, all_threads=True)  # for whoever looks into a host that hangs
    if os.environ.get("ALTERED_PICTURE") == "busy":
        make_busy()
    if named := os.environ.get("ALTERED_FOLDER"):
        make_breakable(Path(named))
        trio.run = partial(trio.run, instruments=[Tasks(Path(named) / "tasks.json")])
    main()
