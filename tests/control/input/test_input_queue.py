"""The way of input to the injector: motion merges, order holds, nothing that is held can be lost."""

from collections import Counter

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from punktfunk.control.input.queue import CAPACITY as TRUE_CAPACITY
from punktfunk.control.input.queue import MOTION, InputQueue, merge
from punktfunk.wire.input import (
    Key,
    MotionKind,
    MouseButton,
    MouseClick,
    MouseMove,
    MouseMoveAbsolute,
    PadMotion,
    Text,
    Wheel,
)

CAPACITY = 64
PRESS, RELEASE = Key(0x41, pressed=True), Key(0x41, pressed=False)
CLICK = MouseClick(MouseButton.LEFT, pressed=True)
GYRO = PadMotion(0, MotionKind.GYROSCOPE, 1.0, 2.0, 3.0)
EVENTS = st.one_of(
    st.builds(MouseMove, st.integers(-9, 9), st.integers(-9, 9)),
    st.builds(MouseMoveAbsolute, st.integers(0, 99), st.integers(0, 99), st.just(100), st.just(100)),
    st.builds(PadMotion, st.integers(0, 1), st.sampled_from(MotionKind), *[st.floats(0, 1)] * 3),
    st.builds(Key, st.integers(1, 254), st.booleans()),
    st.builds(Wheel, st.integers(-120, 120)),
)


class Recorder:
    def __init__(self):
        self.injected, self.unsupported = [], Counter()

    def inject(self, event):
        self.injected.append(event)

    def release_all(self):
        self.injected.append("released")


async def delivered(queue):
    recorder = Recorder()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(queue.deliver, recorder)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return recorder.injected


@pytest.mark.parametrize(
    ("first", "second", "merged"),
    [
        (MouseMove(1, 2), MouseMove(3, -4), MouseMove(4, -2)),
        (MouseMoveAbsolute(1, 1, 9, 9), MouseMoveAbsolute(2, 3, 5, 5), MouseMoveAbsolute(2, 3, 5, 5)),
        (
            GYRO,
            PadMotion(0, MotionKind.GYROSCOPE, 4.0, 5.0, 6.0),
            PadMotion(0, MotionKind.GYROSCOPE, 4.0, 5.0, 6.0),
        ),
        (GYRO, PadMotion(1, MotionKind.GYROSCOPE, 4.0, 5.0, 6.0), None),
        (GYRO, PadMotion(0, MotionKind.ACCELERATION, 4.0, 5.0, 6.0), None),
        (MouseMove(1, 2), MouseMoveAbsolute(1, 1, 9, 9), None),
        (Wheel(120), Wheel(120), None),
        (PRESS, PRESS, None),
    ],
)
def test_what_merges(first, second, merged):
    assert merge(first, second) == merged


@pytest.mark.trio
async def test_motion_merges_while_it_waits():
    queue = InputQueue()
    queue.put([MouseMove(1, 0)] * 1000)
    queue.put([CLICK, MouseMove(1, 0), MouseMove(2, 0)])
    assert await delivered(queue) == [MouseMove(1000, 0), CLICK, MouseMove(3, 0)]
    assert (queue.received_count, queue.merged_count, queue.dropped_count) == (1003, 1000, 0)


@pytest.mark.trio
async def test_events_go_out_as_they_come():
    queue, recorder = InputQueue(), Recorder()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(queue.deliver, recorder)
        for event in (PRESS, MouseMove(1, 1), MouseMove(1, 1), RELEASE):
            queue.put([event])
            await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert recorder.injected == [PRESS, MouseMove(1, 1), MouseMove(1, 1), RELEASE]


@pytest.mark.trio
async def test_a_pasted_page_arrives():
    queue = InputQueue()
    page = [Text(letter) for letter in "0123456789" * 100]
    assert len(page) < TRUE_CAPACITY
    queue.put(page)
    assert await delivered(queue) == page


@pytest.mark.trio
async def test_a_release_displaces_motion():
    queue = InputQueue(CAPACITY)
    pair = [GYRO, PadMotion(0, MotionKind.ACCELERATION, 0.0, 0.0, 0.0)]  # these two never merge
    queue.put([PRESS, *pair * CAPACITY, RELEASE])
    events = await delivered(queue)
    assert len(events) == CAPACITY
    assert (events[0], events[-1]) == (PRESS, RELEASE)
    assert "released" not in events


@pytest.mark.trio
async def test_a_lost_release_releases_everything():
    queue = InputQueue(CAPACITY)
    queue.put([PRESS] * CAPACITY)
    queue.put([RELEASE])
    assert queue.dropped_count == 1
    assert await delivered(queue) == [*[PRESS] * CAPACITY, "released"]
    queue.put([PRESS])  # once only
    assert await delivered(queue) == [PRESS]


@pytest.mark.trio
async def test_lost_motion_releases_nothing():
    queue = InputQueue(CAPACITY)
    queue.put([PRESS] * CAPACITY)
    queue.put([MouseMove(1, 1)])
    assert await delivered(queue) == [PRESS] * CAPACITY


@given(st.lists(EVENTS, max_size=3 * CAPACITY))
def test_bounded_and_in_order(events):
    queue = InputQueue(CAPACITY)
    queue.put(events)
    out = trio.run(delivered, queue)
    assert len(out) <= CAPACITY + 1
    kept = [event for event in out if event != "released" and not isinstance(event, MOTION)]
    sent = [event for event in events if not isinstance(event, MOTION)]
    assert kept == sent[: len(kept)]  # in order, and only the newest can be missing
    assert (len(kept) < len(sent)) == ("released" in out)
    assert (
        queue.received_count
        == len(events)
        == len(out) - out.count("released") + queue.merged_count + queue.dropped_count
    )


@given(st.lists(st.builds(MouseMove, st.integers(-99, 99), st.integers(-99, 99)), max_size=50))
def test_merging_keeps_the_sum(moves):
    queue = InputQueue(CAPACITY)
    queue.put(moves)
    out = trio.run(delivered, queue)
    assert sum(move.dx for move in out) == sum(move.dx for move in moves)
    assert len(out) <= 1
