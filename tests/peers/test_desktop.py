"""Real desktops against a stock Moonlight core: a sway of the host's own, and an output in the user's sway.

The picture is drawn by a Wayland client of ours, which shows the test card's barcode: what the client decodes has gone
through compositor, capture, encoder and network, and every frame says whether it is whole and in order.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Client, Host, paired
from launching import PAINTER, list_apps, said, wait_to_hear
from pictures import app_number, no_gaps
from sway_session import SWAYS, needs_sway
from users_desktop import outputs, users_sway

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120), *needs_sway]

SUPER, ENTER = 0x5B, 0x0D
DOWN, UP = 3, 4
META = 8
STILL_S = 5


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host that makes a sway for each stream."""
    folder = tmp_path_factory.mktemp("host")
    list_apps(folder, Painter=PAINTER, Still=[*PAINTER, "--still"])
    with Host(folder, display="sway", LANG="C.UTF-8", LC_ALL="C.UTF-8") as running:
        yield running


def painted(report: dict[str, Any], width: int, height: int) -> list[dict[str, Any]]:
    """Check every frame from the first with a barcode on; return those frames."""
    assert report["terminated"] is None
    assert report["decode_errors"] == 0
    no_gaps(report)
    frames = report["frames"]
    assert {(f["width"], f["height"]) for f in frames} == {(width, height)}
    first = next((place for place, f in enumerate(frames) if "number" in f), None)
    assert first is not None, "no frame shows a barcode"
    shown = frames[first:]
    assert [f for f in shown if "number" not in f] == []
    numbers = [f["number"] for f in shown]
    assert numbers == sorted(numbers), "frames were reordered"
    return list(shown)


def wait_for_paint(client: Client, seconds: float = 10) -> int:
    """Wait until a frame with a barcode was decoded; return how many frames came before it."""
    seen = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        client("wait", frames=10, seconds=0.5)
        frames = client("report", since=seen)["frames"]
        for place, frame in enumerate(frames):
            if "number" in frame:
                return seen + place
        seen += len(frames)
    raise AssertionError(f"no frame of {seen} shows a barcode")


@pytest.mark.parametrize(
    ("width", "height", "fps", "refresh_x100"),
    [(1366, 768, 30, 0), (1280, 720, 60, 5994), (640, 480, 120, 0), (1290, 2796, 10, 0)],
    ids=["1366x768", "59.94 Hz", "120 Hz", "portrait"],
)
def test_every_frame_is_whole_in_exactly_the_mode(
    host: Host, client: Client, width: int, height: int, fps: int, refresh_x100: int
) -> None:
    heard = len(said(host))
    client.stream(
        app_number(client, "Painter"), width=width, height=height, fps=fps, refresh_x100=refresh_x100
    )
    wait_for_paint(client)
    client("wait", frames=fps, seconds=4)
    shown = painted(client("report"), width, height)
    millihertz = refresh_x100 * 10 or fps * 1000
    modes = [line for line in said(host)[heard:] if line.startswith("mode")]
    assert modes[-1] == f"mode {width}x{height} {millihertz}"
    assert len({f["number"] for f in shown}) >= fps // 3, "the window moves"
    span_s = (shown[-1]["captured_ns"] - shown[0]["captured_ns"]) / 1e9
    rate_hz = (shown[-1]["number"] - shown[0]["number"]) / span_s
    assert rate_hz < fps * 1.1
    if fps == 120:
        assert rate_hz > 66, "the desktop itself runs faster than 60 Hz"


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_still_screen_keeps_the_stream_alive_and_costs_almost_nothing(host: Host, client: Client) -> None:
    assert host.process is not None
    client.stream(app_number(client, "Still"))
    wait_for_paint(client)
    client("wait", seconds=1.5)  # the first repeats come faster: they sharpen the picture
    before, sound = len(client("report")["frames"]), client("report")["audio_packets"]
    used = cpu_s(host.process.pid)
    client("wait", seconds=STILL_S)
    used = cpu_s(host.process.pid) - used
    report = client("report")
    frames = report["frames"][before:]
    painted(report, 1280, 720)
    assert len({f["number"] for f in frames}) == 1
    assert STILL_S <= len(frames) <= 3 * STILL_S
    assert report["audio_packets"] - sound > STILL_S * 150
    assert sum(f["bytes"] for f in frames) < STILL_S * 20_000
    assert used < STILL_S * 0.3, f"{used / STILL_S:.0%} of a core"


