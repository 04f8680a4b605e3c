"""The rules of a receiver, one by one, by hand-written headers. ``recover`` is left out: shards only count."""

from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError
from punktfunk.wire.native.packet import (
    USER_PROBE,
    USER_SLICES,
    FecScheme,
    Header,
    build_packet,
    parse_packet,
)
from punktfunk.wire.native.placing import Place, ReceiveLimits, find_place, frame_ceiling_bytes
from punktfunk.wire.native.reassembly import LOSS_WINDOW, LOSS_WINDOW_NS, Reassembler
from punktfunk.wire.native.replay import REPLAY_WINDOW, ReplayWindow
from punktfunk.wire.native.slabs import SLAB_BYTES, Run, Slabs

MIB = 1 << 20
LIMITS = ReceiveLimits(10, FecScheme.GF16, 1408, 100_000)
SIZE = 1000
NS = 1_000_000_000


def header(shard=0, **fields):
    """Of a frame of 25 shards: blocks of 10, 10 and 5, with 3 of parity in each."""
    usual = {
        "pts_ns": 5 * NS, "frame_index": 7, "stream_sequence": 0, "frame_bytes": 25 * SIZE, "user_flags": 1,
        "block_index": 0, "block_count": 3, "data_count": 10, "parity_count": 3, "shard_index": shard,
        "shard_bytes": SIZE, "fec_scheme": 1, "flags": 1,
    }  # fmt: skip
    return Header(**usual | fields)


def frame(index=7, *, lost=(), parity=True, **fields):
    """Headers of all packets of that frame, in the order of sending, but some of its data."""
    order = [(block, shard) for block, count in enumerate((10, 10, 5)) for shard in range(count)]
    if parity:
        order += [(block, count + i) for block, count in enumerate((10, 10, 5)) for i in range(3)]
    return [
        header(shard, frame_index=index, block_index=block, data_count=(10, 10, 5)[block], **fields)
        for block, shard in order
        if (block, shard) not in lost
    ]


def sentinel(block, shard=0, **fields):
    return header(shard, **{"block_index": block, "block_count": 0, "frame_bytes": 0} | fields)


def a_slice(block, base, count, shard=0, **fields):
    """A sentinel of slices."""
    usual = {"user_flags": 1 | USER_SLICES, "frame_bytes": base * SIZE, "data_count": count}
    return sentinel(block, shard, **usual | fields)


def last_slice(block, count, total, shard=0, **fields):
    usual = {"user_flags": 1 | USER_SLICES, "frame_bytes": total * SIZE, "data_count": count}
    return header(shard, **{"block_index": block, "block_count": block + 1} | usual | fields)


class Receiver(Reassembler):
    def __init__(self, limits=LIMITS):
        super().__init__(limits)

    def take(self, headers):
        """The frames that these complete: their indices."""
        units = [self.push_shard(one) for one in headers]
        return [unit.frame_index for unit in units if unit]

    def told(self):
        return {name: count for name, count in asdict(self.counts).items() if count}


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({}, Place(0, 25)),
        ({"block_index": 1}, Place(10, 25)),
        ({"block_index": 2, "data_count": 5}, Place(20, 25)),
        ({"frame_bytes": 25 * SIZE - 999}, Place(0, 25)),
        ({"frame_bytes": 0, "block_count": 1, "data_count": 1, "parity_count": 2}, Place(0, 1)),
        ({"data_count": 9}, None),
        ({"data_count": 11}, None),
        ({"data_count": 0}, None),
        ({"block_count": 2}, None),
        ({"block_count": 4}, None),
        ({"block_index": 3}, None),
        ({"parity_count": 9}, Place(0, 25)),
        ({"parity_count": 10}, None),
        ({"shard_index": 12}, Place(0, 25)),
        ({"shard_index": 13}, None),
        ({"shard_bytes": 999}, None),
        ({"shard_bytes": 510}, None),
        ({"shard_bytes": 1410}, None),
        ({"frame_bytes": 100_000, "block_count": 10}, Place(0, 100)),
        ({"frame_bytes": 100_001, "block_count": 11}, None),
        ({"frame_bytes": 0xFFFFFFFF}, None),
    ],
)
def test_places_of_frames_of_known_length(fields, place):
    assert believed(header(**fields)) == place


