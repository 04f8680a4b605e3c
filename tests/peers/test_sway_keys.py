"""Keys of every keyboard, keys by place, and a scaled output, as a real client in a real sway sees them."""

import itertools
import re
from contextlib import asynccontextmanager

import pytest
import trio
from sway_session import SWAYS, bar_is_there, needs_sway, program

from punktfunk.control.displays.base import DisplayOptions
from punktfunk.control.displays.spawned import SpawnedSway
from punktfunk.control.input.session import InputMeans, open_session_input
from punktfunk.control.system.journal import Journal
from punktfunk.plan import Mode
from punktfunk.wire.input import Key, MouseMove, MouseMoveAbsolute, Text

pytestmark = [pytest.mark.peer, pytest.mark.trio, *needs_sway]

MODE = Mode(1280, 720, 60_000)
ISO = {0xE2: 86}
ABNT2 = {0xC1: 89, 0xC2: 121}
JIS = {0xE1: 124, 0x1C: 92, 0x1D: 94, 0xF5: 93, 0xF3: 85, 0xF1: 90, 0xF2: 91}
KOREAN = {0x15: 122, 0x19: 123}
EXTRA = ISO | ABNT2 | JIS | KOREAN
XKB_OFFSET = 8
VK_Z, VK_Q = 0x5A, 0x51


class Heard:
    """What wev says of the input that it gets."""

    def __init__(self, process):
        self._process = process
        self.lines = []

    async def until(self, text):
        with trio.fail_after(30):
            while not any(text in line for line in self.lines):
                line = await trio.to_thread.run_sync(self._process.stdout.readline, abandon_on_cancel=True)
                self.lines.append(line.decode(errors="replace"))

    def of(self, interface):
        return "".join(line for line in self.lines if f"{interface}]" in line)

    def keys(self, state):
        pattern = rf"wl_keyboard\] key:.* key: (\d+); state: {state}"
        return [int(found[1]) - XKB_OFFSET for line in self.lines if (found := re.search(pattern, line))]

    def steps(self):
        found = [re.search(r"\] motion: .*x, y: ([-\d.]+), ([-\d.]+)", line) for line in self.lines]
        places = [(float(match[1]), float(match[2])) for match in found if match]
        return {(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(places)}


@asynccontextmanager
async def listening(tmp_path, command, scale=1.0, keyboard="layout"):
    options = DisplayOptions(scale=scale)
    async with SpawnedSway(Journal(tmp_path), command, options=options).create(MODE, "client") as output:
        await bar_is_there(output)
        with program(output, "stdbuf", "-oL", "wev") as wev:
            heard = Heard(wev)
            await heard.until("xdg_surface")
            means = InputMeans(keyboard=keyboard)
            async with open_session_input(output, means, "client", lambda *_: None) as joined:
                await heard.until("wl_keyboard] enter")
                # The window has the keyboard at once, the pointer only when sway has put it in its place.
                await heard.until("wl_pointer] enter")
                yield joined, heard


def tap(joined, code, **how):
    joined.inject(Key(code, pressed=True, **how))
    joined.inject(Key(code, pressed=False, **how))


@pytest.mark.parametrize("command", SWAYS)
async def test_extra_keys_a_scaled_output_and_text(tmp_path, command, monkeypatch):
    monkeypatch.setenv("XKB_DEFAULT_LAYOUT", "jp")
    async with listening(tmp_path, command, scale=2.0) as (joined, heard):
        for code in EXTRA:
            tap(joined, code)
        for event in (
            MouseMoveAbsolute(100, 200, 1280, 720),
            MouseMoveAbsolute(640, 360, 1280, 720),
            MouseMove(5, -3),
        ):
            joined.inject(event)
        joined.inject(Text("ñ€語🎮"))
        tap(joined, VK_Q)
        await heard.until(f"key: {16 + XKB_OFFSET}; state: 0")
    assert [code for code in heard.keys(1) if code in EXTRA.values()][: len(EXTRA)] == list(EXTRA.values())
    # The window counts logical units, of which the output has half as many as pixels.
    assert {(270.0, 80.0), (5.0, -3.0)} <= heard.steps(), heard.of("wl_pointer")
    typed = "".join(re.findall(r"utf8: '(.+?)'", "".join(heard.lines)))
    assert "ñ€語🎮q" in typed
    assert sorted(heard.keys(1)) == sorted(heard.keys(0)), "everything pressed was released"


@pytest.mark.parametrize(("keyboard", "code"), [("layout", 21), ("scancode", 44)])
async def test_a_key_is_a_character_or_a_place(tmp_path, keyboard, code, monkeypatch):
    monkeypatch.setenv("XKB_DEFAULT_LAYOUT", "de")
    async with listening(tmp_path, ["sway"], keyboard=keyboard) as (joined, heard):
        tap(joined, VK_Z, normalised=False)
        tap(joined, VK_Q)
        await heard.until("utf8: 'q'")
    assert heard.keys(1) == [code, 16]
