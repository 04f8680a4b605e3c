"""Connections without a network: two ends of one control stream, and the wall clock of a book."""

from contextlib import contextmanager

import trio

from punktfunk.control.native.messages import MessageStream
from punktfunk.control.quic.errors import CloseReason, QuicClosed

PHONE = "aa" * 32
TABLET = "bb" * 32
HOST = "cc" * 32


class Clock:
    """A wall clock that a test sets, or that follows trio's."""

    def __init__(self, start_s=1_000_000.0):
        self.start_s = start_s
        self.follows = False

    def __call__(self):
        return self.start_s + (trio.current_time() if self.follows else 0)


class MemoryStream:
    """One end of a stream."""

    def __init__(self, connection):
        self.connection = connection
        self.arrived = bytearray()
        self.at_eof = False
        self.news = trio.Event()
        self.peer = None

    def take(self, data):
        self.arrived += data
        self.news.set()

    async def send_all(self, data):
        await trio.lowlevel.checkpoint()
        self.connection.check()
        self.peer.take(data)

    async def receive_some(self, max_bytes):
        await trio.lowlevel.checkpoint()
        while not self.arrived:
            if self.at_eof:
                return b""
            self.connection.check()
            self.news = trio.Event()
            await self.news.wait()
        data = bytes(self.arrived[:max_bytes])
        del self.arrived[:max_bytes]
        return data

    def send_eof(self):
        self.peer.at_eof = True
        self.peer.news.set()


class MemoryConnection:
    """One end of a connection; ``peer`` is the other."""

    def __init__(self, fingerprint, address):
        self.peer_fingerprint = fingerprint
        self.remote_address = (address, 5000)
        self.stream = MemoryStream(self)
        self.messages = MessageStream(self.stream)
        self.reason = None
        self.gone = trio.Event()
        self.peer = None

    def check(self):
        if self.reason is not None:
            raise QuicClosed(self.reason)

    def close(self, code=0, text=""):
        for end, by_peer in ((self, False), (self.peer, True)):
            if end.reason is None:
                end.reason = CloseReason(int(code), text, by_peer)
                end.gone.set()
                end.stream.news.set()

    async def wait_closed(self):
        await self.gone.wait()
        return self.reason

    @contextmanager
    def raising_when_closed(self):
        # The real one is cancelled at once; here the test's nursery drives it.
        with trio.CancelScope() as scope:
            self.scope = scope
            yield
        if scope.cancelled_caught:
            self.check()

    def vanish(self):
        """The peer closes while the host waits for its owner."""
        self.peer.close(0, "")
        self.scope.cancel()


def connected(client=PHONE, address="192.0.2.7"):
    """Both ends: the host's and the client's."""
    host_end, client_end = MemoryConnection(client, address), MemoryConnection(HOST, "192.0.2.1")
    host_end.peer, client_end.peer = client_end, host_end
    host_end.stream.peer, client_end.stream.peer = client_end.stream, host_end.stream
    return host_end, client_end
