"""Who may have the stream: wrong and right PIN, two paired clients, resume, quit, unpairing, a host that dies."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Client, Host, paired
from pictures import app_number, check_pictures

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

GRACEFUL = 0
APP = """
[[apps]]
name = "Sleeper"
command = ["sh", "-c", "echo $$ >> {folder}/started; exec sleep 1000"]
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host with an app that tells when it starts, and whose clients take over from each other."""
    folder = tmp_path_factory.mktemp("host")
    (folder / "config.toml").write_text(APP.format(folder=folder))
    with Host(folder, PUNKTFUNK_SECOND_CLIENT="takeover") as running:
        yield running


@pytest.fixture(scope="module")
def folders(host: Host, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of two paired clients, Anna and Bert."""
    folder = tmp_path_factory.mktemp("clients")
    for name in ("Anna", "Bert"):
        with paired(folder, host, name):
            pass
    return folder / "Anna", folder / "Bert"


def starts(host: Host) -> int:
    """How often the app was started."""
    file = host.folder / "started"
    return len(file.read_text().split()) if file.exists() else 0


def app_runs(host: Host) -> bool:
    pid = (host.folder / "started").read_text().split()[-1]
    return Path(f"/proc/{pid}").exists()


def current_app(client: Client) -> int:
    return int(client("server", secure=True)["currentgame"])


def test_wrong_pin_then_right_pin(host: Host, tmp_path: Path) -> None:
    with Client(tmp_path / "client", host) as client:
        client.begin("pair", pin="1111")
        for _ in range(100):
            done = host.cli("pair", "2222", "--name", "guesser", check=False)
            if "waiting" not in done.stdout + done.stderr:
                break
            time.sleep(0.1)
        assert done.returncode == 1, done
        answer = client.finish()
        assert "WrongPin" in answer.get("error", ""), answer
        assert client("server", secure=True)["status"] == "401"
        assert "guesser" not in host.cli("clients", "list").stdout
        assert host.pair(client, name="honest")["paired"]
        assert client("server", secure=True)["status"] == "200"
        assert "honest" in host.cli("clients", "list").stdout
        host.cli("clients", "remove", "honest")
        assert client("server", secure=True)["status"] == "401"


def test_list(host: Host, folders: tuple[Path, Path]) -> None:
    with Client(folders[0], host) as client:
        assert [title for _, title in client("apps")["apps"]] == ["Desktop", "Sleeper"]
    listed = host.cli("clients", "list").stdout
    assert "Anna" in listed
    assert "Bert" in listed


def test_another_client_takes_over_and_quits(host: Host, folders: tuple[Path, Path]) -> None:
    before = starts(host)
    with Client(folders[0], host) as anna, Client(folders[1], host) as bert:
        sleeper = app_number(anna, "Sleeper")
        anna.stream(sleeper)
        with Client(folders[1], host) as hasty:
            refusal = hasty.refused("start", app_id=sleeper, width=1280, height=720, fps=60)
        assert "already running" in refusal
        assert current_app(bert) == sleeper
        bert.stream(0, resume=True)
        assert anna("wait", seconds=10)["terminated"] == GRACEFUL
        bert("wait", frames=30, seconds=5)
        report = bert("report")
        check_pictures(report, at_least=30)
        assert report["terminated"] is None
        assert starts(host) == before + 1
        anna("stop")
        bert("stop")
        bert("quit")
        assert current_app(anna) == 0
        assert not app_runs(host)


def test_resume_after_the_client_left(host: Host, folders: tuple[Path, Path]) -> None:
    """Mid-game, from a new process with a new key, and in another mode: the app is still the same."""
    before = starts(host)
    with Client(folders[0], host) as client:
        sleeper = app_number(client, "Sleeper")
        client.stream(sleeper)
        client("stop")
    assert app_runs(host)
    with Client(folders[0], host) as client:
        assert current_app(client) == sleeper
        client.stream(0, resume=True, width=1024, height=576)
        client("wait", frames=30, seconds=5)
        check_pictures(client("report"), at_least=30, width=1024, height=576)
        assert starts(host) == before + 1
        client("stop")
        client("quit")
    assert not app_runs(host)


def test_quit_by_another_client_ends_the_stream(host: Host, folders: tuple[Path, Path]) -> None:
    with Client(folders[0], host) as anna, Client(folders[1], host) as bert:
        anna.stream(app_number(anna, "Sleeper"))
        bert("quit")
        assert anna("wait", seconds=10)["terminated"] == GRACEFUL
        assert current_app(bert) == 0
        assert not app_runs(host)


def test_removed_client_loses_its_stream(host: Host, tmp_path: Path) -> None:
    with paired(tmp_path, host, "Carl") as client:
        client.stream(app_number(client, "Sleeper"))
        host.cli("clients", "remove", "Carl")
        assert client("wait", seconds=10)["terminated"] == GRACEFUL
        assert client("server", secure=True)["status"] == "401"
        client.refused("start", app_id=0, resume=True, width=1280, height=720, fps=60)
        client.refused("quit")
        host.pair(client, name="Carl")
        client("quit")
        host.cli("clients", "remove", "Carl")


def test_killed_host_ends_the_client_with_an_error(host: Host, folders: tuple[Path, Path]) -> None:
    """Last in this file: the host is another one afterwards."""
    with Client(folders[0], host) as client:
        client.stream(app_number(client, "Sleeper"))
        host.stop(signal.SIGKILL)
        ended = client("wait", seconds=20)["terminated"]
        assert ended not in (None, GRACEFUL)
    host.start()
    with Client(folders[0], host) as client:
        assert current_app(client) == 0
        client.stream(app_number(client, "Sleeper"))
        client("stop")
        client("quit")
