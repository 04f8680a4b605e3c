"""What an injector is: it takes input events and makes them real, or counts what it cannot do.

Injectors run in the Trio thread and never block: what the compositor does not take at once is queued within a
bound, and motion is the first to be dropped.
"""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol

import trio

from punktfunk.control.displays.base import VirtualOutput
from punktfunk.plan import PreparedSource, TestcardSource
from punktfunk.wire.input import (
    InputEvent,
    Key,
    MouseClick,
    MouseMove,
    MouseMoveAbsolute,
    Text,
    Touch,
    Wheel,
)

DESK_EVENTS: Final[frozenset[type]] = frozenset((Key, Text, MouseMove, MouseMoveAbsolute, MouseClick, Wheel))
DESK_AND_TOUCH: Final[frozenset[type]] = DESK_EVENTS | {Touch}
"""What an injector may have as ``handles``: touch and pen that it cannot do go another way."""


class Injector(Protocol):
    """Takes events for one output.

    injected, unsupported   how many events of each kind became real, and how many have no device here
    """

    injected: Counter[str]
    unsupported: Counter[str]

    def inject(self, event: InputEvent) -> None:
        """Make one event real. Never blocks and raises nothing; what cannot be done is counted."""

    def release_all(self) -> None:
        """Release every key and button that is held."""


class CountingInjector:
    """The injector where punktfunk itself makes the picture: nobody receives input, so it is only counted."""

    def __init__(self) -> None:
        self.injected: Counter[str] = Counter()
        self.unsupported: Counter[str] = Counter()

    def inject(self, event: InputEvent) -> None:
        """Count the event."""
        self.unsupported[type(event).__name__] += 1

    def release_all(self) -> None:
        """Do nothing: nothing is ever held."""


@asynccontextmanager
async def _open_counting() -> AsyncGenerator[Injector]:
    await trio.lowlevel.checkpoint()
    yield CountingInjector()


def open_injector(output: VirtualOutput) -> AbstractAsyncContextManager[Injector]:
    """Open the injector that fits the output; leaving the block releases everything held.

    Entering raises EnvironmentProblem if the compositor takes no input from us.
    """
    if output.open_input is not None:
        return output.open_input()
    if isinstance(output.source, TestcardSource | PreparedSource):
        return _open_counting()
    from punktfunk.control.input.wlr import open_wlr_injector  # late: it imports this module for its types

    return open_wlr_injector(output)
