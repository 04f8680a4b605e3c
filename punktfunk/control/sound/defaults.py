"""Makes a node of ours the default sink or source of a session, and puts back what was before.

    taken -> written to the journal -> set ... set again when the server came back ... -> what was before

Sessions that share a sound server stack: the newest one's node is the default, and whoever leaves hands what
was before it to the one above. What somebody chose meanwhile stays. A host that died left its journal, from
which the next one puts things back.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol, Self

import trio

from punktfunk.control.problems import worded
from punktfunk.control.system.journal import Entry, Journal, new_entry
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import SoundRole, SoundServerKind
from punktfunk.realtime import change_default, change_pulse_default, forget_node

logger = logging.getLogger(__name__)

KIND: Final = "default-sound"
RESTORE_S: Final = 8.0


class Defaults(Protocol):
    """What a server's defaults are."""

    @property
    def configured(self) -> str:
        """The node that the user chose; empty: none."""

    @property
    def effective(self) -> str:
        """The node that is used; empty: none."""


class ChangeDefault(Protocol):
    """``realtime.change_default``, and its like for PulseAudio; runs in a worker thread."""

    def __call__(
        self, socket_path: str, role: SoundRole, name: str | None, *, only_if: str | None = None
    ) -> Defaults:
        """Set a default and return what was before; None only looks."""


def changer(server: SoundServerKind) -> ChangeDefault:
    """Find who changes the defaults of a server."""
    return change_pulse_default if server is SoundServerKind.PULSE else change_default


class DefaultNode:
    """One node of ours as a default. Own it by ``async with``; :meth:`take` may be called again and again."""

    def __init__(
        self,
        journal: Journal,
        role: SoundRole,
        name: str,
        find_changer: Callable[[SoundServerKind], ChangeDefault] = changer,
    ) -> None:
        self._journal = journal
        self._role = role
        self._name = name
        self._find_changer = find_changer
        self._entry: Entry | None = None
        self.before = ""
        """The device that programs used before; never a node of ours; empty: there was none."""

    async def __aenter__(self) -> Self:
        await trio.lowlevel.checkpoint()
        return self

    async def __aexit__(self, *_reason: object) -> None:
        if self._entry is None:
            return
        # Shielded, with a bound: what could not be put back stays in the journal for the next start.
        with trio.move_on_after(RESTORE_S, shield=True):
            logger.info("default sound: %s", await undo(self._journal, self._entry, self._find_changer))

    async def take(self, server: SoundServerKind, socket_path: str) -> None:
        """Make the node the default; EnvironmentProblem if the server does not let us."""
        change = self._find_changer(server)
        if self._entry is None:
            before = await _in_thread(change, socket_path, self._role, None)
            self.before = self._device(socket_path, before.effective or before.configured)
            details = {
                "role": self._role.value,
                "server": server.value,
                "previous": before.configured,
                "device": self.before,
            }
            entry = new_entry(KIND, socket_path=socket_path, output_name=self._name, details=details)
            self._entry = self._journal.write(entry)
        await _in_thread(change, socket_path, self._role, self._name)

    def _device(self, socket_path: str, name: str) -> str:
        """Find the device behind the node of another session, if ``name`` is one."""
        devices = {
            entry.output_name: entry.details.get("device", "")
            for entry in self._journal.entries()[0]
            if entry.kind == KIND and entry.socket_path == socket_path
        }
        return devices.get(name, name) if name != self._name else ""


async def undo(
    journal: Journal, entry: Entry, find_changer: Callable[[SoundServerKind], ChangeDefault] = changer
) -> str:
    """Put back what was before ``entry`` and forget it; return what was done. Raises nothing.

    Where another node of ours was made the default after it, that one inherits what to put back.
    """
    # Another one may have left meanwhile, and this one inherited.
    entry = next((kept for kept in journal.entries()[0] if kept.token == entry.token), entry)
    previous = entry.details.get("previous", "")
    for other in journal.entries()[0]:
        if is_like(other, entry) and other.details.get("previous") == entry.output_name:
            journal.write(replace(other, details={**other.details, "previous": previous}))
    try:
        role, server = SoundRole(entry.details["role"]), SoundServerKind(entry.details["server"])
        change = find_changer(server)
        before = await _in_thread(change, entry.socket_path, role, previous, only_if=entry.output_name)
    except EnvironmentProblem as problem:
        if Path(entry.socket_path).parent.exists():
            return f"the default of {entry.socket_path} stays journalled, not put back: {worded(problem)}"
        journal.remove(entry.token)
        return f"the sound server of {entry.output_name} is gone"
    except (KeyError, ValueError):
        journal.remove(entry.token)
        return f"a journal entry of {entry.output_name or 'a default'} made no sense"
    journal.remove(entry.token)
    if before.configured != entry.output_name:
        return f"the default {role.value} was chosen anew meanwhile and stays {before.configured or 'so'}"
    return f"the default {role.value} is {previous or 'what the system chooses'} again"


async def undo_orphan(journal: Journal, entry: Entry) -> str:
    """Put back what a dead host's entry names; PulseAudio keeps a dead client's modules, so those go too."""
    said = await undo(journal, entry)
    if entry.details.get("server") == SoundServerKind.PULSE.value:
        try:
            count = await trio.to_thread.run_sync(forget_node, entry.socket_path, entry.output_name)
        except EnvironmentProblem as problem:
            return f"{said}; its device may be left: {worded(problem)}"
        return f"{said}; {count} modules of it unloaded"
    return said


def is_like(entry: Entry, other: Entry) -> bool:
    """Tell whether two entries are about the same default."""
    return (
        entry.kind == other.kind == KIND
        and entry.token != other.token
        and entry.socket_path == other.socket_path
        and entry.details.get("role") == other.details.get("role")
    )


async def _in_thread(
    change: ChangeDefault, socket_path: str, role: SoundRole, name: str | None, *, only_if: str | None = None
) -> Defaults:
    def call() -> Defaults:
        return change(socket_path, role, name, only_if=only_if)

    return await trio.to_thread.run_sync(call)
