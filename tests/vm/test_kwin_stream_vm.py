"""A stock client streams from a real KWin, in the virtual machine.

Host, compositor, programs and client share two emulated processors.
"""

import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from harness import Host, paired
from launching import list_apps, said, wait_for, wait_to_hear
from plasma_session import outputs, plasma_session, punktfunk
from vm_pictures import COMPILED, SLOW_S, barcodes, streaming

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

PRESS, RELEASE = 7, 8
DOWN, UP = 3, 4
VK_A = 0x41
MODE = {"width": 640, "height": 360, "fps": 15}
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


@pytest.fixture(scope="module")
def host(let_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    painter = [sys.executable, str(PAINTER), "--pause", "0.5"]
    list_apps(folder, Painter=painter, Events=["stdbuf", "-oL", "wev"])
    with Host(folder, display="kwin", LC_ALL="C.UTF-8", **COMPILED, **let_in.environment) as running:
        yield running


@pytest.fixture(scope="module")
def folder(host, tmp_path_factory):
    folder = tmp_path_factory.mktemp("paired")
    with paired(folder, host):
        pass
    return folder


def test_stock_client_sees_a_programs_picture(let_in, host, folder):
    before = outputs(let_in)
    with streaming(folder, host, "Painter", **MODE) as client:
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


def test_stock_clients_input_reaches_a_program(let_in, host, folder):
    before = outputs(let_in)
    heard = len(said(host))
    with streaming(folder, host, "Events", **MODE) as client:
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
        # A wev that has seen the seat's pointer come and go tells each event once for each that it had.
        buttons = dict.fromkeys(re.findall(r"button: serial: (\d+);.* button: (\d+).* state: (\d)", text))
        assert [what for _, *what in buttons][:2] == [["272", "1"], ["272", "0"]]
        assert re.search(r"axis:.* value: -15\.0", text)
        assert re.findall(r"utf8: '([aB])'", text)[:2] == ["a", "a"]
        assert "utf8: 'B'" in text
        assert list(dict.fromkeys(re.findall(r"wl_touch\] (down|up)", text))) == ["down", "up"]
        client("quit")
        wait_for(lambda: outputs(let_in) == before, "the output is gone", SLOW_S)


def test_killed_host_leaves_no_output(let_in, host, folder):
    before = outputs(let_in)
    with streaming(folder, host, "Painter", **MODE):
        assert outputs(let_in) != before
        host.stop(9)
        wait_for(lambda: outputs(let_in) == before, "KWin takes the output away", SLOW_S)