@pytest.mark.parametrize(
    ("one", "place"),
    [
        (sentinel(0), Place(0, 10)),
        (sentinel(8), Place(80, 90)),
        (sentinel(9), None),
        (sentinel(0, data_count=9), None),
        (sentinel(0, frame_bytes=1000), None),
        (a_slice(0, 0, 10), Place(0, 10)),
        (a_slice(2, 30, 1), Place(30, 31)),
        (a_slice(2, 30, 11), None),
        (a_slice(1, 0, 10), None),
        (a_slice(1, 90, 10), Place(90, 100)),
        (a_slice(1, 91, 10), None),
        (a_slice(1, 1, 10, frame_bytes=1001), None),
        (a_slice(10, 50, 10), Place(50, 60)),
        (a_slice(11, 50, 10), None),
        (last_slice(2, 5, 25), Place(20, 25)),
        (last_slice(2, 5, 25, block_count=4), None),
        (last_slice(0, 10, 5), None),
        (last_slice(3, 5, 7), None),
        (last_slice(11, 5, 60), Place(55, 60)),
        (last_slice(12, 5, 60), None),
    ],
)
def test_places_of_streamed_blocks(one, place):
    assert believed(one) == place


def believed(one):
    """What a receiver makes of a packet on the wire."""
    receiver = Receiver()
    unit = receiver.push(build_packet(one, bytes(one.shard_bytes)))
    place = find_place(one, LIMITS)
    assert receiver.counts.malformed == (place is None)
    assert bool(receiver.slabs.used_count or unit) == bool(place)
    return place


def test_golden_headers_are_believed():
    limits = ReceiveLimits(4096, FecScheme.GF16, 1408, 8 * MIB)
    for text, place in (
        ("050000000000000007000000280000000058000085000000010000001400020000008005c9010101", Place(16, 36)),
        ("0500000000000000070000004000000038c7000085000000020003000100020002008005c9010103", Place(36, 37)),
        ("0600000000000000080000004100000000000000050000000000000000109a0100008005c9010105", Place(0, 4096)),
        ("00000000000000000000000009000000b004000008000000000001000100000000008005c9010107", Place(0, 1)),
    ):
        one, _ = parse_packet(bytes.fromhex(text) + bytes(1408))
        assert find_place(one, limits) == place


@pytest.mark.parametrize(
    ("kbps", "hertz", "ceiling"),
    [(50_000, 240, 8_388_608), (1_500_000, 60, 12_500_000), (0, 60, 67_108_864), (8_000_000, 0, 67_108_864)],
)
def test_frame_ceilings(kbps, hertz, ceiling):
    assert frame_ceiling_bytes(kbps, hertz) == ceiling


@pytest.mark.parametrize(
    "fields",
    [(0, 1, 1408, 9), (256, 0, 1408, 9), (9, 1, 510, 9), (9, 1, 9154, 9), (9, 1, 512, (64 << 20) + 1)],
)
def test_limits_that_no_session_has(fields):
    with pytest.raises(LocalProtocolError):
        ReceiveLimits(fields[0], FecScheme(fields[1]), *fields[2:])


def test_a_frame_without_losses_does_not_wait_for_parity():
    receiver = Receiver()
    assert receiver.take(frame(parity=False)) == [7]
    assert receiver.told() == {"packets": 25, "media_bytes": 25_000, "frames": 1}
    assert receiver.slabs.used_count == 0
    assert receiver.take(frame()) == []
    assert receiver.counts.surplus == 34


