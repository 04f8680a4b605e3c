"""The presenter before a simulated display: what is shown when, and how long the thread is kept waiting."""

import random
from types import SimpleNamespace

import pytest

from punktfunk.control.client.window import presenter as presenter_module
from punktfunk.control.client.window.presenter import Presenter
from punktfunk.realtime import DecodedPicture

MS = 1_000_000
FRAME_NS = 16_666_667


class World:
    """A clock, a display whose swaps wait for the next blank, and a session that knows nothing."""

    clock_offset_ns = None

    def __init__(self, refresh_hz, *, waits=True):
        self.now_ns = 10**12
        self.refresh_hz = refresh_hz
        self.interval_ns = 1e9 / (refresh_hz or 60)
        self.waits = waits
        self.shown = []
        self.waited_ns = []
        self.frames = SimpleNamespace(
            presented=lambda unit, at_ns: self.shown.append((unit.frame_index, at_ns))
        )

    def monotonic_ns(self):
        return self.now_ns

    def upload(self, frame):
        self.now_ns += MS // 2

    def draw(self, *, dimmed):
        self.now_ns += MS // 2

    def swap(self):
        asked_ns = self.now_ns
        if self.waits:
            self.now_ns = round(-(-asked_ns // self.interval_ns) * self.interval_ns)
        self.now_ns += 20_000
        self.waited_ns.append(self.now_ns - asked_ns)
        return asked_ns, self.now_ns

    def host_timing(self, pts_ns):
        return None


def picture(index, arrival_ns, interval_ns):
    unit = SimpleNamespace(
        frame_index=index,
        pts_ns=index * interval_ns,
        user_flags=1,
        first_ns=arrival_ns,
        complete_ns=arrival_ns,
    )
    return DecodedPicture(None, unit, arrival_ns, arrival_ns, index == 0)


def run(world, monkeypatch, count, stream_hz=60.0, jitter_ns=0):
    """Let ``count`` pictures come; how often the loop turned."""
    monkeypatch.setattr(presenter_module, "time", world)
    presenter = Presenter(world, lambda: None)
    presenter.begin(world, round(stream_hz))
    chance = random.Random(5)
    interval_ns = round(1e9 / stream_hz)
    start_ns = world.now_ns
    arrivals = [start_ns + index * interval_ns + chance.randrange(jitter_ns + 1) for index in range(count)]
    turns, index = 0, 0
    while index < count or len(presenter.jitter):
        while index < count and arrivals[index] <= world.now_ns:
            presenter.show(picture(index, arrivals[index], interval_ns))
            index += 1
        presenter.pump(world.now_ns)
        turns += 1
        wake_ns = presenter.wake_ns(world.now_ns)
        upcoming = [arrivals[index]] if index < count else []
        wakes = [*upcoming, *([wake_ns] if wake_ns is not None else [])]
        if wakes:
            world.now_ns = max(world.now_ns + 1000, min(wakes))
        assert turns < 20 * count + 100, "the loop does not sleep"
    return presenter


def latency_ns(world, arrival_of):
    return sorted(at_ns - arrival_of(index) for index, at_ns in world.shown)


@pytest.mark.parametrize("refresh_hz", [60, 144])
def test_every_picture_is_shown_once_in_order_and_swaps_hardly_wait(monkeypatch, refresh_hz):
    world = World(refresh_hz)
    presenter = run(world, monkeypatch, 600, stream_hz=59.9)
    assert presenter.cadence.locked
    indices = [index for index, _ in world.shown]
    assert indices == sorted(set(indices))
    assert len(indices) >= 595
    late = sorted(world.waited_ns[100:])
    assert late[len(late) // 2] < 3 * MS


def test_jitter_does_not_make_the_picture_stutter(monkeypatch):
    world = World(60)
    run(world, monkeypatch, 600, stream_hz=60.0, jitter_ns=6 * MS)
    steps = [
        later[1] - earlier[1] for earlier, later in zip(world.shown[200:], world.shown[201:], strict=False)
    ]
    assert sum(step > 1.5 * FRAME_NS for step in steps) <= 8


def test_a_stream_of_twice_the_displays_rate_shows_the_newest(monkeypatch):
    world = World(60)
    run(world, monkeypatch, 600, stream_hz=120.0)
    assert 290 <= len(world.shown) <= 420
    start_ns = 10**12
    delays = sorted(at_ns - (start_ns + index * 1e9 / 120) for index, at_ns in world.shown[50:])
    assert delays[len(delays) // 2] < 1.3 * FRAME_NS


def test_without_a_display_to_follow_pictures_leave_at_once(monkeypatch):
    world = World(0, waits=False)
    presenter = run(world, monkeypatch, 100)
    assert not presenter.cadence.locked
    delays = sorted(at_ns - (10**12 + index * FRAME_NS) for index, at_ns in world.shown)
    assert delays[-1] < 3 * MS
    assert len(world.shown) == 100


def test_the_end_of_a_session_dims_the_last_picture(monkeypatch):
    world = World(60)
    presenter = run(world, monkeypatch, 5)
    assert not presenter.dimmed
    presenter.end()
    assert presenter.dimmed
    assert presenter.wake_ns(world.now_ns) == world.now_ns
    presenter.pump(world.now_ns)
    assert presenter.wake_ns(world.now_ns) is None
