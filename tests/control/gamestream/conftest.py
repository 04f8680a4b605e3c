"""A GameStream HTTP host on loopback ports of its own, with a host behind it that only takes notes."""

import datetime as dt
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from moonlight_double import Moonlight

from punktfunk.control.gamestream.box_art import build_placeholder
from punktfunk.control.gamestream.http import Refusal, make_app
from punktfunk.control.gamestream.http_server import serve_http
from punktfunk.control.gamestream.pairing_desk import PairingDesk
from punktfunk.control.gamestream.tls import build_server_context
from punktfunk.control.identity import load_identity
from punktfunk.control.listeners import open_tcp
from punktfunk.control.trust import ClientBook
from punktfunk.wire.gamestream.applist import AppEntry
from punktfunk.wire.gamestream.serverinfo import CodecMode, ServerInfo


@dataclass
class NotedHost:
    """Implements HostView; ``calls`` is what it was asked."""

    calls: list[Any] = field(default_factory=list)
    refusal: Exception | None = None

    def server_info(self, local_address, *, client):
        return ServerInfo(
            "desk", "an-id", 47989, 47984, local_address, CodecMode.H264, paired=client is not None
        )

    def apps(self):
        return [AppEntry(1, "Desktop"), AppEntry(2, "Chess & <more>")]

    async def box_art(self, app_id):
        self.calls.append(("box_art", app_id))
        return build_placeholder()

    async def launch(self, client, request, local_address, remote_address):
        self.calls.append(("launch", client.name, request, local_address, remote_address))
        if self.refusal:
            raise self.refusal
        return f"rtspenc://{local_address}:48010"

    async def resume(self, client, request, local_address, remote_address):
        if not self.calls:
            raise Refusal(503, "Nothing to resume.")
        return f"rtsp://{local_address}:48010"

    async def cancel(self, client):
        self.calls.append(("cancel", client.name))


@dataclass
class RunningHost:
    host: NotedHost
    book: ClientBook
    ports: tuple[int, int]
    desk: PairingDesk | None = None
    stages: list[Any] = field(default_factory=list)
    changed: trio.Event = field(default_factory=trio.Event)

    def note(self, attempt):
        self.stages.append((attempt.number, attempt.stage))
        self.changed.set()

    async def until_waiting(self, count):
        """Wait until so many clients wait for a PIN."""
        while len(self.desk.waiting()) != count:
            self.changed = trio.Event()
            await self.changed.wait()

    async def type_pin(self, pin, **choice):
        """Type the PIN as soon as a client waits for one."""
        await self.until_waiting(1)
        return self.desk.submit_pin(pin, **choice)


@pytest.fixture(scope="session")
def identity(tmp_path_factory):
    return load_identity(tmp_path_factory.mktemp("identity"))


@pytest.fixture(scope="session")
def keys():
    return [generate_private_key(65537, 2048) for _ in range(2)]


@pytest.fixture
def run_host(identity, tmp_path):
    @asynccontextmanager
    async def run(addresses=("127.0.0.1",)):
        book, host = ClientBook(tmp_path), NotedHost()
        plain, secure = open_tcp(addresses, 0), open_tcp(addresses, 0)
        ports = tuple(each[0].socket.getsockname()[1] for each in (plain, secure))
        running = RunningHost(host, book, ports)
        running.desk = PairingDesk(identity, book, notify=running.note)
        async with trio.open_nursery() as nursery:
            app = make_app(host, running.desk, book)
            nursery.start_soon(serve_http, app, plain, secure, build_server_context(identity))
            yield running
            nursery.cancel_scope.cancel()

    return run


@pytest.fixture
def device(keys, tmp_path):
    """Make a client; all Moonlight clients have one subject name."""

    def make(running, number=0, address="127.0.0.1"):
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "NVIDIA GameStream Client")])
        start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        certificate = (
            x509.CertificateBuilder(name, name, keys[number].public_key(), number + 1)
            .not_valid_before(start)
            .not_valid_after(start + dt.timedelta(days=1))  # long past: dates must not matter
            .sign(keys[number], SHA256())
        )
        pem = certificate.public_bytes(Encoding.PEM)
        return Moonlight(tmp_path, keys[number], pem, certificate.signature, *running.ports, address=address)

    return make
