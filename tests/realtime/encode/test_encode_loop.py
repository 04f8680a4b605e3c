import pytest
from virtual_slot import MS, Slot

from punktfunk.plan import FrameType
from punktfunk.realtime.encode.base import AccessUnit
from punktfunk.realtime.encode.loop import LOWEST_BITRATE_BPS, EncodeLoop, Fate, Orders

FRAME_NS = 16 * MS


class Picture:
    def __init__(self, name):
        self.name = name
        self.captured_ns = 0


class Coder:
    def __init__(self, slot):
        self.slot = slot
        self.frames = []
        self.bitrates = []
        self.force_key = True
        self.unit_bytes = 100

    def encode(self, picture, *, key):
        self.slot.now_ns += 4 * MS
        key = key or self.force_key
        self.force_key = False
        self.frames.append((picture.name, key))
        return [AccessUnit(bytes(self.unit_bytes), key)]

    def set_bitrate(self, bitrate_bps):
        self.bitrates.append(bitrate_bps)
        self.force_key = True


class Receiver:
    def __init__(self):
        self.pushed = []
        self.fate = Fate.SENT
        self.wishes = 0

    def push(self, access_unit, frame_type, stamps):
        self.pushed.append((frame_type, stamps.captured_ns, stamps.repeated))
        return self.fate

    def needs_key(self):
        wished, self.wishes = self.wishes > 0, 0
        return wished


class World:
    def __init__(self):
        self.slot = Slot()
        self.encoder = Coder(self.slot)
        self.sink = Receiver()
        self.orders = Orders(8_000_000)
        self.orders.sending = True
        self.loop = EncodeLoop(self.slot, self.encoder, self.sink, self.orders, FRAME_NS, self.slot.clock_ns)

    def show(self, name):
        self.slot.put(Picture(name))
        self.loop.step()

    def pass_time(self, milliseconds):
        end_ns = self.slot.now_ns + milliseconds * MS
        while self.slot.now_ns < end_ns:
            self.loop.step()


@pytest.fixture
def world():
    return World()


def test_pictures_become_access_units_and_go_back(world):
    world.show("a")
    world.slot.now_ns += 16 * MS
    world.show("b")
    assert world.encoder.frames == [("a", True), ("b", False)]
    assert [entry[0] for entry in world.sink.pushed] == [FrameType.IDR, FrameType.PREDICTED]
    assert [picture.name for picture in world.slot.back] == ["a"]
    assert world.sink.pushed[1][1] == 10**9 + 20 * MS
    assert not any(repeated for *_, repeated in world.sink.pushed)


def test_nothing_is_encoded_for_nobody(world):
    world.orders.sending = False
    world.show("a")
    world.pass_time(3000)
    assert world.encoder.frames == []
    world.orders.sending = True
    world.orders.key_request_count += 1
    world.loop.step()
    assert world.encoder.frames == [("a", True)]


def test_a_still_picture_is_repeated_with_a_fresh_stamp(world):
    world.show("a")
    world.pass_time(4000)
    counters = world.loop.counters()
    assert 12 <= counters["repeated_frames"] <= 16
    assert counters["encoded_frames"] == counters["repeated_frames"] + 1
    assert counters["key_frames"] == 1
    stamps = [entry[1] for entry in world.sink.pushed]
    assert stamps == sorted(set(stamps))


def test_a_still_picture_is_refined_until_repeats_are_small(world):
    # A frame's share of 8 Mbit/s is 16 kB; a repeat of a quarter of it still adds something.
    world.encoder.unit_bytes = 4001
    world.show("a")
    world.pass_time(1000)
    assert 55 <= world.loop.counters()["repeated_frames"] <= 61
    world.encoder.unit_bytes = 4000
    world.pass_time(4 * 20)
    refined = world.loop.counters()["repeated_frames"]
    world.pass_time(2000)
    assert world.loop.counters()["repeated_frames"] - refined <= 8


def test_a_key_frame_of_a_still_picture_is_refined_again(world):
    world.show("a")
    world.pass_time(3000)
    world.orders.key_request_count += 1
    world.pass_time(600)
    keys = [key for _, key in world.encoder.frames]
    made = len(keys) - 1 - keys[::-1].index(True)
    assert 5 <= len(keys) - made <= 10


def test_a_request_on_a_still_screen_is_answered_from_the_last_picture_at_once(world):
    world.show("a")
    world.pass_time(1000)
    world.orders.key_request_count += 1
    before_ns = world.slot.now_ns
    world.slot.take = lambda _timeout_ns: None  # the nudge ends the wait early
    world.loop.step()
    assert world.encoder.frames[-1] == ("a", True)
    assert world.slot.now_ns - before_ns == 4 * MS


def test_requests_are_limited_in_rate_but_not_forgotten(world):
    for number in range(30):
        world.orders.key_request_count += 1
        world.show(str(number))
        world.slot.now_ns += 6 * MS
    assert 3 <= world.loop.counters()["key_frames"] <= 4
    world.pass_time(200)
    keys = [key for _, key in world.encoder.frames]
    assert True in keys[30:]


def test_the_sender_may_want_a_key_frame(world):
    world.show("a")
    world.pass_time(300)
    world.sink.wishes = 1
    world.show("b")
    assert world.encoder.frames[-1] == ("b", True)


def test_a_broken_chain_is_mended_by_a_key_frame(world):
    world.show("a")
    world.slot.now_ns += 200 * MS
    world.sink.fate = Fate.BROKE_CHAIN
    world.show("b")
    world.sink.fate = Fate.SENT
    world.show("c")
    assert world.encoder.frames == [("a", True), ("b", False), ("c", True)]
    assert world.encoder.bitrates == []


def test_an_oversize_frame_is_followed_by_a_smaller_key_frame_and_control_has_the_last_word(world):
    world.sink.fate = Fate.OVERSIZE
    world.show("a")
    world.slot.now_ns += 200 * MS
    world.sink.fate = Fate.SENT
    world.show("b")
    assert world.encoder.bitrates == [4_000_000]
    assert world.encoder.frames[-1] == ("b", True)
    assert world.loop.counters()["oversize_frames"] == 1
    assert world.loop.counters()["bitrate_bps"] == 4_000_000
    world.orders.bitrate_bps = 6_000_000
    world.show("c")
    assert world.encoder.bitrates == [4_000_000, 6_000_000]


def test_the_rate_never_falls_below_what_can_be_looked_at(world):
    world.sink.fate = Fate.OVERSIZE
    for number in range(20):
        world.show(str(number))
    assert min(world.encoder.bitrates) == LOWEST_BITRATE_BPS


def test_stop_ends_the_loop(world):
    world.show("a")
    world.orders.stop = True
    world.loop.run()
    assert len(world.encoder.frames) == 1
