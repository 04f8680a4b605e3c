"""What games ask of a client's pads, in datagrams that may be lost (punktfunk-1 section 2.10).

Rumble is a level with a lease of 400 ms: said at once, renewed every 120 ms while it lasts, and a stop is
said three times. Lights and trigger effects stay until changed, so they are said three times as well.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio

from punktfunk.wire.native.datagrams import build_datagram
from punktfunk.wire.native.pad_output import (
    MicrophoneLight,
    PadLight,
    PadOutput,
    PlayerLights,
    Rumble,
    TriggerEffect,
)
from punktfunk.wire.pads.wishes import (
    LightWish,
    MicLightWish,
    PadWish,
    PlayerLightsWish,
    RumbleWish,
    TriggerRumbleWish,
    TriggersWish,
)

LEASE_MS: Final = 400
RENEW_NS: Final = 120_000_000
REPEATS: Final = 2


@dataclass(slots=True)
class _Buzz:
    """One pad's motors. ``repeats``: how often a stop is still to be said."""

    low: int = 0
    high: int = 0
    left: int = 0
    right: int = 0
    sequence: int = 0
    repeats: int = 0

    @property
    def quiet(self) -> bool:
        return not (self.low or self.high or self.left or self.right)

    def message(self, pad: int) -> Rumble:
        self.sequence = (self.sequence + 1) & 0xFF
        return Rumble(pad, self.low, self.high, self.sequence, LEASE_MS, self.left, self.right)


class PadVoice:
    """Tells one client; :meth:`run` must run meanwhile. ``send`` takes a datagram and never waits."""

    def __init__(
        self, send: Callable[[bytes], object], clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._send = send
        self._clock_ns = clock_ns
        self._buzzes: dict[int, _Buzz] = {}
        self._states: dict[tuple[int, type, int], tuple[PadOutput, int]] = {}
        self._something = trio.Event()
        self._next_ns = 0

    def tell(self, pad: int, wish: PadWish) -> None:
        """Say a wish at once, and again later as far as it needs to."""
        match wish:
            case RumbleWish():
                buzz = self._buzzes.setdefault(pad, _Buzz())
                buzz.low, buzz.high = wish.low, wish.high
                self._buzz(pad, buzz)
            case TriggerRumbleWish():
                buzz = self._buzzes.setdefault(pad, _Buzz())
                buzz.left, buzz.right = wish.left, wish.right
                self._buzz(pad, buzz)
            case _:
                for message in states_of(pad, wish):
                    side = message.trigger if isinstance(message, TriggerEffect) else 0
                    self._states[pad, type(message), side] = message, REPEATS
                    self._send(build_datagram(message))
        if self._busy():
            self._something.set()

    async def run(self) -> None:
        """Renew and repeat until cancelled."""
        while True:
            await self._something.wait()
            self._something = trio.Event()
            while self._busy():
                await trio.sleep(max(0, self._next_ns - self._clock_ns()) / 1e9)
                self._tick()

    def _buzz(self, pad: int, buzz: _Buzz) -> None:
        buzz.repeats = REPEATS if buzz.quiet else 0
        self._send(build_datagram(buzz.message(pad)))

    def _busy(self) -> bool:
        busy = bool(self._states) or any(not buzz.quiet or buzz.repeats for buzz in self._buzzes.values())
        if busy and self._next_ns <= self._clock_ns():
            self._next_ns = self._clock_ns() + RENEW_NS
        return busy

    def _tick(self) -> None:
        for pad, buzz in self._buzzes.items():
            if not buzz.quiet or buzz.repeats:
                buzz.repeats = max(0, buzz.repeats - 1)
                self._send(build_datagram(buzz.message(pad)))
        for key, (message, left) in list(self._states.items()):
            self._send(build_datagram(message))
            if left > 1:
                self._states[key] = message, left - 1
            else:
                del self._states[key]


def states_of(pad: int, wish: PadWish) -> list[PadOutput]:
    """Word a wish that is no rumble; motion has no words: clients always send it."""
    match wish:
        case LightWish():
            return [PadLight(pad, wish.red, wish.green, wish.blue)]
        case PlayerLightsWish():
            return [PlayerLights(pad, wish.mask)]
        case MicLightWish():
            return [MicrophoneLight(pad, wish.state)]
        case TriggersWish():
            sides = ((0, wish.left), (1, wish.right))
            return [TriggerEffect(pad, side, effect) for side, effect in sides if effect is not None]
        case _:
            return []
