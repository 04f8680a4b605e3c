"""VideoReceiver: the thread ``pf-receive``, and the end from which a decoder takes access units.

    socket -> open -> place -> rebuild -> ByteRing -> pop
    '------------- pf-receive -----------'            a decoder's thread

Importing this module loads the compiled kernels, so import it only when ``warm.is_warm()``.
"""

import os
import select
import socket
import threading
import time
import weakref
from contextlib import suppress
from typing import Final

import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import PipelineFailed
from punktfunk.plan import RealtimePlan, ReceivePlan
from punktfunk.realtime.bells import open_bells
from punktfunk.realtime.kernels import layout
from punktfunk.realtime.kernels import layout_receive as at
from punktfunk.realtime.kernels.mailbox import post_word
from punktfunk.realtime.kernels.native_receive import (
    MESSAGE_BYTES,
    MESSAGE_COUNT,
    MESSAGE_ROOM_BYTES,
    receive_loop,
)
from punktfunk.realtime.realtimekit import RealtimeKit
from punktfunk.realtime.receive.frames import ReceivedFrame
from punktfunk.realtime.receive.reassembly import Reassembly
from punktfunk.realtime.rings import aligned_words
from punktfunk.realtime.thread import Failures, Placement, Worker, join_all, promote

_UDP_GRO: Final = 104  # of level IPPROTO_UDP; Python has no name for it
_SO_RCVBUFFORCE: Final = 33
_SOCKET_BUFFER_BYTES: Final = 8 << 20
_NS_PER_MS: Final = 1_000_000
_EXITS: Final = {
    layout.BAD_SIZE: "its arrays do not fit together",
    layout.SOCKET_FAILED: "its socket was closed",
}


