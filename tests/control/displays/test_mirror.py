"""Monitors that are there: which is shown, by whom, and what a stream makes of it."""

from contextlib import asynccontextmanager

import pytest
from kwin_world import running_kwin

from punktfunk.control.displays.base import DisplayOptions
from punktfunk.control.displays.mirror.backend import Mirror
from punktfunk.control.displays.mirror.gnome import list_screens
from punktfunk.control.displays.mirror.screens import Screen, Shown, choose_screen, describe
from punktfunk.control.displays.mutter.monitors import CAST_PRODUCT, Logical, Monitor, MonitorMode, State
from punktfunk.control.input.base import CountingInjector
from punktfunk.control.system.journal import Journal
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import CursorMode, Mode, PipeWireSource, WaylandSource
from punktfunk.wire.input import Key, MouseMoveAbsolute, Pen, Touch

DP_1 = Screen("DP-1", Mode(2560, 1440, 59_950))


def test_the_named_monitor_or_the_first():
    other = Screen("HDMI-A-1", Mode(1920, 1080, 60_000))
    assert choose_screen([DP_1, other], "") is DP_1
    assert choose_screen([DP_1, other], "HDMI-A-1") is other
    with pytest.raises(EnvironmentProblem, match="no monitor is called DP-9") as refused:
        choose_screen([DP_1, other], "DP-9")
    assert refused.value.hint == "Set display_monitor to one of: DP-1, HDMI-A-1."
    with pytest.raises(EnvironmentProblem, match="no monitor is on"):
        choose_screen([], "")


class Recording(CountingInjector):
    """Keeps what arrives."""

    handles = frozenset({MouseMoveAbsolute, Touch})

    def __init__(self):
        super().__init__()
        self.events = []

    def inject(self, event):
        self.events.append(event)


@pytest.mark.trio
async def test_input_goes_where_the_client_sees_it():
    hand = Recording()

    @asynccontextmanager
    async def open_input():
        yield hand

    shown = Shown(DP_1, lambda mode: WaylandSource("/run/w", "DP-1", mode), open_input, {})
    output = describe("mirror", shown, Mode(1000, 1000, 120_000))
    assert output.mode == output.source.mode == Mode(1000, 1000, 59_950)
    assert output.notes == (
        "monitor DP-1 is shown as it is, its 2560x1440 scaled to 1000x1000",
        "monitor DP-1 gives 59.95 Hz, not the 120 Hz that were asked for",
    )
    # 16:9 in a square: 562.5 rows, with bars of 218.75 above and below.
    async with output.open_input() as injector:
        assert injector.handles == hand.handles
        for event in (
            MouseMoveAbsolute(500, 500, 1000, 1000),
            MouseMoveAbsolute(250, 218, 1000, 1000),
            Touch(0, 1, 0.5, 0.78125, 1, 0, 0, None),
            Key(0x41, pressed=True),
        ):
            injector.inject(event)
        injector.release_all()
    middle, corner, finger, key = hand.events
    assert (middle.x / middle.width, middle.y / middle.height) == (0.5, 0.5)
    assert (corner.x / corner.width, corner.y) == (0.25, 0)
    assert (finger.x, finger.y) == (0.5, 1.0)
    assert key == Key(0x41, pressed=True)
    assert Pen not in injector.handles


def test_monitors_of_gnome_upright_and_real_ones_first():
    def monitor(name, product, *, on=True):
        return Monitor(name, "v", product, "s", (MonitorMode("m", 1920, 1080, 59.96, 1.0, (1.0,), on),))

    monitors = (monitor("Meta-0", CAST_PRODUCT), monitor("DP-1", "DEL"), monitor("DP-2", "DEL", on=False))
    logicals = (
        Logical(0, 0, 1.0, 0, primary=False, shown_by=(("Meta-0", "m"),)),
        Logical(1920, 0, 1.0, 1, primary=True, shown_by=(("DP-1", "m"),)),
    )
    found = list_screens(State(1, monitors, logicals, physical_layout=False))
    assert found == [
        Screen("DP-1", Mode(1080, 1920, 59_960)),
        Screen("Meta-0", Mode(1920, 1080, 59_960)),
    ]


@pytest.mark.trio
async def test_a_monitor_of_plasma(tmp_path):
    with running_kwin(tmp_path) as kwin:
        options = DisplayOptions(cursor=CursorMode.HIDDEN)
        mirror = Mirror(Journal(tmp_path / "pf"), options=options, environment=kwin.environment)
        found = await mirror.probe()
        assert "of KWin" in found.reason
        async with mirror.create(Mode(1280, 720, 60_000), "client") as output:
            assert isinstance(output.source, PipeWireSource)
            assert output.source.cursor is CursorMode.HIDDEN
            assert len(kwin.state()["streams"]) == 1
            async with output.open_input() as injector:
                injector.inject(MouseMoveAbsolute(640, 360, 1280, 720))
        assert kwin.state()["streams"] == []


@pytest.mark.trio
async def test_without_a_desktop_the_reason_names_each_way(tmp_path):
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    found = await Mirror(Journal(tmp_path), environment=environment).probe()
    assert not found.available
    assert found.reason.startswith("no monitor can be mirrored: no Wayland desktop of this user runs; ")
    assert 'display = "portal"' in found.hint
