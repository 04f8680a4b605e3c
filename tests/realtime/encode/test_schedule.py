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


def waits_ms(repeats, now_ns, coarse, encode_ns=0):
    """How long each repeat is waited for; every one is done as soon as it is due."""
    waits = []
    for is_coarse in coarse:
        waits.append(repeats.wait_ns(now_ns) // MS)
        now_ns += repeats.wait_ns(now_ns)
        assert repeats.due(now_ns)
        repeats.repeated(now_ns, encode_ns, coarse=is_coarse)
        assert not repeats.due(now_ns)
    return waits


def test_a_settled_picture_is_repeated_ever_more_rarely_and_a_new_one_starts_over():
    repeats = Repeats(10 * MS)
    repeats.began(0)
    assert waits_ms(repeats, 0, [False] * 11) == [50, 10, 10, 10, 10, 10, 100, 200, 400, 500, 500]
    repeats.began(10**10)
    assert waits_ms(repeats, 10**10, [False, False]) == [50, 10]


def test_a_coarse_picture_is_refined_at_full_rate_but_not_for_ever():
    repeats = Repeats(10 * MS)
    repeats.began(0)
    coarse = [True] * 40 + [False] * 3 + [True] + [False] * 6
    assert waits_ms(repeats, 0, coarse) == [50] + [10] * 49
    assert repeats.wait_ns(0) // MS == 50 + 49 * 10 + 100
    repeats.began(0)
    waits = waits_ms(repeats, 0, [True] * 300)
    assert waits[:196] == [50] + [10] * 195
    assert waits[-100:] == [500] * 100


def test_refinement_leaves_half_of_the_time_to_new_pictures_and_slow_sources_alone():
    repeats = Repeats(10 * MS)
    repeats.began(0)
    assert waits_ms(repeats, 0, [True] * 3, encode_ns=30 * MS) == [50, 60, 60]
    repeats = Repeats(100 * MS)
    repeats.began(0)
    assert waits_ms(repeats, 0, [True] * 3) == [150, 100, 100]
