"""One desktop session of our own, from the first bus to the last process gone.

    folder, journal -> buses -> PipeWire, WirePlumber, Pulse -> compositor ... end in reverse -> folder gone

The folder is the session's XDG_RUNTIME_DIR. The journal names it and every process, as it does for a spawned
sway, so that the next start ends what a killed host left.
"""

import logging
import os
import shutil
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import trio
from jeepney import DBusAddress, new_method_call

from punktfunk import paths
from punktfunk.control.desktop.kinds import (
    Kind,
    absence,
    build_parts,
    find_kind,
    how_to_install,
    missing_parts,
    refuse,
)
from punktfunk.control.desktop.parts import Part
from punktfunk.control.desktop.services import SESSION_BUS, base_environment
from punktfunk.control.desktop.supervisor import Supervisor
from punktfunk.control.displays.private_session import session_folder
from punktfunk.control.system.dbus import call, open_bus
from punktfunk.control.system.journal import Entry, Journal, new_entry
from punktfunk.control.system.processes import DISPLAY_VARIABLE, end_by_token, is_alive
from punktfunk.errors import EnvironmentProblem

logger = logging.getLogger(__name__)

CLEANUP_S: Final = 20.0
STRAGGLERS_S: Final = 1.0
BUS: Final = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
TOLD_TO_BUS: Final = (
    *("DBUS_SESSION_BUS_ADDRESS", "SWAYSOCK", "WAYLAND_DISPLAY", "DISPLAY"),
    *("XDG_CURRENT_DESKTOP", "XDG_RUNTIME_DIR", "XDG_SESSION_TYPE", "XDG_SESSION_DESKTOP", DISPLAY_VARIABLE),
)

Report = Callable[[str], None]


