"""A real sway, a real client that draws, a real client that reports its input. Runs as an ordinary user."""

import itertools
import time

import pytest
import trio
from pywayland.protocol.ext_idle_notify_v1 import ExtIdleNotifierV1
from pywayland.protocol.wayland import WlSeat
from sway_session import (
    SWAYS,
    Viewer,
    assert_nothing_left,
    bar_is_there,
    flood,
    most_common,
    needs_sway,
    program,
    save,
)

from punktfunk.control.displays.attached import AttachedSway
from punktfunk.control.displays.choice import choose_backend
from punktfunk.control.displays.reclaim import reclaim
from punktfunk.control.displays.spawned import SpawnedSway
from punktfunk.control.displays.sway_ipc import connect_sway
from punktfunk.control.displays.wayland import open_wayland
from punktfunk.control.input.base import open_injector
from punktfunk.control.system.inhibit import inhibited, locked_screen
from punktfunk.control.system.journal import Journal
from punktfunk.plan import Mode
from punktfunk.wire.input import (
    ContactEvent,
    Key,
    Modifiers,
    MouseButton,
    MouseClick,
    MouseMove,
    MouseMoveAbsolute,
    Text,
    Touch,
    Wheel,
)

pytestmark = [
    pytest.mark.peer,
    pytest.mark.trio,
    pytest.mark.usefixtures("own_temporary_folder"),
    *needs_sway,
]

MODE = Mode(1280, 720, 60000)
MODES = [
    Mode(1280, 720, 60000),
    Mode(1279, 721, 59940),
    Mode(1920, 1080, 120000),
    Mode(1290, 2796, 60000),
]


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path)


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("command", SWAYS)
async def test_spawned_output_has_exactly_the_mode_and_shows_what_a_client_draws(journal, command, mode):
    async with SpawnedSway(journal, command).create(mode, "client") as output:
        assert output.mode == mode
        with program(output, *flood(0x00C040)), Viewer(output.source) as viewer:
            pixels = await trio.to_thread.run_sync(viewer.until, lambda seen: most_common(seen) == 0x00C040)
            assert pixels.shape == (mode.height_px, mode.width_px)
            save(pixels, f"spawned-{mode}")
        token = output.environment["PUNKTFUNK_DISPLAY"]
    assert_nothing_left(journal, token)


async def test_a_still_screen_gives_no_pictures_and_a_busy_one_keeps_the_rate(journal):
    async with SpawnedSway(journal).create(MODE, "client") as output:
        with Viewer(output.source) as viewer, program(output, *flood(0x112233)):
            await trio.to_thread.run_sync(viewer.until, lambda seen: most_common(seen) == 0x112233)
            still = await trio.to_thread.run_sync(viewer.picture, 0.7)
            still = still if still is None else await trio.to_thread.run_sync(viewer.picture, 0.7)
            assert still is None
            drawing = "while :; do date +%N; sleep 0.005; done"
            with program(output, "foot", "--fullscreen", "sh", "-c", drawing):
                await trio.to_thread.run_sync(viewer.until, lambda seen: most_common(seen) != 0x112233)
                started = time.monotonic()
                for _ in range(60):
                    assert await trio.to_thread.run_sync(viewer.picture) is not None
                assert time.monotonic() - started < 3.0  # 60 a second, and room for a busy machine


async def test_changing_the_mode_keeps_programs_and_capture(journal):
    backend = SpawnedSway(journal)
    async with backend.create(MODE, "client") as output:
        with program(output, *flood(0x400080)), Viewer(output.source) as viewer:
            await trio.to_thread.run_sync(viewer.until, lambda seen: most_common(seen) == 0x400080)
            changed = await backend.change_mode(output, Mode(801, 1200, 30000))
            assert changed.source.mode == changed.mode == Mode(801, 1200, 30000)
            await trio.to_thread.run_sync(
                viewer.until, lambda seen: seen.shape == (1200, 801) and most_common(seen) == 0x400080
            )


