"""Apps of the settings, by a stock Moonlight core: listed, prepared, launched on the session's display, ended, undone."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Client, Host, paired
from launching import PAINTER, wait_for
from pictures import app_number
from PIL import Image
from sway_session import needs_sway

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120), *needs_sway]

SETTINGS = """
[[apps]]
name = "Painter & Söhne <1>"
command = ["sh", "-c", "pwd > seen; env >> seen; echo $$ > pid; exec {painter}"]
environment = {{ GREETING = "grüße" }}
working_folder = "{folder}"
image = "{folder}/art.png"
prep = [
    {{ do = "sh -c 'echo first-do $WAYLAND_DISPLAY >> steps'", undo = "sh -c 'echo first-undo >> steps'" }},
    {{ do = ["sh", "-c", "echo second-do >> steps"], undo = ["sh", "-c", "echo second-undo >> steps"] }},
    {{ undo = "sh -c 'test ! -e /proc/$(cat pid) && echo the app was gone >> steps'" }},
]

[[apps]]
name = "Short"
command = ["sh", "-c", "read line < {folder}/end"]

[[apps]]
name = "Ill prepared"
command = ["touch", "{folder}/started-although-ill-prepared"]
working_folder = "{folder}"
prep = [{{ do = "touch prepared", undo = "rm prepared" }}, {{ do = "false", undo = "touch undone-what-failed" }}]

[[apps]]
name = "Missing"
command = ["/no/such/program"]
"""
PAINTER_TITLE = "Painter & Söhne <1>"
GRACEFUL = 0


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host with apps of every kind."""
    folder = tmp_path_factory.mktemp("host")
    Image.new("RGB", (300, 400), (200, 30, 60)).save(folder / "art.png")
    (folder / "config.toml").write_text(SETTINGS.format(folder=folder, painter=" ".join(PAINTER)))
    os.mkfifo(folder / "end")
    with Host(folder, display="sway") as running:
        yield running


def steps(host: Host) -> list[str]:
    file = host.folder / "steps"
    return file.read_text().splitlines() if file.exists() else []


def current_app(client: Client) -> int:
    return int(client("server", secure=True)["currentgame"])


def test_listed_with_stable_numbers_and_pictures(host: Host, client: Client, tmp_path: Path) -> None:
    apps = dict(reversed(app) for app in client("apps")["apps"])
    assert list(apps) == ["Desktop", PAINTER_TITLE, "Short", "Ill prepared", "Missing"]
    assert len(set(apps.values())) == len(apps)
    stored = json.loads((host.state / "apps.json").read_text())
    assert dict(stored["numbers"]) == apps
    sizes = {}
    for title in (PAINTER_TITLE, "Short"):
        path = tmp_path / "art.png"
        assert client("art", app_id=apps[title], path=str(path))["type"] == "image/png"
        with Image.open(path) as picture:
            sizes[title] = picture.size
    assert sizes == {PAINTER_TITLE: (300, 400), "Short": (130, 180)}


def test_prepared_shown_resumed_ended_and_undone(host: Host, client: Client, identity_folder: Path) -> None:
    number = app_number(client, PAINTER_TITLE)
    client.stream(number, width=640, height=480, fps=30)
    seen = (host.folder / "seen").read_text().splitlines()
    assert seen[0] == str(host.folder)
    variables = dict(line.split("=", 1) for line in seen[1:] if "=" in line)
    assert variables["GREETING"] == "grüße"
    assert steps(host) == [f"first-do {variables['WAYLAND_DISPLAY']}", "second-do"]
    wait_for(lambda: "number" in client("report")["frames"][-1], "the picture shows the app's window")
    pid = (host.folder / "pid").read_text().strip()
    client("stop")
    with Client(identity_folder, host) as again:
        assert current_app(again) == number
        again.stream(0, resume=True, width=640, height=480, fps=30)
        assert Path(f"/proc/{pid}").exists()
        again("stop")
        again("quit")
        assert current_app(again) == 0
    assert not Path(f"/proc/{pid}").exists()
    assert steps(host)[2:] == ["the app was gone", "second-undo", "first-undo"]


def test_an_app_that_ends_by_itself_ends_the_stream_gracefully(host: Host, client: Client) -> None:
    client.stream(app_number(client, "Short"), width=640, height=480, fps=30)
    (host.folder / "end").write_text("now\n")
    ended = client("wait", seconds=10)
    assert ended["terminated"] == GRACEFUL
    wait_for(lambda: current_app(client) == 0, "the display is gone too")
    host.lines.wait_for("Short ended by itself (status 0)", 5)


@pytest.mark.parametrize(
    ("title", "words"), [("Ill prepared", "'false' failed"), ("Missing", "cannot start '/no/such/program'")]
)
def test_an_app_that_cannot_start_is_refused_with_the_reason(
    host: Host, client: Client, title: str, words: str
) -> None:
    options: dict[str, Any] = {"width": 640, "height": 480, "fps": 30}
    assert words in client.refused("start", app_id=app_number(client, title), **options)
    assert current_app(client) == 0
    left = {path.name for path in host.folder.iterdir()}
    assert not left & {"prepared", "undone-what-failed", "started-although-ill-prepared"}


def test_numbers_survive_a_restart_and_new_settings(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[[apps]]\nname = "B"\n')
    with Host(tmp_path) as host, paired(tmp_path, host) as client:
        before = dict(reversed(app) for app in client("apps")["apps"])
        host.stop()
        (tmp_path / "config.toml").write_text('[[apps]]\nname = "A"\n[[apps]]\nname = "B"\n')
        host.start()
        after = dict(reversed(app) for app in client("apps")["apps"])
        assert list(after) == ["Desktop", "A", "B"]
        assert after.items() >= before.items()
