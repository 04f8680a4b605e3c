"""The mirror as a display backend: one of the desktop's own monitors, whichever desktop it is."""

import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Final

import trio

from punktfunk.control.displays.base import Capabilities, DisplayOptions, VirtualOutput
from punktfunk.control.displays.mirror.screens import Screen, Shown, Way, choose_screen, describe
from punktfunk.control.problems import first_leaf
from punktfunk.control.system.journal import Journal
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError
from punktfunk.plan import Mode

WAYS: Final = (
    "punktfunk.control.displays.mirror.wayland:WaylandMonitors",
    "punktfunk.control.displays.mirror.gnome:GnomeMonitors",
    "punktfunk.control.displays.mirror.plasma:PlasmaMonitors",
)
"""Loaded when they are asked: each brings bindings that the others do not need."""


class Mirror:
    """Shows a monitor that is there; several clients may look at the same one."""

    name = "mirror"

    def __init__(
        self,
        journal: Journal,  # noqa: ARG002 - nothing is made
        *,
        options: DisplayOptions | None = None,
        environment: Mapping[str, str] | None = None,
        ways: Sequence[str] = WAYS,
    ) -> None:
        self._options = options or DisplayOptions()
        environment = os.environ if environment is None else environment
        self._ways = [_load(way, environment) for way in ways]
        self._shown: list[Shown] = []

    async def probe(self) -> Capabilities:
        """Look for a desktop that shows its monitors."""
        try:
            way, screen = await self._find()
        except EnvironmentProblem as error:
            return Capabilities(available=False, reason=str(error), hint=error.hint)
        return Capabilities(
            available=True,
            reason=f"monitor {screen.name} of {way.title} ({screen.mode}) is shown as it is",
            refresh_most_millihertz=screen.mode.refresh_millihertz,
        )

    async def _find(self) -> tuple[Way, Screen]:
        refusals: list[str] = []
        for way in self._ways:
            screens: list[Screen] | None = None
            try:
                screens = await way.screens()
            except* (EnvironmentProblem, RemoteProtocolError) as problems:
                refusals.append(str(first_leaf(problems)))
            if screens is not None:
                return way, choose_screen(screens, self._options.monitor)
        await trio.lowlevel.checkpoint()
        raise EnvironmentProblem(
            f"no monitor can be mirrored: {'; '.join(refusals)}",
            hint='Log into a desktop; set display = "portal" where none of these is it.',
        )

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:  # noqa: ARG002 - everybody sees the same monitor
        """Show the monitor, scaled into the mode."""
        way, screen = await self._find()
        async with way.show(screen, self._options) as shown:
            self._shown.append(shown)
            try:
                yield describe(self.name, shown, mode)
            finally:
                self._shown.remove(shown)

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Scale the pictures into another mode: the monitor keeps its own."""
        await trio.lowlevel.checkpoint()
        for shown in self._shown:
            if shown.source(output.mode) == output.source:
                return describe(self.name, shown, mode)
        raise EnvironmentProblem(f"{output.name} is not mirrored")


def _load(way: str, environment: Mapping[str, str]) -> Way:
    module, _, name = way.partition(":")
    made: Way = getattr(import_module(module), name)(environment)
    return made
