"""PortableReceiver: what ``VideoReceiver`` is, for systems whose calls our receiving kernel does not know.

    socket -> open (cryptography) -> Reassembler -> queue -> pop
    '------------------ pf-receive ----------------'        a decoder's thread

Python takes each datagram by itself, so a packet costs many times what it costs the kernel: right for tens
of Mbit/s, not for hundreds. Reassembly is the model that the kernel is held equal to; only lost shards are
restored by kernels, which need nothing of the system. Nothing here is Linux's own.
"""

import os
import select
import socket
import sys
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import asdict
from typing import Final

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from numpy.typing import NDArray

from punktfunk.errors import LocalProtocolError, PipelineFailed
from punktfunk.plan import MediaCipher, RealtimePlan, ReceivePlan
from punktfunk.realtime.bells import close_bell, hush, open_bells, ring
from punktfunk.realtime.receive.frames import ReceivedFrame
from punktfunk.realtime.receive.packet_log import copy_log, new_log
from punktfunk.realtime.receive.recoverer import Recoverer
from punktfunk.realtime.receive.session_key import checked_key
from punktfunk.realtime.thread import Failures, Placement, Worker, join_all, promote
from punktfunk.wire.native.packet import (
    HEADER_BYTES,
    MAX_DATAGRAM_BYTES,
    MIN_DATAGRAM_BYTES,
    SALT_BYTES,
    SEQUENCE_BYTES,
    FecScheme,
    build_nonce,
)
from punktfunk.wire.native.placing import ReceiveLimits
from punktfunk.wire.native.reassembly import Reassembler
from punktfunk.wire.native.replay import ReplayWindow

OWN_COUNTS: Final = (
    "bytes", "wrong_length", "not_authentic", "replayed", "injected_losses", "datagrams", "calls",
    "receive_errors", "last_errno", "flushed_datagrams", "ring_drops",
)  # fmt: skip
"""What is counted before the model."""
SEED: Final = 0x9E3779B97F4A7C15
_U64: Final = (1 << 64) - 1
_SOCKET_BUFFER_BYTES: Final = 8 << 20
_FRAME_BYTES: Final = 128
"""What a waiting frame counts beside its access unit: so empty ones are bounded too."""
_BATCH: Final = 64
"""Datagrams between two looks at what control wants."""
_IDLE_S: Final = 0.5


