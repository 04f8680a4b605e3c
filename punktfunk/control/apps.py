"""The apps that clients can launch: which there are, under which numbers, and how one runs and ends.

``Desktop`` is always first and runs nothing. Numbers depend on the name alone and are kept in the state
folder: clients store them in shortcuts and picture caches.
"""

import logging
import os
import re
import secrets
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from punktfunk.control.store import Content, StateFile
from punktfunk.control.system.processes import (
    PROC,
    ProcessIdentity,
    end_identities,
    read_identity,
)
from punktfunk.errors import ConfigError, EnvironmentProblem
from punktfunk.wire.gamestream.applist import AppEntry, stable_app_id

logger = logging.getLogger(__name__)

DESKTOP_TITLE: Final = "Desktop"
MAXIMUM_NUMBERS: Final = 1024
PREP_S: Final = 60.0
"""For one prep or undo command; what takes longer is ended."""
GRACE_S: Final = 5.0
"""An app may save its work this long after SIGTERM."""
MARK_VARIABLE: Final = "PUNKTFUNK_APP"
"""Environment variable by which an app's processes are found again, also those that left its session."""

_MARK: Final = re.compile(r"(\d{1,10})\.(\d{1,20})\.[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class PrepStep:
    """A command before an app starts and the one that undoes it; either may be empty."""

    do: Sequence[str] = ()
    undo: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class AppSpec:
    """One app as the settings describe it. Commands are lists of words: no shell ever reads them."""

    name: str
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    working_folder: Path | None = None
    prep: Sequence[PrepStep] = ()
    image: Path | None = None


@dataclass(frozen=True, slots=True)
class App:
    """An app with its number (1 to 2**31 - 1)."""

    app_id: int
    spec: AppSpec

    @property
    def title(self) -> str:
        """The name that clients show."""
        return self.spec.name


class Catalogue:
    """The apps in the order in which clients list them."""

    def __init__(self, apps: Sequence[App]) -> None:
        self.apps = tuple(apps)
        self._by_id = {app.app_id: app for app in apps}

    def find(self, app_id: int) -> App | None:
        """Find an app by its number."""
        return self._by_id.get(app_id)

    @property
    def desktop(self) -> App:
        """The app that runs nothing."""
        return self.apps[0]

    def entries(self, *, hdr: bool = False) -> list[AppEntry]:
        """List the apps for /applist; ``hdr`` says that the host can stream in 10 bit."""
        return [AppEntry(app.app_id, app.title, hdr) for app in self.apps]


def load_catalogue(folder: Path, specs: Sequence[AppSpec]) -> Catalogue:
    """Give each app its number: known names keep theirs, new ones are stored in ``folder`` before use."""
    named = {spec.name: spec for spec in (AppSpec(DESKTOP_TITLE), *specs)}
    if len(named) != len(specs) + 1:
        names = [DESKTOP_TITLE, *(spec.name for spec in specs)]
        double = next(name for name in names if names.count(name) > 1)
        raise ConfigError(
            f"Two apps are called {double!r}.", hint="Every app needs a name of its own; Desktop is built in."
        )
    file = StateFile(folder / "apps.json", kind="apps")
    known = file.load(_interpret) or {}
    numbers = dict(known)
    for name in named:
        if name not in numbers:
            numbers[name] = stable_app_id(name, numbers.values())
    while len(numbers) > MAXIMUM_NUMBERS and (unused := next((n for n in numbers if n not in named), None)):
        del numbers[unused]
    if numbers != known:
        file.save({"numbers": [[name, number] for name, number in numbers.items()]})
    return Catalogue([App(numbers[name], spec) for name, spec in named.items()])


def _interpret(content: Content) -> dict[str, int]:
    numbers = {str(name): int(number) for name, number in content["numbers"]}
    if not all(0 < number < 1 << 31 for number in numbers.values()):
        raise ValueError("an app number is out of range")
    if len(set(numbers.values())) != len(numbers):
        raise ValueError("two apps have one number")
    return numbers


@asynccontextmanager
async def run_app(
    app: App, environment: Mapping[str, str], log_path: Path
) -> AsyncIterator[trio.Process | None]:
    """Run the app's prep commands and the app; at the end, end the app and undo the preparations.

    ``environment`` is what a program needs to appear on the session's display; an empty value takes a
    variable of ours away. Output goes to ``log_path``.
    Gives the app's first process, None for an app without a command. A prep command or an app that does not
    start raises EnvironmentProblem, after what had been prepared is undone in reverse.
    """
    mark = _new_mark()
    surroundings = _Surroundings(
        {**_surrounding(environment), **app.spec.environment, MARK_VARIABLE: mark},
        app.spec.working_folder or Path.home(),
        log_path,
    )
    undo: list[Sequence[str]] = []
    process = None
    try:
        for step in app.spec.prep:
            undo.append(step.undo)  # first, as a step that is cancelled may have done half its work
            try:
                await _run_to_end(step.do, surroundings)
            except EnvironmentProblem:
                undo.pop()  # it failed by itself, and has nothing to undo
                raise
        if app.spec.command:
            process = await _start(app.spec.command, surroundings)
            logger.info("app started app=%r process=%d", app.title, process.pid)
        yield process
    finally:
        with trio.CancelScope(shield=True):  # bounded: GRACE_S and a second, PREP_S for each undo command
            await _end_marked(mark)
            if process is not None:
                with trio.move_on_after(1):  # collect it; a process in the kernel's grip must not hold us
                    await process.wait()
            for command in reversed(undo):
                try:
                    await _run_to_end(command, surroundings)
                except EnvironmentProblem as problem:
                    logger.warning("undo failed app=%r reason=%s", app.title, problem)
            await _end_marked(mark)


def _surrounding(environment: Mapping[str, str]) -> dict[str, str]:
    # Empty is not the same as not set: libwayland gives up on an empty WAYLAND_SOCKET.
    merged = {**os.environ, **environment}
    return {name: value for name, value in merged.items() if value or name not in environment}


@dataclass(frozen=True, slots=True)
class _Surroundings:
    environment: Mapping[str, str]
    working_folder: Path
    log_path: Path


async def _start(command: Sequence[str], surroundings: _Surroundings) -> trio.Process:
    """Start a command in a session of its own; trio does so from an ordinary thread."""
    try:
        with surroundings.log_path.open("ab") as log:
            return await trio.lowlevel.open_process(
                list(command),
                env=dict(surroundings.environment),
                cwd=surroundings.working_folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
        reason = getattr(error, "strerror", None) or str(error)
        raise EnvironmentProblem(
            f"cannot start {command[0]!r}: {reason}",
            hint="Check command and working_folder of this app in the settings.",
        ) from error


async def _run_to_end(command: Sequence[str], surroundings: _Surroundings) -> None:
    """Run a prep or undo command; EnvironmentProblem if it cannot start, fails, or outlasts PREP_S."""
    if not command:
        await trio.lowlevel.checkpoint()
        return
    process = await _start(command, surroundings)
    try:
        with trio.move_on_after(PREP_S) as patience:
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            with trio.CancelScope(shield=True):  # a killed process ends at once
                await process.wait()
    if patience.cancelled_caught:
        raise EnvironmentProblem(f"{command[0]!r} did not finish within {PREP_S:.0f} s")
    if process.returncode:
        raise EnvironmentProblem(
            f"{command[0]!r} failed with exit status {process.returncode}",
            hint=f"Its output is in {surroundings.log_path}.",
        )


async def end_leftovers() -> int:
    """End the apps of hosts that were killed before they could; return how many processes that were.

    Call it once at the start. The mark names the host that made it, so no journal is needed; another living
    host's apps are left alone. Undo commands of a killed host are lost.
    """
    found = await trio.to_thread.run_sync(_find_marked, _is_orphaned)
    if found:
        logger.warning("apps of a killed host found processes=%d", len(found))
        await end_identities(found, GRACE_S)
    return len(found)


def _new_mark() -> str:
    """Name this host and this run: pid, start time, a random number."""
    host = read_identity(os.getpid())
    return f"{os.getpid()}.{host.start_ticks if host else 0}.{secrets.token_hex(8)}"


def _is_orphaned(mark: str) -> bool:
    match = _MARK.fullmatch(mark)
    if match is None or mark == os.environ.get(MARK_VARIABLE):  # we may run inside such an app ourselves
        return False
    host = read_identity(int(match[1]))
    return host is None or host.start_ticks != int(match[2])


async def _end_marked(mark: str) -> None:
    """End whatever carries the mark, however it forked: SIGTERM, GRACE_S, SIGKILL. Twice, for late forks."""
    for _ in range(2):
        found = await trio.to_thread.run_sync(_find_marked, mark.__eq__)
        if not found:
            return
        await end_identities(found, GRACE_S)


def _find_marked(fits: Callable[[str], bool]) -> list[ProcessIdentity]:
    prefix = f"{MARK_VARIABLE}=".encode()
    found = []
    for folder in PROC.iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:  # another user's, or gone meanwhile
                continue
            marks = [entry for entry in environment.split(b"\0") if entry.startswith(prefix)]
            if any(fits(os.fsdecode(entry.removeprefix(prefix))) for entry in marks) and (
                identity := read_identity(int(folder.name))
            ):
                found.append(identity)
    return found
