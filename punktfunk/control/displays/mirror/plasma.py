"""Monitors of Plasma, by KWin's zkde_screencast stream_output."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from punktfunk.control.displays.base import DisplayOptions
from punktfunk.control.displays.kwin.door import open_kwin
from punktfunk.control.displays.kwin.screencast import Screencasts
from punktfunk.control.displays.kwin.sessions import find_kwin, inside, pipewire_socket
from punktfunk.control.displays.mirror.screens import Screen, Shown
from punktfunk.control.displays.mirror.wayland import read_screens
from punktfunk.control.displays.wayland import open_wayland
from punktfunk.plan import FrameSource, Mode, PipeWireSource


class PlasmaMonitors:
    """The monitors of a running KWin."""

    title = "KWin"

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._socket_path = ""

    async def screens(self) -> list[Screen]:
        """List the monitors that are on."""
        self._socket_path = await find_kwin(self._environment)
        async with open_wayland(self._socket_path) as connection:
            return await read_screens(connection)

    @asynccontextmanager
    async def show(self, screen: Screen, options: DisplayOptions) -> AsyncGenerator[Shown]:
        """Cast a monitor; the cast ends with the block."""
        from punktfunk.control.input.kwin import open_kwin_injector  # late: what only input needs

        path, environment = self._socket_path, self._environment
        remote, variables = pipewire_socket(environment), inside(environment, path)
        async with (
            open_kwin(path, environment) as connection,
            Screencasts(connection).existing_output(screen.name, options.cursor) as cast,
        ):

            def source(mode: Mode) -> FrameSource:
                return PipeWireSource(mode, cast.target, cast.is_serial, remote, cursor=options.cursor)

            yield Shown(
                screen,
                source,
                lambda: open_kwin_injector(path, screen.name, environment),
                variables,
                pipewire_remote=remote,
                dbus_address=variables.get("DBUS_SESSION_BUS_ADDRESS", ""),
            )
