"""A host in a process of its own, a stock core as its client, and something that breaks. After each fault nothing is
left over (threads, tasks, children, descriptors, files), and the host streams again.
"""

import signal
import time
from collections.abc import Iterator

import psutil
import pytest
from leftovers import FaultyHost, short_folder, take_footprint
from pictures import app_number
from relay import Relay

from punktfunk.paths import admin_socket

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120)]

GRACEFUL = 0
HOST_FAILED = (
    -104
)  # moonlight-common-c, Limelight.h, ML_ERROR_FRAME_CONVERSION: what our failures are told as
APPS = """
[[apps]]
name = "Missing"
command = ["/nonexistent/game"]

[[apps]]
name = "Unprepared"
command = ["sleep", "1000"]
prep = [{do = ["true"], undo = ["touch", "FOLDER/undone"]}, {do = ["false"]}]
"""


@pytest.fixture(scope="module")
def host() -> Iterator[FaultyHost]:
    with short_folder() as folder:
        (folder / "config.toml").write_text(APPS.replace("FOLDER", str(folder)))
        with FaultyHost(folder) as running:
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


def launch_of(host: FaultyHost, title: str) -> str:
    """Launch an app that cannot run; return what the client is told."""
    with host.client() as client:
        number = app_number(client, title)
        return client.refused("start", app_id=number, width=1280, height=720, fps=60)


def test_whole_sessions_leave_nothing(host: FaultyHost) -> None:
    for _ in range(2):
        host.stream_once()


@pytest.mark.slow
def test_killed_client_is_noticed_and_can_come_back(host: FaultyHost) -> None:
    with host.client() as client:
        client.stream(app_number(client, "Desktop"))
        killed = time.monotonic()
        client.process.kill()
        client.process.wait(5)
    host.hear("the client fell silent", 15)
    assert time.monotonic() - killed < 14
    with host.client() as client:
        assert int(client("server", secure=True)["currentgame"]) == app_number(client, "Desktop")
        client.stream(0, resume=True)
        client("stop")
        client("quit")


@pytest.mark.slow
def test_client_without_control_connection(host: FaultyHost) -> None:
    """RTSP and media get through, ENet does not: both sides give up within their limits."""
    with Relay(host.address, "127.0.0.2", host.port, deaf=frozenset({10})), host.client() as client:
        client.target["address"] = "127.0.0.2"
        number = app_number(client, "Desktop")
        client.begin("start", app_id=number, width=1280, height=720, fps=60)
        host.hear("no control connection within 10 s", 20)
        assert "LiStartConnection" in client.finish(30)["error"]
        client("quit")


@pytest.mark.slow
def test_client_that_launches_and_never_comes(host: FaultyHost) -> None:
    with Relay(host.address, "127.0.0.2", host.port, deaf=frozenset({21})), host.client() as client:
        client.target["address"] = "127.0.0.2"
        number = app_number(client, "Desktop")
        client.begin("start", app_id=number, width=1280, height=720, fps=60)
        host.hear("the client did not come within 10 s", 20)
        assert "error" in client.finish(60)
        client("quit")


def test_encoder_error(host: FaultyHost) -> None:
    with host.client() as client:
        client.stream(app_number(client, "Desktop"))
        with host.broken_by("encoder-error"):
            assert client("wait", seconds=10)["terminated"] == HOST_FAILED
        assert "failed at frame" in host.hear("pf-encode stopped", 5)
        client("stop")


def test_encoder_that_hangs_while_the_client_leaves(host: FaultyHost) -> None:
    with host.broken_by("encoder-stall"), host.client() as client:
        client.begin("start", app_id=app_number(client, "Desktop"), width=1280, height=720, fps=60)
        host.hear("stream ", 10)
        client.finish()
        client("wait", frames=1, seconds=1)
        client("stop")
        host.hear("pf-encode", 10)
        client("quit")


def test_encoder_that_stalls_for_a_while(host: FaultyHost) -> None:
    """Pictures stop and go on; nobody is thrown out."""
    with host.client() as client:
        client.stream(app_number(client, "Desktop"))
        with host.broken_by("encoder-stall"):
            while client("wait", frames=1, seconds=0.5)["frames"]:
                pass
        assert client("wait", frames=30, seconds=5)["frames"] >= 30
        assert client("report")["terminated"] is None
        client("stop")
        client("quit")


def test_host_that_stands_still_for_a_while(host: FaultyHost) -> None:
    """The whole process stops under a full load of rings and sockets, as on a suspended machine."""
    with host.client() as client:
        client.stream(app_number(client, "Desktop"))
        psutil.Process(host.pid).suspend()
        try:
            client("wait", seconds=2)
        finally:
            psutil.Process(host.pid).resume()
        assert client("wait", frames=30, seconds=5)["frames"] >= 30
        assert client("report")["decode_errors"] == 0
        client("stop")
        client("quit")


def test_no_descriptors_left_for_the_stream(host: FaultyHost) -> None:
    process = psutil.Process(host.pid)
    before = process.rlimit(psutil.RLIMIT_NOFILE)
    with host.client() as client:
        number = app_number(client, "Desktop")
        process.rlimit(psutil.RLIMIT_NOFILE, (sum(take_footprint(host).descriptors.values()) + 2, before[1]))
        try:
            client.begin("start", app_id=number, width=1280, height=720, fps=60)
            host.hear("Too many open files", 15)
            client.finish(30)
        finally:
            process.rlimit(psutil.RLIMIT_NOFILE, before)
        client("stop")
        client("quit")


def test_app_that_cannot_start_is_explained_to_the_client(host: FaultyHost) -> None:
    assert "/nonexistent/game" in launch_of(host, "Missing")


def test_failed_preparation_is_undone_and_explained(host: FaultyHost) -> None:
    assert "'false' failed" in launch_of(host, "Unprepared")
    assert (host.folder / "undone").exists()


def test_sigterm_in_mid_stream(host: FaultyHost) -> None:
    """Last here: the client is told, the exit status is 0, all is gone, and the next start knows the client."""
    with host.client() as client:
        client.stream(app_number(client, "Desktop"))
        process = psutil.Process(host.pid)
        assert admin_socket(host.state).exists()
        assert host.stop(signal.SIGTERM) == 0
        assert client("wait", seconds=5)["terminated"] == GRACEFUL
        client("stop")
    assert not process.is_running()
    assert not admin_socket(host.state).exists()
    assert not [path for path in (host.folder / "run").rglob("*") if not path.is_dir()]
    assert not list((host.folder / "tmp").iterdir())
    host.start()
