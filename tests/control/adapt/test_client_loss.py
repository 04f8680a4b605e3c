"""What a client asks and shows after losses: the protocol's numbers and table."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from punktfunk.control.adapt.asks import KeyframeAsk, RfiAsk, index_distance
from punktfunk.control.adapt.client_loss import ClientLoss

MS = 1_000_000
PICTURE, KEY, MARK, ANCHOR, CLOSE = 0x01, 0x05, 0x11, 0x21, 0x211


def after(index=100):
    loss = ClientLoss(0)
    loss.on_frame(index, KEY, 0)
    return loss


def test_gaps_ask_once_in_100_ms():
    loss = after()
    first = loss.on_frame(105, PICTURE, 0)
    assert (first.gap, first.ask, first.present) == (4, RfiAsk(101, 104), False)
    second = loss.on_frame(110, PICTURE, 50 * MS)
    assert (second.gap, second.ask) == (4, None)
    third = loss.on_frame(120, PICTURE, 101 * MS)
    assert (third.gap, third.ask) == (9, RfiAsk(111, 119))
    assert loss.on_frame(103, PICTURE, 102 * MS).stale


def test_gap_over_the_end_of_the_numbers():
    verdict = after(0xFFFFFFFE).on_frame(1, PICTURE, 0)
    assert (verdict.gap, verdict.ask) == (2, RfiAsk(0xFFFFFFFF, 0))


def test_a_wide_gap_asks_for_a_key_frame():
    verdict = after().on_frame(358, PICTURE, 0)
    assert (verdict.gap, verdict.ask) == (257, KeyframeAsk())
    assert after().on_frame(357, PICTURE, 0).ask == RfiAsk(101, 356)


def test_what_lifts_a_freeze():
    for flags in (KEY, ANCHOR):
        loss = after()
        assert not loss.on_frame(102, PICTURE, 0).present
        verdict = loss.on_frame(103, flags, 0)
        assert verdict.present
        assert verdict.lifted
    loss = after()
    loss.on_frame(102, PICTURE, 0)
    assert not loss.on_frame(103, ANCHOR, 0, anchor_clean=False).present


def test_two_marks_lift_and_a_new_loss_counts_anew():
    loss = after()
    loss.on_frame(102, PICTURE, 0)
    assert not loss.on_frame(103, MARK, 0).present
    assert not loss.on_frame(105, MARK, 0).present  # 104 is lost: this is the first mark again
    assert loss.on_frame(106, MARK, 0).present


def test_waves_that_close_lift_at_their_close_only():
    loss = after()
    loss.on_frame(101, CLOSE, 0)
    loss.on_frame(103, PICTURE, 0)
    assert not loss.on_frame(104, CLOSE, 0).present  # this wave began before the loss
    assert not loss.on_frame(105, MARK, 0).present
    assert not loss.on_frame(106, MARK, 0).present
    assert loss.on_frame(107, CLOSE, 0).present


def test_a_frozen_client_asks_again():
    loss = after()
    loss.on_frame(102, PICTURE, 0)
    assert loss.deadline_ns() == 500 * MS
    assert loss.tick(499 * MS) is None
    assert loss.tick(500 * MS) == KeyframeAsk()
    assert loss.tick(501 * MS) is None
    assert loss.tick(1000 * MS) == KeyframeAsk()
    loss.on_frame(103, MARK, 1100 * MS)
    assert loss.deadline_ns() == 2600 * MS


def test_dropped_frames_that_no_gap_announced():
    loss = after()
    loss.on_frame(103, KEY, 0)  # 101 and 102 are missing
    assert loss.on_dropped_total(2, 500 * MS) is None
    assert loss.on_dropped_total(3, 500 * MS) == KeyframeAsk()
    assert loss.frozen
    late = after()
    late.on_frame(103, KEY, 0)
    assert late.on_dropped_total(2, 1001 * MS) == KeyframeAsk()  # the gap is forgotten after a second


def test_three_units_without_picture():
    loss = after()
    assert loss.on_decoded(produced=False, now_ns=0) is None
    assert loss.on_decoded(produced=True, now_ns=0) is None
    for _ in range(2):
        assert loss.on_decoded(produced=False, now_ns=0) is None
    assert loss.on_decoded(produced=False, now_ns=0) == KeyframeAsk()
    assert loss.frozen
    loss.on_decoded(produced=True, now_ns=0, key_frame=True)
    assert not loss.frozen


def test_no_video_at_all():
    loss = ClientLoss(0)
    assert loss.tick(2599 * MS) is None
    assert loss.tick(2600 * MS) == KeyframeAsk()
    assert loss.tick(5199 * MS) is None
    assert loss.tick(5200 * MS) == KeyframeAsk()


def test_a_flush_freezes_until_something_clean():
    loss = after()
    assert loss.on_flush(0) == KeyframeAsk()
    verdict = loss.on_frame(150, PICTURE, MS)
    assert (verdict.gap, verdict.present) == (0, False)
    assert loss.on_frame(151, KEY, MS).present


@given(
    st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(0, 0x3FF), st.integers(0, 10**9)), max_size=40)
)
def test_any_frames(frames):
    loss, now = ClientLoss(0), 0
    asks = []
    for index, flags, step in frames:
        now += step
        verdict = loss.on_frame(index, flags, now)
        assert not (verdict.stale and verdict.present)
        if verdict.ask is not None:
            asks.append(now)
            if isinstance(verdict.ask, RfiAsk):
                assert 0 <= index_distance(verdict.ask.last_index, verdict.ask.first_index) < 256
        if flags & 4 and not verdict.stale:
            assert verdict.present
    assert all(later - earlier >= 100 * MS for earlier, later in itertools.pairwise(asks))
