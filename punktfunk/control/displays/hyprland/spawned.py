"""Hyprland, spawned: a private one for each stream, gone without a trace when it ends.

Hyprland draws through a GPU that it reaches by a seat (a login on a console, or seatd); without, it does not
start and says so. It makes sockets in a folder with a long name of its own, so the session's folder has a
short one.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import trio

from punktfunk.control.displays.base import Capabilities, DisplayOptions, VirtualOutput
from punktfunk.control.displays.hyprland.attached import AttachedHyprland
from punktfunk.control.displays.hyprland.instances import find_instances
from punktfunk.control.displays.hyprland.ipc import HyprlandIpc
from punktfunk.control.displays.private_session import PrivateSession
from punktfunk.control.displays.reclaim import end_session
from punktfunk.control.displays.sway_config import FOREIGN_VARIABLES
from punktfunk.control.system.journal import Entry, Journal
from punktfunk.control.system.packages import install_command
from punktfunk.control.system.processes import DISPLAY_VARIABLE
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError
from punktfunk.plan import Mode

KIND: Final = "hyprland-own"
PROGRAM: Final = "Hyprland"
PACKAGES: Final = {name: ["hyprland"] for name in ("debian", "fedora", "arch", "suse")}
CONFIGURATION: Final = "hyprland.conf"
"""An empty file: it means the same in both of Hyprland's languages, and nothing of the user's is read."""


class SpawnedHyprland:
    """Starts a Hyprland for each output."""

    name = "hyprland-own"

    def __init__(
        self,
        journal: Journal,
        *,
        options: DisplayOptions | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._journal = journal
        # There is nothing of the user's in it: no monitor to be beside, none to switch off.
        self._options = replace(options or DisplayOptions(), arrangement="extend")
        self._environment = os.environ if environment is None else environment
        self._inner: list[AttachedHyprland] = []

    async def probe(self) -> Capabilities:
        """Look for Hyprland."""
        await trio.lowlevel.checkpoint()
        if os.geteuid() == 0:
            return Capabilities(
                available=False,
                reason="Hyprland refuses to run as root",
                hint="Start punktfunk as an ordinary user.",
            )
        path = shutil.which(PROGRAM, path=self._environment.get("PATH"))
        if path is None:
            return Capabilities(
                available=False, reason="Hyprland is not installed", hint=install_command(PACKAGES)
            )
        return Capabilities(available=True, reason=f"a private session of {path} is started for each stream")

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:
        """Start a Hyprland, add an output to it, and end everything that was started in it."""
        found = await self.probe()
        if not found.available:
            raise EnvironmentProblem(found.reason, hint=found.hint)
        async with _Session(self._journal).opened() as session:
            inside = await self._start(session)
            inner = AttachedHyprland(self._journal, options=self._options, environment=inside)
            async with inner.create(mode, identity) as output:
                self._inner.append(inner)
                try:
                    yield replace(output, backend=self.name, environment={**inside, **output.environment})
                finally:
                    self._inner.remove(inner)

    async def _start(self, session: PrivateSession) -> dict[str, str]:
        """Start bus and compositor, and return the variables of the session."""
        kept = {key: value for key, value in self._environment.items() if key not in FOREIGN_VARIABLES}
        kept.pop("HYPRLAND_INSTANCE_SIGNATURE", None)
        inside = {
            **kept,
            "XDG_RUNTIME_DIR": str(session.folder),
            "XDG_SESSION_TYPE": "wayland",
            "XDG_CURRENT_DESKTOP": "Hyprland",
            DISPLAY_VARIABLE: session.entry.token,
        }
        if address := await session.start_bus(inside):
            inside["DBUS_SESSION_BUS_ADDRESS"] = address
        await session.begin_sound(inside)
        config = session.folder / CONFIGURATION
        config.write_bytes(b"")
        await session.run([PROGRAM, "--config", str(config)], inside)

        async def answers() -> bool:
            for instance in find_instances(inside):
                try:
                    await HyprlandIpc(instance.control_path).version()
                except (EnvironmentProblem, RemoteProtocolError):
                    continue
                return True
            return False

        try:
            await session.wait_until(answers, PROGRAM, "did not answer")
        except EnvironmentProblem as error:
            raise EnvironmentProblem(
                str(error),
                hint="It needs a GPU and a seat: log in on a console of this machine, or run seatd.",
            ) from error
        await session.finish_sound(inside)
        return inside

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Give the output another mode; its windows stay."""
        for inner in self._inner:
            if inner.owns(output):
                changed = await inner.change_mode(output, mode)
                return replace(changed, backend=self.name, environment=output.environment)
        raise EnvironmentProblem(f"{output.name} is no output of a Hyprland of ours")


class _Session(PrivateSession):
    """A private session in a folder whose name is short."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self.folder = short_folder(self.entry.token)
        self.log = self.folder / "log"
        self.entry: Entry = replace(self.entry, kind=KIND, folder=str(self.folder), socket_path="")


def short_folder(token: str) -> Path:
    """Name the folder: Hyprland adds 82 bytes to it, and a socket's path has room for 107 (unix(7))."""
    return Path(tempfile.gettempdir()) / f"pf-h-{token[:12]}"


async def end_own(journal: Journal, entry: Entry) -> str:
    """End what a dead host's Hyprland left, and its folder; return what was done."""
    said = await end_session(journal, entry)
    folder = Path(entry.folder)
    # Only a folder that the backend would make is ever deleted: its name is made from the token.
    if folder == short_folder(entry.token) and all(e.token != entry.token for e in journal.entries()[0]):
        shutil.rmtree(folder, ignore_errors=True)
    return said
