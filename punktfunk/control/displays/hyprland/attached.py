"""Hyprland, attached: an output added to the session that this user already runs, and removed at the end.

The rule of the output is given before the output is made, so it comes up in its mode. Its name is ours;
Hyprlands that name outputs themselves are found out by comparing before and after.
"""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import trio

from punktfunk.control.displays.base import (
    ARRANGEMENTS,
    Capabilities,
    DisplayOptions,
    VirtualOutput,
    refresh_note,
)
from punktfunk.control.displays.hyprland.dialect import Dialect, Rule, find_dialect
from punktfunk.control.displays.hyprland.instances import Instance, find_instances
from punktfunk.control.displays.hyprland.ipc import HyprlandIpc, Monitor
from punktfunk.control.displays.hyprland.layout import (
    KIND,
    OUR_PREFIX,
    add_output,
    apply_rule,
    others_off,
    take_away,
)
from punktfunk.control.displays.session_variables import ask_by_script, runtime_folder_of
from punktfunk.control.displays.topology import topology_lock
from punktfunk.control.input.base import Injector
from punktfunk.control.input.wlr import open_wlr_injector
from punktfunk.control.system.journal import Entry, Journal, new_entry
from punktfunk.control.system.processes import read_identity
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError
from punktfunk.plan import CursorMode, Mode, WaylandSource

CLEANUP_S = 10.0
PLACES = {"right": "auto", "left": "auto-left", "above": "auto-up", "below": "auto-down"}
"""Hyprland's words for a side; "auto" is the right one, and the only one that every version knows."""

VARIABLES = (
    "XDG_RUNTIME_DIR",
    "WAYLAND_DISPLAY",
    "DISPLAY",
    "HYPRLAND_INSTANCE_SIGNATURE",
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_CURRENT_DESKTOP",
)
NO_PRIMARY = "Hyprland has no primary monitor: new windows open on the focused one, which is this display"


