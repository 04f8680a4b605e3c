"""gamescope, spawned: a headless one of exactly the client's size for each stream, gone when it ends.

It runs in the user's own runtime folder, because its pictures and sound go through the PipeWire there and
Steam wants the user's own buses. Everything started carries a token and is in the journal before it is used.
"""

import os
import shutil
import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import trio

from punktfunk.control.displays.base import Capabilities, DisplayOptions, VirtualOutput, refresh_note
from punktfunk.control.displays.gamescope.holder import holder, read_answer
from punktfunk.control.displays.gamescope.output import describe, rescaled
from punktfunk.control.displays.gamescope.words import (
    LOG_BYTES,
    Said,
    command_line,
    has_headless,
    parse_log,
    rounded,
)
from punktfunk.control.displays.private_session import session_folder
from punktfunk.control.displays.session_variables import runtime_folder_of
from punktfunk.control.system.journal import Entry, Journal, new_entry
from punktfunk.control.system.packages import install_command
from punktfunk.control.system.processes import (
    DISPLAY_VARIABLE,
    end_by_token,
    end_process,
    log_tail,
    start_process,
)
from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode

PROGRAM = "gamescope"
PACKAGES = {name: [PROGRAM] for name in ("debian", "fedora", "arch", "suse")}
HELP_S = 3.0
START_S = 20.0
GRACE_S = 2.0
CLEANUP_S = 10.0
NO_INPUT = "this gamescope was built without libei: it takes no keys and no mouse"
LEADING_OUT = ("DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET", "LIBEI_SOCKET", "GAMESCOPE_WAYLAND_DISPLAY")
"""Variables of the session the host runs in: with them gamescope would open a window there."""


class SpawnedGamescope:
    """Starts a gamescope for each output."""

    name = "gamescope"

    def __init__(
        self,
        journal: Journal,
        *,
        options: DisplayOptions | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._journal = journal
        self._options = options or DisplayOptions()
        self._environment = os.environ if environment is None else environment

    async def probe(self) -> Capabilities:
        """Look for gamescope, and whether it can run without a screen."""
        path = shutil.which(PROGRAM, path=self._environment.get("PATH"))
        if path is None:
            await trio.lowlevel.checkpoint()
            return Capabilities(
                available=False, reason="gamescope is not installed", hint=install_command(PACKAGES)
            )
        if not has_headless(await self._usage(path)):
            return Capabilities(
                available=False,
                reason=f"{path} has no headless backend",
                hint="gamescope 3.14 or later has one.",
            )
        return Capabilities(available=True, reason=f"a headless {path} is started for each stream")

    async def _usage(self, path: str) -> bytes:
        """Let gamescope print its help, which needs no GPU; empty if it does not."""
        with trio.move_on_after(HELP_S):
            try:
                done = await trio.run_process(
                    [path, "--help"],
                    env=dict(self._environment),
                    capture_stdout=True,
                    stderr=subprocess.STDOUT,
                    check=False,
                )
            except OSError:
                return b""
            return done.stdout or b""
        return b""

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:  # noqa: ARG002 - nothing is kept from one stream to the next
        """Start a gamescope, hand out its picture, and end everything that was started in it."""
        found = await self.probe()
        if not found.available:
            raise EnvironmentProblem(found.reason, hint=found.hint)
        entry = new_entry("spawned")
        folder = session_folder(self._journal.runtime_folder, entry.token)
        entry = self._journal.write(replace(entry, folder=str(folder)))
        process: trio.Process | None = None
        try:
            folder.mkdir(mode=0o700, parents=True)
            process = await start_process(
                command_line(PROGRAM, mode, holder(folder)), self._inherited(entry), folder / "log"
            )
            entry = self._journal.write(entry.with_process(process.pid))
            said, inside = await self._wait(process, folder)
            output = describe(
                self.name,
                mode=rounded(mode),
                games=rounded(mode),
                node_id=said.node_id or 0,
                environment={**inside, DISPLAY_VARIABLE: entry.token, "XDG_SESSION_TYPE": "wayland"},
                host=self._environment,
            )
            notes = refresh_note("gamescope", mode, output.mode)
            if not said.takes_input:
                notes += (NO_INPUT,)
            yield replace(output, notes=(*output.notes, *notes))
        finally:
            # Shielded, with a bound: a cancelled session still ends its gamescope.
            with trio.move_on_after(CLEANUP_S, shield=True):
                if process is not None:
                    await end_process(process, GRACE_S)
                await end_by_token(entry.token, GRACE_S / 4)
                shutil.rmtree(folder, ignore_errors=True)
                self._journal.remove(entry.token)

    def _inherited(self, entry: Entry) -> dict[str, str]:
        kept = {name: value for name, value in self._environment.items() if name not in LEADING_OUT}
        folder = str(runtime_folder_of(self._environment))
        return kept | {"XDG_RUNTIME_DIR": folder, DISPLAY_VARIABLE: entry.token}

    async def _wait(self, process: trio.Process, folder: Path) -> tuple[Said, dict[str, str]]:
        """Wait until gamescope told its node and its first program its variables."""
        said, inside = Said(), dict[str, str]()

        async def is_ready() -> bool:
            nonlocal said, inside
            await trio.lowlevel.checkpoint()
            said, inside = parse_log(_head(folder / "log")), read_answer(folder)
            return process.poll() is not None or (said.node_id is not None and bool(inside))

        await wait_until(is_ready, START_S)
        if process.poll() is None and said.node_id is not None and inside:
            return said, inside
        if process.returncode is not None:
            ended = f"ended with status {process.returncode}"
        elif said.node_id is None:
            ended = f"told no PipeWire node within {START_S:g} s"
        else:
            ended = f"started no program within {START_S:g} s"
        raise EnvironmentProblem(
            f"gamescope {ended}; it said: {log_tail(folder / 'log') or 'nothing'}",
            hint="gamescope needs a GPU with Vulkan and this user's PipeWire; look at what it said.",
        )

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Keep gamescope's size, which is fixed when it starts, and scale its pictures into the mode."""
        await trio.lowlevel.checkpoint()
        return rescaled(output, rounded(mode))


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LOG_BYTES)
    except OSError:
        return b""
