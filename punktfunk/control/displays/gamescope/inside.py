"""Looks into a gamescope through its Wayland socket: which PipeWire node shows it, what size games see."""

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import SO_PEERCRED, SOL_SOCKET
from typing import Any

import trio
from pywayland.protocol.wayland import WlOutput

from punktfunk.control.displays.gamescope.words import NO_NODE
from punktfunk.control.displays.wayland import open_wayland
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode
from punktfunk.wire.wayland.gamescope_pipewire import GamescopePipewire

CURRENT = 1
VARIABLES = (
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "GAMESCOPE_WAYLAND_DISPLAY",
    "LIBEI_SOCKET",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "STEAM_MULTIPLE_XWAYLANDS",
)
MAXIMUM_ENVIRONMENT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Running:
    """One gamescope: its node in PipeWire, the mode that its games see, and its process."""

    node_id: int
    mode: Mode
    pid: int


async def look_inside(socket_path: str) -> Running:
    """Ask a gamescope for its node and mode; EnvironmentProblem where it does not answer or has none.

    Its protocol gamescope_pipewire tells the node at once, and the only output that it shows to a client is
    the one that games see (src/wlserver.cpp).
    """
    nodes: list[int] = []
    modes: list[Mode] = []

    def on_node(_proxy: Any, node_id: int) -> None:
        nodes.append(int(node_id))

    def on_mode(_proxy: Any, flags: int, width: int, height: int, refresh: int) -> None:
        if int(flags) & CURRENT and width > 0 and height > 0:
            modes.append(Mode(width, height, refresh if refresh > 0 else 60_000))

    pid = await _peer_pid(socket_path)
    async with open_wayland(socket_path) as connection:
        if not connection.offers(GamescopePipewire):
            raise EnvironmentProblem(
                f"the compositor on {socket_path} is a gamescope built without PipeWire, or none"
            )
        asked = connection.bind(GamescopePipewire)
        asked.dispatcher["stream_node"] = on_node
        if connection.offers(WlOutput):
            connection.bind(WlOutput).dispatcher["mode"] = on_mode
        await connection.roundtrip()
    if not nodes or not 0 < nodes[-1] < NO_NODE:
        raise EnvironmentProblem(
            f"gamescope on {socket_path} has no PipeWire node",
            hint="It found no PipeWire when it started: start PipeWire first, then gamescope again.",
        )
    if not modes:
        raise EnvironmentProblem(f"gamescope on {socket_path} shows no output")
    return Running(nodes[-1], modes[-1], pid)


async def _peer_pid(socket_path: str) -> int:
    try:
        async with await trio.open_unix_socket(socket_path) as stream:
            credentials = stream.socket.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)
    except OSError as error:
        raise EnvironmentProblem(f"no gamescope answers on {socket_path}: {error.strerror}") from error
    pid, uid, _gid = struct.unpack("=iII", credentials)
    if uid != os.getuid():
        raise EnvironmentProblem(f"{socket_path} belongs to another user")
    return int(pid)


def variables_inside(display: str, proc: Path = Path("/proc")) -> dict[str, str]:
    """Read what programs in a gamescope have in their environment; empty if none of them can be read.

    The one with DISPLAY wins: Steam's helpers come and go without.
    """
    best: dict[str, str] = {}
    for folder in proc.glob("[0-9]*"):
        try:
            with (folder / "environ").open("rb") as file:
                found = parse_environ(file.read(MAXIMUM_ENVIRONMENT_BYTES))
        except OSError:
            continue  # gone, or another user's
        if found.get("GAMESCOPE_WAYLAND_DISPLAY") == display and len(found) > len(best):
            best = found
    return best


def parse_environ(data: bytes) -> dict[str, str]:
    """Read the variables that matter here of /proc/PID/environ (proc_pid_environ(5)); ignores the rest."""
    found: dict[str, str] = {}
    for line in data.split(b"\0"):
        name, equals, value = line.partition(b"=")
        if equals and (text := name.decode("utf-8", "replace")) in VARIABLES and value:
            found[text] = value.decode("utf-8", "replace")
    return found


def runtime_variables(environment: Mapping[str, str], display: str, folder: Path) -> dict[str, str]:
    """Return the variables of programs in a gamescope, as far as they are known without asking one."""
    bus = environment.get("DBUS_SESSION_BUS_ADDRESS", "")
    known = {"XDG_RUNTIME_DIR": str(folder), "GAMESCOPE_WAYLAND_DISPLAY": display, "WAYLAND_DISPLAY": display}
    return known | ({"DBUS_SESSION_BUS_ADDRESS": bus} if bus else {})
