"""A real KWin, in the virtual machine: let in by our launcher, an output for a stock client, its picture and its input.

Everything is emulated and slow: nothing here says how fast anything is.
"""

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import trio
from harness import Client, Host, paired
from launching import list_apps, said, wait_for, wait_to_hear
from pictures import app_number
from plasma_session import plasma_session
from vm_pictures import COMPILED, SLOW_S, barcodes

from punktfunk.control.displays.base import DisplayOptions
from punktfunk.control.displays.kwin.backend import KWinDisplays
from punktfunk.control.displays.kwin.door import open_kwin
from punktfunk.control.displays.kwin.outputs import following_outputs
from punktfunk.control.displays.reclaim import reclaim
from punktfunk.control.displays.wayland import open_wayland
from punktfunk.control.system.journal import Journal
from punktfunk.plan import Mode

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

OLDEST = (6, 5, 6)
PRESS, RELEASE = 7, 8
DOWN, UP = 3, 4
VK_A = 0x41
PAINTER = Path(__file__).resolve().parents[1] / "peers" / "painter.py"


def keys(*codes):
    """Press keys in order and release them in reverse, with the high bit that Moonlight sets."""
    events = [(code, DOWN) for code in codes] + [(code, UP) for code in reversed(codes)]
    return [["LiSendKeyboardEvent2", code - 0x8000, action, 0, 0] for code, action in events]


@pytest.fixture(scope="module")
def session():
    with plasma_session() as running:
        yield running


@pytest.fixture(scope="module")
def let_in(session):
    punktfunk("plasma", "install")
    return session


def punktfunk(*words, check=True):
    done = subprocess.run(
        [sys.executable, "-m", "punktfunk", *words], capture_output=True, text=True, check=False, timeout=120
    )
    print(done.stdout, done.stderr)
    assert not check or done.returncode == 0, done.stderr
    return done


def backend(session, folder, **options):
    return KWinDisplays(Journal(folder), options=DisplayOptions(**options), environment=session.environment)


def outputs(session):
    """What KWin itself says of its outputs, by name: mode, place, whether it is on."""

    async def ask():
        path = f"{session.environment['XDG_RUNTIME_DIR']}/wayland-0"
        async with open_wayland(path) as connection, following_outputs(connection) as devices:
            return {d.name: (str(d.mode), (d.x, d.y), d.is_enabled) for d in devices.all()}

    return trio.run(ask)


def near(shown, asked):
    """KWin times its own modes as monitors are timed, and rounds the rate."""
    return (shown.width_px, shown.height_px) == (asked.width_px, asked.height_px) and abs(
        shown.refresh_millihertz - asked.refresh_millihertz
    ) < 500


def test_kwin_knows_only_the_launcher(session, tmp_path):
    found = trio.run(backend(session, tmp_path).probe)
    print("probe before:", found.reason)
    assert not found.available
    assert "not installed" in found.reason
    punktfunk("plasma", "install")
    found = trio.run(backend(session, tmp_path).probe)
    print("probe after:", found.reason, found.version)
    assert found.available
    assert tuple(int(part) for part in found.version.split(".")) >= OLDEST

    async def connect():
        async with open_kwin(f"{session.environment['XDG_RUNTIME_DIR']}/wayland-0") as connection:
            assert connection.alive

    trio.run(connect)


@pytest.mark.parametrize("millihertz", [60000, 120000, 59940])
def test_output_of_any_mode_comes_and_goes(let_in, tmp_path, millihertz):
    mode = Mode(800, 450, millihertz)

    async def look():
        async with backend(let_in, tmp_path, scale=1.5, position="below").create(mode, "a client") as output:
            print(output.name, output.mode, output.region, output.notes, output.source)
            with trio.fail_after(30):
                seen = await trio.to_thread.run_sync(outputs, let_in)
            print(seen)
            return output, seen

    before = outputs(let_in)
    output, seen = trio.run(look)
    assert near(output.mode, mode)
    assert output.notes == ()
    assert seen[output.name] == (str(output.mode), (0, 360), True)
    assert (output.region.width, output.region.height) == (533, 300)
    assert outputs(let_in) == before
    assert Journal(tmp_path).entries() == ([], [])


def test_mode_change_and_exclusive_display(let_in, tmp_path):
    async def look():
        kwin = backend(let_in, tmp_path, arrangement="exclusive")
        async with kwin.create(Mode(640, 360, 60000), "a client") as output:
            first = await trio.to_thread.run_sync(outputs, let_in)
            changed = await kwin.change_mode(output, Mode(1024, 576, 60000))
            return output.name, first, changed, await trio.to_thread.run_sync(outputs, let_in)

    before = outputs(let_in)
    name, first, changed, second = trio.run(look)
    print(first, second)
    assert [screen for screen, (_mode, _place, is_on) in first.items() if is_on] == [name]
    assert near(changed.mode, Mode(1024, 576, 60000))
    assert second[changed.name][:2] == (str(changed.mode), (0, 0))
    assert outputs(let_in) == before


