"""The injector for KWin against the protocol double: what arrives is what was meant, and nothing stays held."""

import sys
from pathlib import Path

import pytest
import trio

sys.path.append(str(Path(__file__).resolve().parents[1] / "displays"))

from kwin_world import running_kwin

from punktfunk.control.input.base import open_injector
from punktfunk.control.input.kwin import open_kwin_injector
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode
from punktfunk.wire.input import (
    ContactEvent,
    Key,
    MouseButton,
    MouseClick,
    MouseMove,
    MouseMoveAbsolute,
    PadBattery,
    Pen,
    PenTool,
    Text,
    Touch,
    Wheel,
)

pytestmark = pytest.mark.trio
SHIFT, VK_A, VK_SHIFT = 42, 0x41, 0xA0


@pytest.fixture(params=[5, 6], ids=["version 5", "version 6"])
def kwin(request, tmp_path):
    with running_kwin(tmp_path, fake_input=request.param) as kwin:
        kwin.fake_input = request.param
        yield kwin


def touch(event, number, x, y):
    return Touch(event, number, x, y, 0.5, 0.1, 0.1, None)


async def played(kwin, *events, scale=1.0):
    """Inject events on an output of 1280x720 right of a monitor; return what KWin heard, and the injector."""
    async with kwin.backend(scale=scale).create(Mode(1280, 720, 60000), "x") as output:
        async with open_injector(output) as injector:
            kwin.state()
            kwin.tell("forget")
            for event in events:
                injector.inject(event)
        return kwin.state()["input"], injector


async def test_pointer_is_on_the_clients_output_whatever_its_scale(kwin):
    heard, injector = await played(
        kwin,
        MouseMoveAbsolute(0, 0, 1280, 720),
        MouseMoveAbsolute(640, 360, 1280, 720),
        MouseMoveAbsolute(9999, 720, 1280, 720),
        MouseMove(5, -3),
        scale=2.0,
    )
    assert heard == [
        ["pointer_motion_absolute", 1920.0, 0.0],
        ["pointer_motion_absolute", 2240.0, 180.0],
        ["pointer_motion_absolute", 2559.0, 359.0],
        ["pointer_motion", 5.0, -3.0],
    ]
    assert injector.injected == {"MouseMoveAbsolute": 3, "MouseMove": 1}


async def test_buttons_and_wheel(kwin):
    heard, _ = await played(
        kwin,
        MouseClick(MouseButton.LEFT, pressed=True),
        MouseClick(MouseButton.LEFT, pressed=True),
        MouseClick(MouseButton.LEFT, pressed=False),
        Wheel(vertical=120),
        Wheel(vertical=-30, horizontal=120),
    )
    assert heard == [
        ["button", 0x110, 1],
        ["button", 0x110, 0],
        ["axis", 0, -15.0],
        ["axis", 0, 3.75],
        ["axis", 1, 15.0],
    ]


async def test_everything_held_is_released_at_the_end(kwin):
    heard, _ = await played(
        kwin,
        Key(VK_SHIFT, pressed=True),
        Key(VK_A, pressed=True),
        MouseClick(MouseButton.RIGHT, pressed=True),
        touch(ContactEvent.DOWN, 7, 0.5, 0.5),
    )
    assert heard[:3] == [["keyboard_key", SHIFT, 1], ["keyboard_key", 30, 1], ["button", 0x111, 1]]
    released = heard[5:]
    assert ["keyboard_key", SHIFT, 0] in released
    assert ["keyboard_key", 30, 0] in released
    assert ["button", 0x111, 0] in released
    assert ["touch_cancel"] in released


async def test_text_by_keys_and_beyond_them_by_meaning(kwin):
    heard, _ = await played(kwin, Text("aB語"))
    assert heard[:6] == [
        ["keyboard_key", 30, 1],
        ["keyboard_key", 30, 0],
        ["keyboard_key", SHIFT, 1],
        ["keyboard_key", 48, 1],
        ["keyboard_key", 48, 0],
        ["keyboard_key", SHIFT, 0],
    ]
    if kwin.fake_input >= 6:
        assert heard[6:] == [["keyboard_keysym", 0x1008A9E, 1], ["keyboard_keysym", 0x1008A9E, 0]]
    else:  # Ctrl+Shift+U and the number
        assert heard[6:8] == [["keyboard_key", 29, 1], ["keyboard_key", SHIFT, 1]]


async def test_fingers(kwin):
    heard, injector = await played(
        kwin,
        touch(ContactEvent.DOWN, 70, 0.5, 0.5),
        touch(ContactEvent.DOWN, 71, 0.0, 0.0),
        touch(ContactEvent.MOVE, 70, 0.25, 0.5),
        touch(ContactEvent.UP, 70, 0.25, 0.5),
        touch(ContactEvent.UP, 70, 0.25, 0.5),
        touch(ContactEvent.HOVER, 71, 0.25, 0.5),
        touch(ContactEvent.CANCEL_ALL, 71, 0.0, 0.0),
    )
    assert [what for what in heard if what != ["touch_frame"]] == [
        ["touch_down", 0, 2560.0, 360.0],
        ["touch_down", 1, 1920.0, 0.0],
        ["touch_motion", 0, 2240.0, 360.0],
        ["touch_up", 0],
        ["touch_cancel"],
    ]
    assert injector.unsupported == {"Touch": 2}


async def test_what_kwin_takes_not_is_counted(kwin):
    pen = Pen(ContactEvent.DOWN, PenTool.PEN, 0, 0.5, 0.5, 0.5, 0.1, 0.1, None, None)
    heard, injector = await played(kwin, pen, PadBattery(0, None, None), Key(0xFF, pressed=True))
    assert heard == []
    assert injector.unsupported == {"Pen": 1, "PadBattery": 1, "Key": 1}


async def test_pointer_follows_an_output_that_changes(tmp_path):
    with running_kwin(tmp_path) as kwin:
        backend = kwin.backend()
        async with backend.create(Mode(1280, 720, 60000), "x") as output, open_injector(output) as injector:
            await backend.change_mode(output, Mode(640, 360, 60000))
            with trio.fail_after(5):
                while not kwin.state()["input"] or kwin.state()["input"][-1][1:] != [1920 + 320, 180]:
                    injector.inject(MouseMoveAbsolute(1, 1, 2, 2))
                    await trio.sleep(0.01)


async def test_compositor_that_is_gone_takes_nothing_and_disturbs_nobody(tmp_path):
    with running_kwin(tmp_path) as kwin:
        backend = kwin.backend()
        async with backend.create(Mode(1280, 720, 60000), "x") as output, open_injector(output) as injector:
            kwin.end()
            with trio.fail_after(5):
                while not injector.dropped:
                    injector.inject(MouseMove(1, 1))
                    await trio.sleep(0.01)
            injector.release_all()


async def test_kwin_that_lets_nobody_in_is_told(tmp_path):
    with (
        running_kwin(tmp_path, screencast=0) as kwin,
        pytest.raises(EnvironmentProblem, match="nor send input"),
    ):
        async with open_kwin_injector(kwin.path, "DP-1", kwin.environment):
            pass
