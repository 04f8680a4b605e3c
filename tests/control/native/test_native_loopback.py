"""The front door over real QUIC on loopback, with the product's own client for pairing."""

from contextlib import asynccontextmanager

import pytest
import trio

from punktfunk.control.client.dial import Target
from punktfunk.control.client.endings import ConnectionEnded
from punktfunk.control.client.pairing import pair
from punktfunk.control.native.door import open_door
from punktfunk.control.native.identity import create_identity
from punktfunk.control.native.messages import MessageStream
from punktfunk.control.quic import QuicClosed, QuicConfig, connect_quic, serve_quic
from punktfunk.control.sockets import bound_sockets
from punktfunk.control.trust import ClientBook
from punktfunk.wire.native.capabilities import ALPN, CloseCode, Grant
from punktfunk.wire.native.control import AccessUpdate, build_control, parse_control
from punktfunk.wire.native.handshake import Hello, build_hello

HELLO = build_hello(Hello(width_px=1280, height_px=720, refresh_hz=60, name="laptop"))
CLIENT = create_identity("punktfunk-client")


class Host:
    """A host that admits, and then only keeps the client told of its rights."""

    def __init__(self, folder):
        self.lines = []
        self.book = ClientBook(folder)
        self.door = open_door(folder, self.book, open_host=False, report=self.lines.append)

    async def handle(self, connection):
        try:
            messages = MessageStream(await connection.accept_stream())
            first = await messages.receive()
            admitted = await self.door.front.admit(connection, messages, first)
            if admitted is None:
                return
            await messages.send(b"welcome")

            async def send(update):
                await messages.send(build_control(update))

            with connection.raising_when_closed():
                connection.close(CloseCode.ACCESS_EXPIRED, await admitted.access.keep(send))
        except QuicClosed:
            pass

    async def until(self, state):
        """Wait until the last device in the list stands so; packets are on their way."""
        while [entry["state"] for entry in (await self.ask("clients.pending"))["clients"]][-1:] != [state]:  # noqa: ASYNC110
            await trio.sleep(0.002)

    async def ask(self, verb, **request):
        return await self.door.verbs[verb](request)


@asynccontextmanager
async def running(folder):
    host = Host(folder)
    identity = host.door.identity
    config = QuicConfig(alpn=(ALPN,), certificate=identity.certificate, private_key=identity.private_key)
    with bound_sockets(["127.0.0.1"], 0) as bound:
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_quic, bound, config, host.handle)
            target = Target("127.0.0.1", bound[0].socket.getsockname()[1], "desk")
            yield host, target
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def saying_hello(target, identity=CLIENT):
    own = {"certificate": identity.certificate, "private_key": identity.private_key} if identity else {}
    config = QuicConfig(alpn=(ALPN,), **own)
    async with connect_quic(target.address, target.port, config) as connection:
        messages = MessageStream(connection.open_stream())
        await messages.send(HELLO)
        yield connection, messages


@pytest.mark.trio
async def test_pair_then_connect_then_lose_rights_and_place(tmp_path, monkeypatch):
    monkeypatch.setattr("punktfunk.control.native.arming.COOLDOWN_S", 0)
    async with running(tmp_path) as (host, target):
        with pytest.raises(ConnectionEnded):
            await pair(target, CLIENT, "0000", "laptop")
        pin = (await host.ask("pair.native", grants="gamepad,pointer"))["pin"]
        with pytest.raises(ConnectionEnded):
            await pair(target, CLIENT, f"{(int(pin) + 1) % 10_000:04}", "laptop")
        pin = (await host.ask("pair.native", grants="gamepad,pointer"))["pin"]
        assert await pair(target, CLIENT, pin, "laptop") == host.door.identity.fingerprint
        assert await host.ask("pair.native.wait") == {"name": "laptop"}
        assert host.book.clients()[0].fingerprint == CLIENT.fingerprint
        async with saying_hello(target) as (connection, messages):
            assert await messages.receive() == b"welcome"
            await host.book.set_rights("laptop", grants=Grant.GAMEPAD)
            assert parse_control(await messages.receive()) == AccessUpdate(Grant.GAMEPAD, 0)
            await host.book.remove("laptop")
            reason = await connection.wait_closed()
            assert (reason.code, reason.by_peer) == (CloseCode.ACCESS_EXPIRED, True)
            assert "no longer paired" in reason.text


@pytest.mark.trio
async def test_strangers_over_the_wire(tmp_path):
    async with running(tmp_path) as (host, target):
        async with saying_hello(target, None) as (connection, _):
            assert (await connection.wait_closed()).code == CloseCode.NO_IDENTITY
        async with saying_hello(target) as (_, messages):
            await host.until("waiting")
            await host.ask("clients.approve", client=CLIENT.fingerprint[:8])
            assert await messages.receive() == b"welcome"
        other = create_identity("punktfunk-client")
        async with saying_hello(target, other) as (connection, _):
            await host.until("waiting")
            connection.close(0, "changed my mind")
        await host.until("gone")
        async with saying_hello(target, other) as (connection, _):
            await host.until("waiting")
            await host.ask("clients.deny", client="laptop")
            assert (await connection.wait_closed()).code == CloseCode.DENIED
    assert any("asks to come in" in line for line in host.lines)


def test_an_open_host_says_so_at_its_start(tmp_path):
    lines = []
    first = open_door(tmp_path, ClientBook(tmp_path), open_host=True, report=lines.append)
    assert "paired or not" in lines.pop()
    second = open_door(tmp_path, ClientBook(tmp_path), open_host=False, report=lines.append)
    assert lines == []
    assert first.identity.fingerprint == second.identity.fingerprint