class OwnSession:
    """A session that runs. ``environment`` leads programs and backends into it; "" stands for unset."""

    def __init__(self, name: str, kind: Kind, folder: Path, supervisor: Supervisor) -> None:
        self.name = name
        self.kind = kind
        self.folder = folder
        self._supervisor = supervisor
        self._up = trio.Event()
        self._gone = trio.Event()
        self._bus_knows_nothing = trio.Event()

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables of the session as they are now."""
        return self._supervisor.environment

    @property
    def gone(self) -> trio.Event:
        """Set when the compositor that runs now, or ran last, is gone with all its outputs."""
        return self._gone

    async def wait_up(self, patience_s: float) -> None:
        """Wait until the compositor runs; EnvironmentProblem if it does not within ``patience_s``."""
        with trio.move_on_after(patience_s):
            await self._up.wait()
            return
        raise EnvironmentProblem(
            f"the {self.name} session does not run: {self.why_down() or 'it starts'}",
            hint="It is started again by itself; its log is in the state folder, under session/.",
        )

    def why_down(self) -> str:
        """Say why the compositor does not run; empty if it does."""
        return "" if self._up.is_set() else self._supervisor.why_down(self.kind.heart)

    def status(self) -> dict[str, Any]:
        """Describe the session and its parts, in values that JSON knows."""
        environment = {
            name: value for name, value in self.environment.items() if name in TOLD_TO_BUS and value
        }
        return {"kind": self.name, "parts": self._supervisor.status(), "environment": environment}

    def part_changed(self, name: str) -> None:
        """Take note that a part came or went."""
        heart = self.kind.heart
        if name == heart and self._supervisor.is_up(heart):
            self._gone = trio.Event()
            self._up.set()
        elif name == heart:
            self._up = trio.Event()
            self._gone.set()
        if name in (heart, SESSION_BUS) and all(map(self._supervisor.is_up, (heart, SESSION_BUS))):
            self._bus_knows_nothing.set()

    async def tell_bus(self) -> None:
        """Give each new bus, also after each new compositor, the variables for what it starts by itself."""
        while True:
            await self._bus_knows_nothing.wait()
            self._bus_knows_nothing = trio.Event()
            told = {name: value for name in TOLD_TO_BUS if (value := self.environment.get(name))}
            try:
                async with open_bus(self.environment["DBUS_SESSION_BUS_ADDRESS"]) as bus:
                    await call(bus, new_method_call(BUS, "UpdateActivationEnvironment", "a{ss}", (told,)))
            except EnvironmentProblem as problem:
                logger.warning("the session's bus does not take its variables reason=%s", problem)


@asynccontextmanager
async def own_session(
    name: str,
    runtime_folder: Path,
    log_folder: Path,
    *,
    report: Report,
    environ: Mapping[str, str] | None = None,
) -> AsyncGenerator[OwnSession]:
    """Run a session of that kind for the length of the block; its parts' logs go to ``log_folder``.

    ``environ``: the variables that its programs inherit, by default ours; what leads into another session is
    taken out. EnvironmentProblem, with what to install, if the session cannot be had or does not start.
    """
    kind = find_kind(name)
    journal = Journal(runtime_folder)
    entry = new_entry("spawned")
    folder = session_folder(runtime_folder, entry.token)
    journal.write(replace(entry, folder=str(folder)))
    try:
        folder.mkdir(mode=0o700, parents=True)
        environment = base_environment(folder, os.environ if environ is None else environ)
        environment[DISPLAY_VARIABLE] = entry.token
        parts = build_parts(kind, folder, environment)
        refuse(name, parts, environment)
        paths.make_private_folder(log_folder)
        noted = _Noted(journal, replace(entry, folder=str(folder)))
        async with _running(name, kind, noted, parts, environment, log_folder, report) as session:
            yield session
    finally:
        with trio.move_on_after(CLEANUP_S, shield=True):
            survivors = await end_by_token(entry.token, STRAGGLERS_S)
            shutil.rmtree(folder, ignore_errors=True)
            _forget_parked(journal)
            if not survivors:
                journal.remove(entry.token)


def _forget_parked(journal: Journal) -> None:
    """Drop notes of outputs that a compositor could not remove and that went with it."""
    for entry in journal.entries()[0]:
        if entry.kind == "parked" and not any(map(is_alive, entry.processes)):
            journal.remove(entry.token)


@dataclass
class _Noted:
    """The session's journal entry; processes that are gone leave it."""

    journal: Journal
    entry: Entry

    def add(self, pid: int) -> None:
        living = tuple(process for process in self.entry.processes if is_alive(process))
        self.entry = self.journal.write(replace(self.entry, processes=living).with_process(pid))


@asynccontextmanager
async def _running(
    name: str,
    kind: Kind,
    noted: _Noted,
    parts: Sequence[Part],
    environment: Mapping[str, str],
    log_folder: Path,
    report: Report,
) -> AsyncGenerator[OwnSession]:
    refused: EnvironmentProblem | None = None
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(parts, environment, log_folder, nursery, report=report, note=noted.add)
        session = OwnSession(name, kind, Path(noted.entry.folder), supervisor)
        supervisor.changed = session.part_changed
        _do_without(missing_parts(parts, environment), supervisor, report)
        try:
            try:
                await supervisor.start_all()
            except EnvironmentProblem as problem:
                refused = problem  # told outside: the nursery would wrap it
            else:
                nursery.start_soon(supervisor.keep_up)
                nursery.start_soon(session.tell_bus)
                yield session
        finally:
            # Shielded, with a bound: a cancelled host still ends its compositor, newest part first.
            with trio.move_on_after(CLEANUP_S, shield=True):
                await supervisor.end_all()
            nursery.cancel_scope.cancel()
    if refused is not None:
        raise refused


def _do_without(missing: Sequence[Part], supervisor: Supervisor, report: Report) -> None:
    for part in missing:
        supervisor.mark_missing(part.name)
    if missing:
        report(f"session: {absence(missing)}. To have it: {how_to_install(missing)}")
