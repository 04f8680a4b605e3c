"""pf-audio: samples to Opus to datagrams, one packet per 5 or 10 ms by absolute deadlines.

A thread of its own, because Trio's loop must not own such a cadence.
"""

import errno
import os
import select
import socket
import struct
import threading
import time
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from punktfunk.errors import PipelineFailed
from punktfunk.plan import AudioPlan, RealtimePlan
from punktfunk.realtime.bells import open_bells
from punktfunk.realtime.thread import Failures, Placement, Worker, join_all, promote
from punktfunk.wire.gamestream.audio import SAMPLE_RATE_HZ, AudioPacketizer

if TYPE_CHECKING:
    from punktfunk.realtime.capture.live import LiveSound
    from punktfunk.realtime.capture.sound import Sound
    from punktfunk.realtime.encode.opus import OpusEncoder

AUDIO_PRIORITY: Final = 5
"""Modest: below pf-send. Where SCHED_FIFO is refused, audio stays ordinary; a late packet is repaired."""

MAX_LATE_NS: Final = 200_000_000
"""After a longer standstill (a suspended laptop) the cadence starts anew instead of catching up."""

_TEMPORARY_ERRORS: Final = frozenset(
    {errno.EAGAIN, errno.ENOBUFS, errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EINTR,
     errno.ENETDOWN, errno.EHOSTDOWN, errno.EPERM, errno.EADDRNOTAVAIL}
)  # fmt: skip


Marks = list[tuple[int, int, bytes]]


class Cadence:
    """Absolute deadlines, one per packet. Times are CLOCK_MONOTONIC nanoseconds."""

    def __init__(self, interval_ns: int, start_ns: int) -> None:
        self._interval_ns = interval_ns
        self._due_ns = start_ns
        self.restart_count = 0

    @property
    def due_ns(self) -> int:
        """When the next packet is due."""
        return self._due_ns

    def wait_ns(self, now_ns: int) -> int:
        """How long until the next packet is due; zero or less: now."""
        return self._due_ns - now_ns

    def advance(self, now_ns: int) -> None:
        """Note a sent packet: the next is due one interval after this one was due."""
        self._due_ns += self._interval_ns
        if now_ns - self._due_ns > MAX_LATE_NS:
            self._due_ns = now_ns
            self.restart_count += 1


