"""Samples between two threads, and packets cut from them: against a plain model, and by a clock of the test's."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.realtime.capture.live import GRACE_NS, KEPT_BEHIND_NS, LiveSound
from punktfunk.realtime.capture.sample_ring import CushionedRing, SampleRing

RATE_HZ = 48_000
MS = 1_000_000


def counting(begin, count):
    return np.arange(begin, begin + count, dtype=np.float32)[:, None]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["write", "take", "leave"]), st.integers(0, 700)), max_size=40))
def test_a_ring_keeps_the_newest_samples_in_order(steps):
    ring, model, written, lost = SampleRing(1, RATE_HZ, 10 * MS), deque(), 0, 0
    for step, count in steps:
        match step:
            case "write":
                ring.write(counting(written, count), written)
                model.extend(range(written, written + count))
                written += count
                while len(model) > 480:
                    model.popleft()
                    lost += 1
            case "take":
                taken, _ = ring.take(count)
                assert taken[:, 0].tolist() == [model.popleft() for _ in range(min(count, len(model)))]
            case "leave":
                ring.leave(count)
                while len(model) > count:
                    model.popleft()
                    lost += 1
        assert (ring.level(), ring.dropped_count) == (len(model), lost)


def test_samples_know_when_they_were_captured():
    ring = SampleRing(2, RATE_HZ)
    ring.write(np.zeros((480, 2), np.float32), 50 * MS)
    assert ring.take(240)[1] == 40 * MS
    assert ring.take(240)[1] == 45 * MS
    assert not ring.wait(1, 0)


def test_a_ring_that_plays_on_begins_with_a_cushion_and_keeps_it():
    ring = CushionedRing(1, RATE_HZ)
    for turn in range(6):
        ring.write(counting(240 * turn, 240), 0)
        assert len(ring.take(240)[0]) == 0
    ring.write(counting(1440, 240), 0)
    assert ring.take(240)[0][0, 0] == 0
    assert [len(ring.take(240)[0]) for _ in range(7)] == [240] * 6 + [0]
    ring.write(counting(0, 240), 0)
    assert len(ring.take(240)[0]) == 0  # dry: it fills again
    for turn in range(40):
        ring.write(counting(240 * turn, 240), 0)
    assert len(ring.take(240)[0]) == 240
    assert ring.level() == 1440


class Clocked(SampleRing):
    """A ring whose writer comes at set times: ``due`` maps nanoseconds to how many samples."""

    def __init__(self, due):
        super().__init__(1, RATE_HZ)
        self.due = dict(due)
        self.now_ns = 1

    def clock_ns(self):
        return self.now_ns

    def sleep(self, seconds):
        self._pass_until(self.now_ns + round(seconds * 1e9))

    def wait(self, count, deadline_ns):
        while self.level() < count and self.due and min(self.due) <= deadline_ns:
            self._pass_until(min(self.due))
        if self.level() < count:
            self._pass_until(max(deadline_ns, self.now_ns))
        return self.level() >= count

    def _pass_until(self, then_ns):
        for at_ns in sorted(at_ns for at_ns in self.due if at_ns <= then_ns):
            self.write(np.full((self.due.pop(at_ns), 1), 0.5, np.float32), at_ns)
        self.now_ns = max(self.now_ns, then_ns)


def packets(ring, count, bits=16):
    live = LiveSound(ring, bits, ring.clock_ns, ring.sleep)
    found = []
    for _ in range(count):
        taken = live.take(240)
        found.append((ring.now_ns, taken))
    return live, found


@pytest.mark.parametrize("quantum", [128, 240, 256, 1024])
def test_every_sample_leaves_once_and_packets_are_spread(quantum):
    step_ns = quantum * 1_000_000_000 // RATE_HZ
    ring = Clocked({5 * MS + step_ns * turn: quantum for turn in range(1, 200 * 240 // quantum)})
    live, found = packets(ring, 180)
    flowing = [(at_ns, taken) for at_ns, taken in found if not taken.is_filled]
    assert ring.dropped_count == 0
    assert live.filled_count < 10  # before the first samples
    assert not any(taken.is_filled for _, taken in found[live.filled_count :])
    gaps = np.diff([at_ns for at_ns, _ in flowing])
    assert gaps.min() >= 4.4 * MS or quantum == 240
    captured = np.diff([taken.captured_ns for _, taken in found])
    assert np.abs(captured - 5 * MS).max() <= 1 * MS
    assert live.delay_ns() <= 5 * MS + step_ns


def test_silence_keeps_the_time_when_nothing_plays_and_ends_at_once():
    ring = Clocked({})
    live, found = packets(ring, 40)
    assert all(taken.is_filled and not taken.samples.any() for _, taken in found)
    assert [at_ns for at_ns, _ in found] == [1 + 5 * MS * turn for turn in range(1, 41)]
    ring.due = {ring.now_ns + 1 * MS: 240}
    began_ns = ring.now_ns
    taken = live.take(240)
    assert not taken.is_filled
    assert ring.now_ns == began_ns + 1 * MS
    assert live.filled_count == 40


def test_nobody_wakes_for_a_silence_that_nobody_wants():
    ring = Clocked({})
    live, _ = packets(ring, 3)
    assert not live.rest(100 * MS)
    assert ring.now_ns == 1 + 115 * MS
    ring.due = {ring.now_ns + 30 * MS: 240}
    assert live.rest(100 * MS)
    began_ns = ring.now_ns
    assert not live.take(240).is_filled
    assert (ring.now_ns, live.filled_count) == (began_ns, 3)


def test_a_gap_is_filled_after_a_little_patience():
    ring = Clocked({5 * MS: 240, 10 * MS: 240, 15 * MS: 100})
    _, found = packets(ring, 4)
    assert [taken.is_filled for _, taken in found] == [False, False, True, True]
    assert found[2][0] == 15 * MS + 2 * (100 * 1_000_000_000 // RATE_HZ) + GRACE_NS
    assert np.count_nonzero(found[2][1].samples) == 100


def test_sound_that_waited_for_long_is_dropped():
    ring = Clocked({5 * MS: 240})
    live, _ = packets(ring, 1)
    ring.due = {ring.now_ns + turn: 240 for turn in range(30)}
    ring._pass_until(ring.now_ns + 150 * MS)
    live.take(240)
    assert ring.level() <= RATE_HZ * KEPT_BEHIND_NS // 1_000_000_000 + 240


@pytest.mark.parametrize(("bits", "most"), [(16, 32767), (24, 8388607)])
def test_samples_are_rounded_and_clipped(bits, most):
    ring = SampleRing(1, RATE_HZ)
    ring.write(np.array([[0.0], [1.0], [-1.0], [7.5], [np.nan], [-np.inf]], np.float32), 1)
    samples = LiveSound(ring, bits).take(6).samples
    assert samples[:, 0].tolist() == [0, most, -most, most, 0, -most]
    assert samples.dtype == (np.int16 if bits == 16 else np.int32)