def press(code, **fields):
    return [Key(code, pressed=True, **fields), Key(code, pressed=False, **fields)]


def click(button):
    return [MouseClick(button, pressed=True), MouseClick(button, pressed=False)]


EVENTS = [
    MouseMoveAbsolute(100, 200, 1280, 720),
    MouseMoveAbsolute(320, 180, 640, 360),
    MouseMove(5, -3),
    *click(MouseButton.LEFT),
    *click(MouseButton.MIDDLE),
    *click(MouseButton.RIGHT),
    *click(MouseButton.X1),
    *click(MouseButton.X2),
    Wheel(vertical=120),
    Wheel(vertical=-30),
    Wheel(horizontal=240),
    *press(0x8041),
    Key(0xA0, pressed=True),
    *press(0x41),
    Key(0xA0, pressed=False),
    *press(0x42, modifiers=Modifiers.CTRL),
    *press(0x67),
    *press(0xAF),
    *press(0xE2),
    Text("é€日😀"),
    Touch(ContactEvent.DOWN, 1, 0.5, 0.5, 1.0, 0.0, 0.0, None),
    Key(0x51, pressed=True),  # still held when the session ends
    MouseClick(MouseButton.LEFT, pressed=True),
]
SEEN = [
    "button: 272 (left), state: 1 (pressed)",
    "button: 274 (middle), state: 1 (pressed)",
    "button: 273 (right), state: 1 (pressed)",
    "button: 275 (side), state: 1 (pressed)",
    "button: 276 (extra), state: 1 (pressed)",
    "axis: 0 (vertical), value: -15.000000",
    "axis: 0 (vertical), value: 3.750000",
    "axis: 1 (horizontal), value: 30.000000",
    "utf8: 'a'",
    "utf8: 'A'",
    "sym: Control_L",
    "sym: KP_7         (65463), utf8: '7'",
    "sym: XF86AudioRaiseVolume",
    "sym: less         (60), utf8: '<'",
    "utf8: 'é'",
    "utf8: '€'",
    "utf8: '日'",
    "utf8: '😀'",
    "utf8: 'q'",
]


async def collect(process, lines, enough):
    """Read lines of a program until there are enough."""
    with trio.fail_after(20):
        while not enough():
            line = await trio.to_thread.run_sync(process.stdout.readline, abandon_on_cancel=True)
            lines.append(line.decode(errors="replace"))


