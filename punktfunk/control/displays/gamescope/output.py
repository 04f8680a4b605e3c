"""How a gamescope looks to a stream: its node in PipeWire, its variables, its input."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

from punktfunk.control.displays.base import Region, VirtualOutput
from punktfunk.control.displays.gamescope.input import open_gamescope_input
from punktfunk.control.displays.session_variables import (
    pipewire_socket_of,
    runtime_folder_of,
    session_bus_of,
)
from punktfunk.control.input.base import Injector
from punktfunk.control.input.mapped import letterbox
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import CursorMode, Mode, PipeWireSource

NO_POINTER = "gamescope leaves the mouse pointer out of its pictures; games that draw their own show it"
"""src/steamcompmgr.cpp, paint_pipewire: windows and overlays are painted, the cursor is not."""


def describe(
    backend: str,
    *,
    mode: Mode,
    games: Mode,
    node_id: int,
    environment: Mapping[str, str],
    host: Mapping[str, str],
) -> VirtualOutput:
    """Describe a gamescope.

    mode         of the stream
    games        what games see; its pictures are scaled where that is another size
    environment  of programs inside; ``host`` is that of the session in which gamescope runs
    """
    remote = pipewire_socket_of(host)
    # gamescope puts no pointer into its pictures and sends none beside them.
    source = PipeWireSource(mode, node_id, remote=remote, cursor=CursorMode.HIDDEN)
    display = environment.get("GAMESCOPE_WAYLAND_DISPLAY", backend)
    output = VirtualOutput(
        display,
        mode,
        source,
        backend,
        environment,
        notes=(NO_POINTER, *size_note(games, mode)),
        pipewire_remote=remote,
        input_kind="eis",
        dbus_address=session_bus_of(host),
        region=Region(0, 0, games.width_px, games.height_px),
    )
    return _with_input(output, eis_path(environment, runtime_folder_of(host)), games)


def _with_input(output: VirtualOutput, path: str, games: Mode) -> VirtualOutput:
    def open_input() -> AbstractAsyncContextManager[Injector]:
        return open_gamescope_input(path, games, letterbox(output.mode, games))

    return replace(output, open_input=open_input)


def rescaled(output: VirtualOutput, mode: Mode) -> VirtualOutput:
    """Describe the same gamescope for a stream of another size."""
    region = output.region
    if not isinstance(output.source, PipeWireSource) or region is None:
        raise EnvironmentProblem(f"{output.name} is no gamescope")
    games = replace(output.mode, width_px=region.width, height_px=region.height)
    changed = replace(output, mode=mode, source=replace(output.source, mode=mode))
    changed = replace(changed, notes=(NO_POINTER, *size_note(games, mode)))
    folder = Path(output.environment["XDG_RUNTIME_DIR"])
    return _with_input(changed, eis_path(output.environment, folder), games)


def size_note(games: Mode, mode: Mode) -> tuple[str, ...]:
    """Word that pictures are scaled; nothing where they are not."""
    if (games.width_px, games.height_px) == (mode.width_px, mode.height_px):
        return ()
    shown, wanted = (f"{each.width_px}x{each.height_px}" for each in (games, mode))
    return (f"gamescope shows {shown}; its pictures are scaled to {wanted}",)


def eis_path(environment: Mapping[str, str], folder: Path) -> str:
    """Return the path of gamescope's EIS socket: LIBEI_SOCKET, else beside its Wayland socket."""
    name = environment.get("LIBEI_SOCKET") or f"{environment.get('GAMESCOPE_WAYLAND_DISPLAY', '')}-ei"
    return name if name.startswith("/") else str(folder / name)
