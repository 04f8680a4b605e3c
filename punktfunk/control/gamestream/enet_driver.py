"""Runs a sans-IO ENet host on a UDP socket: one Trio task, one deadline. What the events mean is the owner's.

A datagram that the kernel does not take now (full buffer, unreachable peer) is lost like any other, and ENet
sends again what must arrive. So no error of a single datagram ends the task, and none can make it spin: two
wake-ups in a row that brought nothing good are followed by a pause, and so is one that brought a full batch,
which only a flood does.
"""

import errno
import math
import os
import socket
from collections import Counter
from collections.abc import Callable
from typing import Protocol

import trio

from punktfunk.wire.enet import Delivery, Event, Host, PeerId

BATCH_COUNT = 64
FLOOD_PAUSE_S = 0.001
ERROR_PAUSE_S = 0.05
CLOSING_BOUND_S = 0.5
_DATAGRAM_BYTES = 4096
_NS_PER_S = 1_000_000_000
# These say that the descriptor itself is wrong, which is a bug of ours. EINVAL is not among them: sending to
# port 0, which a forged source may name, gives it.
_FATAL = frozenset({errno.EBADF, errno.ENOTSOCK})


class HasFileno(Protocol):
    """A bound, non-blocking UDP socket: Trio's or the standard library's."""

    def fileno(self) -> int:
        """Give the file descriptor."""


def _now_ns() -> int:
    return round(trio.current_time() * _NS_PER_S)


class EnetEndpoint:
    """What tasks beside the driver use: send and disconnect, at once and without waiting.

    ``counters`` names the datagrams that the socket refused; ``host.counters`` those that the protocol did.
    """

    def __init__(self, host: Host, sock: socket.socket) -> None:
        self.host = host
        self.counters: Counter[str] = Counter()
        self.fruitless_count = 0  # wake-ups in a row for nothing
        self._sock = sock
        self._wait: trio.CancelScope | None = None

    def send(
        self, peer: PeerId, channel: int, payload: bytes, delivery: Delivery = Delivery.RELIABLE
    ) -> bool:
        """Send a message; False if the peer is not connected or too much waits for it already."""
        accepted = self.host.send(peer, channel, payload, delivery, _now_ns())
        self.flush()
        return accepted

    def disconnect(self, peer: PeerId, data: int = 0) -> None:
        """Deliver what is queued, then disconnect; the event `Disconnected` follows."""
        self.host.disconnect(peer, data, _now_ns())
        self.flush()

    def disconnect_now(self, peer: PeerId, data: int = 0) -> None:
        """Tell the peer once and forget it; no event follows."""
        self.host.disconnect_now(peer, data, _now_ns())
        self.flush()

    def flush(self) -> None:
        """Send what the host wants sent, and let the driver sleep no longer than the host's next deadline."""
        for address, data in self.host.datagrams():
            try:
                self._sock.sendto(data, address)
            except OSError as problem:
                self._count(problem)
        if self._wait is not None:
            self._wait.deadline = self._deadline_s()

    def receive(self) -> tuple[list[Event], int]:
        """Take at most `BATCH_COUNT` datagrams: their events, and how many datagrams there were."""
        events: list[Event] = []
        count = 0
        for _ in range(BATCH_COUNT):
            try:
                data, address = self._sock.recvfrom(_DATAGRAM_BYTES + 1)
            except BlockingIOError:
                break
            except OSError as problem:
                self._count(problem)
                continue
            count += 1
            events += self.host.receive(data, address, _now_ns())
        if not count:
            self._empty_error_queue()
        return events, count

    def _empty_error_queue(self) -> None:
        """Take what IP_RECVERR left for us: as long as any is there, the socket counts as readable."""
        for _ in range(BATCH_COUNT):
            try:
                self._sock.recvmsg(0, 0, socket.MSG_ERRQUEUE)
            except OSError:
                return
            self.counters["error_queue"] += 1

    async def wait(self) -> bool:
        """Sleep until a datagram is there (True) or the host's deadline, which `flush` may move."""
        self._wait = trio.CancelScope(deadline=self._deadline_s())
        readable = False
        try:
            with self._wait:
                await trio.lowlevel.wait_readable(self._sock)
                readable = True
        finally:
            self._wait = None
        return readable

    def _deadline_s(self) -> float:
        deadline_ns = self.host.deadline_ns()
        # A microsecond late rather than early: a float short of the deadline would wake us for nothing.
        return math.inf if deadline_ns is None else (deadline_ns + 1000) / _NS_PER_S

    def _count(self, problem: OSError) -> None:
        if problem.errno in _FATAL:
            raise problem
        self.counters[errno.errorcode.get(problem.errno or 0, "unknown")] += 1


async def run_enet(
    host: Host,
    sock: HasFileno,
    on_event: Callable[[Event], None],
    *,
    task_status: trio.TaskStatus[EnetEndpoint] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve ``host`` on ``sock`` until cancelled; then disconnect every peer, within `CLOSING_BOUND_S`.

    ``on_event`` is called from this task, in order, and must not block. It hears nothing after the
    cancellation. The socket stays open: it belongs to the caller.
    """
    # A duplicate shares the open socket, but Trio lets only one task wait on a descriptor at a time.
    with socket.socket(fileno=os.dup(sock.fileno())) as duplicate:
        duplicate.setblocking(False)  # noqa: FBT003 - the library's signature
        endpoint = EnetEndpoint(host, duplicate)
        try:
            task_status.started(endpoint)
            while True:
                await _turn(endpoint, on_event)
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + CLOSING_BOUND_S):
                await _close(endpoint)
            for peer in host.peers():
                endpoint.disconnect_now(peer)


async def _turn(endpoint: EnetEndpoint, on_event: Callable[[Event], None]) -> None:
    readable = await endpoint.wait()
    events, count = endpoint.receive() if readable else ([], 0)
    events += endpoint.host.advance(_now_ns())
    endpoint.flush()
    for event in events:
        on_event(event)
    endpoint.fruitless_count = endpoint.fruitless_count + 1 if readable and not count else 0
    if endpoint.fruitless_count > 1:
        await trio.sleep(ERROR_PAUSE_S)
    elif count == BATCH_COUNT:
        await trio.sleep(FLOOD_PAUSE_S)


async def _close(endpoint: EnetEndpoint) -> None:
    for peer in endpoint.host.peers():
        endpoint.disconnect(peer)
    while endpoint.host.peers():
        await _turn(endpoint, _ignore)


def _ignore(event: Event) -> None:
    """Stand in for the owner, who is gone."""