@pytest.mark.parametrize("command", SWAYS)
async def test_a_client_receives_every_kind_of_input(journal, command):
    async with SpawnedSway(journal, command).create(MODE, "client") as output:
        await bar_is_there(output)
        with program(output, "stdbuf", "-oL", "wev") as wev:
            lines: list[str] = []
            await collect(wev, lines, lambda: any("xdg_surface" in line for line in lines))
            async with open_injector(output) as injector:
                await collect(wev, lines, lambda: any("wl_keyboard] enter" in line for line in lines))
                # The window has the keyboard at once, the pointer only when sway has put it in its place.
                await collect(wev, lines, lambda: any("wl_pointer] enter" in line for line in lines))
                for event in EVENTS:
                    injector.inject(event)
                await collect(wev, lines, lambda: any("utf8: 'q'" in line for line in lines))
                assert injector.unsupported == {"Touch": 1}
                assert not injector.dropped
            released = "key: 24; state: 0 (released)"
            await collect(wev, lines, lambda: any(released in line for line in lines))
            await collect(wev, lines, lambda: "left), state: 0" in "".join(lines[-12:]))
    text = "".join(lines)
    assert [what for what in SEEN if what not in text] == []
    motions = [line.split("x, y: ")[1].split() for line in lines if "] motion: " in line]
    places = [(float(x.rstrip(",")), float(y)) for x, y in motions]
    # Places are relative to the window, so only the differences are known: both planes, then 5 right, 3 up.
    steps = {(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(places)}
    assert {(540.0, 160.0), (5.0, -3.0)} <= steps


@pytest.mark.parametrize("command", SWAYS)
async def test_attached_output_comes_and_goes(journal, tmp_path, command):
    session = Journal(tmp_path / "session")
    async with SpawnedSway(session, command).create(MODE, "the user's own session") as own:
        backend = AttachedSway(journal, own.ipc_socket_path)
        found = await backend.probe()
        mode = Mode(1001, 777, 59940)
        names = []
        for colour in (0x803000, 0x003080):
            async with backend.create(mode, "client") as output:
                names.append(output.name)
                assert output.mode == mode
                assert output.name != own.name
                with program(output, *flood(colour)), Viewer(output.source) as viewer:
                    pixels = await trio.to_thread.run_sync(
                        viewer.until, lambda seen, wanted=colour: most_common(seen) == wanted
                    )
                    assert pixels.shape == (777, 1001)
                    save(pixels, f"attached-{colour:06x}")
            async with connect_sway(own.ipc_socket_path) as ipc:
                states = await ipc.outputs()
                after = {state.name: state.active for state in states}
                assert [state.name for state in states if state.focused] == [own.name]
            assert after[own.name] is True
            if found.removes_outputs:
                assert set(after) == {own.name}
                assert output.notes == ()
                assert journal.entries() == ([], [])
            else:
                # Its wlroots cannot even disable a headless output.
                (aside,) = [state for state in states if state.name == output.name]
                assert not aside.active or aside.mode == Mode(64, 64, 1000)
                assert "cannot remove an output" in output.notes[0]
        if not found.removes_outputs:
            assert names[0] == names[1]  # the parked output was used again
    assert (await reclaim(journal), journal.entries()) == ([], ([], []))


async def test_two_outputs_at_once_get_names_of_their_own(journal, tmp_path):
    async with SpawnedSway(Journal(tmp_path / "session")).create(MODE, "own") as own:
        names: list[str] = []

        async def attach():
            async with AttachedSway(journal, own.ipc_socket_path).create(MODE, "client") as output:
                names.append(output.name)
                with trio.fail_after(20):
                    while len(names) < 3:  # noqa: ASYNC110 - three tasks meet here
                        await trio.sleep(0.01)

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(attach)
        assert len({*names, own.name}) == 4


async def test_auto_attaches_to_a_running_session_and_spawns_otherwise(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("SWAYSOCK", raising=False)
    backend, reason = await choose_backend("auto", tmp_path)
    assert backend.name == "sway"
    assert reason.startswith("no desktop of this user runs (sway, ")
    assert reason.endswith("sway is started for each stream")
    async with backend.create(MODE, "own") as own:
        monkeypatch.setenv("SWAYSOCK", own.ipc_socket_path)
        backend, reason = await choose_backend("auto", tmp_path)
        assert backend.name == "attach"
        assert own.ipc_socket_path in reason


@pytest.mark.parametrize("command", SWAYS[1:])
async def test_idle_is_inhibited_while_streaming(journal, command):
    async with SpawnedSway(journal, command).create(MODE, "client") as output:
        assert await locked_screen(output) == ""
        async with open_wayland(output.source.socket_path) as connection:
            idled: list[int] = []

            def on_idled(_notification):
                idled.append(1)

            notifier, seat = connection.bind(ExtIdleNotifierV1), connection.bind(WlSeat)
            async with inhibited(output) as inhibition:
                assert "compositor" in inhibition.held
                notification = notifier.get_idle_notification(150, seat)
                notification.dispatcher["idled"] = on_idled
                connection.flush()
                await trio.sleep(0.6)
                assert idled == []
            with trio.fail_after(5):
                while not idled:  # noqa: ASYNC110 - an event of the compositor
                    await trio.sleep(0.02)
