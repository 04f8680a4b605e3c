"""A stock Moonlight core on the desktop that a user runs: a real mutter and a real GNOME Shell of the Debian 13 tree.

The compositor runs in the tree, host and client outside; they share the session's runtime folder.
"""

import itertools
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import libei
import pytest
import trio
from gnome_session import GnomeSession, gnome_session, inside, needs_gnome
from harness import Client, Host, paired
from launching import PAINTER, list_apps, said, wait_for, wait_to_hear
from pictures import app_number
from test_desktop import keep, keys, painted, wait_for_paint
from test_eis_peer import in_tree

import punktfunk
from punktfunk.control.displays.mutter.display_config import read_state
from punktfunk.control.displays.mutter.monitors import State
from punktfunk.control.system.dbus_link import open_link
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode, PipeWireSource
from punktfunk.realtime.capture.pipewire import PipeWireCapture

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120), *needs_gnome]

SUPER, VK_A, VK_LSHIFT = 0x5B, 0x41, 0xA0
PRESS, RELEASE = 7, 8


def monitors(session: GnomeSession) -> State:
    """What GNOME itself says of its monitors."""

    async def ask() -> State:
        async with open_link(session.environment["DBUS_SESSION_BUS_ADDRESS"]) as link:
            return await read_state(link)

    return trio.run(ask)


def shown(session: GnomeSession) -> list[str]:
    found = monitors(session)
    return [str(monitor.current.as_mode()) for monitor in found.monitors if monitor.current]


@pytest.fixture(scope="module")
def session() -> Iterator[GnomeSession]:
    with gnome_session("mutter") as running:
        yield running
        running.check_alive()


@pytest.fixture(scope="module")
def host(session: GnomeSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("host")
    list_apps(folder, Painter=PAINTER, Events=inside("stdbuf", "-oL", "wev"))
    with Host(folder, display="gnome", LC_ALL="C.UTF-8", **session.environment) as running:
        yield running


def test_a_monitor_of_the_clients_size_shows_every_frame_whole(
    session: GnomeSession, host: Host, identity_folder: Path, client: Client, tmp_path: Path
) -> None:
    assert shown(session) == []
    client.stream(app_number(client, "Painter"), width=800, height=500, fps=60, refresh_x100=5994)
    wait_for_paint(client)
    client("wait", frames=30, seconds=5)
    seen = painted(client("report"), 800, 500)
    assert seen[-1]["number"] - seen[0]["number"] >= 3, "the window moves"
    assert shown(session) == ["800x500@59.94"]
    assert "mode 800x500 59940" in said(host)
    keep(client, tmp_path, "gnome-mutter-painter")
    client("stop")
    assert shown(session) == ["800x500@59.94"], "it stays for the client's return"
    heard = len(said(host))
    with Client(identity_folder, host) as again:
        again.stream(0, resume=True, width=640, height=480, fps=30)
        wait_to_hear(host, "size 640x480", since=heard)
        wait_for_paint(again)
        assert shown(session) == ["640x480@30"]
    client("quit")
    wait_for(lambda: shown(session) == [], "the monitor is gone")


def found(lines: list[str], pattern: str) -> list[tuple[str, ...]]:
    """The groups of every line that matches; what a program hears twice, by two pointers, counts once."""
    groups = [match.groups() for line in lines if (match := re.search(pattern, line))]
    return [group for group, _again in itertools.groupby(groups)]


def check_events(lines: list[str]) -> None:
    """Everything of the common list arrived, and nothing is held."""
    places = [
        (float(x), float(y))
        for x, y in found(lines, r"wl_pointer\] (?:motion|enter):.* x, y: ([-\d.]+), ([-\d.]+)")
    ]
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(places)]
    first = steps.index((40.0, 60.0))
    assert (5.0, -3.0) in steps[first:]
    buttons = found(lines, r"wl_pointer\] button:.* button: (\d+).* state: (\d)")
    assert buttons == [("272", "1"), ("272", "0"), ("273", "1"), ("273", "0")]
    scrolled = [float(value) for _axis, value in found(lines, r"axis:.* axis: (\d).* value: ([-\d.]+)")]
    assert scrolled[0] == -10.0
    assert sum(scrolled[1:]) == 10.0, "four quarters of a click"
    typed = re.findall(r"utf8: '(.+?)'", "\n".join(lines))
    assert [c for c, _again in itertools.groupby(typed) if c in "abBA"] == ["a", "b", "B", "A"]
    # The last that each of wev's keyboards heard of each key.
    last = {
        (board, code): state
        for board, code, state in found(lines, r"\[(\d+): +wl_keyboard\] key:.* key: (\d+); state: (\d)")
    }
    assert set(last.values()) == {"0"}, "everything pressed was released"
    assert found(lines, r"wl_touch\] (down|up)") == [("down",), ("up",)]