def test_resume_in_another_mode_keeps_the_windows(host: Host, identity_folder: Path, client: Client) -> None:
    client.stream(app_number(client, "Painter"), fps=30)
    wait_for_paint(client)
    last = painted(client("report"), 1280, 720)[-1]["number"]
    client("stop")
    heard = len(said(host))
    with Client(identity_folder, host) as again:
        again.stream(0, resume=True, width=1024, height=768, fps=30)
        wait_to_hear(host, "size 1024x768", since=heard)
        wait_for_paint(again)
        again("wait", frames=20, seconds=5)
        shown = painted(again("report"), 1024, 768)
        assert shown[0]["number"] > last, "the window is another one"
        assert "mode 1024x768 30000" in said(host)[heard:]


def keys(*codes: int, modifiers: int = 0) -> list[list[Any]]:
    """Press keys in order and release them in reverse, with the high bit that Moonlight sets."""
    events = [(code, DOWN) for code in codes] + [(code, UP) for code in reversed(codes)]
    return [["LiSendKeyboardEvent2", code - 0x8000, action, modifiers, 0] for code, action in events]


def keep(client: Client, folder: Path, name: str) -> Path:
    """Save what the client sees; PUNKTFUNK_SCREENSHOTS names a folder for people to look at."""
    path = Path(os.environ.get("PUNKTFUNK_SCREENSHOTS") or folder) / f"{name}.png"
    client("save", path=str(path))
    return path


def type_until(client: Client, text: str, written: Path) -> str:
    """Type a command until it has written a file: a terminal that still opens misses the beginning."""
    deadline = time.monotonic() + 20
    while not (written.exists() and written.read_text().endswith("\n")):
        assert time.monotonic() < deadline, f"nobody ran {text!r}"
        client.calls(
            ["LiSendUtf8TextEvent", text, len(text.encode())], ["sleep", 0.2], *keys(ENTER), ["sleep", 0.8]
        )
    return written.read_text()


def test_type_in_the_terminal_and_open_another(host: Host, client: Client, tmp_path: Path) -> None:
    """What a person does first on the desktop: type a command, press Super and Enter, look at the picture."""
    client.stream(app_number(client, "Desktop"), fps=30)
    first = type_until(client, f"echo $$ 'grüße für 5 €' | tee {tmp_path}/first", tmp_path / "first")
    assert first.endswith(" grüße für 5 €\n")
    client.calls(*keys(SUPER, ENTER, modifiers=META), ["sleep", 1])
    second = type_until(client, f"echo $$ | tee {tmp_path}/second", tmp_path / "second")
    assert first.split()[0] != second.strip(), "it is the same terminal"
    client("wait", seconds=1)
    assert client("report")["decode_errors"] == 0
    from PIL import Image

    with Image.open(keep(client, tmp_path, "spawned-terminals")) as picture:
        assert picture.size == (1280, 720)
        shades = [count for count in picture.convert("L").histogram() if count > 20]
    assert len(shades) > 10, "terminals with text have many shades"


def put_aside(session: dict[str, str]) -> bool:
    """Only the user's output is left, or what sway 1.7 keeps is out of the way; the user's has the focus."""
    found = outputs(session)
    own = found.pop("HEADLESS-1")
    aside = [o for o in found.values() if o["active"] and o["current_mode"]["width"] > 64]
    return own["active"] and own["focused"] and not aside


@pytest.mark.parametrize("command", SWAYS)
def test_an_output_in_the_users_session_comes_and_goes(command: list[str], tmp_path: Path) -> None:
    with users_sway(command) as session:
        list_apps(tmp_path, Painter=PAINTER)
        with Host(tmp_path, display="attach", **session) as host, paired(tmp_path, host):
            assert set(outputs(session)) == {"HEADLESS-1"}
            with Client(tmp_path / "client", host) as client:
                client.stream(app_number(client, "Painter"), width=1000, height=700, fps=30)
                wait_for_paint(client)
                client("wait", frames=20, seconds=4)
                shown = painted(client("report"), 1000, 700)
                assert shown[-1]["number"] - shown[0]["number"] > 15
                (name,) = set(outputs(session)) - {"HEADLESS-1"}
                mode = outputs(session)[name]["current_mode"]
                assert (mode["width"], mode["height"], mode["refresh"]) == (1000, 700, 30_000)
                keep(client, tmp_path, "attached-painter")
                client("stop")
                assert outputs(session)[name]["active"], "it stays for the client's return"
                client("quit")
            assert put_aside(session)
            # And when the host is stopped in the middle.
            with Client(tmp_path / "client", host) as client:
                client.stream(app_number(client, "Painter"), width=800, height=450, fps=30)
                wait_for_paint(client)
                assert not put_aside(session)
                assert host.stop(signal.SIGTERM) == 0
                assert client("wait", seconds=5)["terminated"] == 0
            assert put_aside(session)
            if "trixie" in command[0]:
                assert set(outputs(session)) == {"HEADLESS-1"}, "sway 1.8 and later remove an output"
