"""Ways into a KWin: straight, or by the launcher whose name KWin knows (``launcher``)."""

import socket
import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from punktfunk.control.displays.kwin import hand_on
from punktfunk.control.displays.kwin.launcher import COMMAND, Launcher, complaint, find_launcher
from punktfunk.control.displays.wayland import WaylandConnection, open_wayland, open_wayland_on
from punktfunk.errors import EnvironmentProblem
from punktfunk.wire.wayland.kde_output_management_v2 import KdeOutputManagementV2
from punktfunk.wire.wayland.zkde_screencast_unstable_v1 import ZkdeScreencastUnstableV1

HAND_ON_S: Final = 5.0
END_S: Final = 1.0


def is_kwin(connection: WaylandConnection) -> bool:
    """Tell KWin by a protocol that it alone has and that it hides from nobody."""
    return connection.offers(KdeOutputManagementV2)


def is_let_in(connection: WaylandConnection) -> bool:
    """Tell whether KWin shows this connection what it restricts."""
    return connection.offers(ZkdeScreencastUnstableV1)


@asynccontextmanager
async def open_kwin(
    socket_path: str, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[WaylandConnection]:
    """Connect to a KWin so that it offers screencasts and input; EnvironmentProblem says what is missing."""
    async with open_wayland(socket_path) as straight:
        if not is_kwin(straight):
            raise EnvironmentProblem(f"the compositor behind {socket_path} is not KWin")
        if is_let_in(straight):
            yield straight
            return
    launcher = find_launcher(environment)
    if problem := complaint(launcher, run_it=False):
        raise EnvironmentProblem(
            f"KWin lets punktfunk neither add a display nor send input: {problem}",
            hint=f"Run `{COMMAND}` once, as this user.",
        )
    async with _handed_on(launcher, socket_path) as handle, open_wayland_on(handle) as connection:
        if not is_let_in(connection):
            raise EnvironmentProblem(
                f"KWin does not offer {ZkdeScreencastUnstableV1.name} to {launcher.executable}",
                hint=(
                    "Its screencast plug-in may be missing (Debian: the package kwin-common), or it has not "
                    "read the new .desktop file yet: log out and in again."
                ),
            )
        yield connection


@asynccontextmanager
async def _handed_on(launcher: Launcher, socket_path: str) -> AsyncGenerator[int]:
    """Let the launcher connect; give its connection, and end it after the block."""
    ours, theirs = socket.socketpair()
    script = Path(hand_on.__file__)
    words = [str(launcher.executable), "-I", "-S", "-B", str(script), socket_path]
    with ours:
        with theirs:
            try:
                process = await trio.lowlevel.open_process(
                    words, stdin=theirs, stdout=subprocess.DEVNULL, start_new_session=True
                )
            except OSError as error:
                raise EnvironmentProblem(f"{launcher.executable} does not start: {error.strerror}") from error
        try:
            yield await _receive(ours, launcher)
        finally:
            ours.close()  # which it takes as its end
            with trio.move_on_after(END_S, shield=True):
                await process.wait()
            if process.returncode is None:
                process.kill()
                with trio.CancelScope(shield=True):
                    await process.wait()


async def _receive(ours: socket.socket, launcher: Launcher) -> int:
    handles: list[int] = []
    with trio.move_on_after(HAND_ON_S):
        await trio.lowlevel.wait_readable(ours)
        _data, handles, _flags, _address = socket.recv_fds(ours, 1, 1, socket.MSG_CMSG_CLOEXEC)
    if not handles:
        raise EnvironmentProblem(
            f"{launcher.executable} brought no connection to KWin", hint=f"Run `{COMMAND}` again."
        )
    return handles[0]
