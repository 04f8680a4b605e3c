"""A server and clients on real loopback sockets, for the tests of the QUIC driver."""

from contextlib import asynccontextmanager
from functools import partial

import trio

from punktfunk.control.native.identity import create_identity
from punktfunk.control.quic import QuicConfig, connect_quic, serve_quic
from punktfunk.control.sockets import bound_sockets

HOST = create_identity("punktfunk")
CLIENT = create_identity("punktfunk-client")


def host_config(**settings):
    wanted = {"alpn": ("pkf1",), "certificate": HOST.certificate, "private_key": HOST.private_key}
    return QuicConfig(**{**wanted, **settings})


def client_config(*, anonymous=False, **settings):
    wanted = {"alpn": ("pkf1",)}
    if not anonymous:
        wanted |= {"certificate": CLIENT.certificate, "private_key": CLIENT.private_key}
    return QuicConfig(**{**wanted, **settings})


class Serving:
    """A running server; ``connections`` are those whose handler ran."""

    def __init__(self, handler=None):
        self.connections = []
        self.reasons = []
        self.scope = trio.CancelScope()
        self._handler = handler

    async def handle(self, connection):
        self.connections.append(connection)
        try:
            if self._handler is not None:
                await self._handler(connection)
        finally:
            if connection.closed_reason is not None:
                self.reasons.append(connection.closed_reason)

    async def run(self, bound, config, task_status):
        with self.scope:
            await serve_quic(bound, config, self.handle, task_status=task_status)


async def until_closed(connection):
    await connection.wait_closed()


@asynccontextmanager
async def serving(handler=until_closed, addresses=("127.0.0.1",), **settings):
    """Give a running server; ``port`` is where."""
    host = Serving(handler)
    with bound_sockets(addresses, 0) as bound:
        async with trio.open_nursery() as nursery:
            host.server = await nursery.start(host.run, bound, host_config(**settings))
            host.ports = [one.socket.getsockname()[1] for one in bound]
            host.port = host.ports[0]
            yield host
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def talking(handler=until_closed, **settings):
    """Give a server and a client's connection to it."""
    async with (
        serving(handler) as host,
        connect_quic("127.0.0.1", host.port, client_config(**settings)) as client,
    ):
        while not host.connections:  # noqa: ASYNC110 - the clock is virtual
            await trio.sleep(0.001)
        yield host, client


async def echo(connection):
    """Answer every stream with its own bytes and every datagram with itself."""

    async def one(stream):
        while data := await stream.receive_some():
            await stream.send_all(data)
        stream.send_eof()

    async def datagrams():
        while True:
            for data in await connection.receive_datagrams():
                connection.send_datagram(data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(datagrams)
        while True:
            nursery.start_soon(one, await connection.accept_stream())


__all__ = ["CLIENT", "HOST", "client_config", "echo", "host_config", "partial", "serving", "talking"]
