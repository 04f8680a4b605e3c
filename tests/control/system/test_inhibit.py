"""Inhibition on a private bus with stand-ins for logind and the portal."""

import os
import shutil
import subprocess

import pytest
import trio
from jeepney import HeaderFields, MessageType, message_bus, new_error, new_method_return
from jeepney.io.trio import open_dbus_connection

from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.system.inhibit import find_locker, inhibited, locked_screen
from punktfunk.plan import Mode, TestcardSource, WaylandSource

pytestmark = [
    pytest.mark.trio,
    pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="dbus-daemon is not installed"),
]
MODE = Mode(640, 480, 60000)


@pytest.fixture
def bus(tmp_path, monkeypatch):
    address = f"unix:path={tmp_path}/bus"
    daemon = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address", f"--address={address}"],
        stdout=subprocess.PIPE,
    )
    daemon.stdout.readline()
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    yield address
    daemon.kill()
    daemon.communicate()


class Service:
    """Answers calls on a well-known name with what the test wants."""

    def __init__(self, name, answers):
        self.name, self.answers, self.calls = name, answers, []

    async def run(self, address, *, task_status=trio.TASK_STATUS_IGNORED):
        async with await open_dbus_connection(address, enable_fds=True) as connection:
            await connection.send(message_bus.RequestName(self.name))
            while True:
                message = await connection.receive()
                if message.header.message_type is MessageType.method_return:
                    task_status.started()
                    task_status = trio.TASK_STATUS_IGNORED
                elif message.header.message_type is MessageType.method_call:
                    member = message.header.fields[HeaderFields.member]
                    self.calls.append((member, message.body))
                    if member in self.answers:
                        await connection.send(new_method_return(message, *self.answers[member]()))
                    else:
                        await connection.send(new_error(message, "org.example.Refused", "s", ("denied",)))


def testcard():
    return VirtualOutput("testcard", MODE, TestcardSource(MODE), "testcard")


testcard.__test__ = False


async def test_logind_is_held_until_the_stream_ends(bus):
    reader, writer = os.pipe()
    logind = Service("org.freedesktop.login1", {"Inhibit": lambda: ("h", (writer,))})
    async with trio.open_nursery() as nursery:
        await nursery.start(logind.run, bus)
        async with inhibited(testcard()) as inhibition:
            assert inhibition.held == ("logind",)
            assert str(inhibition) == "idle, lock and sleep inhibited by logind"
            os.close(writer)
            with trio.move_on_after(0.05) as still_held:
                await trio.lowlevel.wait_readable(reader)
            assert still_held.cancelled_caught
        with trio.fail_after(5):
            await trio.lowlevel.wait_readable(reader)  # end of file: nobody holds it any more
        assert os.read(reader, 1) == b""
        nursery.cancel_scope.cancel()
    os.close(reader)
    assert logind.calls == [("Inhibit", ("idle:sleep", "punktfunk", "A stream is running", "block"))]


async def test_the_portal_helps_where_logind_refuses(bus):
    logind = Service("org.freedesktop.login1", {})
    portal = Service("org.freedesktop.portal.Desktop", {"Inhibit": lambda: ("o", ("/request/1",))})
    async with trio.open_nursery() as nursery:
        await nursery.start(logind.run, bus)
        await nursery.start(portal.run, bus)
        async with inhibited(testcard()) as inhibition:
            assert inhibition.held == ("portal",)
            assert "org.example.Refused: denied" in inhibition.refused[0]
        nursery.cancel_scope.cancel()
    ((_, (_window, flags, options)),) = portal.calls
    assert (flags, options["reason"]) == (12, ("s", "A stream is running"))


async def test_nothing_found_is_said_and_no_reason_to_stop(monkeypatch, tmp_path):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nothing")
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    output = VirtualOutput("X", MODE, WaylandSource(str(tmp_path / "none"), "X", MODE), "attach")
    async with inhibited(output) as inhibition:
        assert inhibition.held == ()
        assert str(inhibition).startswith(
            "nothing could inhibit idle, lock and sleep: compositor: no compositor"
        )
    assert await locked_screen(output) == ""


async def test_a_locked_session_is_told(bus):
    sessions = [
        ("1", os.getuid(), "me", "seat0", "/session/1"),
        ("2", os.getuid() + 1, "you", "", "/session/2"),
    ]
    logind = Service(
        "org.freedesktop.login1",
        {
            "ListSessions": lambda: ("a(susso)", (sessions,)),
            "Get": lambda: ("v", (("b", True),)),
        },
    )
    output = VirtualOutput("X", MODE, WaylandSource("/none", "X", MODE), "attach")
    async with trio.open_nursery() as nursery:
        await nursery.start(logind.run, bus)
        assert "locked (logind)" in await locked_screen(output)
        assert await locked_screen(testcard()) == ""
        nursery.cancel_scope.cancel()


async def test_a_locker_of_the_same_session_is_found(tmp_path):
    for pid, name, display in (
        ("12", "swaylock", "wayland-1"),
        ("13", "bash", "wayland-2"),
        ("x", "swaylock", ""),
    ):
        folder = tmp_path / pid
        folder.mkdir()
        (folder / "comm").write_text(name + "\n")
        (folder / "environ").write_bytes(b"A=B\0WAYLAND_DISPLAY=" + display.encode() + b"\0")
    assert find_locker({"WAYLAND_DISPLAY": "wayland-1"}, tmp_path) == "swaylock"
    assert find_locker({"WAYLAND_DISPLAY": "wayland-2"}, tmp_path) == ""
