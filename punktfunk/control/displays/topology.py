"""Changes to the outputs of a sway, one at a time per compositor: set a mode, focus, take away.

Sway's output names are anonymous (HEADLESS-1, -2, ...), so whoever adds one must compare before with after,
and nobody else may add one meanwhile: a lock on the folder of the control socket holds off other hosts too.
"""

import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from enum import Enum
from pathlib import Path

import trio

from punktfunk.control.displays.base import DisplayOptions, VirtualOutput
from punktfunk.control.displays.sway_arrangement import place
from punktfunk.control.displays.sway_ipc import FIRST_UNPLUG, OutputState, SwayIpc, connect_sway
from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode, WaylandSource

LOCK_TIMEOUT_S = 10.0
SETTLE_S = 3.0


@asynccontextmanager
async def topology_lock(socket_path: str) -> AsyncGenerator[None]:
    """Hold the lock of one compositor; EnvironmentProblem if another process keeps it too long."""
    try:
        # flock(2) works on a folder as well, and then no lock file is left behind.
        handle = os.open(Path(socket_path).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise EnvironmentProblem(f"cannot lock {socket_path}: {error.strerror}") from error
    try:
        await _flock(handle, socket_path)
        yield
    finally:
        os.close(handle)


async def _flock(handle: int, socket_path: str) -> None:
    # flock(2) belongs to the open file, so two tasks of one process exclude each other as two processes do.
    try:
        with trio.fail_after(LOCK_TIMEOUT_S):
            while True:
                await trio.lowlevel.checkpoint()
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    await trio.sleep(0.02)
                else:
                    return
    except trio.TooSlowError as error:
        raise EnvironmentProblem(
            f"another process changes the outputs of {socket_path} for more than {LOCK_TIMEOUT_S:g} s"
        ) from error


def mode_command(name: str, mode: Mode, scale: float = 1.0) -> str:
    """Word the command that gives an output exactly a mode, unrotated."""
    hertz = f"{mode.refresh_millihertz / 1000:.3f}"
    size = f"{mode.width_px}x{mode.height_px}"
    return f"output {name} enable mode --custom {size}@{hertz}Hz scale {scale:g} transform normal"


async def set_mode(ipc: SwayIpc, name: str, mode: Mode, scale: float = 1.0) -> Mode:
    """Set a mode and wait until sway shows it; return what it shows (the refresh may differ by 1 mHz)."""
    await ipc.run(mode_command(name, mode, scale))
    state: OutputState | None = None
    with trio.move_on_after(SETTLE_S):
        while True:
            state = await find_output(ipc, name)
            if state is not None and state.mode is not None and _same(state.mode, mode):
                return state.mode
            await trio.sleep(0.02)
    shown = "no such output" if state is None else state.mode
    raise EnvironmentProblem(f"sway was asked for {mode} on {name} and shows {shown}")


def _same(shown: Mode, asked: Mode) -> bool:
    return (shown.width_px, shown.height_px) == (asked.width_px, asked.height_px) and abs(
        shown.refresh_millihertz - asked.refresh_millihertz
    ) <= 1


async def find_output(ipc: SwayIpc, name: str) -> OutputState | None:
    """Look one output up; None if it is gone."""
    return next((state for state in await ipc.outputs() if state.name == name), None)


async def add_output(ipc: SwayIpc, before: set[str]) -> str:
    """Add an output and return its name: the one that is not in ``before``. The caller holds the lock."""
    await ipc.run("create_output")
    with trio.move_on_after(SETTLE_S):
        while True:
            added = {state.name for state in await ipc.outputs()} - before
            if added:
                return min(added)
            await trio.sleep(0.02)
    raise EnvironmentProblem("sway was asked for an output and shows no new one")


class Removal(Enum):
    """What became of an output that is no longer wanted."""

    REMOVED = "removed"
    DISABLED = "disabled"
    PARKED = "emptied and shrunk"


async def remove_output(ipc: SwayIpc, name: str) -> Removal:
    """Take an output away, or whatever comes nearest in this sway."""
    if await find_output(ipc, name) is None:
        return Removal.REMOVED
    version, _text = await ipc.version()
    if version < FIRST_UNPLUG:
        return await _put_aside(ipc, name)
    await ipc.run(f"output {name} unplug")

    async def is_gone() -> bool:
        return await find_output(ipc, name) is None

    if not await wait_until(is_gone, SETTLE_S):
        raise EnvironmentProblem(f"sway was asked to unplug {name} and still shows it")
    return Removal.REMOVED


async def _put_aside(ipc: SwayIpc, name: str) -> Removal:
    """Disable an output; where wlroots refuses that for headless ones (0.15 does), empty and shrink it.

    Moving it out of the pointer's reach was tried and does harm: once one output has a place of its own,
    sway puts all others beside that one.
    """
    await ipc.run(f"output {name} disable")
    state = await find_output(ipc, name)
    if state is None or not state.active:
        return Removal.DISABLED
    others = [other for other in await ipc.outputs() if other.active and other.name != name]
    if others:
        refuge = next((other for other in others if other.focused), others[0]).name
        for place, contents in await ipc.workspaces():
            if place == name and contents:
                await ipc.run(f"[con_id={contents[0]}] move workspace to output {refuge}")
        await ipc.run(f"focus output {refuge}")
    await ipc.run(f"output {name} enable mode --custom 64x64@1.000Hz")
    return Removal.PARKED


async def focus_output(output: VirtualOutput) -> None:
    """Make new windows and keys go to this output; does nothing for an output without a compositor."""
    if output.ipc_socket_path is None:
        await trio.lowlevel.checkpoint()
        return
    async with connect_sway(output.ipc_socket_path) as ipc:
        await ipc.run(f"focus output {output.name}")


async def change_sway_mode(output: VirtualOutput, mode: Mode, options: DisplayOptions) -> VirtualOutput:
    """Give an output of sway another mode and describe it anew."""
    if output.ipc_socket_path is None or not isinstance(output.source, WaylandSource):
        raise EnvironmentProblem(f"{output.name} is no output of sway")
    async with topology_lock(output.ipc_socket_path), connect_sway(output.ipc_socket_path) as ipc:
        shown = await set_mode(ipc, output.name, mode, options.scale)
        region = await place(ipc, output.name, options)
    return replace(output, mode=shown, source=replace(output.source, mode=shown), region=region)
