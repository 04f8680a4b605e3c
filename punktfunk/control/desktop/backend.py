"""The display backend of a session of our own: waits until the session runs, and ends displays with it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import trio

from punktfunk.control.desktop.session import OwnSession
from punktfunk.control.displays.base import Capabilities, DisplayBackend, VirtualOutput
from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode

PATIENCE_S: Final = 20.0
"""How long a client that comes while the session is being restarted waits."""
SETTLE_S: Final = 10.0
FAREWELL_S: Final = 2.0
"""A stream notices by itself that its compositor is gone, and tells its client why; then it is done."""


class InSession:
    """Passes on to the backend that attaches to the session's compositor."""

    def __init__(self, session: OwnSession, inner: DisplayBackend) -> None:
        self.session = session
        self._inner = inner

    @property
    def name(self) -> str:
        """The backend's."""
        return self._inner.name

    @property
    def sends_pointer(self) -> bool:
        """Whether it tells where the pointer is, beside pictures without it."""
        return bool(getattr(self._inner, "sends_pointer", False))

    @property
    def bit_depth(self) -> int:
        """Bits per colour of its outputs."""
        return int(getattr(self._inner, "bit_depth", 8))

    async def probe(self) -> Capabilities:
        """Say whether the session runs, and what its compositor can do."""
        if why := self.session.why_down():
            await trio.lowlevel.checkpoint()
            return Capabilities(
                available=False, reason=f"the {self.session.name} session does not run: {why}"
            )
        found = await self._inner.probe()
        return replace(found, reason=f"own {self.session.name} session; {found.reason}")

    async def settle(self) -> Capabilities:
        """Wait until the compositor runs and its backend takes it, which a desktop may do a moment later.

        EnvironmentProblem if it does not in time.
        """
        await self.session.wait_up(PATIENCE_S)
        found = await self.probe()

        async def takes() -> bool:
            nonlocal found
            found = found if found.available else await self.probe()
            await trio.lowlevel.checkpoint()
            return found.available

        if not await wait_until(takes, SETTLE_S):
            raise EnvironmentProblem(found.reason, hint=found.hint)
        return found

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:
        """Make an output in the session.

        EnvironmentProblem if the session does not come back in time, or when its compositor ends meanwhile.
        """
        await self.settle()
        gone = self.session.gone
        async with self._inner.create(mode, identity) as output:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_after, gone, nursery.cancel_scope)
                yield self._inside(output)
                nursery.cancel_scope.cancel()
            if gone.is_set():
                why = self.session.why_down() or "it is back"
                raise EnvironmentProblem(
                    f"the desktop of the {self.session.name} session ended: {why}",
                    hint="It is started again by itself: connect again.",
                )

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Give an output another mode."""
        return await self._inner.change_mode(output, mode)

    def _inside(self, output: VirtualOutput) -> VirtualOutput:
        environment = self.session.environment
        return replace(
            output,
            backend=f"session-{self.session.name}",
            environment={**environment, **output.environment},
            pipewire_remote=output.pipewire_remote or f"{self.session.folder}/pipewire-0",
            dbus_address=output.dbus_address or environment.get("DBUS_SESSION_BUS_ADDRESS", ""),
        )


async def _cancel_after(gone: trio.Event, scope: trio.CancelScope) -> None:
    await gone.wait()
    await trio.sleep(FAREWELL_S)
    scope.cancel()
