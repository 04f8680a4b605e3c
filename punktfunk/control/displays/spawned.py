"""Sway, spawned: a private headless session for one stream, gone without a trace when it ends.

A runtime folder of its own (0700), a D-Bus of its own where dbus-daemon is installed, and a sway with one
output of exactly the client's size. Everything started is in the journal before it is used and ends in
reverse order, by pid, within a bound.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from punktfunk.control.displays.base import ARRANGEMENTS, Capabilities, DisplayOptions, VirtualOutput
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
from punktfunk.control.system.journal import Entry, Journal, new_entry
from punktfunk.control.system.processes import (
    DISPLAY_VARIABLE,
    end_by_token,
    end_identities,
    end_process,
    find_by_token,
    log_tail,
    start_process,
)
from punktfunk.errors import EnvironmentProblem
from punktfunk.paths import UNIX_PATH_BYTES
from punktfunk.plan import Mode, WaylandSource

START_S = 15.0
GRACE_S = 2.0
CLEANUP_S = 10.0
LONGEST_SOCKET_BYTES = len(
    "/sway-ipc.4294967295.4194304.sock"
)  # sway wants room for its default name, used or not
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
        path = shutil.which(self._command[0])
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
        renderers = find_renderers()
        async with _Session(self._journal, self._command, self._options).opened() as session:
            for renderer in renderers:
                try:
                    output = await session.start(mode, renderer)
                    break
                except EnvironmentProblem:
                    if renderer == renderers[-1]:
                        raise
                    await session.end_processes()
            yield output

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Give the session's output another mode; applications stay."""
        return await change_sway_mode(output, mode, self._options)


def session_folder(runtime_folder: Path, token: str) -> Path:
    """Name the private folder of a session: in the runtime folder, unless sockets in it would be too deep."""
    folder = runtime_folder / f"s-{token}"
    if len(os.fsencode(folder)) + LONGEST_SOCKET_BYTES <= UNIX_PATH_BYTES:
        return folder
    return Path(tempfile.gettempdir()) / f"punktfunk-s-{token}"


@dataclass
class _Session:
    """The processes and the folder of one spawned sway."""

    journal: Journal
    command: tuple[str, ...]
    options: DisplayOptions

    def __post_init__(self) -> None:
        entry = new_entry("spawned")
        self.folder = session_folder(self.journal.runtime_folder, entry.token)
        self.entry: Entry = replace(
            entry, folder=str(self.folder), socket_path=str(self.folder / "sway.sock")
        )
        self.processes: list[trio.Process] = []
        self.log = self.folder / "log"

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator["_Session"]:
        """Own folder and processes for the length of the block."""
        self.journal.write(self.entry)
        try:
            self.folder.mkdir(mode=0o700, parents=True)
            yield self
        finally:
            # Shielded, with a bound: a cancelled session still ends its compositor.
            with trio.move_on_after(CLEANUP_S, shield=True):
                await self.end_processes()
                shutil.rmtree(self.folder, ignore_errors=True)
                self.journal.remove(self.entry.token)

    async def end_processes(self) -> None:
        """End what was started, newest first, then whatever it started that is still there."""
        applications = [
            identity
            for identity in find_by_token(self.entry.token)
            if identity.pid not in {process.pid for process in self.processes}
        ]
        await end_identities(applications, GRACE_S / 2)
        while self.processes:
            await end_process(self.processes.pop(), GRACE_S)
        await end_by_token(self.entry.token, GRACE_S / 4)

    async def start(self, mode: Mode, renderer: str) -> VirtualOutput:
        """Start the bus and sway, and describe the output once it shows exactly the mode."""
        environment = build_environment(str(self.folder), self.entry.socket_path, renderer)
        environment[DISPLAY_VARIABLE] = self.entry.token
        if bus := shutil.which("dbus-daemon"):
            address = f"unix:path={self.folder}/bus"
            await self._run(
                [bus, "--session", "--nofork", "--nopidfile", f"--address={address}"], environment
            )
            await self._wait_for(self.folder / "bus", "dbus-daemon")
            environment["DBUS_SESSION_BUS_ADDRESS"] = address
        config = self.folder / "config"
        config.write_text(build_config(mode, xwayland=shutil.which("Xwayland") is not None), encoding="utf-8")
        await self._run([*self.command, "-c", str(config)], environment)
        await self._wait_for(Path(self.entry.socket_path), "sway")
        async with connect_sway(self.entry.socket_path) as ipc:
            shown = await set_mode(ipc, SPAWNED_OUTPUT, mode, self.options.scale)
            _version, text = await ipc.version()
            inside = await ask_environment(ipc, self.folder / "environment")
            await ipc.run(f"focus output {SPAWNED_OUTPUT}")
            region = region_of(await ipc.outputs(), SPAWNED_OUTPUT)
        return VirtualOutput(
            SPAWNED_OUTPUT,
            shown,
            WaylandSource(wayland_socket(inside), SPAWNED_OUTPUT, shown),
            SpawnedSway.name,
            {**inside, DISPLAY_VARIABLE: self.entry.token, "XDG_SESSION_TYPE": "wayland"},
            self.entry.socket_path,
            (f"a private session of sway {text}, drawn by {renderer or 'the GPU'}",),
            region=region,
        )

    async def _run(self, command: list[str], environment: dict[str, str]) -> None:
        process = await start_process(command, environment, self.log)
        self.processes.append(process)
        self.entry = self.journal.write(self.entry.with_process(process.pid))

    async def _wait_for(self, socket_path: Path, name: str) -> None:
        """Wait until the newest process listens on its socket."""
        process = self.processes[-1]
        with trio.move_on_after(START_S):
            while process.poll() is None:
                try:
                    stream = await trio.open_unix_socket(str(socket_path))
                except OSError:
                    await trio.sleep(0.02)
                else:
                    await stream.aclose()
                    return
        ended = "did not listen" if process.returncode is None else f"ended with status {process.returncode}"
        raise EnvironmentProblem(
            f"{name} {ended} within {START_S:g} s; it said: {log_tail(self.log) or 'nothing'}",
            hint='Look at what it said, or set display = "testcard".',
        )