def test_any_shards_are_enough_and_what_comes_after_all_was_late():
    lost = {(0, 0), (0, 9), (1, 5)}
    receiver = Receiver()
    packets = frame(lost=lost)
    assert receiver.take(packets) == [7]
    assert receiver.counts.recovered_shards == 3
    late = [one for one in frame(parity=False) if (one.block_index, one.shard_index) in lost]
    receiver.take(late[:2])
    assert receiver.counts.late_shards == 2
    receiver.take(frame())
    assert receiver.counts.late_shards == 3
    receiver.take([header(frame_index=7 + LOSS_WINDOW + 1)])
    receiver.take(late)
    assert receiver.counts.late_shards == 3
    assert receiver.counts.stale == 3


def test_a_shard_may_be_late_while_its_frame_is_not_complete():
    receiver = Receiver()
    first = [header(shard) for shard in range(1, 11)]
    assert receiver.take([*first, header(0), header(0), header(1)]) == []
    assert receiver.told() == {
        "packets": 13, "media_bytes": 12_000, "surplus": 3, "recovered_shards": 1, "late_shards": 1,
    }  # fmt: skip


def test_too_few_shards_are_not_enough():
    receiver = Receiver()
    assert receiver.take(frame(lost={(0, shard) for shard in range(4)})) == []
    assert receiver.slabs.used_count > 0


@pytest.mark.parametrize(
    ("newest", "alive"),
    [
        ({"frame_index": 7 + LOSS_WINDOW}, True),
        ({"frame_index": 7 + LOSS_WINDOW + 1}, False),
        ({"frame_index": 8, "pts_ns": 5 * NS + LOSS_WINDOW_NS}, True),
        ({"frame_index": 8, "pts_ns": 5 * NS + LOSS_WINDOW_NS + 1}, False),
        ({"frame_index": 8, "pts_ns": 0}, True),
        ({"frame_index": 6, "pts_ns": 9 * NS}, True),
    ],
)
def test_frames_that_are_given_up(newest, alive):
    receiver = Receiver()
    *most, last = frame(parity=False)
    receiver.take(most)
    receiver.take([header(**newest)])
    assert receiver.counts.dropped_frames == (not alive)
    assert receiver.take([last]) == ([7] if alive else [])
    assert receiver.counts.frames == alive


def test_packets_of_frames_that_are_too_old_begin_nothing():
    receiver = Receiver()
    receiver.take([header(frame_index=500)])
    used = receiver.slabs.used_count
    receiver.take([header(frame_index=435), header(frame_index=499, pts_ns=5 * NS - LOSS_WINDOW_NS - 1)])
    assert receiver.counts.stale == 2
    assert receiver.slabs.used_count == used
    assert receiver.counts.dropped_frames == 0


def test_indices_wrap():
    receiver = Receiver()
    order = [(1 << 32) - 2, (1 << 32) - 1, 0, 1]
    assert receiver.take(one for index in order for one in frame(index)) == order
    assert receiver.newest_index == 1
    receiver.take([header(frame_index=(1 << 31) + 1)])  # behind by half of all: older
    assert receiver.counts.stale == 1


def test_probe_filler_has_its_own_window():
    receiver = Receiver()
    receiver.take(frame(5000, user_flags=USER_PROBE))
    receiver.take([header(frame_index=9000, user_flags=USER_PROBE)])
    assert receiver.take(frame(7)) == [7]
    receiver.take([header(frame_index=20_000, user_flags=USER_PROBE)])
    counts = receiver.counts
    assert (counts.frames, counts.probe_frames) == (1, 1)
    assert counts.dropped_frames == 0
    assert counts.probe_packets == 36
    assert counts.probe_bytes == 36 * (SIZE + 40)
    assert receiver.newest_index == 7