HOLDER = """
import sys
from pathlib import Path
import trio
from punktfunk.control.displays.base import DisplayOptions
from punktfunk.control.displays.kwin.backend import KWinDisplays
from punktfunk.control.system.journal import Journal
from punktfunk.plan import Mode
import os

async def hold():
    kwin = KWinDisplays(
        Journal(Path(sys.argv[1])), options=DisplayOptions(arrangement="exclusive"), environment=os.environ
    )
    async with kwin.create(Mode(640, 360, 60000), "a client"):
        print("made", flush=True)
        await trio.sleep_forever()

trio.run(hold)
"""


def test_other_displays_are_on_again_after_a_crash(let_in, tmp_path):
    before = outputs(let_in)
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    environment = {**os.environ, **let_in.environment}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "made\n"
        assert not outputs(let_in)["Virtual-0"][2]
        holder.kill()
    print("after the crash:", outputs(let_in))
    print(trio.run(reclaim, Journal(tmp_path)))
    wait_for(lambda: outputs(let_in) == before, "all is as before", SLOW_S)
    assert Journal(tmp_path).entries() == ([], [])


@pytest.fixture(scope="module")
def host(let_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    list_apps(folder, Painter=[sys.executable, str(PAINTER)], Events=["stdbuf", "-oL", "wev"])
    with Host(folder, display="kwin", LC_ALL="C.UTF-8", **COMPILED, **let_in.environment) as running:
        yield running


@pytest.fixture
def client(host, tmp_path):
    with paired(tmp_path, host), Client(tmp_path / "client", host) as running:
        yield running


def test_stock_client_sees_a_programs_picture(let_in, host, client):
    before = outputs(let_in)
    client.stream(app_number(client, "Painter"), width=640, height=360, fps=30)
    (name,) = set(outputs(let_in)) - set(before)
    print("output:", name, outputs(let_in)[name])
    numbers = barcodes(client, at_least=10)
    print("barcodes:", numbers)
    assert len(numbers) >= 10
    assert {(frame["width"], frame["height"]) for frame in client("report")["frames"]} == {(640, 360)}
    client("save", path="/work/shots/kwin-painter.png")
    client("stop")
    client("quit")
    wait_for(lambda: outputs(let_in) == before, "the output is gone", SLOW_S)


def test_stock_clients_input_reaches_a_program(let_in, host, client):
    before = outputs(let_in)
    heard = len(said(host))
    client.stream(app_number(client, "Events"), width=640, height=360, fps=30)
    wait_to_hear(host, "wl_pointer] enter", since=heard, seconds=SLOW_S)
    still = ["sleep", 0.5]
    client.calls(
        ["LiSendMousePositionEvent", 300, 150, 640, 360], still,
        ["LiSendMousePositionEvent", 640, 360, 1280, 720], still,
        ["LiSendMouseMoveEvent", 5, -3], still,
        ["LiSendMouseButtonEvent", PRESS, 1], ["LiSendMouseButtonEvent", RELEASE, 1], still,
        ["LiSendHighResScrollEvent", 120], still,
        *keys(VK_A), still,
        ["LiSendUtf8TextEvent", "B", 1], still,
        ["LiSendTouchEvent", 1, 7, 0.5, 0.5, 0.5, 0.01, 0.01, 0xFFFF],
        ["LiSendTouchEvent", 2, 7, 0.5, 0.5, 0.5, 0.01, 0.01, 0xFFFF], still,
        ["LiSendMouseButtonEvent", PRESS, 3],
    )  # fmt: skip
    wait_to_hear(host, "button: 273 (right), state: 1", since=heard, seconds=SLOW_S)
    client("save", path="/work/shots/kwin-wev.png")
    client("stop")
    wait_to_hear(host, "button: 273 (right), state: 0", since=heard, seconds=SLOW_S)
    text = "\n".join(said(host)[heard:])
    print(text)
    places = [(float(x), float(y)) for x, y in re.findall(r"motion:.* x, y: ([-\d.]+), ([-\d.]+)", text)]
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(places)]
    assert (20.0, 30.0) in steps
    assert (5.0, -3.0) in steps
    assert re.findall(r"button:.* button: (\d+).* state: (\d)", text)[:2] == [("272", "1"), ("272", "0")]
    assert re.search(r"axis:.* value: -15\.0", text)
    assert re.findall(r"utf8: '([aB])'", text)[:2] == ["a", "a"]
    assert "utf8: 'B'" in text
    assert re.findall(r"wl_touch\] (down|up)", text) == ["down", "up"]
    client("quit")
    wait_for(lambda: outputs(let_in) == before, "the output is gone", SLOW_S)


def test_killed_host_leaves_no_output(let_in, host, client):
    before = outputs(let_in)
    client.stream(app_number(client, "Painter"), width=640, height=360, fps=30)
    assert outputs(let_in) != before
    host.stop(9)
    wait_for(lambda: outputs(let_in) == before, "KWin takes the output away", SLOW_S)


def test_launcher_is_removed_again(let_in, tmp_path):
    punktfunk("plasma", "remove")
    assert punktfunk("plasma", "status", check=False).returncode == 1
