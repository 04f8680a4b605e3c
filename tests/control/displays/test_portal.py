"""The portal's screens on a private bus, with a stand-in for the portal and for who clicks in its dialog."""

import contextlib
import os
import shutil
import stat
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from portal_double import PortalDouble

from punktfunk.control.displays.base import DisplayOptions, Region
from punktfunk.control.displays.portal import session as portal_session
from punktfunk.control.displays.portal.backend import PortalDesktop
from punktfunk.control.displays.portal.grant import FILE, Grant, interpret
from punktfunk.control.displays.portal.requests import parse_agreed
from punktfunk.control.displays.portal.session import choose_cursor
from punktfunk.control.system.journal import Journal
from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError
from punktfunk.plan import CursorMode, Mode
from punktfunk.wire.input import (
    ContactEvent,
    Key,
    MouseButton,
    MouseClick,
    MouseMove,
    MouseMoveAbsolute,
    Touch,
    Wheel,
)

needs_bus = pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="dbus-daemon is not installed")
MODE = Mode(1280, 960, 60_000)


@pytest.fixture
def bus(tmp_path):
    address = f"unix:path={tmp_path}/bus"
    daemon = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address", f"--address={address}"],
        stdout=subprocess.PIPE,
    )
    daemon.stdout.readline()
    yield address
    daemon.kill()
    daemon.communicate()


class World:
    """A portal on a bus, a PipeWire socket that only accepts, and the backend that looks at them."""

    def __init__(self, bus, folder, nursery):
        self.bus, self.folder, self.nursery = bus, folder, nursery

    async def portal(self, **fields):
        self.double = PortalDouble(**fields)
        await self.nursery.start(self.double.run, self.bus)
        return self.double

    def backend(self, **options):
        environment = {"DBUS_SESSION_BUS_ADDRESS": self.bus, "XDG_RUNTIME_DIR": str(self.folder)}
        options = DisplayOptions(state_folder=self.folder / "state", **options)
        return PortalDesktop(Journal(self.folder / "pf"), options=options, environment=environment)


@pytest.fixture
async def world(bus, tmp_path, nursery):
    return World(bus, tmp_path, nursery)


@needs_bus
@pytest.mark.trio
@pytest.mark.parametrize("remote_version", [2, 1, 0])
async def test_the_dialog_comes_once_and_the_grant_is_kept(world, remote_version):
    double = await world.portal(remote_version=remote_version, node_id=7)
    backend = world.backend()
    found = await backend.probe()
    assert found.available
    assert "its dialog will ask" in found.reason
    assert found.takes_input == bool(remote_version)
    for _ in range(2):
        async with backend.create(MODE, "client") as output:
            assert (output.source.target, output.source.mode, output.mode) == (7, MODE, MODE)
            assert stat.S_ISSOCK(os.fstat(output.source.remote_fd).st_mode)
            assert output.region == Region(0, 0, 1280, 720)
            assert "1280x720, scaled to 1280x960" in output.notes[0]
            assert len(double.sessions) == 1
            assert (len(output.notes) == 2) == (remote_version == 0)
            handle = output.source.remote_fd
        assert await wait_until(double.has_no_session, 3)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(handle)
    # Version 1 of RemoteDesktop keeps nothing: its user is asked each time.
    assert double.dialogs == (2 if remote_version == 1 else 1)
    if remote_version != 1:
        assert (world.folder / "state" / FILE).stat().st_mode & 0o777 == 0o600
        assert "a screen was chosen before" in (await world.backend().probe()).reason
        assert Grant(world.folder / "state").token() == double.tokens[0]


@needs_bus
@pytest.mark.trio
async def test_a_user_who_says_no_or_nothing_is_told_what_to_do(world, monkeypatch):
    monkeypatch.setattr(portal_session, "DIALOG_S", 0.05)
    double = await world.portal(clicks=["no", "nothing"])
    for said in ("did not allow it", r"nobody answered the desktop's question \(Start\)"):
        with pytest.raises(EnvironmentProblem, match=said) as refused:
            async with world.backend().create(MODE, "client"):
                pass
        assert "choose a screen in its dialog" in refused.value.hint
        assert await wait_until(double.has_no_session, 3)
    assert double.members()[-2:] == ["Request.Close", "Session.Close"]


@needs_bus
@pytest.mark.trio
async def test_nonsense_of_the_portal_is_an_error_and_leaves_nothing(world):
    double = await world.portal(junk={"streams": ("s", "none")})
    with pytest.raises(EnvironmentProblem, match="without a stream"):
        async with world.backend().create(MODE, "client"):
            pass
    assert await wait_until(double.has_no_session, 3)


