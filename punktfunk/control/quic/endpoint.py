"""The sockets of one side: who a datagram is for, and who wants something sent.

Datagrams are taken in batches; each connection that one touched then tells its events and sends once. A pause
follows a full batch of strangers' packets, so that a flood leaves the loop to others.
"""

import socket
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import trio

from punktfunk.control.quic.admission import Bucket
from punktfunk.control.quic.config import CONNECTION_ID_BYTES
from punktfunk.control.quic.link import Link
from punktfunk.control.quic.paths import Datagram, DatagramSocket, Path

BATCH_COUNT: Final = 64
FLOOD_BATCH_COUNT: Final = 16
FLOOD_PAUSE_S: Final = 0.002
ERROR_PAUSE_S: Final = 0.05
CLOSING_BOUND_S: Final = 0.5
STRANGERS_PER_S: Final = 200
"""First packets that are looked at; a parsed one costs five times as much as one that is only counted."""
_LONG_HEADER: Final = 0x80
_LONG_ID_OFFSET: Final = 6

Stranger = Callable[[bytes, Path, float], "Link | None"]


class Endpoint:
    """Sockets, routes, what waits to be sent. ``on_stranger`` may make a link of a long header's packet."""

    def __init__(
        self, sockets: Sequence[socket.socket], on_stranger: Stranger, *, local: str | None = None
    ) -> None:
        self.routes: dict[bytes, Link] = {}
        self.counters: Counter[str] = Counter()
        self.received_ns = 0
        """When the datagram that is being fed arrived in the kernel (CLOCK_REALTIME), 0 if unknown."""
        self._on_stranger = on_stranger
        self._strangers = Bucket(STRANGERS_PER_S, BATCH_COUNT)
        # Duplicates share the open socket, but Trio lets only one task wait on a descriptor at a time.
        self.sockets = [
            DatagramSocket(bound.dup(), index, counters=self.counters, local=local)
            for index, bound in enumerate(sockets)
        ]
        self._dirty: list[Link] = []
        self._dirty_came = trio.Event()

    def close(self) -> None:
        """Close our duplicates; the sockets themselves belong to the caller."""
        for each in self.sockets:
            each.socket.close()

    def send(self, data: bytes, path: Path) -> None:
        """Send one datagram, or lose it."""
        self.sockets[path.socket_index].send(data, path)

    def request_flush(self, link: Link) -> None:
        """Call the link's `flush` at the end of this turn of the loop."""
        self._dirty.append(link)
        self._dirty_came.set()

    async def run(self) -> None:
        """Receive and send until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._flush_dirty)
            for each in self.sockets:
                nursery.start_soon(self._receive, each)

    async def run_lane(self, path: Path) -> None:
        """Receive what comes on this path by a socket of its own, until cancelled, where that is possible."""
        lane = self.sockets[path.socket_index].lane_to(path)
        if lane is None:
            await trio.lowlevel.checkpoint()
            return
        with lane.socket:
            await self._receive(lane)

    async def linger(self, links: Iterable[Link]) -> None:
        """Repeat the goodbyes of closed links until they are over or `CLOSING_BOUND_S` has passed."""
        with trio.CancelScope(shield=True, deadline=trio.current_time() + CLOSING_BOUND_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.run)
                for link in links:
                    nursery.start_soon(link.run_timers)
                for link in links:
                    await link.ended.wait()
                nursery.cancel_scope.cancel()

    async def _flush_dirty(self) -> None:
        while True:
            await self._dirty_came.wait()
            self._dirty_came = trio.Event()
            dirty, self._dirty = self._dirty, []
            for link in dirty:
                link.flush()

    async def _receive(self, source: DatagramSocket) -> None:
        fruitless_count = 0
        count_max = BATCH_COUNT
        while True:
            await trio.lowlevel.wait_readable(source.socket)
            count, stranger_count = self._take_batch(source, count_max)
            fruitless_count = 0 if count else fruitless_count + 1
            is_flood = count == count_max and stranger_count > count // 2
            count_max = FLOOD_BATCH_COUNT if is_flood else BATCH_COUNT
            if fruitless_count > 1:
                await trio.sleep(ERROR_PAUSE_S)
            elif is_flood:
                await trio.sleep(FLOOD_PAUSE_S)

    def _take_batch(self, source: DatagramSocket, count_max: int) -> tuple[int, int]:
        """Take what is there; return how many datagrams there were, and how many of no known connection."""
        touched: dict[Link, None] = {}
        count = stranger_count = 0
        routes_before = len(self.routes)
        for item in source.receive(count_max):
            if item is None:
                continue
            count += 1
            link = self._link_of(item)
            if link is None:
                stranger_count += 1
            else:
                touched[link] = None
            if len(self.routes) > routes_before:
                break  # a new handshake took milliseconds: others may have their turn
        for link in touched:
            link.settle()
        return count, stranger_count

    def _link_of(self, datagram: Datagram) -> Link | None:
        data, path, self.received_ns = datagram
        now_s = trio.current_time()
        if not data:
            return None
        is_long = bool(data[0] & _LONG_HEADER)
        if not is_long:
            connection_id = data[1 : 1 + CONNECTION_ID_BYTES]
        elif len(data) > _LONG_ID_OFFSET:
            connection_id = data[_LONG_ID_OFFSET : _LONG_ID_OFFSET + data[_LONG_ID_OFFSET - 1]]
        else:
            connection_id = b""
        link = self.routes.get(connection_id)
        if link is not None:
            link.feed(data, path, now_s)
            return link
        if not is_long:
            self.counters["unknown_connection"] += 1
            return None
        if not self._strangers.take(now_s):
            self.counters["strangers_too_fast"] += 1
            return None
        return self._on_stranger(data, path, now_s)
