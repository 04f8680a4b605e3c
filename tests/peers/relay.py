"""A userspace relay between a client and the host: TCP as it is, UDP with losses chosen by the test.

The client talks to ``relay address``, the host listens on ``host address``, both with the same ports: a client takes
ports from the host's answers, but keeps the address that it was given.
"""

import contextlib
import selectors
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Self

Drop = Callable[["Shard"], bool]


@dataclass(frozen=True, slots=True)
class Shard:
    """One video datagram on its way to the client: the ``ordinal``-th of frame ``frame``, from 0."""

    frame: int
    ordinal: int
    total: int  # datagrams relayed so far, this one included


def nothing(_shard: Shard) -> bool:
    return False


def at_random(rate: float, seed: int = 1) -> Drop:
    random = Random(seed)
    return lambda _shard: random.random() < rate


def bursts(rate: float, run: int, seed: int = 1) -> Drop:
    """Lose ``run`` datagrams in a row, often enough to average ``rate``."""
    random, left = Random(seed), [0]

    def drop(_shard: Shard) -> bool:
        if not left[0] and random.random() < rate / run:
            left[0] = run
        lost = left[0] > 0
        left[0] -= lost
        return lost

    return drop


class OneOfEachFrame:
    """Lose one shard of every frame, another index each time: 0 in one frame, 1 in the next, and round again.

    How many shards a frame has is known only after it, and frames differ: an index that was not lost yet waits
    for a frame that is large enough. Indices beyond the usual size, as key frames have them, are not waited for.
    """

    def __init__(self) -> None:
        self.dropped_ordinals: set[int] = set()
        self.totals: dict[int, int] = {}
        self._frame = -1
        self._index = 0
        self._lost = False

    def __call__(self, shard: Shard) -> bool:
        if shard.frame != self._frame:
            self._index = self._next_index()
            self._frame, self._lost = shard.frame, False
        self.totals[shard.frame] = shard.ordinal + 1
        if shard.ordinal != self._index:
            return False
        self._lost = True
        self.dropped_ordinals.add(shard.ordinal)
        return True

    @property
    def usual_total(self) -> int:
        """How many shards most frames have."""
        return Counter(self.totals.values()).most_common(1)[0][0] if self.totals else 1

    def _next_index(self) -> int:
        usual = self.usual_total
        due = [index for index in range(usual) if index not in self.dropped_ordinals]
        return due[0] if due else (self._index + self._lost) % usual


def kernel_drops() -> int:
    """Datagrams that the kernel dropped so far because a socket's buffer was full (proc_net_udp, last column)."""
    rows = Path("/proc/net/udp").read_text("ascii").splitlines()[1:]
    return sum(int(row.split()[-1]) for row in rows)


@dataclass
class Relay:
    """Use as a context manager; one thread moves everything."""

    host: str
    relay: str
    base_port: int
    encrypted: bool = False
    drop: Drop = nothing
    deaf: frozenset[int] = frozenset()
    """Offsets of the ports behind which nobody listens."""
    relayed: int = 0
    dropped: int = 0
    seen: Counter[int] = field(default_factory=Counter)
    """Datagrams of each frame that came from the host, lost ones included."""
    lost: Counter[int] = field(default_factory=Counter)
    """Those of each frame that were dropped here."""
    control: deque[bytes] = field(default_factory=lambda: deque(maxlen=200))
    """What the client sent to the control port lately."""

    def __enter__(self) -> Self:
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._sockets: list[socket.socket] = [self._wake, self._woken]
        for offset in {-5, 0, 21} - self.deaf:
            listener = socket.create_server((self.relay, self.base_port + offset))
            listener.setblocking(False)  # noqa: FBT003
            self._add(listener, lambda s=listener, p=self.base_port + offset: self._accept(s, p))
        self._far: dict[int, socket.socket] = {}
        for offset in {9, 10, 11} - self.deaf:
            self._open_udp(offset)
        self._frame, self._ordinal = -1, 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.send(b"x")
        self._thread.join(5)
        for opened in self._sockets:
            opened.close()
        self._selector.close()

    def inject(self, offset: int, data: bytes) -> None:
        """Send a datagram to the host as if the client had."""
        with contextlib.suppress(OSError):
            self._far[offset].send(data)

    def _add(self, opened: socket.socket, call: Callable[[], None]) -> None:
        self._sockets.append(opened)
        self._selector.register(opened, selectors.EVENT_READ, call)

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select(1):
                if key.data is None:
                    return
                key.data()

    def _accept(self, listener: socket.socket, port: int) -> None:
        client, _ = listener.accept()
        try:
            host = socket.create_connection((self.host, port), 5)
        except OSError:
            client.close()
            return
        for source, target in ((client, host), (host, client)):
            self._add(source, lambda s=source, t=target: self._pipe(s, t))

    def _pipe(self, source: socket.socket, target: socket.socket) -> None:
        try:
            data = source.recv(65536)
            if data:
                target.sendall(data)
                return
        except OSError:
            pass
        self._selector.unregister(source)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _open_udp(self, offset: int) -> None:
        port, video = self.base_port + offset, offset == 9
        near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for opened in (near, far):
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
            opened.setblocking(False)  # noqa: FBT003
        near.bind((self.relay, port))
        far.connect((self.host, port))
        self._far[offset] = far
        client: list[tuple[str, int]] = []

        def from_client() -> None:
            with contextlib.suppress(OSError):
                data, address = near.recvfrom(65536)
                client[:] = [address]
                if offset == 10:
                    self.control.append(data)
                far.send(data)

        def from_host() -> None:
            for _ in range(64):
                try:
                    data = far.recv(65536)
                except OSError:
                    return
                if client and not (video and self._loses(data)):
                    with contextlib.suppress(OSError):
                        near.sendto(data, client[0])

        self._add(near, from_client)
        self._add(far, from_host)

    def _loses(self, datagram: bytes) -> bool:
        at = 12 if self.encrypted else 20
        frame = int.from_bytes(datagram[at : at + 4], "little")
        self._ordinal = self._ordinal + 1 if frame == self._frame else 0
        self._frame = frame
        self.relayed += 1
        self.seen[frame] += 1
        if self.drop(Shard(frame, self._ordinal, self.relayed)):
            self.dropped += 1
            self.lost[frame] += 1
            return True
        return False