@needs_bus
@pytest.mark.trio
async def test_without_a_portal_the_reason_says_so(world):
    found = await world.backend().probe()
    assert not found.available
    assert found.reason.startswith("no portal shares screens here")
    assert "xdg-desktop-portal" in found.hint


WAKING = [("KeyboardKeycode", (240, 1)), ("KeyboardKeycode", (240, 0)), ("PointerMotion", (0.0, 0.0))]
"""What makes the virtual devices exist before anybody uses them."""

EVENTS = [
    MouseMove(3, -4),
    MouseMoveAbsolute(640, 120, 1280, 960),
    MouseMoveAbsolute(640, 480, 1280, 960),
    MouseClick(MouseButton.RIGHT, pressed=True),
    Wheel(vertical=-240),
    Wheel(vertical=30),
    Key(0x41, pressed=True),
    Touch(ContactEvent.DOWN, 9, 0.5, 0.5, 1.0, 0, 0, None),
]


@needs_bus
@pytest.mark.trio
async def test_input_by_calls_of_the_portal(world):
    """A 4:3 stream of a 16:9 screen has bars above and below: the screen's top edge is 120 rows down."""
    double = await world.portal(remote_version=1, node_id=7)
    backend = world.backend()
    async with backend.create(MODE, "client") as output:
        assert output.input_kind == "compositor"
        async with output.open_input() as injector:
            for event in EVENTS:
                injector.inject(event)
        changed = await backend.change_mode(output, Mode(640, 360, 30_000))
        assert changed.source.mode == changed.mode == Mode(640, 360, 30_000)
        async with changed.open_input() as injector:
            injector.inject(MouseMoveAbsolute(640, 0, 640, 360))

        def calls():
            told = [(name.partition(".Notify")[2], body[2:]) for name, body in double.asked]
            return [call for call in told if call[0] and call not in WAKING]

        async def has_come():
            return calls()[-1:] == [("PointerMotionAbsolute", (7, 1279.0, 0.0))]

        assert await wait_until(has_come, 3)
    assert calls()[:-1] == [
        ("PointerMotion", (3.0, -4.0)),
        ("PointerMotionAbsolute", (7, 640.0, 0.0)),
        ("PointerMotionAbsolute", (7, 640.0, 360.0)),
        ("PointerButton", (0x111, 1)),
        ("PointerAxisDiscrete", (0, 2)),
        ("PointerAxis", (0.0, -2.5)),
        ("KeyboardKeycode", (30, 1)),
        ("TouchDown", (7, 0, 640.0, 360.0)),
        ("KeyboardKeycode", (30, 0)),
        ("PointerButton", (0x111, 0)),
        ("TouchUp", (0,)),
    ]


@pytest.mark.parametrize(
    ("wanted", "available", "chosen"),
    [
        (CursorMode.METADATA, 7, CursorMode.METADATA),
        (CursorMode.METADATA, 3, CursorMode.EMBEDDED),
        (CursorMode.EMBEDDED, 4, CursorMode.METADATA),
        (CursorMode.HIDDEN, 3, CursorMode.HIDDEN),
        (CursorMode.EMBEDDED, 0, CursorMode.HIDDEN),
    ],
)
def test_the_pointer_is_shown_as_well_as_the_portal_can(wanted, available, chosen):
    assert choose_cursor(wanted, available) is chosen


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('aé{}[]"\0,1x@', max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(
            st.sampled_from(["size", "position", "mapping_id", "streams", "token"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
RESULTS = st.builds(
    lambda number, fields, rest: {
        "streams": ("a(ua{sv})", [(number, {name: ("v", value) for name, value in fields.items()})]),
        **rest,
    },
    st.integers(-1, 1 << 33),
    st.dictionaries(st.sampled_from(["size", "position", "mapping_id"]), JUNK, max_size=3),
    st.dictionaries(st.sampled_from(["devices", "restore_token"]), JUNK, max_size=2),
)


@settings(max_examples=50)
@given(results=JUNK | RESULTS)
def test_any_results_are_read_or_refused(results):
    with contextlib.suppress(RemoteProtocolError):
        (first, *_) = parse_agreed(results).streams
        assert 0 < first.node_id < 1 << 32
        assert first.width >= 0


@settings(max_examples=30)
@given(content=st.dictionaries(st.sampled_from(["token", "kind"]), JUNK, max_size=2))
def test_any_grant_is_read_or_refused(content):
    with contextlib.suppress(ValueError, TypeError, KeyError):
        assert isinstance(interpret(content), str)
