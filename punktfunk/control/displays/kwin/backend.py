"""KWin as a display backend: an output for each client on the Plasma session that runs, gone with its cast.

KWin ties such an output to the connection that asked for it: whatever ends us ends the output. What remains
after a crash is how the other outputs were arranged, and that is in the journal (``restore``).
"""

import hashlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Final

import trio

from punktfunk.control.displays.base import ARRANGEMENTS, Capabilities, DisplayOptions, VirtualOutput
from punktfunk.control.displays.kwin.arrange import OURS
from punktfunk.control.displays.kwin.desk import Desk, Shared, open_desk
from punktfunk.control.displays.kwin.door import is_let_in, open_kwin
from punktfunk.control.displays.kwin.launcher import COMMAND, complaint, find_launcher
from punktfunk.control.displays.kwin.sessions import find_kwin, inside, pipewire_socket
from punktfunk.control.displays.kwin.start import OPEN_TO_ALL
from punktfunk.control.displays.kwin.version import kwin_version
from punktfunk.control.displays.wayland import open_wayland
from punktfunk.control.system.journal import Journal
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode, PipeWireSource

OLDEST: Final = (6, 0)


class KWinDisplays:
    """Adds outputs to a running KWin."""

    name = "kwin"
    sends_pointer = True

    def __init__(
        self,
        journal: Journal,
        *,
        options: DisplayOptions | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._environment = dict(environment or {})
        self._options = options or DisplayOptions()
        if self._environment.get(OPEN_TO_ALL) and self._options.arrangement == "extend":
            # A session of our own: the screen that KWin began with is one that nobody sees.
            self._options = replace(self._options, arrangement="exclusive")
        self._shared = Shared(journal)
        self._desks: dict[str, Desk] = {}

    async def probe(self) -> Capabilities:
        """Look for KWin, its version, and whether it would let us in."""
        try:
            path = await find_kwin(self._environment)
            version = await kwin_version(self._environment)
            async with open_wayland(path) as connection:
                let_in = is_let_in(connection)
        except EnvironmentProblem as problem:
            return Capabilities(available=False, reason=str(problem), hint=problem.hint)
        text = f"KWin {version}".strip()
        refused = refusal(version)
        hint = "Update to Plasma 6."
        if not refused and not let_in:
            refused = await trio.to_thread.run_sync(complaint, find_launcher(self._environment))
            hint = f"Run `{COMMAND}` once, as this user: KWin then knows punktfunk."
        if refused:
            return Capabilities(
                available=False, reason=f"{text} runs ({path}), but {refused}", hint=hint, version=version
            )
        return Capabilities(
            available=True, reason=f"{text} runs ({path})", version=version, arrangements=ARRANGEMENTS
        )

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:
        """Add an output, arrange the desktop around it, hand it out, and put everything back."""
        path = await find_kwin(self._environment)
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(open_kwin(path, self._environment))
            desk = await stack.enter_async_context(
                open_desk(connection, self._shared, self._options, path, name_for(identity))
            )
            shown, notes = await desk.show(mode)
            self._desks[desk.output_name] = desk
            stack.callback(self._desks.pop, desk.output_name, None)
            yield self._describe(path, desk, shown, notes)

    def _describe(self, path: str, desk: Desk, shown: Mode, notes: tuple[str, ...]) -> VirtualOutput:
        from punktfunk.control.input.kwin import open_kwin_injector  # late: it needs what stands here

        remote = pipewire_socket(self._environment)
        variables = inside(self._environment, path)
        cast = desk.cast
        return VirtualOutput(
            desk.output_name,
            shown,
            PipeWireSource(shown, cast.target, cast.is_serial, remote, cursor=self._options.cursor),
            self.name,
            variables,
            notes=notes,
            open_input=lambda: open_kwin_injector(path, desk.output_name, self._environment),
            pipewire_remote=remote,
            dbus_address=variables.get("DBUS_SESSION_BUS_ADDRESS", ""),
            region=desk.region,
        )

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Give an output another mode; windows stay where KWin can do it without making it anew."""
        desk = self._desks.get(output.name)
        if desk is None or not isinstance(output.source, PipeWireSource):
            raise EnvironmentProblem(f"{output.name} is no output that KWin made for us")
        shown, notes = await desk.show(mode)
        source = replace(output.source, mode=shown, target=desk.cast.target, is_serial=desk.cast.is_serial)
        return replace(output, mode=shown, source=source, region=desk.region, notes=notes)


def refusal(version: str) -> str:
    """Say what is wrong with a version of KWin; nothing if it will do or is unknown."""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers and numbers < OLDEST:
        return f"Plasma {version} cannot add displays: Plasma 6 is needed"
    return ""


def name_for(identity: str) -> str:
    """Name a client's output: the same each time, as KWin remembers scale and place by the name."""
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    return f"{OURS.removeprefix('Virtual-')}-{digest}"