class AudioLink:
    """The audio of one session. Sends to nobody until ``set_destination``; ``socket_fd`` stays the caller's.

    Every method is called by control, from one thread at a time. ``event_fd`` becomes readable when the
    thread failed; it is closed by ``stop``. ``live`` is where the sound of a desktop comes from; None: what
    the plan names.
    """

    def __init__(self, plan: AudioPlan, socket_fd: int, live: "LiveSound | None" = None) -> None:
        self._plan = plan
        self._live = live
        self._socket = socket.socket(fileno=os.dup(socket_fd))
        self._stop = threading.Event()
        self._destination: tuple[tuple[Any, ...], Marks] | None = None  # written by control, read by pf-audio
        try:
            failures_fd, self._wake_fd = open_bells(2)
        except OSError:
            self._socket.close()
            raise
        self._failures = Failures(failures_fd)
        self._worker = Worker("pf-audio", self._run, self._failures, self._stop.set)
        self._placement: Placement | None = None
        self._encoder: OpusEncoder | None = None
        self._sound: Sound | None = None
        self._counters = {
            "audio_packets": 0,
            "audio_datagrams": 0,
            "audio_send_errors": 0,
            "audio_restarts": 0,
            "audio_filled": 0,
        }
        self._stopped = False

    @property
    def event_fd(self) -> int:
        """Readable after a failure."""
        return self._failures.event_fd

    def start(self) -> None:
        """Open encoder and source, then start the thread; EnvironmentProblem if one cannot be opened.

        Both are opened here and not by pf-audio, which is realtime as soon as it runs.
        """
        from punktfunk.realtime.capture.sound import open_sound
        from punktfunk.realtime.encode.opus import OpusEncoder

        plan = self._plan
        self._encoder = OpusEncoder(
            plan.channel_count, high_quality=plan.high_quality, packet_duration_ms=plan.packet_duration_ms
        )
        if self._live is None:
            self._sound = open_sound(plan)
        self._worker.start()
        self._placement = promote("pf-audio", self._worker.native_id, RealtimePlan(None, AUDIO_PRIORITY))

    def stop(self, join_ns: int) -> None:
        """End the thread within ``join_ns`` and close what this link opened. May be called again."""
        if self._stopped:
            return
        self._stop.set()
        os.eventfd_write(self._wake_fd, 1)
        join_all([self._worker], join_ns)
        self._stopped = True
        if self._encoder:
            self._encoder.close()
        if self._sound:
            self._sound.close()
        self._failures.close()
        self._socket.close()
        os.close(self._wake_fd)

    def set_destination(self, address: tuple[Any, ...], family: int) -> None:
        """Send to ``address``, as ``recvfrom`` gave it; ``family`` must be the socket's own."""
        assert family == self._socket.family
        self._destination = address, _marks(self._plan.dscp, str(address[0]))
        os.eventfd_write(self._wake_fd, 1)

    def counters(self) -> dict[str, int]:
        """Packets encoded, datagrams handed to the kernel, datagrams refused by it, cadences begun anew.

        ``audio_filled`` packets hold silence, as no samples came from the desktop.
        """
        return dict(self._counters)

    def placement(self) -> Placement | None:
        """Where and how pf-audio runs; None before ``start``."""
        return self._placement

    def failure(self) -> PipelineFailed | None:
        """Why the thread died, None while it has not."""
        return self._failures.first()

    def _run(self) -> None:
        assert self._encoder is not None
        plan = self._plan
        packetizer = AudioPacketizer(plan.packet_duration_ms, plan.encryption_key, plan.encryption_iv_id)
        self._wait_for_destination()
        if self._live is not None:
            self._send_live(self._live, packetizer)
            return
        assert self._sound is not None
        cadence = Cadence(plan.packet_duration_ms * 1_000_000, time.monotonic_ns())
        while not self._stop.is_set():
            wait_ns = cadence.wait_ns(time.monotonic_ns())
            if wait_ns > 0:
                time.sleep(wait_ns / 1e9)
            for datagram in packetizer.datagrams(self._encoder.encode(self._sound.next())):
                self._send(datagram)
            self._counters["audio_packets"] += 1
            cadence.advance(time.monotonic_ns())
            self._counters["audio_restarts"] = cadence.restart_count

    def _send_live(self, live: "LiveSound", packetizer: AudioPacketizer) -> None:
        """Send what a desktop plays: the packets come when its samples do."""
        assert self._encoder is not None
        count = SAMPLE_RATE_HZ * self._plan.packet_duration_ms // 1000
        while not self._stop.is_set():
            taken = live.take(count)
            samples = taken.samples.astype(np.int16, copy=False)
            for datagram in packetizer.datagrams(self._encoder.encode(samples)):
                self._send(datagram)
            self._counters["audio_packets"] += 1
            self._counters["audio_filled"] = live.filled_count

    def _wait_for_destination(self) -> None:
        poll = select.poll()
        poll.register(self._wake_fd, select.POLLIN)
        while self._destination is None and not self._stop.is_set():
            poll.poll()
            os.eventfd_read(self._wake_fd)

    def _send(self, datagram: bytes) -> None:
        assert self._destination is not None
        try:
            address, marks = self._destination
            self._socket.sendmsg([datagram], marks, socket.MSG_DONTWAIT, address)
        except OSError as error:
            # The network comes and goes under a session; what is wrong with us is not passed over.
            if error.errno not in _TEMPORARY_ERRORS:
                raise
            self._counters["audio_send_errors"] += 1
        else:
            self._counters["audio_datagrams"] += 1


def _marks(dscp: int, host: str) -> Marks:
    """Ancillary data that marks a datagram; an IPv4 address on an IPv6 socket wants IPv4's."""
    if dscp == 0:
        return []
    value = struct.pack("i", dscp << 2)
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return [(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, value)]
    return [(socket.IPPROTO_IP, socket.IP_TOS, value)]
