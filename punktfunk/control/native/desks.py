"""Displays of punktfunk/1's clients: each client has one of its own, with what was launched on it.

    taken -> shown in a session ... released -> lingers -> taken again, or gone after a while
                                    quit, app ended, broken -> gone at once

A desk belongs to one device for as long as it lives, and outlives the sessions that show it, so that a
connection that drops costs nobody their game. Who may come in at all: ``admission``.
"""

import logging
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from punktfunk.control.apps import App, Catalogue, run_app
from punktfunk.control.displays.base import DisplayBackend, VirtualOutput
from punktfunk.control.gamestream.runs import furnished
from punktfunk.control.occupancy import Occupancy, Shown
from punktfunk.control.problems import first_leaf, worded
from punktfunk.errors import EnvironmentProblem, PunktfunkError
from punktfunk.plan import Mode

logger = logging.getLogger(__name__)

START_S: Final = 45.0
END_S: Final = 15.0
MOST_WAITING: Final = 4
"""Displays that may wait for their clients at once: each is a compositor with what runs on it."""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DeskMeans:
    """What every desk of the host uses.

    linger_s   how long a desk waits for a client that left; ``drop_linger_s`` for one that fell silent
    """

    backend: DisplayBackend
    catalogue: Catalogue
    linger_s: float
    log_folder: Path
    report: Report
    drop_linger_s: float | None = None
    occupancy: Occupancy = field(default_factory=Occupancy)


class Desk:
    """One client's display and app. Events: ``started`` (it is there, or never will be) and ``ended``."""

    def __init__(self, owner: str, name: str, app: App, mode: Mode, means: DeskMeans) -> None:
        self.owner = owner
        self.name = name
        self.app = app
        self.started = trio.Event()
        self.ended = trio.Event()
        self.app_ended = trio.Event()
        self.failure = ""
        self.user: object | None = None
        """The session that shows it, if any."""
        self._mode = mode
        self._means = means
        self._scope = trio.CancelScope()
        self._idle = trio.CancelScope()
        self._output: VirtualOutput | None = None
        self._mode_unsure = False
        self._waits_s = means.linger_s
        self._shown = Shown(app.title, lambda: self.user is None, self.close, self.ended)

    @property
    def output(self) -> VirtualOutput:
        """The display as it is now."""
        if self._output is None:
            raise EnvironmentProblem(f"the display of {self.name} is gone")
        return self._output

    async def hold(self) -> None:
        """Own display and app; failures end the desk, never the host."""
        means = self._means
        try:
            with self._scope, means.occupancy.display(self._shown):
                async with means.backend.create(self._mode, self.name) as self._output:
                    for note in self._output.notes:
                        means.report(f"display: {note}")
                    app = furnished(self.app, self._output)
                    log_path = means.log_folder / "app.log"
                    async with run_app(app, self._output.environment, log_path) as process:
                        await self._stay(process if self.app.spec.command else None)
        except* (PunktfunkError, OSError) as problems:
            self.failure = worded(first_leaf(problems))
            means.report(f"{self.app.title}: {self.failure}")
        finally:
            self._output = None
            self.started.set()
            self.ended.set()
            logger.info("desk ended app=%r owner=%s", self.app.title, self.owner[:16])

    async def change_mode(self, mode: Mode) -> VirtualOutput:
        """Give the display another mode; EnvironmentProblem if it cannot have it."""
        output = self.output
        if output.mode != mode or self._mode_unsure:
            self._mode_unsure = True  # until it has worked: half a change leaves either mode
            self._output = await self._means.backend.change_mode(output, mode)
            self._mode_unsure = False
            for note in self._output.notes:
                if note not in output.notes:
                    self._means.report(f"display: {note}")
        return self.output

    def take(self, user: object) -> None:
        """Show it in a session."""
        self.user = user
        self._idle.deadline = math.inf

    def release(self, *, dropped: bool = False) -> None:
        """Begin to linger: its session is over, or its client fell silent (``dropped``)."""
        self.user = None
        means = self._means
        self._waits_s = means.linger_s
        if dropped and means.drop_linger_s is not None:
            self._waits_s = means.drop_linger_s
        self._idle.deadline = trio.current_time() + self._waits_s

    def close(self) -> None:
        """Begin to end at once."""
        self._scope.cancel()

    async def _stay(self, process: trio.Process | None) -> None:
        async with trio.open_nursery() as nursery:
            if process is not None:
                nursery.start_soon(self._end_with_app, process)
            self.started.set()
            with self._idle:
                await trio.sleep_forever()
            self._means.report(
                f"{self.app.title}: {self.name} did not come back within {self._waits_s:.0f} s"
            )
            nursery.cancel_scope.cancel()

    async def _end_with_app(self, process: trio.Process) -> None:
        status = await process.wait()
        self._means.report(f"{self.app.title} of {self.name} ended by itself (status {status})")
        self.app_ended.set()
        if self.user is None:
            self.close()


