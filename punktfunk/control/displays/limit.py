"""At most so many displays at once: one count for the whole host, around whichever backend makes them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from punktfunk.control.displays.base import Capabilities, DisplayBackend, VirtualOutput
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode


class LimitedBackend:
    """A backend that refuses one display too many; everything else is the other's."""

    def __init__(self, backend: DisplayBackend, most: int) -> None:
        self._backend = backend
        self._most = most
        self._identities: list[str] = []

    @property
    def name(self) -> str:
        """The backend's."""
        return self._backend.name

    @property
    def sends_pointer(self) -> bool:
        """Whether it tells where the pointer is, beside pictures without it."""
        return bool(getattr(self._backend, "sends_pointer", False))

    @property
    def bit_depth(self) -> int:
        """Bits per colour of its outputs."""
        return int(getattr(self._backend, "bit_depth", 8))

    async def probe(self) -> Capabilities:
        """Ask the backend."""
        return await self._backend.probe()

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:
        """Make a display, unless there are enough; one that is being made or ends counts too."""
        if len(self._identities) >= self._most:
            raise EnvironmentProblem(
                f"there are {self._most} displays already, for {', '.join(self._identities)}",
                hint=f"End one, or raise display_limit ({self._most}).",
            )
        self._identities.append(identity)
        try:
            async with self._backend.create(mode, identity) as output:
                yield output
        finally:
            self._identities.remove(identity)

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Ask the backend."""
        return await self._backend.change_mode(output, mode)
