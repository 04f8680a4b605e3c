"""A bad network between two sockets of this machine: a process of ours that forwards datagrams by a ``Link``.

    python -m punktfunk.measure.network.relay '{"seed": 1, "loss_ppm": 10000, ...}'

It prints the port where it listens, forwards what comes there to the address that it read from its input
(one line, ``host port``), and prints its counts when its input ends. One direction, as media has. Times of
departure are kept to about a tenth of a millisecond; how late it was itself is among the counts.
"""

import heapq
import json
import select
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any, Final, Self

from punktfunk.measure.network.link import Link, LinkSettings

_BATCH: Final = 256
_BUFFER_BYTES: Final = 4 << 20
_NS: Final = 1e-9


class Relay:
    """``near`` receives, ``far`` sends to ``target``."""

    def __init__(self, link: Link, near: socket.socket, target: tuple[str, int]) -> None:
        self._link = link
        self._near = near
        self._far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        self._far.connect(target)
        self._waiting: list[tuple[int, int, bytes]] = []
        self._order = 0
        self.forwarded_count = self.refused_count = 0
        self.late_ns = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._far.close()

    def take(self) -> None:
        """Receive what waits, and decide what becomes of it."""
        for _ in range(_BATCH):
            try:
                datagram = self._near.recv(65_535)
            except BlockingIOError:
                return
            for arrival_ns in self._link.send(time.monotonic_ns(), len(datagram)):
                self._order += 1
                heapq.heappush(self._waiting, (arrival_ns, self._order, datagram))

    def forward(self) -> float | None:
        """Send what is due; seconds until something is, None if nothing waits."""
        while self._waiting:
            left_ns = self._waiting[0][0] - time.monotonic_ns()
            if left_ns > 0:
                return left_ns * _NS
            self.late_ns = max(self.late_ns, -left_ns)
            _, _, datagram = heapq.heappop(self._waiting)
            try:
                self._far.send(datagram)
                self.forwarded_count += 1
            except OSError:
                self.refused_count += 1
        return None

    def counts(self) -> dict[str, int]:
        """Say what became of the datagrams; ``late_us`` is the relay's own worst delay."""
        link = self._link
        return {
            "sent": link.sent_count,
            "lost": link.lost_count,
            "overflowed": link.overflow_count,
            "forwarded": self.forwarded_count,
            "refused": self.refused_count,
            "late_us": self.late_ns // 1000,
        }


def serve(values: Mapping[str, Any]) -> None:
    """Relay until the input ends."""
    settings = {key: value for key, value in values.items() if key != "seed"}
    link = Link(
        LinkSettings(**settings | {"capacity": tuple(map(tuple, settings.get("capacity", ())))}),
        values["seed"],
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near:
        near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        near.bind(("127.0.0.1", 0))
        near.setblocking(False)  # noqa: FBT003
        print(near.getsockname()[1], flush=True)
        host, port = sys.stdin.readline().split()
        with Relay(link, near, (host, int(port))) as relay:
            left_s: float | None = None
            while True:
                readable, _, _ = select.select([near, sys.stdin], [], [], left_s)
                if sys.stdin in readable:
                    break
                relay.take()
                left_s = relay.forward()
            print(json.dumps(relay.counts()), flush=True)


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
