"""The trials that benchmarks time: they move what they say, and find what is wrong with it.

Their kernels are produce_slots, consume_slots, produce_records, consume_records, produce_wakes, consume_wakes
and send_many.
"""

import numpy as np
import pytest

from punktfunk.errors import LocalProtocolError, PipelineFailed
from punktfunk.realtime.kernels import layout, trials
from punktfunk.realtime.rings import ByteRing, SlotRing
from punktfunk.realtime.timing import SendTrial, run_records, run_slots, wake_latencies_ns


def arrays(*counts: int) -> list[np.ndarray]:
    return [np.zeros(count, np.int64) for count in counts]


def test_runs_count_what_they_moved() -> None:
    for run in (run_slots(1000, 8), run_slots(1000, 8, newest=True), run_records(1000)):
        assert run.sent_count == 1000
        assert run.received_count + run.dropped_count == 1000
        assert run.wrong_count == 0
        assert 0 < run.received_per_s <= run.sent_per_s


def test_a_consumer_finds_torn_and_repeated_items() -> None:
    ring, (item, results) = SlotRing(16), arrays(8, trials.TRIAL_WORD_COUNT)
    assert trials.produce_slots(ring.words, ring.storage, item, 10, 0) == 0
    ring.storage[3 * 8 + 5] += 1
    ring.storage[6 * 8 : 7 * 8] = ring.storage[5 * 8 : 6 * 8]
    assert trials.consume_slots(ring.words, ring.storage, item, 10, results) == 2
    assert results[trials.TRIAL_RECEIVED] == 10


def test_a_consumer_finds_damaged_records() -> None:
    ring, (header, results) = ByteRing(1 << 12), arrays(8, trials.TRIAL_WORD_COUNT)
    payload, target = (np.arange(355) & 255).astype(np.uint8), np.zeros(100, np.uint8)
    assert trials.produce_records(ring.words, ring.storage, header, payload, 9) == 0
    assert trials.consume_records(ring.words, ring.storage, header, target, 100, 9, results) == 0
    assert trials.produce_records(ring.words, ring.storage, header, payload, 9) == 0
    third = ring.words[layout.RING_TAIL] * 8 + 64 + 2 * 128  # the first record has no payload
    ring.storage.view(np.uint8)[third + 64] ^= 1
    assert trials.consume_records(ring.words, ring.storage, header, target, 100, 9, results) == 1


def test_bad_arrays_are_refused() -> None:
    ring, (item, results) = SlotRing(16), arrays(7, trials.TRIAL_WORD_COUNT)
    assert trials.produce_slots(ring.words, ring.storage[:-1], np.zeros(8, np.int64), 1, 1) == layout.BAD_SIZE
    assert trials.consume_slots(ring.words, ring.storage, item, 1, results) == layout.BAD_SIZE
    assert trials.produce_wakes(ring.words, ring.storage, item, 1, 0, -1) == layout.BAD_SIZE
    assert trials.consume_wakes(ring.words, ring.storage, item, 0, -1, results) == layout.BAD_SIZE


@pytest.mark.parametrize("via", ["futex", "eventfd", "spin"])
def test_every_wake_up_is_heard_after_it_was_sent(via: str) -> None:
    latencies_ns, policy = wake_latencies_ns(50, via)
    assert (latencies_ns > 0).all()
    assert policy == "SCHED_OTHER"


def test_spinning_on_the_producers_own_cpu_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        wake_latencies_ns(1, "spin", cpu=0)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_every_way_to_send_arrives(family: str) -> None:
    with SendTrial(700, ipv6=family == "ipv6", receiving=True) as trial:
        for mode in ("gso", "sendmmsg", "sendto", "python"):
            before = trial.received_count()
            assert trial.send(mode, 20) > 0
            while trial.received_count() < before + 20:
                assert trial._thread.is_alive()


def test_a_refused_mode_is_not_timed_as_another() -> None:
    with SendTrial(700) as trial:
        trial._address.view(np.uint8)[12:16] = 255  # broadcast, which the socket may not
        with pytest.raises(PipelineFailed, match="Permission denied"):
            trial.send("gso", 1)