class AttachedHyprland:
    """Adds outputs to a running Hyprland."""

    name = "hyprland"

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
        self._instance: Instance | None = None

    async def probe(self) -> Capabilities:
        """Look for a running Hyprland of this user."""
        await trio.lowlevel.checkpoint()
        refused = "no Hyprland session of this user runs"
        for instance in find_instances(self._environment):
            ipc = HyprlandIpc(instance.control_path)
            try:
                _version, text = await ipc.version()
                dialect = await find_dialect(ipc)
            except (EnvironmentProblem, RemoteProtocolError) as error:
                refused = str(error)
                continue
            self._instance = instance
            return Capabilities(
                available=True,
                reason=f"Hyprland {text} runs as process {instance.pid} (configured in {dialect.name})",
                version=text,
                arrangements=ARRANGEMENTS,
            )
        return Capabilities(
            available=False,
            reason=refused,
            hint='Log into Hyprland, or set display = "sway" for a private session.',
        )

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:  # noqa: ARG002 - Hyprland keeps nothing by identity
        """Add an output, hand it out, and take it away again; other monitors come back on."""
        found = await self.probe()
        instance = self._instance
        if not found.available or instance is None:
            raise EnvironmentProblem(found.reason, hint=found.hint)
        ipc = HyprlandIpc(instance.control_path)
        entry = new_entry(KIND, socket_path=instance.control_path)
        try:
            async with topology_lock(instance.control_path):
                dialect = await find_dialect(ipc)
                entry, shown = await self._add(ipc, dialect, entry, mode)
                if self._options.arrangement == "exclusive":
                    entry = await others_off(self._journal, ipc, dialect, entry)
                await ipc.run(dialect.focus(entry.output_name))
            yield await self._describe(ipc, dialect, instance, entry, mode, shown)
        finally:
            # Shielded, with a bound: what could not be put back stays in the journal for the next start.
            with trio.move_on_after(CLEANUP_S, shield=True):
                await take_away(self._journal, entry)

    async def _add(
        self, ipc: HyprlandIpc, dialect: Dialect, entry: Entry, mode: Mode
    ) -> tuple[Entry, Monitor]:
        hyprland = read_identity(await ipc.peer_pid())
        if hyprland is None:
            raise EnvironmentProblem(f"the Hyprland behind {entry.socket_path} is gone")
        before = tuple(monitor.name for monitor in await ipc.monitors())
        # Numbers are used again: Hyprland keeps the rule of every name it was ever told.
        name = next(f"{OUR_PREFIX}{n}" for n in range(1, 1000) if f"{OUR_PREFIX}{n}" not in before)
        entry = self._journal.write(
            replace(entry, processes=(hyprland,), outputs_before=before, output_name=name)
        )
        rule = Rule(name, mode, PLACES[self._options.position], self._options.scale)
        await ipc.run(dialect.monitor(rule))
        made = await add_output(ipc, name, set(before))
        if made != name:
            entry = self._journal.write(replace(entry, output_name=made))
            await ipc.run(dialect.monitor(replace(rule, name=made)))
        return entry, await apply_rule(ipc, dialect, replace(rule, name=made))

    async def _describe(
        self,
        ipc: HyprlandIpc,
        dialect: Dialect,
        instance: Instance,
        entry: Entry,
        asked: Mode,
        shown: Monitor,
    ) -> VirtualOutput:
        mode = shown.mode or asked
        show_cursor = self._options.cursor is not CursorMode.HIDDEN
        source = WaylandSource(instance.wayland_path, entry.output_name, mode, show_cursor)
        inside = await self._inside(ipc, dialect, instance, entry.token)
        notes = refresh_note("Hyprland", asked, mode)
        if self._options.arrangement == "primary":
            notes += (NO_PRIMARY,)
        output = VirtualOutput(
            entry.output_name,
            mode,
            source,
            self.name,
            inside,
            notes=notes,
            dbus_address=inside.get("DBUS_SESSION_BUS_ADDRESS", ""),
        )
        return replace(output, open_input=lambda: _open_input(output, ipc, dialect))

    async def _inside(
        self, ipc: HyprlandIpc, dialect: Dialect, instance: Instance, token: str
    ) -> dict[str, str]:
        """Ask a child of Hyprland for its variables; what the lock file says must do where it is silent."""
        known = {
            "XDG_RUNTIME_DIR": str(runtime_folder_of(self._environment)),
            "WAYLAND_DISPLAY": Path(instance.wayland_path).name,
            "HYPRLAND_INSTANCE_SIGNATURE": instance.signature,
        }

        async def start(script_path: str) -> None:
            await ipc.run(dialect.execute(script_path))

        try:
            asked = await ask_by_script(VARIABLES, self._journal.runtime_folder, token, start)
        except (EnvironmentProblem, RemoteProtocolError):
            return known
        return known | {name: value for name, value in asked.items() if value}

    def owns(self, output: VirtualOutput) -> bool:
        """Tell whether an output is in the Hyprland that this one is attached to."""
        source, instance = output.source, self._instance
        return (
            isinstance(source, WaylandSource)
            and instance is not None
            and source.socket_path == instance.wayland_path
        )

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Give the output another mode; its windows stay."""
        if self._instance is None or not isinstance(output.source, WaylandSource):
            raise EnvironmentProblem(f"{output.name} is no output of Hyprland")
        ipc = HyprlandIpc(self._instance.control_path)
        async with topology_lock(self._instance.control_path):
            dialect = await find_dialect(ipc)
            rule = Rule(output.name, mode, PLACES[self._options.position], self._options.scale)
            await ipc.run(dialect.monitor(rule))
            shown = (await apply_rule(ipc, dialect, rule)).mode or mode
        changed = replace(output, mode=shown, source=replace(output.source, mode=shown))
        return replace(changed, open_input=lambda: _open_input(changed, ipc, dialect))


def _open_input(
    output: VirtualOutput, ipc: HyprlandIpc, dialect: Dialect
) -> AbstractAsyncContextManager[Injector]:
    return _focused_injector(output, ipc, dialect)


@asynccontextmanager
async def _focused_injector(
    output: VirtualOutput, ipc: HyprlandIpc, dialect: Dialect
) -> AsyncGenerator[Injector]:
    """Focus the output, so that keys go to its windows, and open pointer and keyboard on it."""
    await ipc.run(dialect.focus(output.name))
    async with open_wlr_injector(output) as injector:
        yield injector
