"""Monitors of compositors that copy the screen by Wayland: sway, Hyprland, labwc, COSMIC and others."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import trio
from pywayland.protocol.ext_image_copy_capture_v1 import ExtImageCopyCaptureManagerV1
from pywayland.protocol.wayland import WlOutput

from punktfunk.control.displays.base import DisplayOptions, VirtualOutput
from punktfunk.control.displays.mirror.screens import Screen, Shown
from punktfunk.control.displays.session_variables import runtime_folder_of, session_bus_of
from punktfunk.control.displays.wayland import OUTPUT_VERSION, WaylandConnection, open_wayland
from punktfunk.control.input.wlr import open_wlr_injector
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import CursorMode, FrameSource, Mode, WaylandSource
from punktfunk.wire.wayland.wlr_screencopy_unstable_v1 import ZwlrScreencopyManagerV1

CURRENT: Final = 1
ASKED_MILLIHERTZ: Final = 60_000
"""For outputs that tell no refresh, such as those of nested compositors."""

INSIDE: Final = ("DISPLAY", "SWAYSOCK", "HYPRLAND_INSTANCE_SIGNATURE", "XDG_CURRENT_DESKTOP")


class WaylandMonitors:
    """The monitors of the first compositor of this session that lets its screen be copied."""

    title = "the desktop"

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._socket_path = ""

    async def screens(self) -> list[Screen]:
        """List the monitors that are on."""
        refused = "no Wayland desktop of this user runs"
        for path in find_sockets(self._environment):
            try:
                async with open_wayland(path) as connection:
                    if connection.offers(ZwlrScreencopyManagerV1) or connection.offers(
                        ExtImageCopyCaptureManagerV1
                    ):
                        self._socket_path = path
                        return await read_screens(connection)
                    refused = f"the compositor on {path} lets nobody copy its screen"
            except EnvironmentProblem as error:
                refused = str(error)
        raise EnvironmentProblem(refused)

    @asynccontextmanager
    async def show(self, screen: Screen, options: DisplayOptions) -> AsyncGenerator[Shown]:
        """Describe a monitor: capture and input connect by themselves."""
        await trio.lowlevel.checkpoint()
        path = self._socket_path
        show_cursor = options.cursor is not CursorMode.HIDDEN
        inside = {name: self._environment[name] for name in INSIDE if self._environment.get(name)}
        inside["XDG_RUNTIME_DIR"] = str(runtime_folder_of(self._environment))
        inside["WAYLAND_DISPLAY"] = Path(path).name
        bus = session_bus_of(self._environment)

        def source(mode: Mode) -> FrameSource:
            return WaylandSource(path, screen.name, mode, show_cursor)

        plain = VirtualOutput(screen.name, screen.mode, source(screen.mode), self.title)
        yield Shown(screen, source, lambda: open_wlr_injector(plain), inside, dbus_address=bus)


def find_sockets(environment: Mapping[str, str]) -> list[str]:
    """List the Wayland sockets of this session: the one that the variables name, else all, oldest first."""
    folder = runtime_folder_of(environment)
    if named := environment.get("WAYLAND_DISPLAY"):
        return [named if named.startswith("/") else str(folder / named)]
    try:
        return sorted(str(path) for path in folder.glob("wayland-*") if path.is_socket())
    except OSError:
        return []


async def read_screens(connection: WaylandConnection) -> list[Screen]:
    """Read the outputs that are on: those that have a name and a mode."""
    told: list[dict[str, Any]] = []
    proxies = []
    for number, version in connection.globals_of(WlOutput):
        if version < OUTPUT_VERSION:
            continue
        proxy = connection.registry.bind(number, WlOutput, OUTPUT_VERSION)
        told.append(_listen(proxy))
        proxies.append(proxy)
    await connection.roundtrip()
    for proxy in proxies:
        proxy.release()
    return [_screen(about) for about in told if "name" in about and "mode" in about]


def _listen(output: Any) -> dict[str, Any]:
    about: dict[str, Any] = {}

    def on_mode(_output: Any, flags: int, width: int, height: int, refresh: int) -> None:
        if int(flags) & CURRENT and width > 0 and height > 0:
            about["mode"] = Mode(width, height, refresh if refresh > 0 else ASKED_MILLIHERTZ)

    def on_geometry(_output: Any, *words: Any) -> None:
        about["transform"] = int(words[-1])

    def on_name(_output: Any, name: str) -> None:
        about["name"] = name

    output.dispatcher["mode"] = on_mode
    output.dispatcher["geometry"] = on_geometry
    output.dispatcher["name"] = on_name
    return about


def _screen(about: dict[str, Any]) -> Screen:
    mode: Mode = about["mode"]
    if about.get("transform", 0) % 2:  # turned by 90 or 270 degrees: pictures come upright
        mode = replace(mode, width_px=mode.height_px, height_px=mode.width_px)
    return Screen(about["name"], mode)
