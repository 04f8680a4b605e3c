"""The jitter buffer and the display's cadence, under a simulated network and display."""

import random
from itertools import pairwise

import pytest
from client_pictures import FRAME_NS, MS, picture

from punktfunk.realtime.present.cadence import DisplayCadence
from punktfunk.realtime.present.jitter import CAPACITY, JitterBuffer


def test_a_quiet_network_is_not_delayed():
    buffer = JitterBuffer(FRAME_NS)
    for index in range(100):
        came = picture(index)
        buffer.put(came)
        assert buffer.take(came.decoded_ns) is came
    assert (buffer.hold_ns, buffer.jitter_ns, buffer.superseded_count) == (0, 0, 0)


def test_jitter_is_held_back_by_at_most_a_frame():
    chance = random.Random(1)
    buffer = JitterBuffer(FRAME_NS)
    for index in range(300):
        buffer.put(picture(index, 5 * MS + chance.randrange(8 * MS)))
        buffer.take(10**18)
    assert 6 * MS < buffer.hold_ns <= 8 * MS
    for index in range(300, 600):
        buffer.put(picture(index, 5 * MS + chance.randrange(100 * MS)))
        buffer.take(10**18)
    assert buffer.hold_ns == FRAME_NS


def test_held_pictures_leave_evenly():
    chance = random.Random(2)
    buffer = JitterBuffer(FRAME_NS)
    events = [picture(index, 5 * MS + chance.randrange(8 * MS)) for index in range(400)]
    shown, now_ns = [], events[0].unit.pts_ns
    while events or len(buffer):
        while events and events[0].decoded_ns <= now_ns:
            buffer.put(events.pop(0))
        if (taken := buffer.take(now_ns)) is not None:
            shown.append((now_ns, taken.unit.frame_index))
        now_ns += MS // 4
    steps = [later[0] - earlier[0] for earlier, later in pairwise(shown[250:])]
    assert [index for _, index in shown] == sorted(index for _, index in shown)
    assert len(shown) > 395
    assert max(steps) - min(steps) <= 3 * MS  # of 8 ms jitter


def test_without_a_display_to_follow_only_the_newest_counts():
    buffer = JitterBuffer(FRAME_NS)
    for index in range(3):
        buffer.put(picture(index))
    assert buffer.take(10**18).unit.frame_index == 2
    assert buffer.superseded_count == 2
    assert buffer.take(10**18) is None
    assert buffer.next_due_ns() is None


def test_two_pictures_in_one_refresh_are_both_seen():
    buffer = JitterBuffer(FRAME_NS)
    buffer.put(picture(0))
    buffer.put(picture(1))
    assert buffer.take(10**18, FRAME_NS).unit.frame_index == 0
    assert buffer.take(10**18, FRAME_NS).unit.frame_index == 1
    assert buffer.superseded_count == 0


def test_a_stream_faster_than_the_display_gains_no_delay():
    buffer = JitterBuffer(FRAME_NS // 2)
    for index in range(4):
        buffer.put(picture(index, interval_ns=FRAME_NS // 2))
    assert buffer.take(10**18, FRAME_NS).unit.frame_index == 3


def test_a_picture_that_always_waits_is_left_out_within_a_second():
    buffer = JitterBuffer(FRAME_NS)
    buffer.put(picture(0))
    for index in range(1, 70):
        buffer.put(picture(index))
        assert buffer.take(10**18, FRAME_NS) is not None
    assert buffer.superseded_count == 1
    assert len(buffer) == 0


def test_what_waits_is_bounded():
    buffer = JitterBuffer(FRAME_NS)
    for index in range(20):
        buffer.put(picture(index))
    assert len(buffer) == CAPACITY
    buffer.clear()
    assert buffer.take(10**18) is None


def test_a_new_clock_of_the_host_begins_the_measurement_anew():
    buffer = JitterBuffer(FRAME_NS)
    for index in range(50):
        buffer.put(picture(index, 50 * MS))
        buffer.take(10**18)
    came = picture(50 + 10_000)
    buffer.put(came)
    assert (buffer.jitter_ns, buffer.due_ns(came)) == (0, came.decoded_ns)


class Display:
    """Swaps wait for the next multiple of the interval."""

    def __init__(self, interval_ns, phase_ns=3 * MS):
        self.interval_ns, self.phase_ns = interval_ns, phase_ns

    def swap(self, asked_ns):
        count = -(-(asked_ns - self.phase_ns) // self.interval_ns)
        return max(round(self.phase_ns + count * self.interval_ns), asked_ns)


def run_display(cadence, display, count, cost_ns=2 * MS, wake_noise=lambda: 0):
    """Draw for each predicted blank; how long each swap waited."""
    now_ns, waits = 0, []
    for _ in range(count):
        latch_ns = cadence.next_latch_ns(now_ns)
        begin_ns = max(now_ns, latch_ns - cadence.lead_ns) + wake_noise()
        asked_ns = begin_ns + cost_ns
        returned_ns = display.swap(asked_ns)
        cadence.drawn(cost_ns)
        cadence.swapped(asked_ns, returned_ns)
        waits.append(returned_ns - asked_ns)
        now_ns = returned_ns + 10_000
    return waits


@pytest.mark.parametrize("hertz", [60, 59.94, 144, 50])
def test_the_display_is_found_and_swaps_hardly_wait(hertz):
    chance = random.Random(3)
    cadence = DisplayCadence(round(hertz))
    interval_ns = 1e9 / hertz
    run_display(cadence, Display(interval_ns), 400, MS, lambda: chance.randrange(200_000))
    assert cadence.locked
    assert cadence.interval_ns == pytest.approx(interval_ns, rel=0.003)
    waits = run_display(cadence, Display(interval_ns), 300, MS, lambda: chance.randrange(200_000))
    assert sorted(waits)[150] < 2.5 * MS


def test_swaps_that_do_not_wait_are_no_clock():
    cadence = DisplayCadence(60)
    for step in range(100):
        cadence.swapped(step * 5 * MS, step * 5 * MS + 100_000)
    assert not cadence.locked
    assert cadence.next_latch_ns(77) == 77


def test_slow_drawing_at_any_time_is_no_clock():
    chance = random.Random(4)
    cadence = DisplayCadence(60)
    now_ns = 0
    for _ in range(200):
        now_ns += chance.randrange(60 * MS)
        cadence.swapped(now_ns, now_ns + chance.randrange(5 * MS, 40 * MS))
    assert not cadence.locked


def test_an_unknown_display_is_never_locked_to():
    cadence = DisplayCadence(0)
    run_display(cadence, Display(FRAME_NS), 100)
    assert (cadence.locked, cadence.nominal_ns) == (False, FRAME_NS)
