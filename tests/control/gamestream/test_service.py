"""What the HTTP side is told: addresses, URLs, hardware addresses, and answers while the host still starts."""

from pathlib import Path

import pytest
import trio
from stream_client import make_launch

from punktfunk.control.apps import App, AppSpec, Catalogue
from punktfunk.control.gamestream import service as service_module
from punktfunk.control.gamestream.http import Refusal
from punktfunk.control.gamestream.runs import LaunchRefused
from punktfunk.control.gamestream.service import (
    READY_WAIT_S,
    GameStreamService,
    HostFacts,
    mac_address,
    session_url,
)
from punktfunk.control.readiness import Readiness
from punktfunk.control.trust import ClientBook, PairedClient
from punktfunk.wire.gamestream.serverinfo import NO_MAC, CodecMode
from punktfunk.wire.native.capabilities import Grant

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
wlan0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""
IF_INET6 = """\
20010db8000000000000000000000007 02 40 00 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
"""


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with two interfaces, in files."""
    files = {
        "/proc/net/route": ROUTES,
        "/proc/net/if_inet6": IF_INET6,
        "/sys/class/net/eth0/address": "02:00:00:00:00:01\n",
        "/sys/class/net/wlan0/address": "02:00:00:00:00:02\n",
    }
    for name, text in files.items():
        path = tmp_path / name[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(service_module, "Path", lambda name: tmp_path / name[1:])
    monkeypatch.setattr(service_module.sys, "byteorder", "little")
    return tmp_path


@pytest.mark.parametrize(
    ("address", "mac"),
    [
        ("10.0.0.5", "02:00:00:00:00:01"),
        ("10.0.2.5", "02:00:00:00:00:02"),  # the longest prefix
        ("2001:db8::7", "02:00:00:00:00:01"),
        ("2001:db8::8", NO_MAC),
        ("192.0.2.1", NO_MAC),  # by the default route, which says nothing
        ("127.0.0.1", NO_MAC),
        ("::1", NO_MAC),
    ],
)
def test_hardware_addresses(machine, address, mac):
    assert mac_address(address) == mac


def test_without_proc(machine):
    (machine / "proc/net/route").unlink()
    (machine / "proc/net/if_inet6").unlink()
    assert mac_address("10.0.0.5") == mac_address("2001:db8::7") == NO_MAC


def test_an_interface_without_an_address(machine):
    (machine / "sys/class/net/eth0/address").write_text("\n")
    assert mac_address("10.0.0.5") == NO_MAC


def test_this_machine_has_no_surprises():
    assert len(mac_address("127.0.0.1")) == len(NO_MAC)
    assert len(mac_address("::1")) == len(NO_MAC)


@pytest.mark.parametrize(
    ("address", "encrypted", "url"),
    [
        ("192.0.2.1", True, "rtspenc://192.0.2.1:48010"),
        ("192.0.2.1", False, "rtsp://192.0.2.1:48010"),
        ("2001:db8::7", True, "rtspenc://[2001:db8::7]:48010"),
        ("fe80::1", False, "rtsp://[fe80::1]:48010"),
    ],
)
def test_session_urls(address, encrypted, url):
    assert session_url(address, 48010, encrypted=encrypted) == url


class NotedSessions:
    def __init__(self):
        self.calls, self.refusal = [], None

    def app_id_for(self, _fingerprint):
        return 7

    async def _note(self, *call):
        await trio.lowlevel.checkpoint()
        self.calls.append(call)
        if self.refusal:
            raise self.refusal

    async def launch(self, peer, request):
        await self._note("launch", peer, request)

    async def resume(self, peer, request):
        await self._note("resume", peer, request)

    async def cancel(self, fingerprint):
        await self._note("cancel", fingerprint)


CLIENT = PairedClient("ab" * 32, "deck", 0, 0)
REQUEST = make_launch()


@pytest.fixture
def service():
    facts = HostFacts("desk", "an-id", 47989, 47984, 48010)
    catalogue = Catalogue([App(1, AppSpec("Desktop")), App(2, AppSpec("Chess", image=Path("/nowhere.png")))])
    return GameStreamService(facts, catalogue, Readiness())


def ready(service):
    service.sessions = NotedSessions()
    service._readiness.ready.set()
    return service.sessions


@pytest.mark.trio
@pytest.mark.parametrize("verb", ["launch", "resume"])
async def test_a_session_begins(service, verb):
    sessions = ready(service)
    begin = getattr(service, verb)
    assert await begin(CLIENT, REQUEST, "192.0.2.1", "192.0.2.7") == "rtspenc://192.0.2.1:48010"
    ((called, peer, request),) = sessions.calls
    assert (called, request) == (verb, REQUEST)
    assert (peer.name, peer.fingerprint) == (CLIENT.name, CLIENT.fingerprint)
    assert (peer.address, peer.local_address) == ("192.0.2.7", "192.0.2.1")
    assert (await begin(CLIENT, make_launch(corever=0), "::1", "::1")).startswith("rtsp://[::1]")


@pytest.mark.trio
async def test_refusals_keep_status_and_words(service):
    sessions = ready(service)
    sessions.refusal = LaunchRefused(400, "Chess is already running on this host.")
    for call in (
        lambda: service.launch(CLIENT, REQUEST, "192.0.2.1", "192.0.2.7"),
        lambda: service.resume(CLIENT, REQUEST, "192.0.2.1", "192.0.2.7"),
        lambda: service.cancel(CLIENT),
    ):
        with pytest.raises(Refusal, match="already running") as refused:
            await call()
        assert refused.value.status_code == 400
    assert sessions.calls[-1] == ("cancel", CLIENT.fingerprint)


@pytest.mark.trio
async def test_rights_come_with_the_stream_and_some_are_needed_to_start_apps(service, tmp_path):
    sessions = ready(service)
    service._book = ClientBook(tmp_path)
    client = await service._book.add(b"certificate", "deck")
    game = App(3, AppSpec("Game", ["game"]))
    service._catalogue = Catalogue([App(1, AppSpec("Desktop")), game])
    for app_id in ("1", "3"):
        await service.launch(client, make_launch(appid=app_id), "192.0.2.1", "192.0.2.7")
    access = sessions.calls[0][1].access
    assert access.grants == Grant.ALL
    await service._book.set_rights("deck", grants=Grant.GAMEPAD)
    assert access.grants == Grant.GAMEPAD
    await service.launch(client, make_launch(appid="1"), "192.0.2.1", "192.0.2.7")
    await service.resume(client, make_launch(appid="3"), "192.0.2.1", "192.0.2.7")
    with pytest.raises(Refusal, match="Desktop") as refused:
        await service.launch(client, make_launch(appid="3"), "192.0.2.1", "192.0.2.7")
    assert refused.value.status_code == 403


@pytest.mark.trio
async def test_a_launch_while_the_host_starts(service, autojump_clock):
    service._readiness.waiting_for = "its kernels are being compiled (50 % done)"
    with pytest.raises(Refusal, match="50 % done") as refused:
        await service.launch(CLIENT, REQUEST, "192.0.2.1", "192.0.2.7")
    assert refused.value.status_code == 503
    assert trio.current_time() == pytest.approx(READY_WAIT_S)


@pytest.mark.trio
async def test_a_launch_waits_for_a_short_start(service, autojump_clock):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(service.launch, CLIENT, REQUEST, "192.0.2.1", "192.0.2.7")
        await trio.sleep(READY_WAIT_S / 2)
        sessions = ready(service)
    assert len(sessions.calls) == 1


@pytest.mark.trio
async def test_server_info_before_and_after(service):
    before = service.server_info("127.0.0.1", client=None)
    assert (before.current_app_id, before.codec_modes, before.mac) == (0, CodecMode.H264, NO_MAC)
    ready(service)
    service.codec_modes = CodecMode.H264 | CodecMode.HEVC_MAIN
    after = service.server_info("127.0.0.1", client=CLIENT)
    assert (after.current_app_id, after.codec_modes, after.paired) == (7, service.codec_modes, True)
    assert (after.hostname, after.unique_id, after.http_port, after.https_port) == (
        "desk",
        "an-id",
        47989,
        47984,
    )


@pytest.mark.trio
async def test_apps_and_their_art(service):
    assert [(entry.app_id, entry.title) for entry in service.apps()] == [(1, "Desktop"), (2, "Chess")]
    for app_id in (1, 2, 99):
        assert (await service.box_art(app_id)).startswith(b"\x89PNG")
