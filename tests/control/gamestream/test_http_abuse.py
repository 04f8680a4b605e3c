"""What strangers may do to the HTTP and HTTPS ports: anything, without the host noticing much."""

import random
import socket
import ssl
from contextlib import suppress
from dataclasses import replace

import pytest
import trio
import trio.testing
from moonlight_double import element, status

from punktfunk.control.gamestream import http_server, tls
from punktfunk.control.gamestream.http_server import MAXIMUM_CONNECTIONS_PER_ADDRESS

REQUEST = b"GET /serverinfo?uniqueid=1 HTTP/1.1\r\nHost: desk\r\nConnection: close\r\n\r\n"


async def send_and_drain(port, data, *, close=False):
    """Send raw bytes; return what comes back until the host closes."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    received = bytearray()
    async with stream:
        with suppress(trio.BrokenResourceError):
            await stream.send_all(data)
            if close:
                await stream.send_eof()
            while piece := await stream.receive_some():
                received += piece
    return bytes(received)


async def still_answers(client):
    info = await trio.to_thread.run_sync(client.ask, "/serverinfo")
    assert (status(info), element(info, "hostname")) == (200, "desk")


@pytest.mark.trio
async def test_garbage_and_truncation(run_host, device):
    chance = random.Random(3)
    async with run_host() as running:
        for port in running.ports:
            for _ in range(15):
                reply = await send_and_drain(port, chance.randbytes(chance.randrange(1, 3000)), close=True)
                assert len(reply) < 200
        for length in range(0, len(REQUEST), 3):
            assert await send_and_drain(running.ports[0], REQUEST[:length], close=True) == b""
        for end in (b"", b"junk" * 5000):
            assert b'status_code="200"' in await send_and_drain(running.ports[0], REQUEST + end)
        await still_answers(device(running))


@pytest.mark.trio
async def test_tls_truncated_at_every_byte(run_host, device, identity):
    """A real ClientHello, cut anywhere."""
    outgoing = ssl.MemoryBIO()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    connection = client.wrap_bio(ssl.MemoryBIO(), outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    hello = outgoing.read()
    async with run_host() as running:
        for length in range(0, len(hello), 7):
            await send_and_drain(running.ports[1], hello[:length], close=True)
            flipped = bytearray(hello)
            flipped[length] ^= 0x55
            await send_and_drain(running.ports[1], bytes(flipped), close=True)
        await still_answers(device(running))


@pytest.mark.trio
@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 8000 + b"\r\n", b"431"),
        (b"POST /pair HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999999\r\n\r\n", b"405"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
    ],
)
async def test_refused_heads(run_host, device, raw, code):
    async with run_host() as running:
        reply = await send_and_drain(running.ports[0], raw)
        assert reply == b"" or reply.startswith(b"HTTP/1.1 " + code)  # a reset may overtake the reply
        await still_answers(device(running))


@pytest.mark.trio
async def test_no_other_protocol_is_spoken(run_host):
    upgrade = b"GET /serverinfo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    websocket = b"GET /serverinfo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    async with run_host() as running:
        for raw in (upgrade, websocket):
            reply = await send_and_drain(running.ports[0], raw + REQUEST)
            assert reply.count(b"HTTP/1.1 200") == 2
            assert b"101" not in reply[:20]


@pytest.mark.trio
async def test_slow_clients_are_cut_off(run_host, device, monkeypatch):
    monkeypatch.setattr(http_server, "HEAD_S", 0.2)
    monkeypatch.setattr(tls, "HANDSHAKE_S", 0.2)
    async with run_host() as running:
        plain, secure = running.ports

        async def drip(port):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            async with stream:
                begun_s = trio.current_time()
                with suppress(trio.BrokenResourceError):
                    for byte in REQUEST:
                        await stream.send_all(bytes([byte]))
                        with trio.move_on_after(0.03):
                            if await stream.receive_some() == b"":
                                break
                assert trio.current_time() - begun_s < 2

        async def stay_silent(port):
            assert await send_and_drain(port, b"") == b""

        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                for port in (plain, secure):
                    nursery.start_soon(drip, port)
                    nursery.start_soon(stay_silent, port)
            # An idle connection is closed, too, after its reply.
            reply = await send_and_drain(plain, REQUEST.replace(b"close", b"keep-alive"))
            assert b'status_code="200"' in reply
        await still_answers(device(running))


@pytest.mark.trio
async def test_a_client_that_does_not_read_is_dropped(run_host, device, monkeypatch):
    monkeypatch.setattr(http_server, "SEND_S", 0.1)
    async with run_host() as running:
        small = running.host.server_info
        running.host.server_info = lambda address, *, paired: replace(
            small(address, paired=paired), hostname="x" * 20_000_000
        )
        stream = await trio.open_tcp_stream("127.0.0.1", running.ports[0])
        async with stream:
            await stream.send_all(REQUEST)
            received = len(await stream.receive_some(1))
            await trio.sleep(0.4)
            with trio.fail_after(5), suppress(trio.BrokenResourceError):
                while piece := await stream.receive_some():
                    received += len(piece)
        assert received < 20_000_000
        running.host.server_info = small
        await still_answers(device(running))


@pytest.mark.trio
async def test_a_thousand_connections(run_host, device):
    """All from one address, half of them silent, half with half a request: a real client still gets in."""
    async with run_host() as running:
        held = []
        try:
            for number in range(1000):
                stranger = socket.socket()
                stranger.settimeout(0)
                with suppress(BlockingIOError):
                    stranger.connect(("127.0.0.1", running.ports[number % 2]))
                held.append(stranger)
                if number % 50 == 0:
                    await trio.testing.wait_all_tasks_blocked(0.001)
                if len(held) > 300:
                    held.pop(0).close()
                if number % 4 == 0:
                    with suppress(OSError):
                        stranger.send(REQUEST[:30])
            client = device(running)
            with trio.fail_after(10):
                for _ in range(5):
                    await still_answers(client)
                assert status(await trio.to_thread.run_sync(lambda: client.ask("/applist", tls=True))) == 401
        finally:
            for stranger in held:
                stranger.close()


@pytest.mark.trio
async def test_waiting_clients_do_not_block_the_port(run_host, device):
    """A household may not fill its places with step 1 requests: those are bounded by the desk."""
    async with run_host() as running:
        client = device(running)
        first = f"/pair?phrase=getservercert&salt={'00' * 16}&clientcert={client.pem.hex()}&uniqueid="
        async with trio.open_nursery() as nursery:
            for number in range(MAXIMUM_CONNECTIONS_PER_ADDRESS + 8):
                request = f"GET {first}{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
                nursery.start_soon(send_and_drain, running.ports[0], request)
            await running.until_waiting(1)
            await still_answers(client)
            nursery.cancel_scope.cancel()
