"""While a stream runs the machine must not fall asleep, nor the session grow idle and lock.

    compositor  zwp_idle_inhibit: keeps swayidle and the like from firing
    logind      org.freedesktop.login1: keeps the machine from sleeping
    portal      org.freedesktop.portal.Inhibit: where logind is missing or refuses

Each is asked where it is found. All end with the connection that asked, so a crash leaves none behind.
"""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from jeepney import DBusAddress, Properties, new_method_call
from pywayland.protocol.idle_inhibit_unstable_v1 import ZwpIdleInhibitManagerV1
from pywayland.protocol.wayland import WlCompositor

from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.displays.wayland import open_wayland
from punktfunk.control.system.dbus import call, open_bus
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import WaylandSource

LOGIND = DBusAddress("/org/freedesktop/login1", "org.freedesktop.login1", "org.freedesktop.login1.Manager")
PORTAL = DBusAddress(
    "/org/freedesktop/portal/desktop", "org.freedesktop.portal.Desktop", "org.freedesktop.portal.Inhibit"
)
SUSPEND, IDLE = 4, 8
WHO, WHY = "punktfunk", "A stream is running"
USERS_OWN = {"attach", "hyprland", "kwin", "gnome", "mirror", "portal"}
"""Backends that show the session of somebody who may have locked it."""
LOCKERS = {"swaylock", "gtklock", "waylock", "hyprlock"}


@dataclass(frozen=True, slots=True)
class Inhibition:
    """What holds while the stream runs: ``held`` names the mechanisms, ``refused`` says why others do not."""

    held: tuple[str, ...]
    refused: tuple[str, ...]

    def __str__(self) -> str:
        if self.held:
            return f"idle, lock and sleep inhibited by {', '.join(self.held)}"
        return f"nothing could inhibit idle, lock and sleep: {'; '.join(self.refused)}"


@asynccontextmanager
async def inhibited(output: VirtualOutput) -> AsyncGenerator[Inhibition]:
    """Inhibit idle, lock and sleep for the length of the block, by whatever is found. Raises nothing."""
    held: list[str] = []
    refused: list[str] = []
    async with AsyncExitStack() as stack:
        attempts = [("logind", _by_logind), ("portal", _by_portal)]
        if isinstance(output.source, WaylandSource):
            attempts.insert(0, ("compositor", _by_compositor))
        for name, attempt in attempts:
            if name == "portal" and "logind" in held:
                continue
            try:
                await stack.enter_async_context(attempt(output))
            except EnvironmentProblem as error:
                refused.append(f"{name}: {error}")
            else:
                held.append(name)
        yield Inhibition(tuple(held), tuple(refused))


@asynccontextmanager
async def _by_compositor(output: VirtualOutput) -> AsyncGenerator[None]:
    if not isinstance(output.source, WaylandSource):
        raise EnvironmentProblem("no compositor")
    async with open_wayland(output.source.socket_path) as connection:
        surface = connection.bind(WlCompositor).create_surface()
        # Sway counts a surface without a window as visible (sway, desktop/idle_inhibit_v1.c).
        inhibitor = connection.bind(ZwpIdleInhibitManagerV1).create_inhibitor(surface)
        await connection.roundtrip()
        try:
            yield
        finally:
            if connection.alive:
                inhibitor.destroy()
                surface.destroy()


@asynccontextmanager
async def _by_logind(_output: VirtualOutput) -> AsyncGenerator[None]:
    async with open_bus("SYSTEM") as bus:
        (handle,) = await call(
            bus, new_method_call(LOGIND, "Inhibit", "ssss", ("idle:sleep", WHO, WHY, "block"))
        )
        with handle:  # the inhibition lasts as long as this file is open
            yield


@asynccontextmanager
async def _by_portal(output: VirtualOutput) -> AsyncGenerator[None]:
    address = output.environment.get("DBUS_SESSION_BUS_ADDRESS") or os.environ.get("DBUS_SESSION_BUS_ADDRESS")
    if not address:
        raise EnvironmentProblem("no session bus")
    async with open_bus(address) as bus:
        options = {"reason": ("s", WHY)}
        await call(bus, new_method_call(PORTAL, "Inhibit", "sua{sv}", ("", SUSPEND | IDLE, options)))
        yield  # the portal drops the inhibition with the connection


async def locked_screen(output: VirtualOutput) -> str:
    """Say that the screen of this output's session is locked and how that is known; empty if it is not."""
    if output.backend not in USERS_OWN:
        return ""  # nobody locks a private session or the test card
    if locker := find_locker(output.environment):
        return f"the session is locked by {locker}: unlock it from the client, which now sees its prompt"
    try:
        async with open_bus("SYSTEM") as bus:
            (sessions,) = await call(bus, new_method_call(LOGIND, "ListSessions"))
            for _name, uid, _user, _seat, path in sessions:
                if uid == os.getuid():
                    session = DBusAddress(path, LOGIND.bus_name, "org.freedesktop.login1.Session")
                    ((_kind, locked),) = await call(bus, Properties(session).get("LockedHint"))
                    if locked is True:
                        return "the session is locked (logind): unlock it first"
    except EnvironmentProblem:
        return ""  # without logind nobody else knows
    return ""


def find_locker(environment: Mapping[str, str], proc: Path = Path("/proc")) -> str:
    """Name the screen locker that runs in the session of these variables; empty if none does."""
    wanted = {
        f"{name}={environment[name]}".encode()
        for name in ("WAYLAND_DISPLAY", "XDG_RUNTIME_DIR")
        if environment.get(name)
    }
    for folder in proc.glob("[0-9]*"):
        try:
            name = (folder / "comm").read_text(encoding="ascii", errors="replace").strip()
            if name in LOCKERS and wanted <= set((folder / "environ").read_bytes().split(b"\0")):
                return name
        except OSError:
            continue  # gone, or another user's
    return ""
