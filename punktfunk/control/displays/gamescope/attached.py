"""gamescope, attached: the game mode that runs already (Steam Deck, Bazzite, ChimeraOS), shown as it is.

Nothing is made, so nothing can be left behind: gamescope has a PipeWire node at all times.
"""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import trio

from punktfunk.control.displays.base import Capabilities, DisplayOptions, VirtualOutput, refresh_note
from punktfunk.control.displays.gamescope.inside import (
    Running,
    look_inside,
    runtime_variables,
    variables_inside,
)
from punktfunk.control.displays.gamescope.output import describe, rescaled
from punktfunk.control.displays.gamescope.words import find_sockets
from punktfunk.control.displays.session_variables import runtime_folder_of
from punktfunk.control.system.journal import Journal
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode


class AttachedGamescope:
    """Shows a gamescope that runs."""

    name = "gamescope-attached"

    def __init__(
        self,
        journal: Journal,  # noqa: ARG002 - nothing is made
        *,
        options: DisplayOptions | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._options = options or DisplayOptions()
        self._environment = os.environ if environment is None else environment
        self._found: tuple[str, Running] | None = None

    async def probe(self) -> Capabilities:
        """Look for a running gamescope of this user."""
        await trio.lowlevel.checkpoint()
        refused, hint = "no gamescope of this user runs", "Start the game mode, or choose another display."
        folder = runtime_folder_of(self._environment)
        for path in find_sockets(folder, self._environment.get("GAMESCOPE_WAYLAND_DISPLAY", "")):
            try:
                running = await look_inside(path)
            except EnvironmentProblem as error:
                refused, hint = str(error), error.hint or hint
                continue
            self._found = (path, running)
            return Capabilities(
                available=True,
                reason=f"gamescope runs as process {running.pid} and shows {running.mode} ({path})",
                refresh_most_millihertz=running.mode.refresh_millihertz,
            )
        return Capabilities(available=False, reason=refused, hint=hint)

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:  # noqa: ARG002 - everybody sees the same game mode
        """Describe the gamescope that runs; its pictures are scaled into the mode."""
        found = await self.probe()
        if not found.available or self._found is None:
            raise EnvironmentProblem(found.reason, hint=found.hint)
        path, running = self._found
        display = Path(path).name
        known = runtime_variables(self._environment, display, runtime_folder_of(self._environment))
        inside = await trio.to_thread.run_sync(variables_inside, display)
        got = replace(mode, refresh_millihertz=min(mode.refresh_millihertz, running.mode.refresh_millihertz))
        output = describe(
            self.name,
            mode=got,
            games=running.mode,
            node_id=running.node_id,
            environment={**known, **inside},
            host=self._environment,
        )
        yield replace(output, notes=(*output.notes, *refresh_note("gamescope", mode, got)))

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Scale the pictures into another mode: the game mode keeps its own."""
        await trio.lowlevel.checkpoint()
        most = self._found[1].mode.refresh_millihertz if self._found else mode.refresh_millihertz
        return rescaled(output, replace(mode, refresh_millihertz=min(mode.refresh_millihertz, most)))
