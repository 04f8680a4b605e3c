"""Both ends of a stream for ``bench throughput``: what feeds a sender, and what empties a receiver.

Each is one kernel call, so that Python holds up neither.
"""

import threading
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import LocalProtocolError
from punktfunk.realtime.kernels import carrying
from punktfunk.realtime.kernels.layout import RECORD_HEADER_WORD_COUNT
from punktfunk.realtime.kernels.mailbox import post_word

if TYPE_CHECKING:
    from punktfunk.realtime.receive.receiver import VideoReceiver
    from punktfunk.realtime.send.frames import FrameSender

I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]


def feed_units(sender: "FrameSender", units: U8, interval_ns: int, count: int) -> I64:
    """Push ``count`` frames, one at each tick, from one kernel call; when each push began.

    The frame with index n is row n modulo their number of ``units``, which are all of one size. To be called
    instead of ``push``, after one. LocalProtocolError for units that are too long.
    """
    # The ring's producer is this call now; a sender offers no other way past ``push``, nor should it.
    ring, header, doorbell = sender._ring, sender._header, sender._doorbell  # noqa: SLF001
    pushed_ns = np.zeros(count, np.int64)
    code = carrying.feed_units(ring.words, ring.storage, header, units, doorbell, interval_ns, pushed_ns)
    if code < 0:
        raise LocalProtocolError(f"units of {units.shape[1]} bytes do not fit into the sender")
    sender._pushed_count += count  # noqa: SLF001
    return pushed_ns


class UnitTaker:
    """Takes frames out of a receiver and compares them, in one kernel call of a thread of its own.

    Nobody may call ``pop`` meanwhile. ``complete_ns`` has CLOCK_MONOTONIC of every frame below
    ``frame_count``, 0 for those that did not come.
    """

    def __init__(self, receiver: "VideoReceiver", units: U8, frame_count: int) -> None:
        self.complete_ns = np.zeros(frame_count, np.int64)
        self.wrong_bytes = 0
        self._stop = np.zeros(1, np.int64)
        self._receiver, self._units = receiver, units
        self._thread = threading.Thread(target=self._run, name="take units")

    def start(self) -> None:
        """Begin to take."""
        self._thread.start()

    @property
    def native_id(self) -> int:
        """The kernel's thread id, once it is started."""
        native_id = self._thread.native_id
        assert native_id is not None
        return native_id

    def _run(self) -> None:
        ring, target = self._receiver._reassembly.ends()  # noqa: SLF001
        header = np.zeros(RECORD_HEADER_WORD_COUNT, np.int64)
        self.wrong_bytes = carrying.check_units(
            ring.words, ring.storage, header, target, self._units, self._receiver.event_fd, self.complete_ns,
            self._stop,
        )  # fmt: skip

    def finish(self) -> None:
        """Take what is left, and return. Nothing may come any more."""
        post_word(self._stop, 0, 1)
        self._thread.join()
