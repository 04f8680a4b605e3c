"""How our output joins the others of a sway, and how those are put back.

Sway has no primary output. What comes near it: the workspaces that have windows move over, and the keyboard
follows. Both go back by themselves, as sway remembers where each workspace was (sway, tree/workspace.c,
``workspace_output_raise_priority``).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from punktfunk.control.displays.base import DisplayOptions, Region
from punktfunk.control.displays.placing import beside
from punktfunk.control.displays.sway_ipc import OutputState, SwayIpc
from punktfunk.control.system.journal import Entry, Journal
from punktfunk.control.system.processes import is_alive
from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem

EXCLUSIVE: Final = ""
"""Key of ``Entry.details`` that marks an exclusive session; the other keys are the outputs that it switched
off, their values where each lay: "x y"."""
SETTLE_S: Final = 3.0


async def arrange(
    ipc: SwayIpc, journal: Journal, entry: Entry, options: DisplayOptions
) -> tuple[Entry, tuple[str, ...]]:
    """Give our output its place, and what the arrangement asks for; the caller holds the topology lock.

    Returns the entry with what must be put back, already journalled, and sentences for the user.
    """
    name = entry.output_name
    await place(ipc, name, options)
    ours = {other.output_name for other in _sessions(journal, entry)} | {name}
    others = [state for state in await ipc.outputs() if state.active and state.name not in ours]
    notes: tuple[str, ...] = ()
    if options.arrangement == "primary":
        await _bring_workspaces(ipc, name, {state.name for state in others})
    elif options.arrangement == "exclusive":
        details = {EXCLUSIVE: "", **{state.name: _corner(state.region) for state in others}}
        entry = journal.write(replace(entry, details=details))
        for state in others:
            await ipc.run(f"output {state.name} disable")
        still_on = [state.name for state in await ipc.outputs() if state.active and state.name not in ours]
        if still_on:
            notes = (
                f"sway keeps {', '.join(still_on)} on: before 1.8 it cannot switch off headless outputs",
            )
    await ipc.run(f"focus output {name}")
    return entry, notes


async def place(ipc: SwayIpc, name: str, options: DisplayOptions) -> Region | None:
    """Move an output to its side of the others; return where it lies now.

    Nothing is said where sway has put it there already: an output with a place of its own makes sway order
    the rest around it, so then the rest are pinned where they are, too.
    """
    states = [state for state in await ipc.outputs() if state.active and state.region is not None]
    mine = next((state.region for state in states if state.name == name), None)
    others = {state.name: state.region for state in states if state.name != name and state.region}
    if mine is None:
        return None
    x, y = beside(options.position, list(others.values()), mine.width, mine.height)
    if (mine.x, mine.y) == (x, y):
        return mine
    for other, region in others.items():
        await ipc.run(f"output {other} position {region.x} {region.y}")
    await ipc.run(f"output {name} position {x} {y}")
    return replace(mine, x=x, y=y)


async def switch_on(ipc: SwayIpc, journal: Journal, entry: Entry) -> list[str]:
    """Switch on again what an exclusive session switched off; return the names.

    Where another exclusive session of ours goes on, they stay off and are its to switch on.
    """
    off = {name: corner for name, corner in entry.details.items() if name != EXCLUSIVE}
    for other in _sessions(journal, entry):
        if EXCLUSIVE in other.details and is_alive(other.owner):
            journal.write(replace(other, details={**off, **other.details}))
            return []
    there = {state.name for state in await ipc.outputs()}
    names = [name for name in off if name in there]
    for name in names:
        await ipc.run(f"output {name} enable")

    async def are_on() -> bool:
        return not set(names) - {state.name for state in await ipc.outputs() if state.active}

    if not await wait_until(are_on, SETTLE_S):
        raise EnvironmentProblem(f"sway was asked to switch on {', '.join(names)} and does not")
    return names


async def put_back(ipc: SwayIpc, corners: Mapping[str, str], names: Collection[str]) -> None:
    """Move outputs that were switched on to where they lay before, where sway chose otherwise."""
    states = {state.name: state for state in await ipc.outputs()}
    if all(_corner(states[name].region) == corners[name] for name in names if name in states):
        return
    for name in names:
        if name in states and corners[name]:
            await ipc.run(f"output {name} position {corners[name]}")


def _sessions(journal: Journal, entry: Entry) -> Sequence[Entry]:
    """Find the other outputs that hosts of this user have in the same sway."""
    return [
        other
        for other in journal.entries()[0]
        if other.kind in ("output", "parked")
        and other.processes == entry.processes
        and other.token != entry.token
    ]


async def _bring_workspaces(ipc: SwayIpc, name: str, others: Collection[str]) -> None:
    for place_of, contents in await ipc.workspaces():
        if place_of in others and contents:
            await ipc.run(f"[con_id={contents[0]}] move workspace to output {name}")


def _corner(region: Region | None) -> str:
    return f"{region.x} {region.y}" if region is not None else ""


def region_of(states: Sequence[OutputState], name: str) -> Region | None:
    """Find where an output lies."""
    return next((state.region for state in states if state.name == name), None)
