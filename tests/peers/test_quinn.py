"""quinn with rustls, the QUIC of all upstream clients and hosts, against ours in both directions.

Needs cargo and minutes to compile the peer (`tests/peers/quinn`), so it runs with ``-m slow`` only.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import trio
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from punktfunk.control.native.identity import create_identity
from punktfunk.control.quic import (
    CloseReason,
    NoCommonProtocol,
    PinMismatch,
    QuicConfig,
    connect_quic,
    serve_quic,
)
from punktfunk.control.sockets import bound_sockets

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("cargo") is None, reason="no cargo"),
]
HOST, CLIENT = create_identity("punktfunk"), create_identity("punktfunk-client")
SOURCE = Path(__file__).parent / "quinn"


def config(identity, **changes):
    return QuicConfig(
        alpn=("pkf1",), certificate=identity.certificate, private_key=identity.private_key, **changes
    )


@pytest.fixture(scope="module")
def peer():
    target = Path(tempfile.gettempdir()) / f"punktfunk-quinn-{os.getuid()}"
    words = ["cargo", "build", "--locked", "--manifest-path", SOURCE / "Cargo.toml", "--target-dir", target]
    subprocess.run(words, check=True)
    return target / "debug" / "quinn-peer"


@pytest.fixture
def folder(tmp_path):
    for name, identity in (("host", HOST), ("client", CLIENT)):
        (tmp_path / f"{name}.crt").write_bytes(identity.certificate_der)
        key = identity.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / f"{name}.key").write_bytes(key)
    return tmp_path


async def serve_one(connection):
    """Echo, ask a question on a stream of our own; an anonymous client is sent away in the end."""

    async def echo_stream(stream):
        while data := await stream.receive_some():
            await stream.send_all(data)
        stream.send_eof()

    async def ask():
        stream = connection.open_stream()
        await stream.send_all(b"understood?")
        stream.send_eof()
        assert await stream.receive_some() == b"yes"

    async def echo_datagrams():
        seen = 0
        while True:
            for data in await connection.receive_datagrams():
                connection.send_datagram(data)
                seen += 1
            if seen == 2 and connection.peer_fingerprint is None:
                await trio.sleep(0.2)
                connection.close(0x63, "no identity")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(echo_datagrams)
        nursery.start_soon(ask)
        while True:
            nursery.start_soon(echo_stream, await connection.accept_stream())


async def run_client(peer, folder, kind, **changes):
    """Return what quinn's client printed, how our side saw the end, whom it saw, and our packet's size."""
    ends = []

    async def handle(connection):
        try:
            await serve_one(connection)
        finally:
            size = connection.link.core.packet_bytes
            ends.append((connection.closed_reason, connection.peer_fingerprint, size))

    with bound_sockets(["::"], 0) as bound:
        port = bound[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_quic, bound, config(HOST, **changes), handle)
            words = [peer, kind, f"127.0.0.1:{port}", folder]
            done = await trio.run_process(words, capture_stdout=True)
            await trio.sleep(0.5)
            nursery.cancel_scope.cancel()
    return done.stdout.decode().splitlines(), ends


WORKED = ["stream true", "datagram 900", "host says understood?", "datagram after a move 900"]


@pytest.mark.parametrize("retry_above", [16, 0])
def test_its_client_is_served(peer, folder, retry_above):
    said, ends = trio.run(lambda: run_client(peer, folder, "client", retry_above=retry_above))
    assert said == [f"host certificate {len(HOST.certificate_der)}", *WORKED, "alive None"]
    assert ends == [(CloseReason(0x51, "quit", by_peer=True), CLIENT.fingerprint, 1472)]


def test_its_client_without_certificate_is_served_and_hears_why_it_must_leave(peer, folder):
    said, ends = trio.run(lambda: run_client(peer, folder, "anonymous"))
    assert said[1:-1] == WORKED
    assert "no identity (code 99)" in said[-1]
    assert [(reason.code, seen) for reason, seen, _ in ends] == [(0x63, None)]


def test_its_client_without_a_protocol_is_refused(peer, folder):
    said, ends = trio.run(lambda: run_client(peer, folder, "nameless"))
    assert len(said) == 1
    assert "No common ALPN protocols" in said[0]
    assert ends == []


async def talk_to_server(peer, folder):
    words = [str(peer), "server", "127.0.0.1:0", str(folder)]
    process = await trio.lowlevel.open_process(words, stdout=subprocess.PIPE)
    try:
        port = int((await process.stdout.receive_some()).split()[1])
        async with connect_quic("127.0.0.1", port, config(CLIENT, pin=HOST.fingerprint)) as connection:
            stream = connection.open_stream()
            await stream.send_all(bytes(200_000))
            stream.send_eof()
            received = 0
            while data := await stream.receive_some():
                received += len(data)
            assert received == 200_000
            assert connection.send_datagram(bytes(1000))
            assert await connection.receive_datagrams() == [bytes(1000)]
            await trio.sleep(10)  # idle for longer than the timeout
            stream = connection.open_stream()
            await stream.send_all(b"close")
            stream.send_eof()
            assert await connection.wait_closed() == CloseReason(0x6A, "launch not allowed", by_peer=True)
            assert connection.link.core.packet_bytes == 1472
        with pytest.raises(PinMismatch):
            async with connect_quic("127.0.0.1", port, config(CLIENT, pin=CLIENT.fingerprint)):
                raise AssertionError
        with pytest.raises(NoCommonProtocol):
            async with connect_quic("127.0.0.1", port, QuicConfig(alpn=("h3",))):
                raise AssertionError
    finally:
        process.kill()
        await process.wait()
        await process.stdout.aclose()


def test_we_are_a_client_of_its_server(peer, folder):
    trio.run(talk_to_server, peer, folder)
