"""Monitors of GNOME, by Mutter's ScreenCast.RecordMonitor."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from punktfunk.control.displays.base import DisplayOptions
from punktfunk.control.displays.mirror.screens import Screen, Shown
from punktfunk.control.displays.mutter.cast import SCREEN_CAST, open_cast
from punktfunk.control.displays.mutter.display_config import read_state
from punktfunk.control.displays.mutter.monitors import State
from punktfunk.control.displays.session_variables import (
    pipewire_socket_of,
    runtime_folder_of,
    session_bus_of,
)
from punktfunk.control.system.dbus_link import open_link
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import FrameSource, Mode, PipeWireSource


class GnomeMonitors:
    """The monitors of a running mutter or GNOME Shell."""

    title = "GNOME"

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._address = session_bus_of(environment)

    async def screens(self) -> list[Screen]:
        """List the monitors that are on; those of screen casts last."""
        async with open_link(self._address) as link:
            if not await link.has_owner(SCREEN_CAST):
                raise EnvironmentProblem("no GNOME session of this user runs")
            return list_screens(await read_state(link))

    @asynccontextmanager
    async def show(self, screen: Screen, options: DisplayOptions) -> AsyncGenerator[Shown]:
        """Cast a monitor; the cast ends with the block."""
        from punktfunk.control.displays.mutter.hands import open_hands  # late: what only input needs

        remote = pipewire_socket_of(self._environment)
        inside = {
            **self._environment,
            "XDG_RUNTIME_DIR": str(runtime_folder_of(self._environment)),
            "WAYLAND_DISPLAY": self._environment.get("WAYLAND_DISPLAY") or "wayland-0",
            "DBUS_SESSION_BUS_ADDRESS": self._address,
        }
        async with (
            open_link(self._address) as link,
            open_cast(link, options.cursor, screen.name) as cast,
        ):
            region = (await read_state(link)).region(screen.name)

            def source(mode: Mode) -> FrameSource:
                return PipeWireSource(mode, cast.node_id, remote=remote, cursor=options.cursor)

            yield Shown(
                screen,
                source,
                partial(open_hands, cast, lambda: region, inside),
                inside,
                input_kind="eis",
                pipewire_remote=remote,
                dbus_address=self._address,
                region=region,
            )


def list_screens(state: State) -> list[Screen]:
    """List the monitors that are on, upright; those that screen casts made come last."""
    found = []
    for monitor in sorted(state.monitors, key=lambda monitor: monitor.virtual):
        logical = state.logical(monitor.connector)
        if monitor.current is None or logical is None:
            continue
        mode = monitor.current.as_mode()
        if logical.transform % 2:
            mode = replace(mode, width_px=mode.height_px, height_px=mode.width_px)
        found.append(Screen(monitor.connector, mode))
    return found
