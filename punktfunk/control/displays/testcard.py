"""The test card: frames drawn by punktfunk itself, so that a stream works without any compositor."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import trio

from punktfunk.control.displays.base import ARRANGEMENTS, Capabilities, VirtualOutput
from punktfunk.plan import Mode, TestcardSource


class Testcard:
    """Describes a picture that ``realtime`` draws; nothing is made, so nothing can be left behind."""

    __test__ = False  # the name starts like a test class; pytest must not collect it

    name = "testcard"

    def __init__(self, *, noise: bool = False) -> None:
        self._noise = noise

    async def probe(self) -> Capabilities:
        """Work everywhere."""
        await trio.lowlevel.checkpoint()
        return Capabilities(
            available=True,
            reason="the test card needs no compositor",
            takes_input=False,
            arrangements=ARRANGEMENTS,
        )

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:  # noqa: ARG002 - every client gets its own
        """Describe a card of that mode."""
        await trio.lowlevel.checkpoint()
        yield VirtualOutput("testcard", mode, TestcardSource(mode, self._noise), self.name)

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Describe the card in another mode."""
        await trio.lowlevel.checkpoint()
        return replace(output, mode=mode, source=TestcardSource(mode, self._noise))
