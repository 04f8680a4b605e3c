"""What the host tells a stock Moonlight core on the control stream: each message of gamestream.md section 6.4.

No part of the product sends most of these yet, so the host runs inside the test, which reaches for its stream; the
client is a process of its own as ever.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from harness import Client, Host

from punktfunk.config_loading import load_settings
from punktfunk.control import host as product
from punktfunk.control.gamestream.control_stream import send_feedback
from punktfunk.control.gamestream.sessions import Sessions
from punktfunk.control.gamestream.stream import Stream
from punktfunk.control.input.session import InputMeans
from punktfunk.control.pads.hub import PadMeans
from punktfunk.control.pads.kinds import Nodes
from punktfunk.wire.gamestream.feedback import (
    AdaptiveTriggers,
    Feedback,
    HdrMetadata,
    HdrMode,
    Led,
    MotionReports,
    Rumble,
    Termination,
    TerminationCode,
    TriggerRumble,
    TriggerSide,
)
from punktfunk.wire.input import MotionKind
from punktfunk.wire.pads.wishes import LightWish, PlayerLightsWish, RumbleWish, TriggersWish

pytestmark = [pytest.mark.peer, pytest.mark.trio, pytest.mark.timeout(120)]

LEFT, RIGHT = bytes(range(10)), bytes(range(100, 110))
HDR = HdrMetadata((1, 2), (3, 4), (5, 6), (7, 8), 1000, 50, 800, 400, 600)
PAD = 3
EARLY = -102
CODES = {
    TerminationCode.GRACEFUL: 0,
    TerminationCode.PROTECTED_CONTENT: -103,
    TerminationCode.FRAME_CONVERSION: -104,
    0x80000123: 0x80000123 - (1 << 32),
}
MESSAGES: list[tuple[Feedback, list[Any]]] = [
    (Rumble(PAD, 0x1234, 0xFEDC), ["rumble", PAD, 0x1234, 0xFEDC]),
    (Rumble(PAD, 0, 0), ["rumble", PAD, 0, 0]),
    (TriggerRumble(PAD, 0xABCD, 7), ["rumble_triggers", PAD, 0xABCD, 7]),
    (MotionReports(PAD, 250, MotionKind.ACCELERATION), ["motion", PAD, 1, 250]),
    (MotionReports(PAD, 0, MotionKind.GYROSCOPE), ["motion", PAD, 2, 0]),
    (Led(PAD, 255, 128, 1), ["led", PAD, 255, 128, 1]),
    (
        AdaptiveTriggers(PAD, TriggerSide.LEFT | TriggerSide.RIGHT, 0x21, 0x26, LEFT, RIGHT),
        ["adaptive_triggers", PAD, 12, 0x21, 0x26, LEFT.hex(), RIGHT.hex()],
    ),
    (HdrMode(enabled=True, metadata=HDR), ["hdr", 1]),
]


class InsideHost(Host):
    """The host in this process; what the harness asks of it by command line works as ever."""

    sessions: Sessions

    @property
    def stream(self) -> Stream:
        assert self.sessions.stream is not None
        return self.sessions.stream


@asynccontextmanager
async def running_host(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[InsideHost]:
    host = InsideHost(folder)
    (folder / "config.toml").touch()

    def keep_sessions(*arguments: Any) -> Sessions:
        host.sessions = Sessions(*arguments)
        return host.sessions

    monkeypatch.setattr(product, "Sessions", keep_sessions)
    flags = {
        "bind": [host.address],
        "port": host.port,
        "state": str(host.state),
        "display": "testcard",
        "discovery": False,
    }
    settings = load_settings(flags, environ=host.environment).settings
    ready = trio.Event()

    def report(line: str) -> None:
        print(line)
        if line.startswith("ready:"):
            ready.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(product.serve, settings, report=report))
        with trio.fail_after(60):
            await ready.wait()
        yield host
        nursery.cancel_scope.cancel()


in_thread = trio.to_thread.run_sync


@asynccontextmanager
async def running_client(host: InsideHost, folder: Path) -> AsyncIterator[Client]:
    client = await in_thread(Client, folder / "client", host)
    try:
        yield client
    finally:
        with trio.CancelScope(shield=True):
            await in_thread(client.__exit__)


async def start(host: InsideHost, client: Client) -> None:
    apps = (await in_thread(client, "apps"))["apps"]
    await in_thread(partial(client.stream, apps[0][0], width=640, height=360, fps=30))
    with trio.fail_after(10):
        await host.stream.connected.wait()


async def test_each_message_arrives_with_exactly_its_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_host(tmp_path, monkeypatch) as host, running_client(host, tmp_path) as client:
        await in_thread(host.pair, client)
        await start(host, client)
        report = await in_thread(client, "report")
        expected = [["hdr", 0]]
        assert report["feedback"] == expected, "the host says so at the start"
        assert report["hdr"] is None
        for message, told in MESSAGES:
            assert send_feedback(host.stream, message)
            expected.append(told)
            with trio.fail_after(5):  # one by one: the core joins messages of a kind that wait together
                while (report := await in_thread(client, "report"))["feedback"] != expected:  # noqa: ASYNC110 - another process
                    await trio.sleep(0.02)
        assert report["hdr"] == [1, 2, 3, 4, 5, 6, 7, 8, 1000, 50, 800, 400, 600]
        assert report["terminated"] is None
        await in_thread(client, "quit")


async def test_reasons_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_host(tmp_path, monkeypatch) as host:
        async with running_client(host, tmp_path) as client:
            await in_thread(host.pair, client)
        for code, shown in CODES.items():
            async with running_client(host, tmp_path) as client:
                await start(host, client)
                assert send_feedback(host.stream, Termination(code))
                ended = await in_thread(partial(client, "wait", seconds=5))
                assert ended["terminated"] == shown
                await in_thread(client, "quit")


async def test_an_end_before_the_first_frame_is_no_graceful_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_host(tmp_path, monkeypatch) as host, running_client(host, tmp_path) as client:
        await in_thread(host.pair, client)

        async def end_at_once() -> None:
            with trio.fail_after(10):
                while host.sessions.stream is None:  # noqa: ASYNC110 - another process brings it
                    await trio.sleep(0.005)
                await host.stream.connected.wait()
            assert send_feedback(host.stream, Termination())

        app_id = (await in_thread(client, "apps"))["apps"][0][0]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end_at_once)
            await in_thread(partial(client, "start", app_id=app_id, width=640, height=360, fps=30))
        assert (await in_thread(partial(client, "wait", seconds=5)))["terminated"] == EARLY


class PadDouble:
    """A pad without a kernel; what a game would ask is asked through ``wish``."""

    has_motion = True

    def __init__(self) -> None:
        self.opened = trio.Event()
        self.views: list[tuple[int, int]] = []

    @asynccontextmanager
    async def open_pad(self, _model: Any, _place: Any, view: Any, wish: Any) -> AsyncIterator["PadDouble"]:
        self.view, self.wish = view, wish
        await trio.lowlevel.checkpoint()
        yield self

    def show(self) -> None:
        self.views.append((self.view.buttons, self.view.left_trigger))
        self.opened.set()

    async def run(self) -> None:
        await trio.sleep_forever()


async def test_a_game_s_wishes_reach_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    double = PadDouble()
    pads = PadMeans(open_pad=double.open_pad, look=lambda: Nodes(uinput=True, uhid=True))
    monkeypatch.setattr(product, "input_means", lambda _settings: InputMeans(pads=pads))
    async with running_host(tmp_path, monkeypatch) as host, running_client(host, tmp_path) as client:
        await in_thread(host.pair, client)
        await start(host, client)
        calls = [
            ["LiSendControllerArrivalEvent", 0, 1, 2, 0xFFFF, 0x3B],
            ["LiSendMultiControllerEvent", 0, 1, 0x1000, 128, 0, 0, 0, 0, 0],
        ]
        await in_thread(partial(client, "call", calls=calls))
        with trio.fail_after(10):
            await double.opened.wait()
            while double.views[-1] != (0x1000, 128):  # noqa: ASYNC110 - another process
                await trio.sleep(0.02)
        expected: list[list[Any]] = [["hdr", 0], ["motion", 0, 1, 250], ["motion", 0, 2, 250]]
        effect = bytes(range(11))
        for wish, told in (
            (RumbleWish(100, 65535), [["rumble", 0, 100, 65535]]),
            (LightWish(1, 2, 3), [["led", 0, 1, 2, 3]]),
            (
                TriggersWish(None, effect),
                [["adaptive_triggers", 0, 4, 0, 0, bytes(10).hex(), effect[1:].hex()]],
            ),
            (PlayerLightsWish(1), []),
            (RumbleWish(0, 0), [["rumble", 0, 0, 0]]),
        ):
            double.wish(wish)
            expected += told
            with trio.fail_after(5):
                while (report := await in_thread(client, "report"))["feedback"] != expected:  # noqa: ASYNC110 - another process
                    await trio.sleep(0.02)
        assert report["terminated"] is None
        await in_thread(client, "quit")