@pytest.mark.parametrize(
    "other",
    [
        header(1, frame_bytes=25 * SIZE - 1),
        header(1, frame_bytes=15 * SIZE, block_count=2),
        header(1, shard_bytes=1002, frame_bytes=25 * 1002),
        header(1, parity_count=4),
        header(1, parity_count=2),
        a_slice(0, 0, 10, 1),
        last_slice(0, 10, 10, 1),
        sentinel(2, 1),
    ],
)
def test_packets_that_contradict_their_frame_are_dropped(other):
    receiver = Receiver()
    receiver.take([header(0)])
    receiver.take([other])
    assert receiver.counts.contradicting == 1
    assert receiver.take(frame()[1:]) == [7]


def test_a_streamed_frame_in_any_order():
    blocks = [[sentinel(block, shard) for shard in range(13)] for block in (0, 1)]
    last = [header(shard, block_index=2, data_count=5) for shard in range(8)]
    assert Receiver().take([*blocks[0], *blocks[1], *last]) == [7]
    assert Receiver().take([*last, *blocks[1][2:], *reversed(blocks[0])]) == [7]
    assert Receiver().take([*blocks[1][3:], *last[:5], *blocks[0][3:]]) == [7]


def test_slices_in_any_order():
    one, two = ([a_slice(number, base, 8, shard) for shard in range(11)] for number, base in ((0, 0), (1, 8)))
    last = [last_slice(2, 3, 19, shard) for shard in range(6)]
    for order in ([*one, *two, *last], [*last, *two, *one], [*two[3:], *last[:3], *one[2:]]):
        receiver = Receiver()
        assert receiver.take(order) == [7]
        assert receiver.slabs.used_count == 0


def test_the_buffer_grows_with_what_is_proven():
    limits = ReceiveLimits(100, FecScheme.GF16, 1408, 8 * MIB)
    receiver = Receiver(limits)
    receiver.take([sentinel(0, data_count=100, parity_count=10)])
    assert receiver.slabs.used_count == 7
    receiver.take([header(frame_index=6, frame_bytes=1500, block_count=1, data_count=2)])  # stands behind it
    receiver.take([sentinel(4, data_count=100, parity_count=10)])
    assert receiver.slabs.used_count == 32


@pytest.mark.parametrize(
    ("held", "totals"),
    [
        (sentinel(2), header(block_index=2, data_count=5)),  # the last block is not full
        (sentinel(3), header(block_index=2, data_count=5)),
        (a_slice(2, 20, 5), last_slice(2, 5, 25)),
        (a_slice(0, 12, 9), last_slice(2, 5, 25)),
    ],
)
def test_totals_that_contradict_what_came_kill_the_frame(held, totals):
    receiver = Receiver()
    receiver.take([held, totals])
    assert receiver.told() | {"media_bytes": 0} == {
        "packets": 2, "media_bytes": 0, "contradicting": 1, "dropped_frames": 1,
    }  # fmt: skip
    assert receiver.slabs.used_count == 0
    receiver.take([held])
    assert receiver.counts.surplus == 1


@pytest.mark.parametrize("late", [sentinel(2), sentinel(5), a_slice(0, 0, 10)])
def test_sentinels_that_do_not_fit_below_the_last_block(late):
    receiver = Receiver()
    receiver.take([header(block_index=2, data_count=5), late])
    assert receiver.counts.contradicting == 1


@pytest.mark.parametrize("late", [a_slice(1, 16, 5), a_slice(2, 10, 5), a_slice(1, 8, 9), a_slice(0, 9, 2)])
def test_slices_that_stand_in_each_other(late):
    receiver = Receiver()
    receiver.take([a_slice(1, 10, 6), a_slice(0, 0, 9), last_slice(2, 5, 25)])
    assert receiver.counts.contradicting == 0
    receiver.take([late])
    assert receiver.counts.contradicting == 1


