"""A real KWin, in the virtual machine, without a network: what capture sees of a program, what the program hears."""

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import trio
from plasma_session import plasma_session
from sway_session import Viewer, save

from punktfunk.control.displays.kwin.backend import KWinDisplays
from punktfunk.control.input.base import open_injector
from punktfunk.control.system.journal import Journal
from punktfunk.plan import Mode
from punktfunk.realtime.capture import barcode
from punktfunk.wire.input import (
    ContactEvent,
    Key,
    MouseButton,
    MouseClick,
    MouseMove,
    MouseMoveAbsolute,
    Text,
    Touch,
    Wheel,
)

pytestmark = [pytest.mark.vm, pytest.mark.trio, pytest.mark.timeout(900)]
MODE = Mode(640, 360, 60000)
PAINTER = Path(__file__).resolve().parents[1] / "peers" / "painter.py"
SLOW_S = 120


@pytest.fixture(scope="module")
def session():
    subprocess.run([sys.executable, "-m", "punktfunk", "plasma", "install"], check=True, timeout=300)
    with plasma_session() as running:
        yield running


@contextmanager
def program(output, log, *command):
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env={**os.environ, **output.environment}, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def numbers_seen(source, count):
    """Barcodes of so many different pictures, and the last picture."""
    seen, last = [], None
    deadline = time.monotonic() + SLOW_S
    with Viewer(source) as viewer:
        while len(set(seen)) < count and time.monotonic() < deadline:
            pixels = viewer.picture(5)
            if pixels is None:
                continue
            last = pixels
            stamp = barcode.read((pixels & 0xFF).astype(np.uint8))
            if stamp is not None:
                seen.append(stamp.frame_number)
    return seen, last


async def test_capture_sees_every_line_of_a_program(session, tmp_path):
    kwin = KWinDisplays(Journal(tmp_path), environment=session.environment)
    async with kwin.create(MODE, "a client") as output:
        print(output.name, output.mode, output.source)
        with program(output, tmp_path / "painter.log", sys.executable, str(PAINTER)):
            seen, last = await trio.to_thread.run_sync(numbers_seen, output.source, 5)
        print("barcodes:", seen, (tmp_path / "painter.log").read_text())
        assert last is not None
        save(last, "kwin-direct")
        assert last.shape == (360, 640)
        assert len(set(seen)) >= 5
        assert seen == sorted(seen)


async def until(log, text):
    with trio.fail_after(SLOW_S):
        while text not in log.read_text(errors="replace"):  # noqa: ASYNC110 - another program writes it
            await trio.sleep(0.2)


async def test_program_hears_what_is_played(session, tmp_path):
    kwin = KWinDisplays(Journal(tmp_path), environment=session.environment)
    log = tmp_path / "wev.log"
    async with kwin.create(MODE, "a client") as output, open_injector(output) as injector:
        with program(output, log, "stdbuf", "-oL", "wev"):
            await until(log, "wl_keyboard] enter")
            for event in (
                MouseMoveAbsolute(300, 150, 640, 360),
                MouseMoveAbsolute(640, 360, 1280, 720),
                MouseMove(5, -3),
                MouseClick(MouseButton.LEFT, pressed=True),
                MouseClick(MouseButton.LEFT, pressed=False),
                Wheel(vertical=120),
                Key(0x41, pressed=True),
                Key(0x41, pressed=False),
                Text("B語"),
                Touch(ContactEvent.DOWN, 7, 0.5, 0.5, 0.5, 0.1, 0.1, None),
                Touch(ContactEvent.UP, 7, 0.5, 0.5, 0.5, 0.1, 0.1, None),
                MouseClick(MouseButton.RIGHT, pressed=True),
            ):
                injector.inject(event)
                await trio.sleep(0.5)
            await until(log, "button: 273 (right), state: 1")
            injector.release_all()
            await until(log, "button: 273 (right), state: 0")
    text = log.read_text(errors="replace")
    print(text[-6000:])
    places = [(float(x), float(y)) for x, y in re.findall(r"motion:.* x, y: ([-\d.]+), ([-\d.]+)", text)]
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(places)]
    assert (20.0, 30.0) in steps
    assert (5.0, -3.0) in steps
    assert re.findall(r"button:.* button: (\d+).* state: (\d)", text)[:2] == [("272", "1"), ("272", "0")]
    assert re.search(r"axis:.* value: -15\.0", text)
    assert "utf8: 'a'" in text
    assert "utf8: 'B'" in text
    assert "utf8: '語'" in text
    assert re.findall(r"wl_touch\] (down|up)", text) == ["down", "up"]
