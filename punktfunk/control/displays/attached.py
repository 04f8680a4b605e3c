"""Sway, attached: an output added to the session that this user already runs, and removed at the end."""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import trio

from punktfunk.control.displays.base import ARRANGEMENTS, Capabilities, DisplayOptions, VirtualOutput
from punktfunk.control.displays.session_env import ask_environment, wayland_socket
from punktfunk.control.displays.sway_arrangement import arrange, put_back, region_of, switch_on
from punktfunk.control.displays.sway_ipc import FIRST_UNPLUG, NoSway, SwayIpc, connect_sway
from punktfunk.control.displays.topology import (
    Removal,
    add_output,
    change_sway_mode,
    remove_output,
    set_mode,
    topology_lock,
)
from punktfunk.control.system.journal import Entry, Journal, new_entry
from punktfunk.control.system.processes import is_alive, read_identity
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError
from punktfunk.plan import Mode, WaylandSource

CLEANUP_S = 10.0


class AttachedSway:
    """Adds outputs to a running sway; ``socket_path`` empty means whichever session is found."""

    name = "attach"

    def __init__(
        self,
        journal: Journal,
        socket_path: str = "",
        *,
        options: DisplayOptions | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._journal = journal
        self._asked_path = self._socket_path = socket_path
        self._options = options or DisplayOptions()
        self._environment = os.environ if environment is None else environment

    async def probe(self) -> Capabilities:
        """Look for a running sway of this user."""
        refused = "no sway session of this user runs"
        for path in [self._asked_path] if self._asked_path else find_sockets(self._environment):
            try:
                async with connect_sway(path) as ipc:
                    version, text = await ipc.version()
                    pid = ipc.peer_pid()
            except NoSway as error:
                refused = str(error) if self._asked_path else refused
                continue
            except (EnvironmentProblem, RemoteProtocolError) as error:
                refused = str(error)
                continue
            self._socket_path = path
            reason = f"sway {text} runs as process {pid} ({path})"
            if version < FIRST_UNPLUG:
                reason += f"; {cannot_remove(text)}"
            return Capabilities(
                available=True,
                reason=reason,
                version=text,
                removes_outputs=version >= FIRST_UNPLUG,
                arrangements=ARRANGEMENTS,
            )
        return Capabilities(
            available=False,
            reason=refused,
            hint='Log into sway, or set display = "sway" for a private session.',
        )

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:  # noqa: ARG002 - sway names its outputs itself
        """Add an output, hand it out, and take it away again."""
        found = await self.probe()
        if not found.available:
            raise EnvironmentProblem(found.reason, hint=found.hint)
        notes = () if found.removes_outputs else (cannot_remove(found.version),)
        path = self._socket_path  # another display may be sought in another sway meanwhile
        entry = new_entry("output", socket_path=path)
        try:
            async with topology_lock(path), connect_sway(path) as ipc:
                entry = await self._add(ipc, entry)
                shown = await set_mode(ipc, entry.output_name, mode, self._options.scale)
                entry, more = await arrange(ipc, self._journal, entry, self._options)
                region = region_of(await ipc.outputs(), entry.output_name)
                inside = await ask_environment(
                    ipc, self._journal.runtime_folder / f"environment-{entry.token}"
                )
            source = WaylandSource(wayland_socket(inside), entry.output_name, shown)
            yield VirtualOutput(
                *(entry.output_name, shown, source, self.name, inside, path, (*notes, *more)),
                region=region,
            )
        finally:
            # Shielded, with a bound: what could not be removed stays in the journal for the next start.
            with trio.move_on_after(CLEANUP_S, shield=True):
                await take_away(self._journal, entry)

    async def _add(self, ipc: SwayIpc, entry: Entry) -> Entry:
        """Use a parked output of this sway again, else add one; journal it before and after."""
        sway = read_identity(ipc.peer_pid())
        if sway is None:
            raise EnvironmentProblem(f"the sway behind {entry.socket_path} is gone")
        names = tuple(state.name for state in await ipc.outputs())
        for parked in self._journal.entries()[0]:
            if parked.kind == "parked" and parked.processes == (sway,) and parked.output_name in names:
                entry = replace(entry, processes=(sway,), output_name=parked.output_name)
                self._journal.write(entry)
                self._journal.remove(parked.token)
                return entry
        entry = self._journal.write(replace(entry, processes=(sway,), outputs_before=names))
        name = await add_output(ipc, set(names))
        return self._journal.write(replace(entry, output_name=name))

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Give the output another mode; its windows stay."""
        return await change_sway_mode(output, mode, self._options)


async def take_away(journal: Journal, entry: Entry) -> str:
    """Remove the output of a journal entry and forget the entry; return what was done.

    Monitors that were off for its sake are switched on first. An entry whose compositor cannot be reached but
    lives is kept, and the sentence says so.
    """
    # Another session may have left its monitors to this one meanwhile.
    entry = journal.newest(entry)
    if not entry.processes or not is_alive(entry.processes[0]):
        journal.remove(entry.token)
        return f"the sway of output {entry.output_name or '(unnamed)'} is gone, and the output with it"
    try:
        async with topology_lock(entry.socket_path), connect_sway(entry.socket_path) as ipc:
            lit = await switch_on(ipc, journal, entry) if entry.details else []
            names = [entry.output_name] if entry.output_name else await _unnamed(ipc, entry)
            removed = [await remove_output(ipc, name) for name in names]
            await put_back(ipc, entry.details, lit)
    except (EnvironmentProblem, RemoteProtocolError) as error:
        if is_alive(entry.processes[0]):
            return f"output {entry.output_name or '(unnamed)'} stays journalled, not removed: {error}"
        removed, names, lit = [], [entry.output_name], []
    if all(removal is Removal.REMOVED for removal in removed):
        journal.remove(entry.token)
        back = f" and switched {', '.join(lit)} on again" if lit else ""
        return f"removed output {', '.join(names) or '(none was made)'}{back}"
    journal.write(replace(entry, kind="parked", output_name=names[0], details={}))
    return f"output {names[0]} was {removed[0].value}: {cannot_remove('')}"


async def _unnamed(ipc: SwayIpc, entry: Entry) -> list[str]:
    """Find the output of an entry whose owner died between asking for it and learning its name."""
    return [
        state.name
        for state in await ipc.outputs()
        if state.name.startswith("HEADLESS-") and state.name not in entry.outputs_before
    ][:1]


def cannot_remove(version: str) -> str:
    """Say what becomes of an output in a sway before 1.8."""
    which = f"sway {version}" if version else "this sway"
    return f"{which} cannot remove an output (1.8 can): it is emptied, shrunk and later used again"


def find_sockets(environment: Mapping[str, str]) -> list[str]:
    """List control sockets of this user's sways: $SWAYSOCK first, then the newest in the runtime folder."""
    named = environment.get("SWAYSOCK", "")
    folder = Path(environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    try:
        found = sorted(
            folder.glob(f"sway-ipc.{os.getuid()}.*.sock"), key=lambda path: path.stat().st_mtime, reverse=True
        )
    except OSError:
        found = []
    return list(dict.fromkeys([*([named] if named else []), *map(str, found)]))
