from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from punktfunk.realtime.encode.schedule import KEY_INTERVAL_NS, KeyFrames, Repeats

MS = 1_000_000


def test_the_first_frame_is_a_key_frame():
    keys = KeyFrames()
    assert keys.due(0)
    keys.made(0)
    assert not keys.due(10**10)
    assert keys.wait_ns(10**10) is None


def test_a_request_is_answered_at_once_and_the_next_put_off():
    keys = KeyFrames()
    keys.made(0)
    keys.request(200 * MS)
    assert keys.due(200 * MS)
    keys.made(200 * MS)
    keys.request(210 * MS)
    assert not keys.due(299 * MS)
    assert keys.wait_ns(250 * MS) == 50 * MS
    assert keys.due(300 * MS)
    assert keys.deferred_count == 1


@given(st.lists(st.integers(0, 3_000 * MS), max_size=200))
def test_however_often_it_is_asked_key_frames_keep_their_distance(requests):
    keys = KeyFrames()
    made = []
    wanted = sorted(requests)
    for now_ns in range(0, 3_500 * MS, 16 * MS):
        while wanted and wanted[0] <= now_ns:
            keys.request(wanted.pop(0))
        if keys.due(now_ns):
            keys.made(now_ns)
            made.append(now_ns)
    assert all(later - earlier >= KEY_INTERVAL_NS for earlier, later in pairwise(made))
    # No wish is forgotten: after the last one comes a key frame.
    assert not requests or made[-1] >= max(requests)


def test_repeats_slow_down_to_half_a_second_and_a_new_picture_starts_over():
    repeats = Repeats()
    repeats.encoded(0, repeated=False)
    now_ns = 0
    waits = []
    for _ in range(6):
        waits.append(repeats.wait_ns(now_ns) // MS)
        now_ns += repeats.wait_ns(now_ns)
        assert repeats.due(now_ns)
        repeats.encoded(now_ns, repeated=True)
        assert not repeats.due(now_ns)
    assert waits == [50, 100, 200, 400, 500, 500]
    repeats.encoded(now_ns, repeated=False)
    assert repeats.wait_ns(now_ns) == 50 * MS
