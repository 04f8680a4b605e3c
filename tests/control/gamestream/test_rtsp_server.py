"""RTSP connections: who may speak, how long, how much; over memory streams under a virtual clock, and over TCP."""

import logging
import os
from functools import partial

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_client import StreamClient, make_peer, make_stream
from trio.testing import MockClock, memory_stream_pair

from punktfunk.control.complaints import Complaints
from punktfunk.control.gamestream.rtsp_server import EXCHANGE_TIMEOUT_S, serve_connection
from punktfunk.control.listeners import ConnectionGate, Place, open_tcp, serve_gated
from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.gamestream.rtsp import MAX_MESSAGE_BYTES

logger = logging.getLogger(__name__)
ADDRESS = make_peer().address


class Named:
    """A memory stream that comes from an address."""

    def __init__(self, stream, address=ADDRESS):
        self._stream = stream
        self.socket = self
        self.address = address

    def getpeername(self):
        return (self.address, 50000)

    def __getattr__(self, name):
        return getattr(self._stream, name)


class Connection:
    """One connection to the server; ``find`` knows the streams."""

    def __init__(self, *streams, address=ADDRESS):
        self.here, there = memory_stream_pair()
        self.place = Place(address, 0)
        self.complaints = Complaints(logger, clock_s=lambda: 0)
        self.streams = {stream.peer.address: stream for stream in streams}
        self.served = partial(
            serve_connection, Named(there, address), self.place, self.streams.get, self.complaints
        )
        self.there = there

    async def exchange(self, message):
        """Send all, read to the end, close: as the client does."""
        reply = b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.served)
            await self.here.send_all(message)
            reply = await self.read()
            await self.here.aclose()
        return reply

    async def read(self):
        return b"".join([data async for data in self.here])


def run(async_function, *args):
    return trio.run(async_function, *args, clock=MockClock(autojump_threshold=0))


@pytest.mark.trio
@pytest.mark.parametrize("encrypted", [True, False], ids=["sealed", "plain"])
async def test_seven_connections(autojump_clock, encrypted):
    stream, client = make_stream(corever=int(encrypted)), StreamClient(encrypted=encrypted)
    for name, build in client.steps().items():
        status, _headers, _body = client.read(await Connection(stream).exchange(build()))
        assert status == 200, name
    assert stream.played.is_set()
    assert trio.current_time() < 1


@pytest.mark.trio
async def test_a_stranger_is_closed_unheard(autojump_clock):
    connection = Connection(make_stream(), address="192.0.2.66")
    await connection.served()
    assert connection.complaints.counts() == {"rtsp-stranger": 1}
    assert connection.place.busy is False


@pytest.mark.trio
async def test_a_message_in_single_bytes(autojump_clock):
    stream, client = make_stream(), StreamClient()
    message = client.steps()["OPTIONS"]()
    connection = Connection(stream)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.served)
        for byte in message:
            assert not connection.place.busy
            await connection.here.send_all(bytes([byte]))
        assert client.read(await connection.read())[0] == 200
        await connection.here.aclose()


@pytest.mark.trio
@pytest.mark.parametrize("sent", [b"", b"OPTIONS / RTSP/1.0\r\n"])
async def test_a_slow_client_is_ended(autojump_clock, sent):
    connection = Connection(make_stream(corever=0))
    await connection.here.send_all(sent)
    await connection.served()
    assert trio.current_time() == pytest.approx(EXCHANGE_TIMEOUT_S)
    assert connection.complaints.counts() == {"rtsp-slow": 1}
    assert connection.place.busy is False


@pytest.mark.trio
async def test_slow_loris(autojump_clock):
    """A byte a second does not extend the deadline."""
    connection = Connection(make_stream(corever=0))

    async def drip():
        for byte in StreamClient(encrypted=False).steps()["OPTIONS"]():
            await connection.here.send_all(bytes([byte]))
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(drip)
        await connection.served()
        assert trio.current_time() == pytest.approx(EXCHANGE_TIMEOUT_S)
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_a_client_that_keeps_its_end_open_is_ended_and_idle(autojump_clock):
    stream, client = make_stream(), StreamClient()
    connection = Connection(stream)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.served)
        await connection.here.send_all(client.steps()["OPTIONS"]())
        assert client.read(await connection.read())[0] == 200
        assert connection.place.busy is False
    assert trio.current_time() == pytest.approx(EXCHANGE_TIMEOUT_S)


async def outcome(stream, message):
    """What a connection with that message leads to, with the client's end closed after it."""
    connection = Connection(stream)
    await connection.here.send_all(message)
    await connection.here.send_eof()
    try:
        await connection.served()
    except RemoteProtocolError:
        return "refused"
    return "answered"


@pytest.mark.parametrize("encrypted", [True, False], ids=["sealed", "plain"])
def test_truncation_at_every_byte(encrypted):
    message = StreamClient(encrypted=encrypted).steps()["OPTIONS"]()

    async def check():
        stream = make_stream(corever=int(encrypted))
        for end in range(len(message)):
            assert await outcome(stream, message[:end]) == "refused"
        assert await outcome(stream, message) == "answered"

    run(check)


@given(st.binary(max_size=200), st.booleans())
@settings(max_examples=60)
def test_garbage(data, encrypted):
    async def check():
        stream = make_stream(corever=int(encrypted))
        assert await outcome(stream, data) == "refused"
        assert not stream.ended.is_set()
        assert trio.current_time() < EXCHANGE_TIMEOUT_S

    run(check)


@pytest.mark.parametrize(
    "message",
    [
        b"A" * (MAX_MESSAGE_BYTES * 2),
        b"ANNOUNCE / RTSP/1.0\r\nCSeq: 1\r\nContent-length: 99999999\r\n\r\n" + b"x" * 100,
        b"OPTIONS / RTSP/1.0\r\n" + b"a: b\r\n" * 20000 + b"\r\n",
        (0x80000000 | MAX_MESSAGE_BYTES + 1).to_bytes(4, "big") + bytes(100),
        b"\x80\0\0\0" + bytes(100),
    ],
)
@pytest.mark.parametrize("encrypted", [True, False], ids=["sealed", "plain"])
def test_oversize(message, encrypted):
    assert run(outcome, make_stream(corever=int(encrypted)), message) == "refused"


@pytest.mark.trio
async def test_over_tcp_silent_connections_make_room():
    """Eight silent connections from the client's own address do not keep its ninth from being answered."""
    stream = make_stream(peer=make_peer(address="127.0.0.1"))
    client, complaints = StreamClient(), Complaints(logger)
    listeners = open_tcp(["127.0.0.1"], 0)
    port = listeners[0].socket.getsockname()[1]
    find = {"127.0.0.1": stream}.get
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            partial(serve_gated, name="rtsp", complaints=complaints),
            listeners,
            partial(serve_connection, find=find, complaints=complaints),
            ConnectionGate(total=32, per_address=8),
        )
        silent = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(8)]
        for data in (os.urandom(64), b"\r\n\r\n"):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stranger:
                await stranger.send_all(data)
        for build in client.steps().values():
            async with await trio.open_tcp_stream("127.0.0.1", port) as connection:
                await connection.send_all(build())
                assert client.read(b"".join([data async for data in connection]))[0] == 200
        for each in silent:
            await each.aclose()
        nursery.cancel_scope.cancel()
    assert stream.played.is_set()