class VideoReceiver:
    """Video of one session from a socket to a decoder. ``socket_fd`` stays the caller's, and outlives us.

    ``event_fd`` becomes readable when a frame waits, ``failure_fd`` when the thread failed; ``stop`` closes
    both. ``pop`` belongs to one thread, which alone may read ``event_fd``; the rest is control's. The socket
    is made to glue datagrams (UDP_GRO) and to hold as many as the system lets it. The kernels must be warm.
    ``packet_log_rows``, a power of two, is what ``packets`` can give. LocalProtocolError for a plan that no
    session can have.
    """

    def __init__(
        self, plan: ReceivePlan, socket_fd: int, realtime: RealtimePlan, *, packet_log_rows: int = 0
    ) -> None:
        self._realtime = realtime
        event_fd, doorbell, failures_fd = open_bells(3)
        self._fds = weakref.finalize(self, _close_all, event_fd, doorbell)
        self._failures = Failures(failures_fd)
        try:
            self._reassembly = Reassembly(plan, event_fd, packet_log_rows=packet_log_rows)
        except BaseException:
            self._failures.close()
            raise
        self.event_fd, self._doorbell = event_fd, doorbell
        words = self._reassembly.words
        words[at.SOCKET], words[at.DOORBELL], words[at.VIRTUAL] = socket_fd, doorbell, 0
        self._buffers = np.zeros((MESSAGE_COUNT, MESSAGE_BYTES), np.uint8)
        self._buffers.fill(0)  # touch every page now, not while receiving
        self._messages = aligned_words(MESSAGE_COUNT * MESSAGE_ROOM_BYTES // 8)
        words[at.BUFFERS], words[at.MESSAGES] = self._buffers.ctypes.data, self._messages.ctypes.data
        self.socket_buffer_bytes = _prepare_socket(socket_fd)
        """What the system lets wait in the socket."""
        self._worker: Worker | None = None
        self._over = True  # no thread runs; the thread itself says so while it is still alive
        self._placement: Placement | None = None
        self._popping = threading.Lock()  # ``stop`` closes what a ``pop`` in another thread may wait on
        self._flush_count = self._probe_count = 0
        self._forgotten_ns = 0
        self._skipped_count = 0

    @property
    def failure_fd(self) -> int:
        """Readable after the thread failed, and then for good."""
        return self._failures.event_fd

    def start(self) -> None:
        """Start ``pf-receive`` and promote it, which may take two seconds."""
        self._worker = Worker("pf-receive", self._run, self._failures, self._wake)
        self._over = False
        self._worker.start()
        self._placement = promote("pf-receive", self._worker.native_id, self._realtime, RealtimeKit())

    def _run(self) -> None:
        code = receive_loop(self._reassembly.words)
        if code != layout.STOPPED:
            raise PipelineFailed(f"pf-receive stopped: {_EXITS.get(code, f'kernel code {code}')}")

    def _wake(self) -> None:
        """Let whoever waits for a frame look a last time."""
        self._over = True
        os.eventfd_write(self.event_fd, 1)

    def placement(self) -> Placement | None:
        """Tell what the thread got of the machine; None before ``start``."""
        return self._placement

    def pop(self, timeout_ns: int = 0) -> ReceivedFrame | None:
        """Take the oldest frame; None when none comes within ``timeout_ns``, or once the thread has ended.

        PipelineFailed once the thread has failed and everything it finished is taken.
        """
        deadline_ns = time.monotonic_ns() + timeout_ns
        with self._popping:
            return self._pop(deadline_ns)

    def _pop(self, deadline_ns: int) -> ReceivedFrame | None:
        while True:
            frame = self._reassembly.pop()
            if frame and frame.complete_ns < self._forgotten_ns:
                self._skipped_count += 1
                continue
            failed = self._failures.first()
            if frame is None and failed:
                raise failed
            left_ns = deadline_ns - time.monotonic_ns()
            if frame or left_ns <= 0 or self._over:
                return frame
            poll = select.poll()
            poll.register(self.event_fd, select.POLLIN)
            poll.poll(-(-left_ns // _NS_PER_MS))
            self._drain()

    def acknowledge(self) -> None:
        """Make ``event_fd`` unreadable until the next frame: before ``pop``, by whoever waited for it."""
        with self._popping:
            if self._fds.alive:
                self._drain()

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self.event_fd)

    def flush(self) -> None:
        """Skip ahead: forget what waits in the socket, what is begun, and what nobody took yet."""
        self._flush_count += 1
        self._forgotten_ns = time.monotonic_ns()
        post_word(self._reassembly.words, at.FLUSH_WANTED, self._flush_count)
        os.eventfd_write(self._doorbell, 1)

    def open_probe(self) -> None:
        """Forget when probe filler came first and last: a new burst is about to be measured."""
        self._probe_count += 1
        post_word(self._reassembly.words, at.PROBE_WANTED, self._probe_count)

    def probe_window_ns(self) -> tuple[int, int]:
        """CLOCK_MONOTONIC of the first and the last probe packet since ``open_probe``; 0, 0 for none."""
        words = self._reassembly.words
        if words[at.PROBE_SEEN] != self._probe_count:
            return 0, 0
        return int(words[at.PROBE_FIRST_NS]), int(words[at.PROBE_LAST_NS])

    def packets(self, since: int = 0) -> tuple[NDArray[np.int64], int]:
        """Copy the log of packets from number ``since`` on, and the next number: ``Reassembly.packets``."""
        return self._reassembly.packets(since)

    def counters(self) -> dict[str, int]:
        """Copy the counts.

        ``packets`` are accepted ones: authentic and not replayed, filler included. ``flushes`` says how many
        of ``flush`` are done, ``flushed_datagrams`` and ``flushed_frames`` what they threw away.
        """
        read = self._reassembly.counters()
        read["flushed_frames"] += self._skipped_count
        return read

    def cpu_ns(self) -> int:
        """CPU time that ``pf-receive`` has used so far; 0 where it does not run."""
        return self._worker.cpu_ns() if self._worker else 0

    @property
    def memory_bytes(self) -> int:
        """Bytes that this receiver can ever have, the code's tables aside."""
        return self._reassembly.memory_bytes + self._buffers.nbytes

    def failure(self) -> PipelineFailed | None:
        """Tell why the thread failed; None while it has not."""
        return self._failures.first()

    def stop(self, join_ns: int) -> None:
        """End the thread within ``join_ns`` and close everything; PunktfunkError if it hangs.

        May be called again. What was opened stays open while the thread hangs: it may still be using it.
        """
        if not self._fds.alive:
            return
        post_word(self._reassembly.words, at.STOP, 1)
        os.eventfd_write(self._doorbell, 1)
        if self._worker:
            join_all([self._worker], join_ns)
        with self._popping:
            self._fds()
        self._failures.close()
        self._reassembly.close()


def _prepare_socket(socket_fd: int) -> int:
    """Let the system glue datagrams and hold many; how many bytes it may hold."""
    with socket.socket(fileno=os.dup(socket_fd)) as bound:
        for level, option, value in (
            (socket.IPPROTO_UDP, _UDP_GRO, 1),
            (socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER_BYTES),
            (socket.SOL_SOCKET, _SO_RCVBUFFORCE, _SOCKET_BUFFER_BYTES),
        ):
            try:
                bound.setsockopt(level, option, value)
            except OSError:
                continue  # an older system, or no privilege: it works, with more calls or less room
        return bound.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def _close_all(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
