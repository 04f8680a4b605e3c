"""Changes to the monitors of a Hyprland: add one, switch others off and on again, take ours away."""

import json
from dataclasses import asdict, replace
from typing import Any

import trio

from punktfunk.control.displays.hyprland.dialect import (
    Dialect,
    Rule,
    check_name,
    find_dialect,
    rule_of,
)
from punktfunk.control.displays.hyprland.ipc import HyprlandIpc, Monitor
from punktfunk.control.displays.topology import topology_lock
from punktfunk.control.system.journal import Entry, Journal
from punktfunk.control.system.processes import is_alive
from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError
from punktfunk.plan import Mode

KIND = "hyprland"
"""Of journal entries: ``output_name`` is ours, ``details`` the rules of monitors that were switched off."""

EXCLUSIVE = ""
"""Key of ``details`` in the entry of a session that wants the others off, even if there were none."""

OUR_PREFIX = "punktfunk-"
SETTLE_S = 3.0
AGAIN_S = 0.5


async def find_monitor(ipc: HyprlandIpc, name: str) -> Monitor | None:
    """Look one monitor up; None if it is gone."""
    return next((monitor for monitor in await ipc.monitors() if monitor.name == name), None)


async def add_output(ipc: HyprlandIpc, name: str, before: set[str]) -> str:
    """Add a headless output and return its name: ``name``, or what an old Hyprland chose instead."""
    await ipc.run(f"output create headless {check_name(name)}")
    with trio.move_on_after(SETTLE_S):
        while True:
            added = {monitor.name for monitor in await ipc.monitors()} - before
            if added:
                return name if name in added else min(added)
            await trio.sleep(0.02)
    raise EnvironmentProblem("Hyprland was asked for an output and shows no new one")


async def apply_rule(ipc: HyprlandIpc, dialect: Dialect, rule: Rule) -> Monitor:
    """Wait until a monitor has the size of its rule; return it. The refresh may be another.

    EnvironmentProblem where Hyprland shows another size. The rule is said once more on the way: a reload of
    the configuration in between forgets it.
    """
    monitor: Monitor | None = None

    async def fits() -> bool:
        nonlocal monitor
        monitor = await find_monitor(ipc, rule.name)
        return monitor is not None and monitor.mode is not None and _same_size(monitor.mode, rule.mode)

    if not await wait_until(fits, AGAIN_S):
        await ipc.run(dialect.monitor(rule))
        await wait_until(fits, SETTLE_S)
    if monitor is None or monitor.mode is None or not _same_size(monitor.mode, rule.mode):
        shown = "no such monitor" if monitor is None else monitor.mode
        raise EnvironmentProblem(f"Hyprland was asked for {rule.mode} on {rule.name} and shows {shown}")
    return monitor


def _same_size(one: Mode, other: Mode) -> bool:
    return (one.width_px, one.height_px) == (other.width_px, other.height_px)


async def others_off(journal: Journal, ipc: HyprlandIpc, dialect: Dialect, entry: Entry) -> Entry:
    """Switch off every monitor that is none of ours, after writing down how each of them was."""
    monitors = await ipc.monitors()
    rules = [
        rule
        for monitor in monitors
        if not monitor.name.startswith(OUR_PREFIX) and monitor.name != entry.output_name
        if (rule := rule_of(monitor, monitors)) is not None
    ]
    entry = journal.write(
        replace(entry, details={EXCLUSIVE: "", **{rule.name: build_rule(rule) for rule in rules}})
    )
    for rule in rules:
        await ipc.run(dialect.disable(rule.name))
    return entry


def build_rule(rule: Rule) -> str:
    """Write a rule for the journal."""
    return json.dumps(asdict(rule))


def parse_rule(name: str, text: str) -> Rule:
    """Read the rule of a monitor from the journal; anything else raises RemoteProtocolError."""
    try:
        fields: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"the journalled rule of {name} is not JSON") from error
    match fields:
        case {
            "mode": {"width_px": int(width), "height_px": int(height), "refresh_millihertz": int(refresh)},
            "place": str(place),
            "scale": float() | int(),
            "transform": int(transform),
            "ten_bit": bool(ten_bit),
            "mirror": str(mirror),
        } if width > 0 and height > 0 and refresh > 0 and _is_place(place) and 0 <= transform < 8:
            mode = Mode(width, height, refresh)
            return Rule(name, mode, place, float(fields["scale"]), transform, ten_bit, mirror)
    raise RemoteProtocolError(f"the journalled rule of {name} is none")


def _is_place(text: str) -> bool:
    x, _, y = text.partition("x")
    return all(part.removeprefix("-").isdecimal() and part.isascii() for part in (x, y))


async def take_away(journal: Journal, entry: Entry) -> str:
    """Switch the others on again, remove our output, forget the entry; return what was done.

    An entry whose Hyprland cannot be reached but lives is kept, and the sentence says so.
    """
    # Another session may have handed its monitors over to this one meanwhile.
    entry = journal.newest(entry)
    if not entry.processes or not is_alive(entry.processes[0]):
        journal.remove(entry.token)
        return f"the Hyprland of output {entry.output_name or '(unnamed)'} is gone, and the output with it"
    ipc = HyprlandIpc(entry.socket_path)
    try:
        async with topology_lock(entry.socket_path):
            if entry.details and not _hand_over(journal, entry):
                await _switch_on(ipc, entry)
            await remove_output(ipc, entry.output_name)
    except (EnvironmentProblem, RemoteProtocolError) as error:
        if is_alive(entry.processes[0]):
            return f"output {entry.output_name} stays journalled, not removed: {error}"
    journal.remove(entry.token)
    names = ", ".join(name for name in entry.details if name != EXCLUSIVE)
    return f"removed output {entry.output_name}" + (f" and switched {names} on again" if names else "")


def _hand_over(journal: Journal, entry: Entry) -> bool:
    """Leave the monitors off for another exclusive session that still runs; it will switch them on."""
    for other in journal.entries()[0]:
        shares = other.kind == KIND and other.processes == entry.processes and other.token != entry.token
        if shares and is_alive(other.owner) and EXCLUSIVE in other.details:
            journal.write(replace(other, details={**entry.details, **other.details}))
            return True
    return False


async def _switch_on(ipc: HyprlandIpc, entry: Entry) -> None:
    dialect = await find_dialect(ipc)
    refused: list[str] = []
    for name, text in entry.details.items():
        if name == EXCLUSIVE:
            continue
        try:
            await ipc.run(dialect.monitor(parse_rule(name, text)))
        except (EnvironmentProblem, RemoteProtocolError) as error:
            refused.append(str(error))
    if refused:
        raise EnvironmentProblem("; ".join(refused))


async def remove_output(ipc: HyprlandIpc, name: str) -> None:
    """Remove an output of ours and wait until it is gone; one that is gone already is fine."""
    if await find_monitor(ipc, name) is None:
        return
    await ipc.run(f"output remove {check_name(name)}")

    async def is_gone() -> bool:
        return await find_monitor(ipc, name) is None

    if not await wait_until(is_gone, SETTLE_S):
        raise EnvironmentProblem(f"Hyprland was asked to remove {name} and still shows it")