def test_slices_with_a_gap_are_no_frame():
    receiver = Receiver()
    one = [a_slice(0, 0, 8, shard) for shard in range(8)]
    two = [a_slice(1, 9, 8, shard) for shard in range(8)]
    last = [last_slice(2, 3, 20, shard) for shard in range(3)]
    assert receiver.take([*one, *two, *last]) == []
    assert (receiver.counts.dropped_frames, receiver.counts.contradicting) == (1, 1)
    assert receiver.slabs.used_count == 0


def test_memory_is_bounded_whatever_is_claimed():
    receiver = Receiver()
    bound = -(-4 * LIMITS.frame_bytes_max // SLAB_BYTES)
    for index in range(200):
        receiver.take([header(frame_index=index, frame_bytes=100_000, block_count=10)])
        receiver.take([header(12, frame_index=index, frame_bytes=100_000, block_count=10)])
        assert receiver.slabs.used_count <= bound
    assert receiver.counts.no_room > 0
    assert receiver.take(frame(400)) == [400]


def test_a_streamed_frame_that_finds_no_room_to_grow():
    receiver = Receiver()
    receiver.take(header(frame_index=index, frame_bytes=100_000, block_count=10) for index in range(8, 11))
    receiver.take([sentinel(0), sentinel(8)])
    assert receiver.counts.no_room == 1
    assert receiver.counts.dropped_frames == 0


def test_flush_forgets():
    receiver = Receiver()
    receiver.take([header(frame_index=500)])
    receiver.flush()
    assert receiver.slabs.used_count == 0
    assert receiver.take(frame()) == [7]


def test_units_say_how_they_came():
    receiver = Receiver()
    units = [receiver.push_shard(one, b"", at) for at, one in enumerate(frame(lost={(0, 3)}), 100)]
    (unit,) = (unit for unit in units if unit)
    assert unit._asdict() == {
        "frame_index": 7, "pts_ns": 5 * NS, "user_flags": 1, "data": b"", "first_ns": 100,
        "complete_ns": 124, "packet_count": 25, "recovered_count": 1, "data_count": 25, "block_count": 3,
    }  # fmt: skip


def test_a_code_that_fails_fails_a_block():
    receiver = Reassembler(LIMITS, lambda _shards, _count: None)
    units = [receiver.push_shard(one, bytes(SIZE)) for one in frame(lost={(0, 3)})]
    assert not any(units)
    assert receiver.counts.failed_blocks == 1


@given(st.lists(st.binary(max_size=60), max_size=30))
@settings(max_examples=40)
def test_noise_is_malformed(packets):
    receiver = Receiver()
    assert not any(receiver.push(packet) for packet in packets)
    assert receiver.counts.malformed == receiver.counts.packets == len(packets)


def test_a_window_of_sequences():
    window = ReplayWindow()
    asked = [100, 80, 80, 99, 100, 262_144, 131_072, 131_073]
    assert [window.accept(sequence) for sequence in asked] == [1, 1, 0, 1, 0, 1, 0, 1]
    first = ReplayWindow()
    assert [first.accept(42), first.accept(42), first.accept(1 << 63)] == [True, False, False]
    for sequence in range(3 * REPLAY_WINDOW):
        assert first.accept(100 + sequence)
    assert not first.accept(100)


def test_runs_of_slabs():
    slabs = Slabs(8)
    one, two = slabs.take(1), slabs.take(2 * SLAB_BYTES)
    assert (one, two) == (Run(0, 1), Run(1, 2))
    assert slabs.grow(one, SLAB_BYTES) == one
    assert slabs.grow(two, 3 * SLAB_BYTES) == Run(1, 3)
    assert slabs.grow(one, 2 * SLAB_BYTES) == Run(4, 2)
    assert slabs.take(3 * SLAB_BYTES) is None
    assert slabs.grow(Run(1, 3), 6 * SLAB_BYTES) is None
    assert slabs.take(0) == Run(0, 1)
    slabs.free(Run(1, 3))
    assert slabs.used_count == 3
    with pytest.raises(LocalProtocolError):
        Slabs(0)
