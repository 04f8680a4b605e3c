"""Input of a session: rights per event, what is held at its end, a pen that falls silent."""

from collections import Counter

import pytest
import trio

from punktfunk.control.native.hands import Hands
from punktfunk.wire import input as vocabulary
from punktfunk.wire.native.capabilities import GamepadKind
from punktfunk.wire.native.datagrams import MicFrame, build_datagram
from punktfunk.wire.native.input import KeyEdge, PadSnapshot, PointerMove, TextScalar
from punktfunk.wire.native.rich_input import PenBatch, PenEnd, PenSample, PenState

pytestmark = pytest.mark.trio


class Everything:
    """Access to everything, until it is taken away."""

    def __init__(self):
        self.allowed = True

    def allows(self, _event):
        return self.allowed

    def allows_grant(self, _grant):
        return self.allowed


class Injector:
    def __init__(self):
        self.events = []
        self.released = 0
        self.injected = self.unsupported = Counter()

    def inject(self, event):
        self.events.append(event)

    def release_all(self):
        self.released += 1


async def played(hands, injector, count):
    while len(injector.events) < count:  # noqa: ASYNC110
        await trio.sleep(0.001)


async def test_datagrams_become_events_in_order(autojump_clock):
    access, injector = Everything(), Injector()
    hands = Hands(access, GamepadKind.AUTO)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hands.deliver, injector)
        for event in (KeyEdge(0x41, pressed=True), PointerMove(1, 2), PointerMove(3, 4), TextScalar(0x1F600)):
            hands.take_datagram(build_datagram(event))
        access.allowed = False
        hands.take_datagram(build_datagram(KeyEdge(0x42, pressed=True)))
        hands.take_datagram(b"")
        hands.take_datagram(b"\xc9" + bytes(12))
        await played(hands, injector, 3)
        nursery.cancel_scope.cancel()
    assert injector.events == [
        vocabulary.Key(0x41, pressed=True),
        vocabulary.MouseMove(4, 6),
        vocabulary.Text("\U0001f600"),
    ]
    assert (injector.released, hands.unknown_count) == (1, 2)
    assert 0 < hands.latency_us(50) <= hands.latency_us(99) < 10**7


async def test_input_waits_from_its_arrival_in_the_kernel(autojump_clock):
    now_ns = 5_000_000
    hands = Hands(
        Everything(), GamepadKind.XBOX_360, clock_ns=lambda: now_ns, arrived_ns=lambda: now_ns - 700_000
    )
    injector = Injector()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hands.deliver, injector)
        hands.take(PointerMove(1, 1))
        await played(hands, injector, 1)
        nursery.cancel_scope.cancel()
    assert hands.latency_us(50) == 700


async def test_what_is_held_is_released_at_the_end(autojump_clock):
    injector = Injector()
    hands = Hands(Everything(), GamepadKind.XBOX_360)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hands.deliver, injector)
        hands.take(PadSnapshot(2, 1, 0x1000, 0, 0, 0, 0, 0, 0))
        await played(hands, injector, 2)
        nursery.cancel_scope.cancel()
    assert isinstance(injector.events[0], vocabulary.PadArrival)
    assert injector.events[-1].active_mask == 0
    assert injector.released == 1
    hands.release_all()
    assert injector.released == 1  # the injector is another session's by now


async def test_a_pen_that_falls_silent_is_let_go(autojump_clock):
    injector = Injector()
    hands = Hands(Everything(), GamepadKind.AUTO, clock_ns=lambda: round(trio.current_time() * 1e9))
    sample = PenSample(
        PenState.IN_RANGE | PenState.TOUCHING, PenEnd.PEN, 0.5, 0.5, 100, 0xFFFF, 0xFF, 0xFFFF, 0xFFFF, 0
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hands.deliver, injector)
        hands.take(PenBatch.of(1, sample))
        await trio.sleep(0.1)
        before = len(injector.events)
        await trio.sleep(0.2)
        assert len(injector.events) > before
        assert injector.events[-1].event in {
            vocabulary.ContactEvent.HOVER_LEAVE,
            vocabulary.ContactEvent.CANCEL,
        }
        nursery.cancel_scope.cancel()


async def test_the_microphone_is_heard_only_with_the_right_to_it():
    access, heard = Everything(), []
    hands = Hands(access, GamepadKind.AUTO, hear=heard.append)
    datagram = build_datagram(MicFrame(1, 2, b"opus"))
    hands.take_datagram(datagram)
    access.allowed = False
    hands.take_datagram(datagram)
    assert heard == [MicFrame(1, 2, b"opus")]
