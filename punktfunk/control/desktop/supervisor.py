"""Keeps the parts of a session running: starts them in order and again when they die, ends them in reverse.

    down --needs are up, wait is over--> starting --ready--> up --dies, or what it needs dies--> down

One task decides (:meth:`Supervisor.keep_up`); one task for each process only waits for its end. Those are
shielded: a cancelled host still reads their output until :meth:`end_all` has ended them in order.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any, Final

import trio

from punktfunk.control.desktop.backoff import Backoff
from punktfunk.control.desktop.logs import RotatedLog, logged
from punktfunk.control.desktop.parts import Part, Start, clean_environment
from punktfunk.control.system.processes import end_process, start_process
from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem

logger = logging.getLogger(__name__)

GRACE_S: Final = 3.0
LAST_WORDS: Final = 300

Report = Callable[[str], None]
Note = Callable[[int], None]
"""Told the pid of every process before anything waits for it, so that it can be journalled."""


@dataclass(eq=False)
class Running:
    """One process of a part."""

    part: Part
    start: Start
    begun: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=lambda: trio.CancelScope(shield=True))
    process: trio.Process | None = None
    problem: EnvironmentProblem | None = None


@dataclass
class Condition:
    """How one part is: down, starting, up or missing; and why it is not up, or was not the last time."""

    state: str = "down"
    why: str = ""
    restarts: int = 0
    due_s: float = 0.0
    backoff: Backoff = field(default_factory=Backoff)
    running: Running | None = None


class Supervisor:
    """The parts of one session; ``environment`` grows by what they give, ``changed`` hears of every one."""

    def __init__(
        self,
        parts: Sequence[Part],
        environment: Mapping[str, str],
        log_folder: Path,
        nursery: trio.Nursery,
        *,
        report: Report,
        note: Note,
    ) -> None:
        self.environment = dict(environment)
        self._parts = {part.name: part for part in parts}
        self._conditions = {part.name: Condition() for part in parts}
        self._logs = {
            part.name: RotatedLog(log_folder, part.name.replace(" ", "-").lower()) for part in parts
        }
        self._nursery = nursery
        self._report, self._note = report, note
        self.changed: Callable[[str], None] = _ignore
        self._deaths, self._dead = trio.open_memory_channel[Running](len(parts) * 4)
        self._living: list[Running] = []

    def mark_missing(self, name: str) -> None:
        """Do without a part whose program is not installed."""
        self._conditions[name].state, self._conditions[name].why = "missing", self._parts[name].without

    def is_up(self, name: str) -> bool:
        """Tell whether a part runs and is ready."""
        return name in self._conditions and self._conditions[name].state == "up"

    def why_down(self, name: str) -> str:
        """Return the last reason for which a part was not up."""
        return self._conditions[name].why

    def status(self) -> list[dict[str, Any]]:
        """Describe every part, in values that JSON knows."""
        found = []
        for name, condition in self._conditions.items():
            running = condition.running
            found.append(
                {
                    "part": name,
                    "program": self._parts[name].program,
                    "state": condition.state,
                    "pid": running.process.pid if running is not None and running.process is not None else 0,
                    "note": running.start.note if running is not None else "",
                    "restarts": condition.restarts,
                    "why": condition.why,
                    "log": str(self._logs[name].path),
                }
            )
        return found

    async def start_all(self) -> None:
        """Start every part in order; EnvironmentProblem if one does not that the session must have."""
        for name, part in self._parts.items():
            if self._conditions[name].state == "missing":
                continue
            try:
                await self._bring_up(part)
            except EnvironmentProblem as problem:
                if not part.without:
                    raise
                await self._fell(part, str(problem))

    async def keep_up(self) -> None:
        """Start again what died, until cancelled."""
        while True:
            now_s = trio.current_time()
            waiting = [part for part in self._parts.values() if self._waits(part)]
            for part in waiting:
                if self._conditions[part.name].due_s <= now_s and self._waits(part):
                    try:
                        await self._bring_up(part)
                    except EnvironmentProblem as problem:
                        await self._fell(part, str(problem))
                    else:
                        self._conditions[part.name].restarts += 1
                        self._report(f"session: {part.name} runs again")
            next_s = min(
                (self._conditions[part.name].due_s for part in self._parts.values() if self._waits(part)),
                default=inf,
            )
            with trio.move_on_at(next_s):
                await self._bury(await self._dead.receive())

    async def end_all(self) -> None:
        """End every process, in the reverse order of the parts; whoever calls this gives it a bound."""
        try:
            for name in reversed(self._parts):
                running = self._conditions[name].running
                if running is not None:
                    await self._end(running)
        except trio.Cancelled:
            for running in [*self._living]:
                running.scope.cancel()
            raise

    def _waits(self, part: Part) -> bool:
        """Tell whether a part is down while everything that it needs is up, or will never be."""
        return self._conditions[part.name].state == "down" and all(
            self._conditions[need].state in ("up", "missing")
            for need in part.needs
            if need in self._conditions
        )

    async def _bring_up(self, part: Part) -> None:
        condition = self._conditions[part.name]
        condition.state = "starting"
        problems = []
        for start in part.starts:
            try:
                await self._start(part, start)
            except EnvironmentProblem as problem:
                problems.append(problem)
            else:
                condition.state = "up"
                condition.backoff.started(trio.current_time())
                self.environment.update(start.gives)
                self.changed(part.name)
                return
        raise problems[-1]

    async def _start(self, part: Part, start: Start) -> None:
        running = Running(part, start)
        for leftover in start.leftovers:
            leftover.unlink(missing_ok=True)
        condition = self._conditions[part.name]
        self._logs[part.name].begin(" ".join(start.command))
        condition.running = running
        self._nursery.start_soon(self._own, running)
        await running.begun.wait()
        process = running.process
        if running.problem is not None or process is None:
            condition.running = None
            raise running.problem or EnvironmentProblem(f"{part.program} was not started")

        async def decided() -> bool:
            return process.poll() is not None or await start.is_ready()

        in_time = await wait_until(decided, start.patience_s)
        if in_time and process.returncode is None:
            logger.info("session part=%s program=%s process=%d up", part.name, part.program, process.pid)
            return
        await self._end(running)
        ended = (
            f"ended with status {process.returncode} while it started"
            if in_time
            else f"was not ready within {start.patience_s:g} s"
        )
        raise EnvironmentProblem(
            f"{part.program} {ended}{self._last_words(part)}", hint=f"Its log: {self._logs[part.name].path}"
        )

    async def _own(self, running: Running) -> None:
        """Be the task of one process: from its start until its end."""
        part, start = running.part, running.start
        self._living.append(running)
        try:
            with running.scope:
                async with logged(self._logs[part.name]) as output:
                    environment = clean_environment({**self.environment, **start.environment})
                    try:
                        running.process = await start_process(start.command, environment, output)
                        self._note(running.process.pid)
                    except EnvironmentProblem as problem:
                        running.problem = problem
                        if running.process is not None:
                            await end_process(running.process, GRACE_S)
                        return
                    running.begun.set()
                    await running.process.wait()
            if self._conditions[part.name].running is running and self._conditions[part.name].state == "up":
                self._deaths.send_nowait(running)
        finally:
            running.begun.set()
            self._living.remove(running)

    async def _end(self, running: Running) -> None:
        condition = self._conditions[running.part.name]
        if condition.running is running:
            condition.running = None
        await running.begun.wait()
        if running.process is not None:
            await end_process(running.process, GRACE_S)

    async def _bury(self, running: Running) -> None:
        """Take note of a process that ended by itself."""
        condition = self._conditions[running.part.name]
        if condition.running is not running:
            return  # we ended it meanwhile
        condition.running = None
        status = running.process.returncode if running.process is not None else None
        await self._fell(
            running.part, f"{running.part.program} ended with status {status}{self._last_words(running.part)}"
        )

    async def _fell(self, part: Part, why: str) -> None:
        """Put a part down, and all that cannot outlive it; set when it is started again."""
        for name in reversed(self._fallen_with(part)):
            condition = self._conditions[name]
            if condition.state in ("up", "starting"):
                was_up, condition.state = condition.state == "up", "down"
                condition.why = why if name == part.name else f"{part.name} is gone"
                if was_up:
                    self.changed(name)
                if condition.running is not None:
                    await self._end(condition.running)
        condition = self._conditions[part.name]
        wait_s = condition.backoff.died(trio.current_time())
        condition.due_s = trio.current_time() + wait_s
        self._report(f"session: {part.name}: {why}; starting it again in {wait_s:g} s")

    def _fallen_with(self, part: Part) -> list[str]:
        """Name a part and all that need it, however indirectly, in the order of their start."""
        fallen = {part.name}
        for other in self._parts.values():  # needs point backwards only: one pass finds all
            if other.needs & fallen:
                fallen.add(other.name)
        return [name for name in self._parts if name in fallen]

    def _last_words(self, part: Part) -> str:
        lines = self._logs[part.name].tail.splitlines()
        return f"; it said: {' / '.join(lines[-2:])[-LAST_WORDS:]}" if lines else ""


def _ignore(_name: str) -> None:
    """Nobody wants to know yet."""
