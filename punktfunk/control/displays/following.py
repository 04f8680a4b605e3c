"""Displays on whichever desktop runs when they are wanted: the host may be older than the user's login.

host starts at boot -> no desktop: private sessions -> the user logs in -> the next display is there
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import trio

from punktfunk.control.displays.base import Capabilities, DisplayBackend, VirtualOutput
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode

Choose = Callable[[], Awaitable[tuple[DisplayBackend, str]]]


class AbsentBackend:
    """Stands for a desktop that does not run yet."""

    def __init__(self, name: str, problem: EnvironmentProblem) -> None:
        self.name = name
        self._problem = problem

    async def probe(self) -> Capabilities:
        """Say what is missing."""
        await trio.lowlevel.checkpoint()
        return Capabilities(available=False, reason=str(self._problem), hint=self._problem.hint)

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:  # noqa: ARG002 - none can be made
        """Refuse."""
        await trio.lowlevel.checkpoint()
        raise self._problem
        yield  # what makes this a generator

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:  # noqa: ARG002 - it made none
        """Refuse."""
        await trio.lowlevel.checkpoint()
        raise self._problem


class FollowingBackend:
    """Asks ``choose`` again for every display; ``first`` is what it said last.

    A display stays with the backend that made it. ``choose`` must give the same object for the same backend.
    """

    def __init__(self, first: DisplayBackend, choose: Choose) -> None:
        self._choose = choose
        self._latest = self._told = first
        self._makers: dict[str, DisplayBackend] = {}

    @property
    def name(self) -> str:
        """The backend of the newest display, or of the next one as far as is known."""
        return self._latest.name

    @property
    def sends_pointer(self) -> bool:
        """Tell whether the pictures come without the pointer, which is told apart."""
        return bool(getattr(self._latest, "sends_pointer", False))

    @property
    def bit_depth(self) -> int:
        """Bits per colour of its displays."""
        return int(getattr(self._latest, "bit_depth", 8))

    async def probe(self) -> Capabilities:
        """Find out which backend the next display would have, and ask it."""
        try:
            self._latest, _reason = await self._choose()
        except EnvironmentProblem as problem:
            return Capabilities(available=False, reason=str(problem), hint=problem.hint)
        return await self._latest.probe()

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:
        """Make a display where one can be had now; its notes say so if that is another place than before."""
        backend, reason = await self._choose()
        moved = () if backend is self._told else (f"{backend.name} from now on ({reason})",)
        self._latest = self._told = backend
        async with backend.create(mode, identity) as output:
            self._makers[output.backend] = backend
            yield replace(output, notes=(*moved, *output.notes))

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Ask the backend that made the output."""
        backend = self._makers.get(output.backend)
        if backend is None:
            raise EnvironmentProblem(f"{output.name} is no display of this host")
        return await backend.change_mode(output, mode)
