"""A private session for one stream: a folder of its own and processes in it, gone without a trace at the end.

A runtime folder (0700), a D-Bus of its own where dbus-daemon is installed, and whichever compositor is
started in it. Everything started is in the journal before it is used and ends in reverse order, by pid,
within a bound.
"""

import logging
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import trio

from punktfunk.control.desktop.parts import Part
from punktfunk.control.desktop.services import sound_parts
from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.sound.servers import PIPEWIRE_SOCKET
from punktfunk.control.system.journal import Entry, Journal, new_entry
from punktfunk.control.system.processes import (
    end_by_token,
    end_identities,
    end_process,
    find_by_token,
    log_tail,
    start_process,
)
from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem
from punktfunk.paths import UNIX_PATH_BYTES

logger = logging.getLogger(__name__)

START_S: Final = 15.0
SOUND_S: Final = 2.0
GRACE_S: Final = 2.0
CLEANUP_S: Final = 10.0
LONGEST_SOCKET_BYTES: Final = len(
    "/sway-ipc.4294967295.4194304.sock"
)  # sway wants room for its default name, used or not


def session_folder(runtime_folder: Path, token: str) -> Path:
    """Name the private folder of a session: in the runtime folder, unless sockets in it would be too deep."""
    folder = runtime_folder / f"s-{token}"
    if len(os.fsencode(folder)) + LONGEST_SOCKET_BYTES <= UNIX_PATH_BYTES:
        return folder
    return Path(tempfile.gettempdir()) / f"punktfunk-s-{token}"


class PrivateSession:
    """The processes and the folder of one session; ``entry`` is what the journal knows of them."""

    def __init__(self, journal: Journal) -> None:
        entry = new_entry("spawned")
        self.folder = session_folder(journal.runtime_folder, entry.token)
        self.entry: Entry = replace(
            entry, folder=str(self.folder), socket_path=str(self.folder / "sway.sock")
        )
        self.log = self.folder / "log"
        self._journal = journal
        self._processes: list[trio.Process] = []
        self._sound: list[Part] = []

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator["PrivateSession"]:
        """Own folder and processes for the length of the block."""
        self._journal.write(self.entry)
        try:
            self.folder.mkdir(mode=0o700, parents=True)
            yield self
        finally:
            # Shielded, with a bound: a cancelled session still ends its compositor.
            with trio.move_on_after(CLEANUP_S, shield=True):
                await self.end_processes()
                shutil.rmtree(self.folder, ignore_errors=True)
                self._journal.remove(self.entry.token)

    async def start_by(
        self, renderers: Sequence[str], start: Callable[[str], Awaitable[VirtualOutput]]
    ) -> VirtualOutput:
        """Start with the first renderer that works; EnvironmentProblem of the last one where none does."""
        for renderer in renderers[:-1]:
            try:
                return await start(renderer)
            except EnvironmentProblem:
                await self.end_processes()
        return await start(renderers[-1])

    async def end_processes(self) -> None:
        """End what was started, newest first, then whatever it started that is still there."""
        applications = [
            identity
            for identity in find_by_token(self.entry.token)
            if identity.pid not in {process.pid for process in self._processes}
        ]
        await end_identities(applications, GRACE_S / 2)
        while self._processes:
            await end_process(self._processes.pop(), GRACE_S)
        await end_by_token(self.entry.token, GRACE_S / 4)

    async def start_bus(self, environment: Mapping[str, str]) -> str:
        """Start a D-Bus and return its address; "" where dbus-daemon is not installed."""
        bus = shutil.which("dbus-daemon")
        if bus is None:
            await trio.lowlevel.checkpoint()
            return ""
        address = f"unix:path={self.folder}/bus"
        command = [bus, "--session", "--nofork", "--nopidfile", f"--address={address}"]
        await self.run(command, environment)
        await self.wait_for(self.folder / "bus", "dbus-daemon")
        return address

    @property
    def pipewire_remote(self) -> str:
        """Where the session's own PipeWire listens, if it has one: programs here reach no other."""
        return str(self.folder / PIPEWIRE_SOCKET)

    async def begin_sound(self, environment: Mapping[str, str]) -> None:
        """Start PipeWire, where it and its session manager are installed; the session is silent otherwise."""
        self._sound = []
        parts = sound_parts(self.folder, vital=False)
        if all(shutil.which(part.program) for part in parts[:2]):
            self._sound = parts[1:]
            await self._run_part(parts[0], environment)

    async def finish_sound(self, environment: Mapping[str, str]) -> None:
        """Start what needs PipeWire, which comes up beside the compositor. Nobody waits until it is ready."""
        if not self._sound:
            return

        async def listens() -> bool:
            return await trio.Path(self.pipewire_remote).exists()

        if await wait_until(listens, SOUND_S):
            for part in self._sound:
                await self._run_part(part, environment)

    async def _run_part(self, part: Part, environment: Mapping[str, str]) -> None:
        start = part.starts[0]
        try:
            log = self.folder / "sound.log"
            await self.run(list(start.command), {**environment, **start.environment}, log)
        except EnvironmentProblem as problem:
            logger.info("a private session has no %s: %s", part.name, problem)

    async def run(self, command: list[str], environment: Mapping[str, str], log: Path | None = None) -> None:
        """Start a process and journal it; EnvironmentProblem if it cannot be started."""
        process = await start_process(command, environment, log or self.log)
        self._processes.append(process)
        self.entry = self._journal.write(self.entry.with_process(process.pid))

    async def wait_for(self, socket_path: Path, name: str) -> None:
        """Wait until the newest process listens on its socket; EnvironmentProblem if it does not."""

        async def listens() -> bool:
            try:
                stream = await trio.open_unix_socket(str(socket_path))
            except OSError:
                return False
            await stream.aclose()
            return True

        await self.wait_until(listens, name, "did not listen")

    async def wait_until(self, is_ready: Callable[[], Awaitable[bool]], name: str, missed: str) -> None:
        """Wait until the newest process is ready; EnvironmentProblem with what it said if it never is."""
        process = self._processes[-1]
        with trio.move_on_after(START_S):
            while process.poll() is None:
                if await is_ready():
                    return
                await trio.sleep(0.02)
        ended = missed if process.returncode is None else f"ended with status {process.returncode}"
        raise EnvironmentProblem(
            f"{name} {ended} within {START_S:g} s; it said: {log_tail(self.log) or 'nothing'}",
            hint='Look at what it said, or set display = "testcard".',
        )
