"""Who is on this host, over both protocols: clients that stream, displays that wait, what a second one gets.

    own        a display of its own, beside the others
    takeover   the others' streams end first; what they showed goes on, for the newcomer or their return
    refuse     nothing, as long as another streams

Whoever has a stream is never cut off by itself: a device that comes again is its own protocol's business.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

import trio

from punktfunk.errors import PunktfunkError

SecondClient = Literal["own", "takeover", "refuse"]
END_S: Final = 15.0


class Occupied(PunktfunkError):
    """Another client streams, and the settings let nobody in beside it."""


@dataclass(frozen=True, slots=True, eq=False)
class Streaming:
    """A client that streams. ``leave(newcomer)`` begins to end that; ``gone`` is set when it is done."""

    owner: str
    name: str
    leave: Callable[[str], None]
    gone: trio.Event


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A display that exists. ``waits()`` tells whether nobody looks at it; ``close()`` begins to end it."""

    title: str
    waits: Callable[[], bool]
    close: Callable[[], None]
    gone: trio.Event


class Occupancy:
    """One host's streams and displays; ``limit`` is how many displays may exist."""

    def __init__(self, second_client: SecondClient = "own", limit: int = 4) -> None:
        self.second_client = second_client
        self._limit = limit
        self._streams: list[Streaming] = []
        self._displays: list[Shown] = []

    @contextmanager
    def streaming(self, client: Streaming) -> Iterator[None]:
        """Count a client for the length of the block."""
        self._streams.append(client)
        try:
            yield
        finally:
            self._streams.remove(client)

    @contextmanager
    def display(self, shown: Shown) -> Iterator[None]:
        """Count a display for the length of the block."""
        self._displays.append(shown)
        try:
            yield
        finally:
            self._displays.remove(shown)

    async def admit(self, owner: str, name: str) -> list[str]:
        """Let a client begin; return the owners whose streams ended for it. Occupied if it may not."""
        await trio.lowlevel.checkpoint()
        others = [client for client in self._streams if client.owner != owner]
        if not others or self.second_client == "own":
            return []
        if self.second_client == "refuse":
            raise Occupied(
                f"{others[0].name} is streaming from this host.",
                hint='second_client = "own" or "takeover" would let others in.',
            )
        for client in others:
            client.leave(name)
        with trio.move_on_after(END_S) as patience:
            for client in others:
                await client.gone.wait()
        if patience.cancelled_caught:
            raise Occupied(f"{others[0].name} streams from this host, and its stream does not end.")
        return [client.owner for client in others]

    async def make_room(self) -> None:
        """End displays that nobody looks at, the oldest first, until one more may be made.

        Where all are looked at nothing is done: the backend refuses, and says for whom they are.
        """
        await trio.lowlevel.checkpoint()
        while len(self._displays) >= self._limit:
            spare = next((shown for shown in self._displays if shown.waits()), None)
            if spare is None:
                return
            spare.close()
            with trio.move_on_after(END_S) as patience:
                await spare.gone.wait()
            if patience.cancelled_caught:
                return
