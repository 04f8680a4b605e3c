"""One screen cast of a virtual monitor, with the remote desktop session that takes its input.

    RemoteDesktop.CreateSession -> ScreenCast.CreateSession(its id) -> RecordVirtual -> Start
    -> PipeWireStreamAdded(node) -> whoever consumes the node first fixes size and rate: the monitor is there

It goes with its D-Bus connection, so a host that dies leaves none. Source: mutter, data/dbus-interfaces and
src/backends/meta-screen-cast-virtual-stream-src.c (43 to 51).
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import trio

from punktfunk.control.system.dbus_link import BusLink, Refused
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import CursorMode

SCREEN_CAST: Final = "org.gnome.Mutter.ScreenCast"
SCREEN_CAST_PATH: Final = "/org/gnome/Mutter/ScreenCast"
REMOTE: Final = "org.gnome.Mutter.RemoteDesktop"
REMOTE_PATH: Final = "/org/gnome/Mutter/RemoteDesktop"
FIRST_RECORD_VIRTUAL: Final = 2
"""API version of ScreenCast whose RecordVirtual knows cursors (mutter 40)."""
FIRST_PLATFORM: Final = 3
STREAM_S: Final = 10.0
STOP_S: Final = 3.0
CURSORS: Final = {CursorMode.HIDDEN: 0, CursorMode.EMBEDDED: 1, CursorMode.METADATA: 2}


@dataclass(frozen=True, slots=True)
class Cast:
    """What was made.

    node_id      of the PipeWire node that gives the pictures
    stream_path  object of the stream: Notify* calls name it
    mapping_id   what EIS calls the region of its monitor; empty before mutter 45
    """

    link: BusLink
    remote_path: str
    stream_path: str
    node_id: int
    mapping_id: str

    async def remote(self, method: str, signature: str = "", *values: Any) -> tuple[Any, ...]:
        """Call a method of the remote desktop session."""
        return await self.link.call(REMOTE, self.remote_path, f"{REMOTE}.Session", method, signature, *values)

    async def connect_eis(self) -> int:
        """Ask mutter for a connection to its EIS server, the caller's to close; none before GNOME 45."""
        (handle,) = await self.remote("ConnectToEIS", "a{sv}", {})
        return int(handle.to_raw_fd())


@asynccontextmanager
async def open_cast(link: BusLink, cursor: CursorMode, monitor: str = "") -> AsyncGenerator[Cast]:
    """Begin a cast of a virtual monitor, or of the one named ``monitor``, and stop it at the end.

    Raises EnvironmentProblem.
    """
    try:
        (remote_path,) = await link.call(REMOTE, REMOTE_PATH, REMOTE, "CreateSession")
    except Refused as error:
        raise EnvironmentProblem(
            f"GNOME refused a remote desktop session: {error}",
            hint="Unlock the screen: a locked GNOME shows its desktop to nobody.",
        ) from error
    try:
        yield await _begin(link, str(remote_path), cursor, monitor)
    finally:
        with trio.move_on_after(STOP_S, shield=True):
            await _stop(link, str(remote_path))


async def _begin(link: BusLink, remote_path: str, cursor: CursorMode, monitor: str) -> Cast:
    session_id = await link.get(REMOTE, remote_path, f"{REMOTE}.Session", "SessionId")
    version = await link.get(SCREEN_CAST, SCREEN_CAST_PATH, SCREEN_CAST, "Version")
    options = {"remote-desktop-session-id": ("s", session_id)}
    (cast_path,) = await link.call(
        SCREEN_CAST, SCREEN_CAST_PATH, SCREEN_CAST, "CreateSession", "a{sv}", options
    )
    properties: dict[str, tuple[str, Any]] = {"cursor-mode": ("u", CURSORS[cursor])}
    if int(version) >= FIRST_PLATFORM and not monitor:
        properties["is-platform"] = ("b", True)  # a monitor like any other, not "your screen is shared"
    recorded: tuple[Any, ...] = (
        ("RecordMonitor", "sa{sv}", monitor) if monitor else ("RecordVirtual", "a{sv}")
    )
    (stream_path,) = await link.call(SCREEN_CAST, cast_path, f"{SCREEN_CAST}.Session", *recorded, properties)
    interface = f"{SCREEN_CAST}.Stream"
    async with link.signals(interface, "PipeWireStreamAdded", stream_path) as added:
        await link.call(REMOTE, remote_path, f"{REMOTE}.Session", "Start")
        try:
            with trio.fail_after(STREAM_S):
                message = await added.receive()
        except trio.TooSlowError as error:
            raise EnvironmentProblem(
                f"mutter gave no PipeWire node within {STREAM_S:g} s",
                hint="Does PipeWire run in that session?  systemctl --user status pipewire wireplumber",
            ) from error
        except trio.EndOfChannel as error:
            raise EnvironmentProblem("the D-Bus of the desktop hung up") from error
    parameters = await link.get(SCREEN_CAST, stream_path, interface, "Parameters")
    _signature, mapping_id = parameters.get("mapping-id", ("s", ""))
    return Cast(link, remote_path, str(stream_path), int(message.body[0]), str(mapping_id))


async def _stop(link: BusLink, remote_path: str) -> None:
    """End the session; one that mutter has ended itself, or took with it, is fine."""
    try:
        await link.call(REMOTE, remote_path, f"{REMOTE}.Session", "Stop")
    except EnvironmentProblem:
        return