class PortableReceiver:
    """Video of one session from a socket to a decoder, as ``VideoReceiver``, and with its names.

    ``socket_fd`` stays the caller's, and outlives us. LocalProtocolError for a plan that no session can have.
    """

    def __init__(
        self, plan: ReceivePlan, socket_fd: int, realtime: RealtimePlan, *, packet_log_rows: int = 0
    ) -> None:
        if len(plan.salt) != SALT_BYTES:
            raise LocalProtocolError(f"a salt has {SALT_BYTES} bytes, not {len(plan.salt)}")
        if not 0 <= plan.loss_ppm <= 1_000_000:
            raise LocalProtocolError(f"{plan.loss_ppm} of a million datagrams cannot be lost")
        self._plan, self._realtime, self._socket_fd = plan, realtime, socket_fd
        limits = ReceiveLimits(
            plan.data_max, FecScheme(plan.fec_scheme), plan.shard_bytes_max, plan.frame_bytes_max
        )
        self._model = Reassembler(limits, Recoverer(limits))
        self._aead = _open_aead(plan)
        self._replay = ReplayWindow()
        self._dice = (plan.loss_seed ^ SEED) % (1 << 62) or 1
        self._counts: Counter[str] = Counter()
        self._log = new_log(packet_log_rows)
        self._log_count = 0
        self._frames: deque[ReceivedFrame] = deque()
        self._probe_ns = 0, 0
        self._flush_wanted = self._flush_done = 0
        self._forgotten_ns = 0
        self._over = True  # no thread runs
        self._stop = False
        self._closed = False
        self._popping = threading.Lock()  # ``stop`` closes what a ``pop`` in another thread may wait on
        self._worker: Worker | None = None
        self._placement: Placement | None = None
        self.socket_buffer_bytes = _prepare_socket(socket_fd)
        """What the system lets wait in the socket."""
        self.event_fd, self._doorbell, failures_fd = open_bells(3)
        self._failures = Failures(failures_fd)

    @property
    def failure_fd(self) -> int:
        """Readable after the thread failed, and then for good."""
        return self._failures.event_fd

    def start(self) -> None:
        """Start ``pf-receive`` and promote it, where the system has a way."""
        self._worker = Worker("pf-receive", self._run, self._failures, self._wake)
        self._over = False
        self._worker.start()
        self._placement = promote("pf-receive", self._worker.native_id, self._realtime)

    def placement(self) -> Placement | None:
        """Tell what the thread got of the machine; None before ``start``."""
        return self._placement

    def stop(self, join_ns: int) -> None:
        """End the thread within ``join_ns`` and close everything; PunktfunkError if it hangs.

        May be called again.
        """
        if self._closed:
            return
        self._stop = True
        ring(self._doorbell)
        if self._worker:
            join_all([self._worker], join_ns)
        with self._popping:
            self._closed = True
            close_bell(self.event_fd)
            close_bell(self._doorbell)
        self._failures.close()

    # -- the consumer's side

    def pop(self, timeout_ns: int = 0) -> ReceivedFrame | None:
        """Take the oldest frame; None when none comes within ``timeout_ns``, or once the thread has ended.

        PipelineFailed once the thread has failed and everything it finished is taken.
        """
        deadline_ns = time.monotonic_ns() + timeout_ns
        with self._popping:
            while True:
                frame = self._frames.popleft() if self._frames else None
                if frame and frame.complete_ns < self._forgotten_ns:
                    self._counts["skipped_frames"] += 1
                    continue
                failed = self._failures.first()
                if frame is None and failed:
                    raise failed
                left_ns = deadline_ns - time.monotonic_ns()
                if frame or left_ns <= 0 or self._over:
                    return frame
                select.select([self.event_fd], [], [], left_ns / 1e9)
                hush(self.event_fd)

    def acknowledge(self) -> None:
        """Make ``event_fd`` unreadable until the next frame: before ``pop``, by whoever waited for it."""
        with self._popping:
            if not self._closed:
                hush(self.event_fd)

    def flush(self) -> None:
        """Skip ahead: forget what waits in the socket, what is begun, and what nobody took yet."""
        self._forgotten_ns = time.monotonic_ns()
        self._flush_wanted += 1
        ring(self._doorbell)

    def open_probe(self) -> None:
        """Forget when probe filler came first and last: a new burst is about to be measured."""
        self._probe_ns = 0, 0

    def probe_window_ns(self) -> tuple[int, int]:
        """CLOCK_MONOTONIC of the first and the last probe packet since ``open_probe``; 0, 0 for none."""
        return self._probe_ns

    def packets(self, since: int = 0) -> tuple[NDArray[np.int64], int]:
        """Copy the log of packets from number ``since`` on, and the next number: ``packet_log``."""
        return copy_log(self._log, since, lambda: self._log_count)

    def counters(self) -> dict[str, int]:
        """Copy the counts, by the names of ``VideoReceiver.counters``."""
        model, own = self._model, self._counts
        return {
            **{name: own[name] for name in OWN_COUNTS},
            **asdict(model.counts),
            "flushes": self._flush_done,
            "flushed_frames": own["skipped_frames"],
            "probe_first_ns": self._probe_ns[0],
            "probe_last_ns": self._probe_ns[1],
            "newest_index": model.newest_index,
            "slabs_used": model.slabs.used_count,
            "ring_bytes": self._waiting_bytes(),
        }

    def cpu_ns(self) -> int:
        """CPU time that ``pf-receive`` has used so far; 0 where it does not run, or nothing tells."""
        return self._worker.cpu_ns() if self._worker else 0

    def failure(self) -> PipelineFailed | None:
        """Tell why the thread failed; None while it has not."""
        return self._failures.first()

    # -- the thread

    def _wake(self) -> None:
        """Let whoever waits for a frame look a last time."""
        self._over = True
        if not self._closed:
            ring(self.event_fd)

    def _run(self) -> None:
        with socket.socket(fileno=_duplicate(self._socket_fd)) as bound:
            while not self._stop:
                if self._flush_done != self._flush_wanted:
                    self._flush(bound)
                if not self._take_some(bound):
                    select.select([bound.fileno(), self._doorbell], [], [], _IDLE_S)
                    hush(self._doorbell)

    def _flush(self, bound: socket.socket) -> None:
        wanted = self._flush_wanted
        while self._receive(bound) is not None:
            self._counts["flushed_datagrams"] += 1
        self._model.flush()
        self._flush_done = wanted

    def _take_some(self, bound: socket.socket) -> bool:
        """Take what waits, within a bound; whether there may be more."""
        for _ in range(_BATCH):
            datagram = self._receive(bound)
            if datagram is None:
                return False
            self._take(datagram, time.monotonic_ns())
        return True

    def _receive(self, bound: socket.socket) -> bytes | None:
        self._counts["calls"] += 1
        try:
            return bound.recv(MAX_DATAGRAM_BYTES + 1)
        except BlockingIOError:
            return None
        except OSError as error:  # a port that nobody has yet, a route that is away: it passes
            self._counts["receive_errors"] += 1
            self._counts["last_errno"] = error.errno or 0
            return None

    def _take(self, datagram: bytes, now_ns: int) -> None:
        counts = self._counts
        counts["datagrams"] += 1
        if self._plan.loss_ppm and self._is_lost():
            counts["injected_losses"] += 1
            return
        least = MIN_DATAGRAM_BYTES if self._aead else HEADER_BYTES
        if not least <= len(datagram) <= MAX_DATAGRAM_BYTES:
            counts["wrong_length"] += 1
            return
        packet, sequence = datagram, -1
        if self._aead is not None:
            head = datagram[:SEQUENCE_BYTES]
            sequence = int.from_bytes(head)
            try:
                packet = self._aead.decrypt(
                    build_nonce(self._plan.salt, sequence), datagram[SEQUENCE_BYTES:], head
                )
            except InvalidTag:
                counts["not_authentic"] += 1
                return
            if not self._replay.accept(sequence):
                counts["replayed"] += 1
                return
        counts["bytes"] += len(datagram)
        self._note(packet, sequence, now_ns)
        self._hand_over(packet, now_ns)

    def _is_lost(self) -> bool:
        """Throw the dice for one datagram. Marsaglia's xorshift, 13, 7 and 17, as in the kernel."""
        state = self._dice
        state ^= state << 13 & _U64
        state ^= state >> 7
        state ^= state << 17 & _U64
        self._dice = state
        return state % 1_000_000 < self._plan.loss_ppm

    def _hand_over(self, packet: bytes, now_ns: int) -> None:
        probes = self._model.counts.probe_packets
        unit = self._model.push(packet, now_ns)
        if self._model.counts.probe_packets != probes:
            self._probe_ns = self._probe_ns[0] or now_ns, now_ns
        if unit is None:
            return
        self._frames.append(ReceivedFrame(*unit))
        while len(self._frames) > 1 and self._waiting_bytes() > self._plan.frame_bytes_max:
            with suppress(IndexError):  # the decoder has just come
                self._frames.popleft()
                self._counts["ring_drops"] += 1
        ring(self.event_fd)

    def _waiting_bytes(self) -> int:
        frames = self._frames.copy()  # one step of the interpreter: nobody changes it meanwhile
        return sum(len(frame.access_unit) + _FRAME_BYTES for frame in frames)

    def _note(self, packet: bytes, sequence: int, now_ns: int) -> None:
        if not len(self._log) or len(packet) < HEADER_BYTES:
            return
        row = self._log[self._log_count & (len(self._log) - 1)]
        row[0], row[1], row[7] = sequence, now_ns, len(packet)
        row[2:7] = np.frombuffer(packet, np.int64, HEADER_BYTES // 8)
        self._log_count += 1


def _open_aead(plan: ReceivePlan) -> AESGCM | ChaCha20Poly1305 | None:
    key = checked_key(plan)
    if key is None:
        return None
    return AESGCM(key) if plan.cipher is MediaCipher.AES_128_GCM else ChaCha20Poly1305(key)


def _duplicate(socket_fd: int) -> int:
    """Make a second descriptor of a socket, which is closed without closing the first."""
    if sys.platform == "win32":
        # Windows' sockets are no files: the handle is copied by way of its owner's own words for it.
        with socket.socket(fileno=socket_fd) as owner:
            try:
                return owner.dup().detach()
            finally:
                owner.detach()
    return os.dup(socket_fd)


def _prepare_socket(socket_fd: int) -> int:
    """Let the socket hold many datagrams, and never wait; how many bytes it may hold."""
    with socket.socket(fileno=_duplicate(socket_fd)) as bound:
        bound.setblocking(False)  # noqa: FBT003 -- its only argument
        with suppress(OSError):  # it works with less room
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER_BYTES)
        return bound.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
