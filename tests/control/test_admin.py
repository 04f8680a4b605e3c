"""The unix socket and its client."""

import json
import os
import random
import socket
import threading
from contextlib import asynccontextmanager, suppress

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control import admin, admin_client
from punktfunk.control.admin import AdminDesk, parse_request, serve_admin
from punktfunk.control.admin_client import HostRefused
from punktfunk.control.apps import AppSpec, load_catalogue
from punktfunk.control.gamestream.pairing_desk import PairingDesk
from punktfunk.control.identity import load_identity
from punktfunk.control.lab import LabDesk
from punktfunk.control.native.approval import ApprovalDesk
from punktfunk.control.native.arming import ArmingDesk
from punktfunk.control.native.refusal import TurnedAway
from punktfunk.control.native.verbs import NAMES, NativeVerbs, switched_off
from punktfunk.control.trust import ClientBook
from punktfunk.errors import ConfigError, EnvironmentProblem, PunktfunkError, RemoteProtocolError

TEXT = st.text(st.sampled_from('aZ0 "\\\n\0é客'), max_size=20)


class Host:
    def __init__(self):
        self.calls = []

    def status(self):
        return {"state": "free"}

    def stop(self):
        self.calls.append("stop")

    async def client_removed(self, client):
        self.calls.append(client.name)


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    return load_identity(tmp_path_factory.mktemp("identity"))


@pytest.fixture
async def native(identity, tmp_path):
    """A desk that answers the verbs of punktfunk/1, and what lies behind it."""
    book, arming = ClientBook(tmp_path), ArmingDesk()
    approval = ApprovalDesk(book)
    more = NativeVerbs(book, arming, approval).verbs()
    catalogue = load_catalogue(tmp_path, [])
    desk = AdminDesk(Host(), PairingDesk(identity, book), book, catalogue, LabDesk(lambda: None), more)
    return desk, book, arming, approval


@pytest.mark.trio
async def test_a_pin_is_shown_and_its_end_is_told(native):
    desk, _, arming, _ = native
    with pytest.raises(ConfigError, match="No PIN"):
        await desk.answer({"verb": "pair.native.wait"})
    shown = await desk.answer({"verb": "pair.native"})
    assert shown == {"pin": arming.current().pin, "seconds": 120, "device": "", "grants": "full"}
    details = {"for": "5m", "grants": "gamepad,pointer", "expires": "4h", "device": "ab" * 32}
    shown = await desk.answer({"verb": "pair.native", **details})
    assert (shown["seconds"], shown["device"], shown["grants"]) == (300, "ab" * 32, "gamepad,pointer")
    assert arming.current().access_s == 4 * 3600
    arming.current().end("phone", paired=True)
    assert await desk.answer({"verb": "pair.native.wait"}) == {"name": "phone"}
    await desk.answer({"verb": "pair.native"})
    arming.disarm()
    with pytest.raises(EnvironmentProblem, match="withdrawn"):
        await desk.answer({"verb": "pair.native.wait"})
    for wrong in ({"for": "2h"}, {"for": "x"}, {"for": "never"}, {"grants": "x"}, {"device": "abcd"}):
        with pytest.raises(ConfigError) as caught:
            await desk.answer({"verb": "pair.native", **wrong})
        assert caught.value.hint


@pytest.mark.trio
async def test_waiting_devices_are_listed_and_decided(native):
    desk, book, _, approval = native
    admitted = []

    async def knock(fingerprint, name):
        with suppress(TurnedAway):
            admitted.append(await approval.wait(fingerprint, name, "192.0.2.7"))

    async with trio.open_nursery() as nursery:
        for fingerprint, name in (("ab" * 32, "phone"), ("cd" * 32, "tablet")):
            nursery.start_soon(knock, fingerprint, name)
            await trio.testing.wait_all_tasks_blocked(0.005)
        listed = (await desk.answer({"verb": "clients.pending"}))["clients"]
        assert [(entry["number"], entry["name"], entry["state"]) for entry in listed] == [
            (1, "phone", "waiting"),
            (2, "tablet", "waiting"),
        ]
        assert listed[0]["fingerprint"] == "ab" * 32
        shown = await desk.answer({"verb": "pair.native", "device": "abab"})
        assert shown["device"] == "ab" * 32
        approved = {
            "verb": "clients.approve",
            "client": "1",
            "grants": "view",
            "expires": "1h",
            "name": "Deck",
        }
        assert (await desk.answer(approved))["grants"] == "view"
        assert (await desk.answer({"verb": "clients.deny", "client": "tablet"}))["name"] == "tablet"
    assert [client.name for client in admitted] == ["Deck"]
    assert book.clients()[0].expires_at_s > 0


