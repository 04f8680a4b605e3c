"""Cleans up after hosts that died without a chance to: run once at start, before anything is made."""

import shutil
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Final

import trio

from punktfunk.control.displays.private_session import session_folder
from punktfunk.control.system.journal import Entry, Journal
from punktfunk.control.system.processes import end_by_token, end_identities, find_by_token, is_alive

GRACE_S = 2.0
Undo = Callable[[Journal, Entry], Awaitable[str]]

UNDOING: Final[dict[str, str]] = {
    "kwin-outputs": "punktfunk.control.displays.kwin.restore:put_back",
    "default-sound": "punktfunk.control.sound.defaults:undo_orphan",
    "spawned": "punktfunk.control.displays.reclaim:end_session",
    "output": "punktfunk.control.displays.attached:take_away",
    "gnome-monitors": "punktfunk.control.displays.mutter.desktop:put_back",
    "hyprland": "punktfunk.control.displays.hyprland.layout:take_away",
    "hyprland-own": "punktfunk.control.displays.hyprland.spawned:end_own",
}
"""Who undoes an entry of each kind: ``async (journal, entry) -> sentence``. It removes the entry once nothing
is left to undo, raises nothing, and comes to an end on its own."""


async def reclaim(journal: Journal) -> list[str]:
    """End or remove everything that a dead host's journal entries name; return a sentence for each."""
    orphans, refused = journal.orphans()
    said = [f"set aside a broken journal entry: {reason}" for reason in refused]
    for entry in orphans:
        said += [await _undoer(entry.kind)(journal, entry)]
    for entry in journal.entries()[0]:
        if entry.kind == "parked" and not any(is_alive(process) for process in entry.processes):
            journal.remove(entry.token)
    return said


def _undoer(kind: str) -> Undo:
    module, _, name = UNDOING.get(kind, "punktfunk.control.displays.reclaim:_keep").partition(":")
    undo: Undo = getattr(import_module(module), name)
    return undo


async def _keep(_journal: Journal, entry: Entry) -> str:
    """Keep what a later punktfunk may have written."""
    await trio.lowlevel.checkpoint()
    return f"a journal entry of the unknown kind {entry.kind!r} is kept"


async def end_session(journal: Journal, entry: Entry) -> str:
    """End a spawned session: applications first, then its processes in reverse order, then stragglers."""
    started = [identity for identity in reversed(entry.processes) if is_alive(identity)]
    found = find_by_token(entry.token)
    survivors = await end_identities([identity for identity in found if identity not in started], GRACE_S)
    for identity in started:
        survivors += await end_identities([identity], GRACE_S)
    # Whatever forked while its parent was being ended has the token too.
    survivors += await end_by_token(entry.token, GRACE_S / 4)
    if survivors:
        pids = ", ".join(str(identity.pid) for identity in survivors)
        return f"processes {pids} of an earlier session would not end; they stay journalled"
    folder = Path(entry.folder)
    # Only a folder that the backend would make is ever deleted: its name is made from the token.
    if folder == session_folder(journal.runtime_folder, entry.token):
        shutil.rmtree(folder, ignore_errors=True)
    journal.remove(entry.token)
    return f"ended {len(set(started) | set(found))} processes of an earlier session"
