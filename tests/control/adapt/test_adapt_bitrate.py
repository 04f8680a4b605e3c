"""The automatic bitrate, window by window; whole evenings are in tests/measure/test_network_baselines.py."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control.adapt.bitrate import REASON_CADENCE, REASON_ENCODER, REASON_PINNED, AutomaticBitrate
from punktfunk.control.adapt.report_window import WINDOW_NS, WindowSample

MS = 1_000_000
CLEAN = WindowSample(0, WINDOW_NS, 0, 0, 20_000, 45, 45, latency_ns=20 * MS)


class Session:
    """A host that grants what is asked, but for ``most_kbps``."""

    def __init__(self, start=20_000, ceiling=200_000, most_kbps=1 << 30, reason=None):
        self.control = AutomaticBitrate(start, 60, ceiling_kbps=ceiling)
        self.now_ns, self.most_kbps, self.reason = 0, most_kbps, reason

    def window(self, **changes):
        self.now_ns += WINDOW_NS
        changes.setdefault("delivered_kbps", self.control.current_kbps)
        wanted = self.control.on_window(replace(CLEAN, now_ns=self.now_ns, **changes))
        if wanted is not None:
            self.control.on_bitrate_changed(min(wanted, self.most_kbps), self.reason, self.now_ns)
        return self.control.current_kbps

    def windows(self, count, **changes):
        return [self.window(**changes) for _ in range(count)]


def test_it_doubles_what_was_delivered_until_something_is_wrong():
    assert Session().windows(6) == [30_000, 30_000, 45_000, 45_000, 67_500, 67_500]


def test_it_stops_at_its_ceiling():
    assert Session(ceiling=40_000).windows(8)[-1] == 40_000


def test_it_does_not_climb_where_the_picture_needs_no_more():
    assert Session().windows(10, delivered_kbps=10_000) == [20_000] * 10


def test_a_deep_queue_cuts_at_once_to_85_percent_of_what_came():
    session = Session()
    session.window(delivered_kbps=10_000)
    assert session.window(latency_ns=80 * MS, delivered_kbps=16_000) == 13_600
    assert session.control.reason == "queue"


def test_a_growing_queue_cuts_after_two_windows():
    session = Session()
    session.window(delivered_kbps=10_000)
    assert session.window(latency_ns=35 * MS) == 20_000
    assert session.window(latency_ns=36 * MS) == 17_000


def test_a_queue_that_drains_is_no_new_verdict():
    session = Session()
    session.window(delivered_kbps=10_000)
    session.window(latency_ns=200 * MS)
    assert session.windows(1, latency_ns=150 * MS) == [17_000]
    assert session.window(latency_ns=100 * MS) == 17_000
    assert session.window(latency_ns=100 * MS) < 17_000  # it does not fall any more


def test_one_cut_never_halves_more_than_once():
    session = Session()
    session.window(delivered_kbps=10_000)
    assert session.window(latency_ns=300 * MS, delivered_kbps=100) == 10_000


def test_loss_that_notches_do_not_lessen_is_the_links_nature():
    session = Session()
    seen = session.windows(16, loss_ppm=30_000)
    assert min(seen) == 20_000 * 7 // 8 * 7 // 8
    assert seen[-1] > 20_000
    assert session.windows(2, loss_ppm=65_000)[-1] < seen[-1]  # twice as much is another matter


def test_loss_that_a_notch_heals_stays_healed():
    session = Session()
    session.windows(2, loss_ppm=30_000)
    assert session.control.current_kbps == 17_500
    assert session.windows(5, loss_ppm=1000) == [17_500] * 5


def test_a_slow_decoder_costs_an_eighth():
    session = Session()
    session.windows(2, decode_ns=17 * MS)
    assert session.control.current_kbps == 17_500
    assert Session().windows(2, decode_ns=17 * MS, frame_count=20)[-1] > 20_000  # few frames, few pictures


def test_an_encoder_that_grants_less_is_not_asked_every_window():
    session, asked = Session(most_kbps=24_000, reason=REASON_ENCODER), []
    for _ in range(60):
        before = session.control._encoder.pause_ns
        session.window()
        asked.append(session.control._encoder.pause_ns != before)
    assert session.control.current_kbps == 24_000
    assert sum(asked) <= 4


def test_a_busy_host_holds_climbs_for_a_while():
    session = Session(most_kbps=20_000, reason=REASON_CADENCE)
    session.window()
    session.most_kbps = 1 << 30
    assert session.windows(7) == [20_000] * 7
    assert session.window() > 20_000


def test_a_pinned_rate_ends_it():
    control = AutomaticBitrate(20_000, 60, ceiling_kbps=50_000)
    control.on_bitrate_changed(20_000, REASON_PINNED, 0)
    assert control.on_window(CLEAN) is None
    assert not control.enabled


def test_three_requests_without_answer_end_it():
    control, asked, now = AutomaticBitrate(20_000, 60, ceiling_kbps=90_000), 0, 0
    for _ in range(40):
        now += WINDOW_NS
        asked += control.on_window(replace(CLEAN, now_ns=now)) is not None
    assert asked == 3
    assert not control.enabled


def test_slow_start_comes_back_after_a_still_picture():
    session = Session()
    session.windows(2, loss_ppm=30_000)
    assert session.window() == 17_500
    session.windows(4, delivered_kbps=500, fresh_count=0)
    assert session.window() == 17_500 * 3 // 2


def test_a_measured_ceiling_binds_in_both_directions():
    control = AutomaticBitrate(20_000, 60, ceiling_kbps=100_000)
    assert control.on_measured(7_000, 5_000, 0) == 5_000
    assert control.ceiling_kbps == 7_000
    control = AutomaticBitrate(20_000, 60, ceiling_kbps=100_000)
    assert control.on_measured(None, 60_000, 0) == 60_000
    assert control.ceiling_kbps == 100_000


SAMPLES = st.builds(
    replace,
    st.just(CLEAN),
    loss_ppm=st.integers(0, 1_000_000),
    dropped_frame_count=st.integers(0, 50),
    delivered_kbps=st.integers(0, 1_000_000),
    latency_ns=st.none() | st.integers(0, 10**10),
    decode_ns=st.none() | st.integers(0, 10**9),
    frame_count=st.integers(0, 400),
    fresh_count=st.none() | st.integers(0, 5),
    keyframe_ask_count=st.integers(0, 9),
    flushed=st.booleans(),
)


@given(st.lists(SAMPLES, max_size=60), st.integers(2000, 1_000_000))
@settings(max_examples=40)
def test_any_windows_keep_it_within_its_bounds(samples, start):
    session = Session(start=start, ceiling=500_000)
    for sample in samples:
        before = session.control.current_kbps
        session.now_ns += WINDOW_NS
        wanted = session.control.on_window(replace(sample, now_ns=session.now_ns))
        if wanted is not None:
            assert 2000 <= wanted <= max(500_000, start)
            assert wanted >= before // 2
            session.control.on_bitrate_changed(wanted, None, session.now_ns)