@pytest.mark.trio
async def test_rights_are_changed(native):
    desk, book, _, _ = native
    await book.add_native("ab" * 32, "phone")
    await book.add(b"one", "deck")
    listed = (await desk.answer({"verb": "clients.list"}))["clients"]
    assert [(entry["kinds"], entry["grants"], entry["expires_at"]) for entry in listed] == [
        (["native"], "full", ""),
        (["gamestream"], "full", ""),
    ]
    grant = {"verb": "clients.grant", "client": "phone", "grants": "keyboard"}
    assert (await desk.answer(grant))["grants"] == "keyboard"
    assert (await desk.answer({**grant, "for": "4h"}))["expires_at"].endswith("+00:00")
    assert (await desk.answer(grant))["expires_at"] != ""
    assert (await desk.answer({"verb": "clients.expire", "client": "phone", "for": "never"}))[
        "expires_at"
    ] == ""
    assert (await desk.answer({"verb": "clients.expire", "client": "deck", "for": "1m"}))["expired"] is False
    view = {"verb": "clients.grant", "client": "deck", "grants": "view"}
    assert (await desk.answer(view))["grants"] == "view"
    for wrong in (
        {"client": "phone"},
        {"client": "x", "grants": "view"},
    ):
        with pytest.raises(ConfigError) as caught:
            await desk.answer({"verb": "clients.grant", **wrong})
        assert caught.value.hint


WORDS = (
    st.sampled_from(["", "1", "phone", "abab", "ab" * 32, "4h", "0s", "never", "view", "x,y", "9" * 40, "\0"])
    | TEXT
)


@settings(max_examples=40)
@given(
    st.sampled_from(NAMES),
    st.dictionaries(st.sampled_from(["for", "device", "grants", "expires", "client", "name"]), WORDS),
)
def test_native_verbs_answer_or_refuse_whatever_comes(tmp_path_factory, verb, request):
    async def ask():
        book, arming = ClientBook(tmp_path_factory.getbasetemp() / "verbs"), ArmingDesk()
        verbs = NativeVerbs(book, arming, ApprovalDesk(book)).verbs()
        with suppress(PunktfunkError):
            assert isinstance(await verbs[verb](request), dict)

    trio.run(ask)


@pytest.mark.trio
async def test_a_host_without_punktfunk_1_says_so():
    for answer in switched_off().values():
        with pytest.raises(ConfigError, match="switched off"):
            await answer({})


@pytest.fixture
def run_admin(identity, tmp_path):
    @asynccontextmanager
    async def run():
        host, book = Host(), ClientBook(tmp_path)
        catalogue = load_catalogue(tmp_path, [AppSpec("Chess", ["chess", "--full screen"])])
        desk = AdminDesk(host, PairingDesk(identity, book), book, catalogue, LabDesk(lambda: None))
        path = tmp_path / "admin.sock"
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_admin, path, desk)
            yield path, host, book
            nursery.cancel_scope.cancel()
        assert not path.exists()

    return run


async def call(path, timeout_s=5.0, **request):
    return await trio.to_thread.run_sync(admin_client.call, path, request, timeout_s)


