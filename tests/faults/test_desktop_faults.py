"""A host with a private sway, a stock core as its client: sway dies, will not start, or loses its host."""

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator

import psutil
import pytest
from launching import wait_for
from leftovers import FaultyHost, short_folder
from pictures import app_number
from sway_session import needs_sway

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120), *needs_sway]

GRACEFUL = 0
HOST_FAILED = (
    -104
)  # moonlight-common-c, Limelight.h, ML_ERROR_FRAME_CONVERSION: what our failures are told as
KEY_A = 0x41
KEY_DOWN = 3  # moonlight-common-c, Limelight.h, KEY_ACTION_DOWN
APPS = """
[[apps]]
name = "Keys"
command = ["stdbuf", "-oL", "wev"]
"""
SWAY = """#!/bin/sh
[ -e FOLDER/refuse ] && { echo no luck today; exit 3; }
exec REAL "$@"
"""


@pytest.fixture(scope="module")
def host() -> Iterator[FaultyHost]:
    with short_folder() as folder:
        (folder / "config.toml").write_text(APPS)
        programs = folder / "bin"
        programs.mkdir()
        real = shutil.which("sway")
        (programs / "sway").write_text(SWAY.replace("FOLDER", str(folder)).replace("REAL", str(real)))
        (programs / "sway").chmod(0o755)
        with FaultyHost(folder, display="sway", PATH=f"{programs}:{os.environ['PATH']}") as running:
            running.pair_and_settle()
            yield running


@pytest.fixture(autouse=True)
def recovered(host: FaultyHost) -> Iterator[None]:
    """What must be true after every fault."""
    host.begin()
    yield
    host.stream_once()
    host.assert_nothing_left()
    assert not any("Traceback" in line for line in host.lines.seen), host.lines.seen


def started_by(host: FaultyHost) -> list[psutil.Process]:
    """Everything that runs for the stream."""
    return psutil.Process(host.pid).children(recursive=True)


def living(processes: list[psutil.Process]) -> list[str]:
    """Those that still run. A container's first process may collect nobody's children: zombies are gone."""
    names = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                names.append(process.name())
    return names


def sway_of(host: FaultyHost) -> psutil.Process:
    return next(process for process in started_by(host) if process.name() == "sway")


def test_killed_sway(host: FaultyHost) -> None:
    with host.client() as client:
        client.stream(app_number(client, "Desktop"))
        sway_of(host).kill()
        assert client("wait", seconds=10)["terminated"] == HOST_FAILED
        host.hear("ended with its stream", 10)
        client("stop")
        assert int(client("server", secure=True)["currentgame"]) == 0


def test_display_that_cannot_start_is_explained_to_the_client(host: FaultyHost) -> None:
    (host.folder / "refuse").touch()
    try:
        with host.client() as client:
            number = app_number(client, "Desktop")
            answer = client.refused("start", app_id=number, width=1280, height=720, fps=60)
            assert "no luck today" in answer
    finally:
        (host.folder / "refuse").unlink()


def test_killed_client_is_noticed_its_keys_released_and_it_can_come_back(host: FaultyHost) -> None:
    def typed() -> str:
        return (host.state / "app.log").read_text(errors="replace")

    with host.client() as client:
        client.stream(app_number(client, "Keys"))
        wait_for(lambda: "wl_keyboard] enter" in typed(), "wev has the keyboard")
        client.calls(["LiSendKeyboardEvent2", KEY_A, KEY_DOWN, 0, 0])
        wait_for(lambda: "state: 1 (pressed)" in typed(), "the key is down")
        assert "state: 0 (released)" not in typed()
        client.process.kill()
        client.process.wait(5)
    host.hear("the client fell silent", 15)
    wait_for(lambda: "state: 0 (released)" in typed(), "the key is up again", 3)
    with host.client() as client:
        assert int(client("server", secure=True)["currentgame"]) == app_number(client, "Keys")
        client.stream(0, resume=True)
        client("stop")
        client("quit")


def test_sigterm_in_mid_stream_ends_the_desktop(host: FaultyHost) -> None:
    with host.client() as client:
        client.stream(app_number(client, "Desktop"))
        processes = started_by(host)
        assert len(processes) >= 2
        assert host.stop(signal.SIGTERM) == 0
        assert client("wait", seconds=5)["terminated"] == GRACEFUL
        client("stop")
    assert living(processes) == []
    assert_no_files(host)
    host.start()


def test_next_start_reclaims_the_desktop_of_a_killed_host(host: FaultyHost) -> None:
    """Last here. Sway, its programs and its folder go; the client stays paired."""
    with host.client() as client:
        client.stream(app_number(client, "Desktop"))
        processes = started_by(host)
        host.stop(signal.SIGKILL)
        assert "sway" in living(processes)
    host.start()
    assert any("ended" in line and "of an earlier session" in line for line in host.lines.seen)
    assert living(processes) == []
    assert_no_files(host)


def assert_no_files(host: FaultyHost) -> None:
    """Neither sockets nor folders of a session, and nothing temporary."""
    run = [path for path in (host.folder / "run").rglob("*") if not path.is_dir()]
    run += (host.folder / "run").rglob("s-*")
    assert run == []
    assert list((host.folder / "tmp").iterdir()) == []
