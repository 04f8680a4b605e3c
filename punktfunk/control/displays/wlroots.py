"""Generic wlroots compositors, spawned: labwc, wayfire, river, cage, each private to one stream.

They cannot be given another output from outside, so nothing is attached to the user's own session: the only
output of a session of ours gets the client's mode by zwlr_output_manager_v1.
"""

import os
import shutil
import subprocess
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final

import trio

from punktfunk.control.displays.base import (
    ARRANGEMENTS,
    Capabilities,
    DisplayOptions,
    Region,
    VirtualOutput,
    refresh_note,
)
from punktfunk.control.displays.output_manager import OutputManager
from punktfunk.control.displays.private_session import PrivateSession
from punktfunk.control.displays.sway_config import build_environment, find_renderers
from punktfunk.control.displays.wayland import WaylandConnection, open_wayland
from punktfunk.control.displays.wlroots_kinds import (
    COMPOSITORS,
    Compositor,
    announcement,
    read_announcement,
)
from punktfunk.control.system.journal import Journal
from punktfunk.control.system.processes import DISPLAY_VARIABLE
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode, WaylandSource
from punktfunk.wire.wayland.virtual_keyboard_unstable_v1 import ZwpVirtualKeyboardManagerV1
from punktfunk.wire.wayland.wlr_output_management_unstable_v1 import ZwlrOutputManagerV1
from punktfunk.wire.wayland.wlr_screencopy_unstable_v1 import ZwlrScreencopyManagerV1
from punktfunk.wire.wayland.wlr_virtual_pointer_unstable_v1 import ZwlrVirtualPointerManagerV1

VERSION_S: Final = 3.0
NEEDED: Final = (
    ZwlrOutputManagerV1,
    ZwlrScreencopyManagerV1,
    ZwlrVirtualPointerManagerV1,
    ZwpVirtualKeyboardManagerV1,
)


class SpawnedWlroots:
    """Starts a compositor for each output: the first of ``compositors`` that is installed."""

    name = "wlroots"

    def __init__(
        self,
        journal: Journal,
        compositors: Sequence[Compositor] = COMPOSITORS,
        *,
        options: DisplayOptions | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._journal = journal
        self._compositors = tuple(compositors)
        self._options = options or DisplayOptions()
        self._environment = os.environ if environment is None else environment

    async def probe(self) -> Capabilities:
        """Look for a compositor and for what would keep it from starting."""
        await trio.lowlevel.checkpoint()
        names = ", ".join(compositor.program for compositor in self._compositors)
        if os.geteuid() == 0:
            return Capabilities(
                available=False,
                reason="wlroots compositors are not started as root",
                hint='Start punktfunk as an ordinary user, or set display = "testcard".',
            )
        found = await self._find()
        if found is None:
            return Capabilities(
                available=False,
                reason=f"no other wlroots compositor is installed, or none new enough ({names})",
                hint='Install the package labwc, or set display = "testcard".',
            )
        path = self._path(found)
        return Capabilities(
            available=True,
            reason=f"a private session of {path} is started for each stream",
            arrangements=ARRANGEMENTS,
        )

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:  # noqa: ARG002 - the session has one output
        """Start a session, hand out its output, and end everything that was started in it."""
        found, compositor = await self.probe(), await self._find()
        if compositor is None or not found.available:
            raise EnvironmentProblem(found.reason, hint=found.hint)
        async with PrivateSession(self._journal).opened() as session:
            yield await session.start_by(find_renderers(), partial(self._start, session, compositor, mode))

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Give the session's output another mode; applications stay."""
        if not isinstance(output.source, WaylandSource):
            raise EnvironmentProblem(f"{output.name} is no output of a wlroots compositor")
        async with open_wayland(output.source.socket_path) as connection:
            shown = await self._set_mode(connection, output.name, mode)
        return replace(
            output, mode=shown, source=replace(output.source, mode=shown), region=self._region(shown)
        )

    def _path(self, compositor: Compositor) -> str | None:
        return shutil.which(compositor.program, path=self._environment.get("PATH"))

    async def _find(self) -> Compositor | None:
        for one in self._compositors:
            if self._path(one) and not (one.oldest and one.is_too_old(await _version(one.program))):
                return one
        return None

    async def _start(
        self, session: PrivateSession, compositor: Compositor, mode: Mode, renderer: str
    ) -> VirtualOutput:
        environment = build_environment(str(session.folder), "", renderer, self._environment)
        environment |= {DISPLAY_VARIABLE: session.entry.token, "XDG_CURRENT_DESKTOP": compositor.program}
        environment.pop("SWAYSOCK", None)
        address = await session.start_bus(environment)
        if address:
            environment["DBUS_SESSION_BUS_ADDRESS"] = address
        answer = session.folder / "environment"
        answer.unlink(missing_ok=True)
        command = compositor.command(session.folder, announcement(answer))
        await session.begin_sound(environment)
        await session.run(command, environment)

        async def has_answered() -> bool:
            return await trio.Path(answer).exists()

        await session.wait_until(has_answered, compositor.program, "did not start its first program")
        inside = {
            "XDG_RUNTIME_DIR": str(session.folder),
            "XDG_SESSION_TYPE": "wayland",
            "XDG_CURRENT_DESKTOP": compositor.program,
            DISPLAY_VARIABLE: session.entry.token,
            **({"DBUS_SESSION_BUS_ADDRESS": address} if address else {}),
            **read_announcement(answer.read_text(encoding="utf-8", errors="replace")),
        }
        socket_path = str(session.folder / inside.get("WAYLAND_DISPLAY", "wayland-0"))
        async with open_wayland(socket_path) as connection:
            for interface in NEEDED:
                if not connection.offers(interface):
                    raise EnvironmentProblem(
                        f"{compositor.program} has no {interface.name}",
                        hint="It is too old for streaming: install a newer one, or labwc or sway.",
                    )
            (name, *_others) = [*connection.output_names(), ""]
            shown = await self._set_mode(connection, name, mode)
        await session.finish_sound(environment)
        return VirtualOutput(
            name,
            shown,
            WaylandSource(socket_path, name, shown),
            self.name,
            inside,
            notes=(
                f"a private session of {compositor.program}, drawn by {renderer or 'the GPU'}",
                *refresh_note(compositor.program, mode, shown),
            ),
            region=self._region(shown),
            dbus_address=address,
            pipewire_remote=session.pipewire_remote,
        )

    async def _set_mode(self, connection: WaylandConnection, name: str, mode: Mode) -> Mode:
        manager = OutputManager(connection)
        await manager.settle()
        return await manager.set_mode(name, mode, self._options.scale)

    def _region(self, mode: Mode) -> Region:
        scale = self._options.scale
        return Region(0, 0, round(mode.width_px / scale), round(mode.height_px / scale))


async def _version(program: str) -> str:
    """Ask a program for its version; "" where it does not say."""
    with trio.move_on_after(VERSION_S):
        try:
            done = await trio.run_process(
                [program, "-v"], capture_stdout=True, check=False, stderr=subprocess.STDOUT
            )
        except OSError:
            return ""
        return bytes(done.stdout).decode(errors="replace")
    return ""
