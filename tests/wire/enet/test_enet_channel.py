"""Order, duplicates, fragments and bounds of one channel."""

import random

from hypothesis import given
from hypothesis import strategies as st

from punktfunk.wire.enet.channel import (
    REORDER_LIMIT,
    InboundChannel,
    Store,
    UnsequencedWindow,
    sequence_distance,
)
from punktfunk.wire.enet.commands import SendFragment
from punktfunk.wire.enet.events import Delivery


def channel(limit_bytes=1 << 20):
    store = Store(limit_bytes)
    return InboundChannel(store), store


def payloads(messages):
    return [payload for payload, _ in messages]


@given(st.integers(0, 0xFFFF), st.integers(-0x8000, 0x7FFF))
def test_distance_undoes_wrapping(start, steps):
    assert sequence_distance((start + steps) & 0xFFFF, start) == steps


@given(st.permutations(range(1, 13)), st.lists(st.integers(1, 12), max_size=10))
def test_any_order_with_duplicates_is_delivered_in_order_once(order, again):
    inbound, store = channel()
    got = []
    for sequence in [*order, *again]:
        got += payloads(inbound.reliable(sequence, bytes([sequence])))
    assert got == [bytes([n]) for n in range(1, 13)]
    assert store.used_bytes == 0


def test_sequences_wrap_without_a_break():
    inbound, store = channel()
    got = []
    for sequence in range(1, 70_000):
        got += payloads(inbound.reliable(sequence & 0xFFFF, b"m"))
    assert len(got) == 69_999
    assert store.used_bytes == 0


def test_what_cannot_be_kept_is_refused_and_what_is_due_never_is():
    inbound, store = channel(limit_bytes=1000)
    kept = [n for n in range(2, 100) if inbound.reliable(n, bytes(100)) is not None]
    assert 0 < len(kept) < 20
    assert store.used_bytes <= 1000
    assert len(inbound.reliable(1, bytes(5000))) == 1 + len(kept)
    assert inbound.reliable(kept[-1] + 1 + REORDER_LIMIT, b"") is None
    assert store.used_bytes == 0


def pieces(start, data, size):
    count = -(-len(data) // size)
    return [
        SendFragment(start & 0xFFFF, count, n, len(data), n * size, data[n * size : (n + 1) * size])
        for n in range(count)
    ]


@given(st.integers(0, 2**32), st.integers(1, 12))
def test_fragments_in_any_order_make_the_message(seed, count):
    shuffle = random.Random(seed)
    data = shuffle.randbytes(600 * count - 77)
    inbound, store = channel()
    parts = pieces(1, data, 600) * 2
    shuffle.shuffle(parts)
    got = []
    for part in parts:
        got += inbound.fragment(1 + part.fragment_number, part)
    assert got == [(data, Delivery.RELIABLE)]
    assert inbound.reliable_sequence == count
    assert inbound.reliable(count + 1, b"next") == [(b"next", Delivery.RELIABLE)]
    assert store.used_bytes == 0


def test_fragments_that_contradict_each_other_are_refused():
    inbound, store = channel()
    first, second, third = pieces(1, bytes(1500), 600)
    assert inbound.fragment(1, first) == []
    assert inbound.fragment(2, second._replace(total_bytes=1400)) is None
    assert inbound.fragment(9, second) is None
    assert inbound.fragment(2, second._replace(offset_bytes=100)) == []
    assert inbound.fragment(3, third) == []  # overlapping: swallowed, and the channel goes on
    assert inbound.reliable(4, b"next") == [(b"next", Delivery.RELIABLE)]
    assert store.used_bytes == 0


def test_a_message_inside_a_fragmented_one_is_forgotten():
    inbound, store = channel()
    parts = pieces(1, bytes(1500), 600)
    assert inbound.reliable(2, b"impostor") == []
    got = [message for n, part in enumerate(parts) for message in inbound.fragment(n + 1, part)]
    assert payloads(got) == [bytes(1500)]
    assert store.used_bytes == 0


def test_a_late_unreliable_message_is_superseded():
    inbound, _ = channel()
    assert payloads(inbound.unreliable(0, 2, b"b")) == [b"b"]
    assert inbound.unreliable(0, 1, b"a") == []
    assert inbound.unreliable(0, 2, b"b") == []
    assert payloads(inbound.unreliable(0, 5, b"e")) == [b"e"]


def test_unreliable_waits_for_the_reliable_one_before_it():
    inbound, store = channel()
    assert inbound.unreliable(1, 2, b"b") == []
    assert inbound.unreliable(1, 1, b"a") == []
    assert inbound.unreliable(2, 1, b"later") == []
    assert payloads(inbound.reliable(1, b"R")) == [b"R", b"a", b"b"]
    assert payloads(inbound.reliable(2, b"S")) == [b"S", b"later"]
    assert inbound.unreliable(1, 9, b"stale") == []
    assert store.used_bytes == 0


def test_reliable_progress_drops_unreliable_messages_of_the_past():
    inbound, store = channel()
    assert inbound.unreliable(1, 1, b"a") == []
    assert inbound.reliable(2, b"S") == []
    assert payloads(inbound.reliable(1, b"R")) == [b"R", b"S"]
    assert store.used_bytes == 0


def test_unreliable_fragments_are_joined_or_overtaken():
    inbound, store = channel()
    data = bytes(range(256)) * 5
    first, second, third = pieces(1, data, 500)
    assert inbound.unreliable_fragment(0, first) == []
    assert inbound.unreliable_fragment(0, third) == []
    assert inbound.unreliable_fragment(0, second) == [(data, Delivery.UNRELIABLE)]
    half = pieces(2, data, 500)[0]
    assert inbound.unreliable_fragment(0, half) == []
    assert store.used_bytes > 0
    assert payloads(inbound.unreliable(0, 3, b"newer")) == [b"newer"]
    assert store.used_bytes == 0


@given(
    st.lists(
        st.tuples(st.sampled_from("rufv"), st.integers(0, 40), st.integers(0, 40), st.binary(max_size=9))
    )
)
def test_no_input_breaks_the_accounts(steps):
    inbound, store = channel(limit_bytes=2000)
    for kind, first, second, data in steps:
        total = 1 + first * 100
        piece = SendFragment(second, total // 512 + 1, 0, total, 0, data or b"x")
        match kind:
            case "r":
                inbound.reliable(first, data)
            case "u":
                inbound.unreliable(first, second, data)
            case "f":
                inbound.fragment(second, piece)
            case "v":
                inbound.unreliable_fragment(first, piece)
        kept = [*inbound._reliable.values(), *inbound._unreliable.values()]
        pieces_kept = sum(len(a.pieces) for a in kept)
        assert store.used_bytes == sum(a.kept_bytes for a in kept) + 128 * pieces_kept
        assert store.used_bytes <= 2000 + 200


def test_unsequenced_window_weeds_out_duplicates_and_wraps():
    window = UnsequencedWindow()
    assert [window.is_new(n) for n in (1, 3, 2, 3, 1, 2)] == [True, True, True, False, False, False]
    for group in range(4, 140_000):
        assert window.is_new(group & 0xFFFF)
        assert not window.is_new(group & 0xFFFF)
    assert not window.is_new((140_000 - 2000) & 0xFFFF)
    assert window.is_new((140_000 + 5000) & 0xFFFF)
    assert window.is_new((140_000 + 4999) & 0xFFFF)
