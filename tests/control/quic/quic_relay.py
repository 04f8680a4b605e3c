"""A UDP relay on loopback that loses, delays, reorders and doubles what passes, by the virtual clock."""

import heapq
import itertools
import socket
from contextlib import asynccontextmanager

import trio


def loopback(family=socket.AF_INET):
    sock = trio.socket.socket(family, socket.SOCK_DGRAM)
    sock._sock.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    return sock


class Relay:
    """One client's way to a server. ``up`` and ``down`` decide like ``link.Link``; ``port`` is its address."""

    def __init__(self, server, up, down):
        self.server, self.up, self.down = server, up, down
        self.front, self.back = loopback(), loopback()
        self.port = self.front.getsockname()[1]
        self.client = None
        self.passed = []
        self.largest_bytes = 65536
        self._back_scope = trio.CancelScope()
        self._count = itertools.count()
        self._queue = []
        self._queued = trio.Event()

    def move(self):
        """Reach the server from another port from now on, as after a change of network."""
        old, self.back = self.back, loopback()
        self._back_scope.cancel()
        old.close()

    async def run(self):
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._upward)
                nursery.start_soon(self._downward)
                nursery.start_soon(self._deliver)
        finally:
            self.front.close()
            self.back.close()

    async def _upward(self):
        while True:
            data, self.client = await self.front.recvfrom(65536)
            self.passed.append(("up", data))
            self._accept(data, self.up, is_up=True)

    async def _downward(self):
        while True:
            with trio.CancelScope() as self._back_scope:
                while True:
                    data, _ = await self.back.recvfrom(65536)
                    self.passed.append(("down", data))
                    self._accept(data, self.down, is_up=False)

    def _accept(self, data, link, *, is_up):
        if len(data) > self.largest_bytes:
            return
        for when_ns in link.arrivals(round(trio.current_time() * 1e9)):
            heapq.heappush(self._queue, (when_ns, next(self._count), is_up, data))
            self._queued.set()

    async def _deliver(self):
        while True:
            if not self._queue:
                self._queued = trio.Event()
                await self._queued.wait()
            with trio.move_on_at(self._queue[0][0] / 1e9):
                self._queued = trio.Event()
                await self._queued.wait()
                continue
            _, _, is_up, data = heapq.heappop(self._queue)
            if is_up:
                await self.back.sendto(data, self.server)
            else:
                await self.front.sendto(data, self.client)


@asynccontextmanager
async def relaying(server, up, down):
    relay = Relay(server, up, down)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(relay.run)
        yield relay
        nursery.cancel_scope.cancel()