class Desks:
    """All desks of the host, by their owners. :meth:`serve` must run meanwhile."""

    def __init__(self, means: DeskMeans) -> None:
        self.means = means
        self._desks: list[Desk] = []
        self._to_start, self._starting = trio.open_memory_channel[Desk](8)

    async def serve(self) -> None:
        """Own every desk until cancelled."""
        async with self._starting, trio.open_nursery() as nursery:
            async for desk in self._starting:
                nursery.start_soon(desk.hold)

    def living(self) -> list[Desk]:
        """List desks that are there or begin."""
        self._desks = [desk for desk in self._desks if not desk.ended.is_set()]
        return list(self._desks)

    def of(self, owner: str) -> Desk | None:
        """Find a client's desk."""
        return next((desk for desk in self.living() if desk.owner == owner), None)

    async def take(
        self,
        owner: str,
        name: str,
        app: App | None,
        mode: Mode,
        user: object,
        *,
        heir_of: Collection[str] = (),
    ) -> tuple[Desk, bool]:
        """Return the client's desk in this mode for the session ``user``, and whether it was there before.

        One that lingers is taken again, unless the client wants another ``app`` (None: whatever runs, else
        the desktop). A client without one is given that of an owner in ``heir_of``, whom it took over.
        EnvironmentProblem if the display cannot be made.
        """
        desk = self.of(owner) or self._inherit(owner, name, app, heir_of)
        if desk is not None and (desk.app_ended.is_set() or app not in (None, desk.app)):
            await self.end(desk)
            desk = None
        if desk is not None:
            desk.take(user)
            try:
                await desk.change_mode(mode)
            except trio.Cancelled:
                desk.release()
                raise
            except EnvironmentProblem as problem:
                # Its compositor may have died while nobody looked: a fresh one is worth more than a refusal.
                self.means.report(f"display of {name}: made anew ({worded(problem)})")
                await self.end(desk)
            else:
                return desk, True
        await self.means.occupancy.make_room()
        desk = Desk(owner, name, app or self.means.catalogue.desktop, mode, self.means)
        desk.take(user)
        self._desks.append(desk)
        await self._start(desk)
        return desk, False

    def _inherit(self, owner: str, name: str, app: App | None, heir_of: Collection[str]) -> Desk | None:
        for desk in self.living():
            if desk.owner in heir_of and desk.user is None and app in (None, desk.app):
                desk.owner, desk.name = owner, name
                return desk
        return None

    def release(self, desk: Desk, user: object, *, linger: bool, dropped: bool = False) -> None:
        """End a session's use of a desk, unless another has taken it over already."""
        if desk.user is not user:
            return
        if linger and not desk.app_ended.is_set() and not desk.ended.is_set():
            desk.release(dropped=dropped)
            waiting = [other for other in self.living() if other.user is None]
            for other in waiting[:-MOST_WAITING]:
                self.means.report(f"{other.app.title} of {other.name}: ended, as too many displays wait")
                other.close()
        else:
            desk.user = None
            desk.close()

    async def end(self, desk: Desk) -> None:
        """End a desk and wait until it is gone, within a bound."""
        desk.close()
        with trio.move_on_after(END_S):
            await desk.ended.wait()

    async def _start(self, desk: Desk) -> None:
        await self._to_start.send(desk)
        try:
            with trio.move_on_after(START_S) as patience:
                await desk.started.wait()
        except BaseException:
            desk.close()  # nobody would ever come to see it
            raise
        if patience.cancelled_caught:
            desk.close()
            raise EnvironmentProblem(f"{desk.app.title} did not start within {START_S:.0f} s")
        if desk.failure:
            raise EnvironmentProblem(desk.failure)


def find_app(catalogue: Catalogue, launch_id: str) -> App | None:
    """Find what a launch id names: an app's number or title, with or without a store's name before it."""
    wanted = launch_id.rpartition(":")[2].strip().casefold()
    for app in catalogue.apps:
        if wanted in (str(app.app_id), app.title.casefold()) or launch_id.casefold() == app.title.casefold():
            return app
    return None
