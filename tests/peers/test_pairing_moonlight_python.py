"""moonlight-python pairs with the HTTP host, in a process of its own: right PIN, wrong PIN, two clients."""

import subprocess
import sys
from contextlib import asynccontextmanager

import pytest
import trio

from punktfunk.control.gamestream.http import make_app
from punktfunk.control.gamestream.http_server import serve_http
from punktfunk.control.gamestream.pairing_desk import PairingDesk, Stage
from punktfunk.control.gamestream.tls import build_server_context
from punktfunk.control.identity import load_identity
from punktfunk.control.listeners import open_tcp
from punktfunk.control.trust import ClientBook
from punktfunk.wire.gamestream.applist import AppEntry
from punktfunk.wire.gamestream.serverinfo import CodecMode, ServerInfo

pytest.importorskip("moonlight_python")

CLIENT = """
import sys
from xml.etree import ElementTree
from moonlight_python.exceptions import WrongPinError
from moonlight_python.http_client import NvHTTP
from moonlight_python.identity import Identity
from moonlight_python.pairing import pair
folder, port, pin = sys.argv[1:]
http = NvHTTP("127.0.0.1", Identity(folder), http_port=int(port))
info = http.parse_server_info(http.get_server_info())
try:
    pair(http, http.identity, pin, info)
except WrongPinError:
    print("wrong PIN")
    raise SystemExit
print("paired")
document = ElementTree.fromstring(http.open_https("applist"))
print(",".join(entry.text for entry in document.iter("AppTitle")))
print(ElementTree.fromstring(http.get_server_info(use_https=True)).findtext("PairStatus"))
"""


class Host:
    """As much of a host as pairing needs."""

    https_port = 0

    def server_info(self, local_address, *, client):
        return ServerInfo(
            "desk", "an-id", 1, self.https_port, local_address, CodecMode.H264, paired=client is not None
        )

    def apps(self):
        return [AppEntry(1, "Desktop"), AppEntry(2, "Chess")]


@asynccontextmanager
async def running(folder):
    identity, book, host = load_identity(folder), ClientBook(folder), Host()
    waiting = trio.Event()
    desk = PairingDesk(identity, book, notify=lambda _: waiting.set())
    plain, secure = open_tcp(["127.0.0.1"], 0), open_tcp(["127.0.0.1"], 0)
    host.https_port = secure[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        app = make_app(host, desk, book)
        nursery.start_soon(serve_http, app, plain, secure, build_server_context(identity))

        async def pair(client_folder, pin, typed):
            nonlocal waiting
            waiting = trio.Event()
            outcome = []

            async def run_client():
                port = str(plain[0].socket.getsockname()[1])
                command = [sys.executable, "-c", CLIENT, str(client_folder), port, pin]
                outcome.append(await trio.run_process(command, capture_stdout=True, stderr=subprocess.STDOUT))

            with trio.fail_after(60):
                async with trio.open_nursery() as clients:
                    clients.start_soon(run_client)
                    await waiting.wait()
                    attempt = desk.submit_pin(typed)
            return attempt.stage, outcome[0].stdout.decode().split()

        yield pair, book
        nursery.cancel_scope.cancel()


@pytest.mark.peer
@pytest.mark.trio
async def test_pairing(tmp_path):
    async with running(tmp_path / "host") as (pair, book):
        assert await pair(tmp_path / "one", "1234", "4321") == (Stage.FAILED, ["wrong", "PIN"])
        assert book.clients() == []
        for name in ("one", "two"):
            result = await pair(tmp_path / name, "0000", "0000")
            assert result == (Stage.PAIRED, ["paired", "Desktop,Chess", "1"])
        assert len(book.clients()) == 2
