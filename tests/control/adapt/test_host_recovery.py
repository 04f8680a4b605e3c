"""What a host does about asks, at the protocol's times."""

from punktfunk.control.adapt.asks import KeyframeAsk, RfiAsk
from punktfunk.control.adapt.host_recovery import HostRecovery, Invalidate, SendIdr

MS = 1_000_000


def test_asks_of_a_tick_become_one_action():
    host = HostRecovery(can_invalidate=True)
    for first, last in ((110, 112), (105, 107), (111, 120)):
        host.on_ask(RfiAsk(first, last), 0)
    assert host.decide(1) == Invalidate(105, 120)
    assert host.decide(2) is None
    host.on_ask(RfiAsk(130, 131), 10)
    host.on_ask(KeyframeAsk(), 10 + 400 * MS)
    assert host.decide(11 + 400 * MS) == SendIdr()


def test_ranges_merge_over_the_end_of_the_numbers():
    host = HostRecovery(can_invalidate=True)
    host.on_ask(RfiAsk(0xFFFFFFFE, 0), 0)
    host.on_ask(RfiAsk(1, 3), 0)
    assert host.decide(0) == Invalidate(0xFFFFFFFE, 3)


def test_a_wide_range_is_a_key_frame():
    host = HostRecovery(can_invalidate=True)
    host.on_ask(RfiAsk(0, 255), 0)
    assert host.decide(0) == Invalidate(0, 255)
    host.on_ask(RfiAsk(1000, 1256), 0)
    assert host.decide(0) == SendIdr()


def test_an_encoder_without_invalidation_makes_a_key_frame():
    host = HostRecovery(can_invalidate=False)
    host.on_ask(RfiAsk(1, 2), 0)
    assert host.decide(0) == SendIdr()


def test_a_refused_invalidation_is_a_key_frame_too():
    host = HostRecovery(can_invalidate=True)
    host.on_ask(RfiAsk(1, 2), 0)
    host.decide(0)
    assert host.on_refused(0) == SendIdr()
    host.on_ask(KeyframeAsk(), MS)  # no echo of a repair that never was
    assert host.decide(751 * MS) == SendIdr()


def test_one_key_frame_per_cooldown_which_doubles():
    host, times = HostRecovery(can_invalidate=False), []
    for at in range(0, 8000, 100):
        host.on_ask(KeyframeAsk(), at * MS)
        if host.decide(at * MS):
            times.append(at)
    assert times == [0, 800, 2300, 5300]


def test_an_episode_ends_after_a_second_without_asks():
    host = HostRecovery(can_invalidate=False)
    times = []
    for at in (0, 750, 3000, 3750, 3800):
        host.on_ask(KeyframeAsk(), at * MS)
        if host.decide(at * MS):
            times.append(at)
    assert times == [0, 750, 3000, 3750]


def test_intra_refresh_makes_key_frames_rarer():
    host = HostRecovery(can_invalidate=False, intra_refresh=True)
    times = [at for at in range(0, 2600, 100) if host.on_ask(KeyframeAsk(), at * MS) or host.decide(at * MS)]
    assert times == [0, 2000]


def test_echoes_of_a_repair_are_swallowed_twice():
    host = HostRecovery(can_invalidate=True)
    host.on_ask(RfiAsk(1, 2), 0)
    assert host.decide(0) == Invalidate(1, 2)
    for at in (50, 150):
        host.on_ask(KeyframeAsk(), at * MS)
        assert host.decide(at * MS) is None
    host.on_ask(KeyframeAsk(), 250 * MS)
    assert host.decide(250 * MS) == SendIdr()
    assert host.swallowed_count == 2


def test_a_key_frame_for_another_reason_meets_what_was_asked():
    host = HostRecovery(can_invalidate=True)
    host.on_ask(KeyframeAsk(), 0)
    host.on_idr(0)
    assert host.decide(0) is None
    host.on_ask(KeyframeAsk(), 10)
    assert host.decide(10) is None  # it is on its way


def test_asks_are_remembered_for_the_parity():
    host = HostRecovery(can_invalidate=True)
    assert not host.take_asked()
    host.on_ask(RfiAsk(1, 1), 0)
    assert host.take_asked()
    assert not host.take_asked()


def test_all_intra_streams_ignore_asks():
    host = HostRecovery(can_invalidate=True, deaf=True)
    host.on_ask(KeyframeAsk(), 0)
    assert host.decide(0) is None
    assert not host.take_asked()
