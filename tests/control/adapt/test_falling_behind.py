"""Three detectors of a client that lives in the past."""

from punktfunk.control.adapt.falling_behind import FallingBehind, Remedy

MS = 1_000_000


def feed(behind, begin_ms, end_ms, latency_ms=0, waiting=0):
    return [
        at
        for at in range(begin_ms, end_ms, 10)
        if behind.on_frame(latency_ms * MS, waiting, at * MS) is Remedy.FLUSH
    ]


def test_late_frames_flush_after_250_ms_and_every_two_seconds():
    assert feed(FallingBehind(), 0, 2600, latency_ms=401) == [250, 2250]
    assert feed(FallingBehind(), 0, 2600, latency_ms=400) == []


def test_one_frame_in_time_begins_anew():
    behind = FallingBehind()
    feed(behind, 0, 240, latency_ms=500)
    behind.on_frame(10 * MS, 0, 240 * MS)
    assert feed(behind, 250, 490, latency_ms=500) == []


def test_waiting_frames():
    assert feed(FallingBehind(), 0, 400, waiting=6) == [250]
    assert feed(FallingBehind(), 0, 400, waiting=5) == []
    behind = FallingBehind()
    feed(behind, 0, 100, waiting=6)
    assert feed(behind, 100, 400, waiting=3) == [250]  # not down to two yet
    behind = FallingBehind()
    feed(behind, 0, 100, waiting=6)
    assert feed(behind, 100, 400, waiting=2) == []


def test_an_unknown_clock_is_no_lateness():
    behind = FallingBehind()
    assert all(behind.on_frame(None, 0, at * MS) is Remedy.NOTHING for at in range(1000))


def test_empty_flushes_doubt_the_clock():
    behind = FallingBehind()
    assert feed(behind, 0, 300, latency_ms=900) == [250]
    assert behind.on_flushed(63, 0) is Remedy.RESYNC
    assert feed(behind, 300, 2600, latency_ms=900) == [2250]
    assert behind.on_flushed(10, 0) is Remedy.NOTHING
    assert feed(behind, 2600, 9000, latency_ms=900) == []
    behind.on_resync_applied(0)
    assert feed(behind, 9000, 9300, latency_ms=900) == [9250]
    assert behind.on_flushed(64, 0) is Remedy.NOTHING


def test_standing_latency():
    behind, said = FallingBehind(), []
    for window in range(60):
        least = 5 * MS if window == 0 else 16 * MS
        said.append(behind.on_window(least, 0, window * 750 * MS))
    places = [place for place, remedy in enumerate(said) if remedy is not Remedy.NOTHING]
    assert places == [6, 12, 18, 24]
    assert [said[place] for place in places] == [Remedy.RESYNC, *[Remedy.FLUSH] * 3]


def test_standing_latency_with_loss_is_the_links():
    behind = FallingBehind()
    behind.on_window(0, 0, 0)
    assert all(behind.on_window(20 * MS, 1, n * 750 * MS) is Remedy.NOTHING for n in range(40))


def test_a_resync_moves_the_floor_with_it():
    behind = FallingBehind()
    behind.on_window(5 * MS, 0, 0)
    behind.on_resync_applied(20 * MS)
    assert all(behind.on_window(26 * MS, 0, n * 750 * MS) is Remedy.NOTHING for n in range(20))