def test_input_reaches_the_program_and_nothing_stays_held(
    session: GnomeSession, host: Host, client: Client
) -> None:
    before = len(said(host))
    client.stream(app_number(client, "Events"), width=1280, height=720, fps=30)
    wait_to_hear(host, "wl_keyboard] enter", since=before)
    still: list[Any] = ["sleep", 0.05]  # the core sums up what moves within a millisecond
    client.calls(
        ["LiSendMousePositionEvent", 600, 300, 1280, 720], still,
        ["LiSendMousePositionEvent", 320, 180, 640, 360], still,
        ["LiSendMouseMoveEvent", 5, -3], still,
        ["LiSendMouseButtonEvent", PRESS, 1], ["LiSendMouseButtonEvent", RELEASE, 1],
        ["LiSendHighResScrollEvent", 120],
        *[["LiSendHighResScrollEvent", -30]] * 4,
        *keys(VK_A),
        ["LiSendUtf8TextEvent", "bB", 2],
        ["sleep", 0.1],
        ["LiSendTouchEvent", 1, 7, 0.5, 0.5, 0.5, 0.01, 0.01, 0xFFFF],
        ["LiSendTouchEvent", 2, 7, 0.5, 0.5, 0.5, 0.01, 0.01, 0xFFFF],
        ["sleep", 0.1],  # the pointer is out of sight after a touch
        ["LiSendMousePositionEvent", 640, 360, 1280, 720], still,
        *keys(VK_LSHIFT)[:1], *keys(VK_A)[:1], ["LiSendMouseButtonEvent", PRESS, 3],
    )  # fmt: skip
    wait_to_hear(host, "button: 273 (right), state: 1", since=before)
    client("stop")
    wait_to_hear(host, "button: 273 (right), state: 0", since=before)
    check_events(said(host)[before:])


def test_a_host_that_is_killed_leaves_no_monitor(
    session: GnomeSession, host: Host, identity_folder: Path, client: Client
) -> None:
    with Client(identity_folder, host) as first:
        first.stream(app_number(first, "Painter"), width=640, height=480, fps=30)
    assert shown(session) == ["640x480@30"]
    host.stop(signal.SIGKILL)
    wait_for(lambda: shown(session) == [], "mutter takes the monitor away")
    host.start()
    client.stream(app_number(client, "Painter"), width=640, height=480, fps=30)
    wait_for_paint(client)
    assert shown(session) == ["640x480@30"]


def test_gnome_shell_shows_its_desktop(tmp_path: Path) -> None:
    """The overview with its panel, and then a window above it all."""
    with gnome_session("gnome-shell") as session:
        list_apps(tmp_path, Painter=PAINTER)
        with (
            Host(tmp_path, display="gnome", LC_ALL="C.UTF-8", **session.environment) as host,
            paired(tmp_path, host),
        ):
            with Client(tmp_path / "client", host) as client:
                client.stream(app_number(client, "Desktop"), width=1280, height=720, fps=30)
                client("wait", seconds=3)
                picture = keep(client, tmp_path, "gnome-shell-desktop")
                report = client("report")
                assert report["decode_errors"] == 0
                assert {(f["width"], f["height"]) for f in report["frames"]} == {(1280, 720)}
                client("quit")
            from PIL import Image

            with Image.open(picture) as image:
                panel = image.convert("RGB").crop((0, 0, 1280, 20)).getcolors(30000) or []
                assert len(panel) > 10, "the panel has a clock"
            wait_for(lambda: shown(session) == [], "the monitor is gone")


@contextmanager
def running(
    command: list[str], environment: dict[str, str], **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, **options) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def watched(source: PipeWireSource) -> Iterator[None]:
    """Consume a node's pictures: mutter takes places on a monitor only while somebody looks at it."""
    ended = threading.Event()

    def consume() -> None:
        capture = PipeWireCapture(source)
        try:
            capture.open()
            while not ended.is_set():
                frame = capture.next(50_000_000, -1)
                if frame is not None:
                    frame.release()
        except EnvironmentProblem:
            ended.set()  # the session took its node away first, as sessions do at their end
        finally:
            capture.close()

    thread = threading.Thread(target=consume)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(5)


def test_input_by_libei(session: GnomeSession, tmp_path: Path) -> None:
    """The way that input takes where the host has libei, as the tree has: the same events, the same program."""
    path = in_tree(punktfunk, libei)
    environment = {**os.environ, **session.environment, "PYTHONPATH": path.name}
    script = Path(__file__).parent / "eis_in_mutter.py"
    command = inside("python3", "-B", f"/host{script}")
    log = tmp_path / "wev.log"
    with path, ExitStack() as stack:
        sender = stack.enter_context(
            running(command, environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        )
        assert sender.stdin is not None
        assert sender.stdout is not None
        node = int(sender.stdout.readline())
        source = PipeWireSource(Mode(1280, 720, 60000), node, remote=f"{session.folder}/pipewire-0")
        stack.enter_context(watched(source))
        wait_for(lambda: shown(session) == ["1280x720@60"], "the monitor is there")
        with log.open("wb") as file:
            stack.enter_context(running(inside("stdbuf", "-oL", "wev"), environment, stdout=file))

        def heard(text: str) -> bool:
            return text in log.read_text()

        sender.stdin.write(b"go\n")
        sender.stdin.flush()
        assert sender.stdout.readline() == b"{}\n", "all of it could be sent"
        wait_for(lambda: heard("button: 273 (right), state: 1"), "wev has it all")
        sender.stdin.write(b"let go\n")
        sender.stdin.flush()
        wait_for(lambda: heard("button: 273 (right), state: 0"), "it is let go")
        check_events(log.read_text().splitlines())
        sender.stdin.close()