@pytest.mark.trio
async def test_every_verb(run_admin):
    async with run_admin() as (path, host, book):
        assert path.stat().st_mode & 0o777 == 0o600
        await book.add(b"one", "phone")
        listed = await call(path, verb="clients.list")
        assert listed["clients"][0]["name"] == "phone"
        assert listed["clients"][0]["added_at"].endswith("+00:00")
        assert listed["clients"][0]["last_seen"] == ""
        assert (await call(path, verb="clients.rename", client="phone", name="tablet"))["name"] == "tablet"
        assert (await call(path, verb="clients.remove", client="tablet"))["name"] == "tablet"
        apps = (await call(path, verb="apps.list"))["apps"]
        assert [app["title"] for app in apps] == ["Desktop", "Chess"]
        assert apps[1]["command"] == "chess '--full screen'"
        assert await call(path, verb="waiting") == {"clients": []}
        assert await call(path, verb="status") == {"state": "free"}
        assert await call(path, verb="stop") == {}
        assert host.calls == ["tablet", "stop"]
        for request in (
            {"verb": "pair", "pin": "1234"},
            {"verb": "pair", "pin": "12"},
            {"verb": "clients.remove", "client": "x"},
            {"verb": "nonsense"},
            {},
        ):
            with pytest.raises(HostRefused) as caught:
                await call(path, **request)
            assert caught.value.hint


@pytest.mark.trio
async def test_bad_input(run_admin, monkeypatch):
    monkeypatch.setattr(admin, "REQUEST_S", 0.2)
    chance = random.Random(4)
    async with run_admin() as (path, _, _):

        async def send(data, *, close=True):
            async with await trio.open_unix_socket(str(path)) as stream:
                received = b""
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(data)
                    if close:
                        await stream.send_eof()
                    while piece := await stream.receive_some():
                        received += piece
                return received

        for data in (b"\n", b"[]\n", b"{}\n", b'{"verb": 1}\n', b"[" * 9000 + b"\n", b"\xff\n"):
            assert json.loads(await send(data))["ok"] is False
        assert await send(b"x" * 100_000) == b""
        for _ in range(20):
            await send(chance.randbytes(chance.randrange(200)))
        status = b'{"verb": "status"}\n'
        for length in range(len(status)):
            assert await send(status[:length]) == b""
        assert len((await send(status * 3)).splitlines()) == 3
        assert await send(b'{"verb"', close=False) == b""  # cut off by the deadline
        idle = [await trio.open_unix_socket(str(path)) for _ in range(100)]
        assert await call(path, verb="status") == {"state": "free"}
        for stream in idle:
            await stream.aclose()


@pytest.mark.trio
async def test_a_leftover_socket_is_replaced(run_admin, tmp_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "admin.sock"))
    async with run_admin() as (path, _, _):
        assert await call(path, verb="status") == {"state": "free"}


@pytest.mark.trio
async def test_other_users_are_refused(run_admin, monkeypatch):
    async with run_admin() as (path, _, _):
        if os.getuid() == 0:
            pytest.skip("root is always served")
        monkeypatch.setattr(admin.os, "getuid", lambda: 12345)
        with pytest.raises(EnvironmentProblem, match=r"without an answer|cannot talk"):
            await call(path, verb="status")


def test_no_host(tmp_path):
    with pytest.raises(EnvironmentProblem, match="no punktfunk host is running"):
        admin_client.call(tmp_path / "none.sock", {"verb": "status"})


@pytest.mark.parametrize(
    ("reply", "message"), [(b"", "without an answer"), (b"nonsense\n", "without"), (None, "did not answer")]
)
def test_a_host_that_answers_badly(tmp_path, reply, message):
    path = tmp_path / "bad.sock"
    done = threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                if reply is None:
                    done.wait(5)
                else:
                    connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(EnvironmentProblem, match=message):
            admin_client.call(path, {"verb": "status"}, 0.2)
        done.set()
        thread.join()


@settings(max_examples=60)
@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | TEXT, lambda inner: st.dictionaries(TEXT, inner)).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_parsing_garbage(line):
    with suppress(RemoteProtocolError):
        assert all(isinstance(value, str) for value in parse_request(line).values())


@given(st.dictionaries(TEXT, TEXT))
def test_parsing_round_trip(request):
    assert parse_request(json.dumps(request).encode()) == request
