"""Input of one session: messages become events, and each is checked against what the device may do.

Datagrams bring what the next one makes up for; key edges come on the control stream. What a device may not do
is counted by its access, never answered. Spec: punktfunk-1 sections 2.4, 2.10 and 2.17.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final

import trio

from punktfunk.control.input.base import Injector
from punktfunk.control.input.queue import InputQueue
from punktfunk.control.native.access import Access
from punktfunk.wire.input import InputEvent
from punktfunk.wire.native.capabilities import GamepadKind, Grant
from punktfunk.wire.native.datagrams import MicFrame, parse_datagram
from punktfunk.wire.native.input_kinds import NativeInput
from punktfunk.wire.native.input_reader import InputReader
from punktfunk.wire.native.rich_input import RichInput

CAPACITY: Final = 1024
REMEMBERED: Final = 1000
_INPUT: Final = (NativeInput, RichInput)


def _unknown_ns() -> int:
    """Tell no time: nobody stamps what arrives."""
    return 0


def _drop(_frame: MicFrame) -> None:
    """Throw sound of a microphone away: nobody listens."""


class Hands:
    """Takes a client's input; :meth:`deliver` hands it to the injector.

    ``arrived_ns`` tells when the message at hand came, by the same clock as ``clock_ns``; 0 where unknown.
    """

    def __init__(
        self,
        access: Access,
        gamepad: GamepadKind,
        *,
        hear: Callable[[MicFrame], None] = _drop,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        arrived_ns: Callable[[], int] = _unknown_ns,
    ) -> None:
        self._access = access
        self._reader = InputReader(gamepad)
        self._hear = hear
        self._clock_ns = clock_ns
        self._arrived_ns = arrived_ns
        self._pen_moved = trio.Event()
        self._injector: Injector | None = None
        self._waiting_since_ns = 0
        self._latencies_ns: deque[int] = deque(maxlen=REMEMBERED)
        self.queue = InputQueue(CAPACITY)
        self.unknown_count = 0

    def take_datagram(self, data: bytes) -> None:
        """Act on one datagram; what is not known or not allowed is counted."""
        message = parse_datagram(data)
        match message:
            case None:
                self.unknown_count += 1
            case MicFrame():
                if self._access.allows_grant(Grant.MICROPHONE):
                    self._hear(message)
            case _ if isinstance(message, _INPUT):
                self.take(message)
            case _:  # a host's own kind of datagram
                self.unknown_count += 1

    def take(self, message: "NativeInput | RichInput") -> None:
        """Act on one input message."""
        events = self._reader.to_events(message, self._clock_ns())
        if not self._waiting_since_ns:
            self._waiting_since_ns = self._arrived_ns() or self._clock_ns()
        self._hand_on([event for event in events if self._access.allows(event)])
        if self._reader.deadline_ns is not None:
            self._pen_moved.set()

    def release_all(self) -> None:
        """Let go of everything that is held, at once: a right was taken away, or the session ends."""
        if self._injector is not None:
            for event in self._reader.release():
                self._injector.inject(event)
            self._injector.release_all()

    async def deliver(self, injector: Injector) -> None:
        """Hand events on until cancelled, first those that came too early; then release everything held."""
        self._injector = injector
        self.queue.deliver_now(_Timed(injector, self._note_injected))
        try:
            await self._watch_pen()
        finally:
            self.release_all()
            self._injector = None

    def latency_us(self, percent: int) -> int:
        """Tell how long input waits for its injector: so many of 100 times not longer than this."""
        ordered = sorted(self._latencies_ns)
        return ordered[len(ordered) * percent // 100] // 1000 if ordered else 0

    def _hand_on(self, events: Sequence[InputEvent]) -> None:
        """Inject at once: a turn of the loop may take as long as all that came before."""
        self.queue.put(events)
        if self._injector is not None:
            self.queue.deliver_now(_Timed(self._injector, self._note_injected))

    def _note_injected(self) -> None:
        """Note the wait of the first event of those that waited: it waited longest."""
        if self._waiting_since_ns:
            self._latencies_ns.append(self._clock_ns() - self._waiting_since_ns)
            self._waiting_since_ns = 0

    async def _watch_pen(self) -> None:
        """Let go of a pen that fell silent."""
        while True:
            await self._pen_moved.wait()
            while (deadline_ns := self._reader.deadline_ns) is not None:
                left_ns = deadline_ns - self._clock_ns()
                if left_ns <= 0:
                    self._hand_on(self._reader.expire(self._clock_ns()))
                    break
                await trio.sleep(left_ns / 1e9)
            self._pen_moved = trio.Event()


class _Timed:
    """An injector that tells when it was handed something."""

    def __init__(self, injector: Injector, note: Callable[[], None]) -> None:
        self._injector = injector
        self._note = note
        self.injected: Counter[str] = injector.injected
        self.unsupported: Counter[str] = injector.unsupported

    def inject(self, event: InputEvent) -> None:
        """See ``Injector``."""
        self._injector.inject(event)
        self._note()

    def release_all(self) -> None:
        """See ``Injector``."""
        self._injector.release_all()
