"""The way of input events from the network to the injector: bounded, in order, motion merged.

A client sends one mouse packet a millisecond; an injector that is busy for a while must not fall behind by
hundreds of small steps, and must never miss a release.
"""

from collections import deque
from collections.abc import Iterable

import trio

from punktfunk.control.input.base import Injector
from punktfunk.wire.input import InputEvent, MouseMove, MouseMoveAbsolute, PadMotion

CAPACITY = 2048
"""Text that is pasted comes as one event for each character, a thousand of them in one turn of the loop."""

MOTION = (MouseMove, MouseMoveAbsolute, PadMotion)
"""What may be lost: the next one makes up for it."""


class InputQueue:
    """Events wait here for the injector; one task calls :meth:`deliver`."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._waiting: deque[InputEvent] = deque()
        self._something = trio.Event()
        self._lost_state = False
        self.received_count = 0
        self.merged_count = 0
        self.dropped_count = 0

    def put(self, events: Iterable[InputEvent]) -> None:
        """Append events; motion merges into motion that still waits."""
        for event in events:
            self.received_count += 1
            if self._waiting and (merged := merge(self._waiting[-1], event)) is not None:
                self._waiting[-1] = merged
                self.merged_count += 1
            elif len(self._waiting) < self._capacity:
                self._waiting.append(event)
            else:
                self._drop(event)
        if self._waiting or self._lost_state:
            self._something.set()

    def _drop(self, event: InputEvent) -> None:
        """Lose motion first; a lost key or button release would stick, so then everything is released."""
        self.dropped_count += 1
        if isinstance(event, MOTION):
            return
        for index, waiting in enumerate(self._waiting):
            if isinstance(waiting, MOTION):
                del self._waiting[index]
                self._waiting.append(event)
                return
        self._lost_state = True

    async def deliver(self, injector: Injector) -> None:
        """Hand events to the injector until cancelled."""
        while True:
            await self._something.wait()
            self._something = trio.Event()
            self.deliver_now(injector)
            await trio.lowlevel.checkpoint()

    def deliver_now(self, injector: Injector) -> None:
        """Hand over what waits, in place of :meth:`deliver`."""
        while self._waiting:
            injector.inject(self._waiting.popleft())
        if self._lost_state:
            self._lost_state = False
            injector.release_all()


def merge(first: InputEvent, second: InputEvent) -> InputEvent | None:
    """Return one event that does what both do, or None if they must stay apart."""
    match first, second:
        case MouseMove(), MouseMove():
            return MouseMove(first.dx + second.dx, first.dy + second.dy)
        case MouseMoveAbsolute(), MouseMoveAbsolute():
            return second
        case PadMotion(), PadMotion() if (first.pad, first.kind) == (second.pad, second.kind):
            return second
        case _:
            return None
