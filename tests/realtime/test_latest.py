import threading

import pytest

from punktfunk.realtime.latest import LatestFrame


@pytest.fixture
def latest():
    latest = LatestFrame([[0], [1], [2]])
    yield latest
    latest.close()


def test_newest_wins_and_the_loser_is_counted(latest):
    for value in (10, 11, 12):
        picture = latest.writable()
        picture[0] = value
        latest.put(picture)
    assert latest.take(0) == [12]
    assert latest.take(0) is None
    assert latest.dropped_count == 2


def test_a_taker_that_keeps_one_picture_never_starves_the_drawer(latest):
    latest.put(latest.writable())
    kept = latest.take(0)
    for value in range(10):
        picture = latest.writable()
        assert picture is not kept
        picture[0] = value
        latest.put(picture)
    newest = latest.take(0)
    assert newest == [9]
    latest.give_back(kept)
    assert latest.dropped_count == 9


def test_a_nudge_ends_the_wait_without_a_picture(latest):
    latest.nudge()
    assert latest.take(-1) is None


def test_timeouts_are_rounded_up_and_end(latest):
    assert latest.take(1) is None


def test_two_threads_pass_pictures_on_in_order_and_undamaged(latest):
    count = 3000
    seen = []

    def draw():
        for value in range(1, count + 1):
            picture = latest.writable()
            picture[:] = [value, value]
            latest.put(picture)

    drawer = threading.Thread(target=draw)
    drawer.start()
    kept = None
    while not seen or seen[-1] != count:
        picture = latest.take(1_000_000_000)
        if picture is None:
            continue
        if kept is not None:
            latest.give_back(kept)
        kept = picture
        assert picture[0] == picture[1]
        seen.append(picture[0])
    drawer.join()
    assert seen == sorted(set(seen))
    assert len(seen) + latest.dropped_count == count
