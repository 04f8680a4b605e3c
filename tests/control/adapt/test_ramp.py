"""Finding out what a link carries before the first frame."""

from punktfunk.control.adapt.ramp import BringUpRamp, ProbeOutcome, Proven, burst_ask, judge_burst, step_ms

MS = 1_000_000


def outcome(ask, link_kbps=1 << 30, sender_kbps=1 << 30):
    """What a step shows over such a link."""
    offered = min(ask.target_kbps, sender_kbps)
    sent_bytes = offered * ask.duration_ms // 8
    packets = max(2, sent_bytes // 1200)
    carried_ms = max(ask.duration_ms, sent_bytes * 8 / link_kbps)
    return ProbeOutcome(
        sent_bytes, packets, ask.duration_ms, 0, packets * 1272, packets, int(carried_ms * MS)
    )


def run(ramp, **link):
    asks = []
    while (ask := ramp.next_ask(0)) is not None:
        asks.append(ask.target_kbps)
        ramp.on_outcome(outcome(ask, **link))
    return asks


def test_it_doubles_up_to_what_the_stream_can_use():
    ramp = BringUpRamp(60_000)
    assert run(ramp) == [5000, 10_000, 20_000, 40_000, 60_000]
    assert not ramp.result.wall
    assert ramp.result.kbps > 60_000
    assert ramp.result.ceiling_kbps is None


def test_a_wall_ends_it():
    ramp = BringUpRamp(1_000_000)
    assert run(ramp, link_kbps=30_000) == [5000, 10_000, 20_000, 40_000]
    assert ramp.result.wall
    assert 28_000 < ramp.result.kbps < 33_000
    assert ramp.result.ceiling_kbps == ramp.result.kbps * 70 // 100
    assert ramp.result.start_kbps == ramp.result.kbps // 2


def test_a_slow_sender_is_no_wall():
    ramp = BringUpRamp(1_000_000)
    assert run(ramp, sender_kbps=15_000)[-1] == 20_000
    assert not ramp.result.wall
    assert ramp.result.kbps > 10_000


def test_video_ends_it_with_what_is_proven():
    ramp = BringUpRamp(1_000_000)
    step = outcome(ramp.next_ask(0))
    ramp.on_outcome(step)
    ramp.next_ask(0)
    ramp.on_video()
    assert ramp.result == Proven(step.received_kbps, wall=False)
    assert ramp.next_ask(0) is None


def test_a_step_without_result_ends_it():
    ramp = BringUpRamp(1_000_000)
    ramp.next_ask(0)
    assert ramp.deadline_ns() == 1500 * MS
    ramp.tick(1499 * MS)
    assert ramp.result is None
    ramp.tick(1500 * MS)
    assert ramp.result == Proven(0, wall=False)


def test_a_refusal_is_all_zeros():
    nothing = ProbeOutcome(0, 0, 0, 0, 0, 0, 0)
    ramp = BringUpRamp(1_000_000)
    ramp.next_ask(0)
    ramp.on_outcome(nothing)
    assert ramp.result == Proven(0, wall=False)
    assert judge_burst(nothing) is None


def test_large_steps_are_shorter():
    assert [step_ms(kbps) for kbps in (5000, 960_000, 2_000_000)] == [25, 25, 12]


def test_the_burst_of_hosts_without_the_ramp():
    assert (burst_ask(100_000).target_kbps, burst_ask(5_000_000).target_kbps) == (200_000, 2_000_000)
    proven = judge_burst(ProbeOutcome(10, 100, 800, 0, 10_000_000, 90, 800 * MS))
    assert proven == Proven(100_000, wall=True)
    assert proven.ceiling_kbps == 70_000
