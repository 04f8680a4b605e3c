"""Sway, spawned: a private headless session for one stream, with one output of exactly the client's size."""

import os
import shutil
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio

from punktfunk.control.displays.base import ARRANGEMENTS, Capabilities, DisplayOptions, VirtualOutput
from punktfunk.control.displays.private_session import PrivateSession
from punktfunk.control.displays.session_env import ask_environment, wayland_socket
from punktfunk.control.displays.sway_arrangement import region_of
from punktfunk.control.displays.sway_config import (
    SPAWNED_OUTPUT,
    build_config,
    build_environment,
    find_renderers,
)
from punktfunk.control.displays.sway_ipc import connect_sway
from punktfunk.control.displays.topology import change_sway_mode, set_mode
from punktfunk.control.system.journal import Journal
from punktfunk.control.system.processes import DISPLAY_VARIABLE
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode, WaylandSource

ROOT_HINT = 'Start punktfunk as an ordinary user, or set display = "testcard".'


class SpawnedSway:
    """Starts a sway for each output; ``command`` is the sway to start."""

    name = "sway"

    def __init__(
        self,
        journal: Journal,
        command: Sequence[str] = ("sway",),
        *,
        options: DisplayOptions | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._journal = journal
        self._command = tuple(command)
        self._options = options or DisplayOptions()
        self._environment = os.environ if environment is None else environment

    async def probe(self) -> Capabilities:
        """Look for sway and for what would keep it from starting."""
        await trio.lowlevel.checkpoint()
        if os.geteuid() == 0:
            return Capabilities(available=False, reason="sway refuses to run as root", hint=ROOT_HINT)
        path = shutil.which(self._command[0], path=self._environment.get("PATH"))
        if path is None:
            return Capabilities(
                available=False,
                reason="sway is not installed",
                hint='Install the package sway, or set display = "testcard".',
            )
        return Capabilities(
            available=True,
            reason=f"a private session of {path} is started for each stream",
            arrangements=ARRANGEMENTS,
        )

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:  # noqa: ARG002 - sway names its outputs itself
        """Start a session, hand out its output, and end everything that was started in it."""
        found = await self.probe()
        if not found.available:
            raise EnvironmentProblem(found.reason, hint=found.hint)
        async with PrivateSession(self._journal).opened() as session:
            yield await session.start_by(find_renderers(), partial(self._start, session, mode))

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Give the session's output another mode; applications stay."""
        return await change_sway_mode(output, mode, self._options)

    async def _start(self, session: PrivateSession, mode: Mode, renderer: str) -> VirtualOutput:
        """Start the bus and sway, and describe the output once it shows exactly the mode."""
        environment = build_environment(
            str(session.folder), session.entry.socket_path, renderer, self._environment
        )
        environment[DISPLAY_VARIABLE] = session.entry.token
        if address := await session.start_bus(environment):
            environment["DBUS_SESSION_BUS_ADDRESS"] = address
        config = session.folder / "sway.conf"
        config.write_text(build_config(mode, xwayland=shutil.which("Xwayland") is not None), encoding="utf-8")
        await session.begin_sound(environment)
        await session.run([*self._command, "-c", str(config)], environment)
        await session.wait_for(Path(session.entry.socket_path), "sway")
        async with connect_sway(session.entry.socket_path) as ipc:
            shown = await set_mode(ipc, SPAWNED_OUTPUT, mode, self._options.scale)
            _version, text = await ipc.version()
            inside = await ask_environment(ipc, session.folder / "environment")
            await ipc.run(f"focus output {SPAWNED_OUTPUT}")
            region = region_of(await ipc.outputs(), SPAWNED_OUTPUT)
        await session.finish_sound(environment)
        return VirtualOutput(
            SPAWNED_OUTPUT,
            shown,
            WaylandSource(wayland_socket(inside), SPAWNED_OUTPUT, shown),
            SpawnedSway.name,
            {**inside, DISPLAY_VARIABLE: session.entry.token, "XDG_SESSION_TYPE": "wayland"},
            session.entry.socket_path,
            (f"a private session of sway {text}, drawn by {renderer or 'the GPU'}",),
            region=region,
            dbus_address=address,
            pipewire_remote=session.pipewire_remote,
        )
