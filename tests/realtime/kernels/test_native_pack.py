import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.realtime.kernels import native_pack as fast
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.reference import native_pack as slow
from punktfunk.wire.native.blocks import Geometry
from punktfunk.wire.native.packet import FecScheme


def numbers(bits):
    return st.integers(0, (1 << bits) - 1)


@given(st.integers(1, 4096), st.integers(0, 90), st.integers(0, 90))
def test_parity_counts_are_those_of_the_wire(data_count, percent, welcome):
    geometry = Geometry(1408, 4096, FecScheme.GF16, welcome)
    count = geometry.parity_count(data_count, percent)
    arguments = (data_count, percent, geometry.block_max)
    assert fast.parity_count(*arguments) == slow.parity_count(*arguments) == count


@given(
    st.integers(0, 9),
    st.integers(0, 60),
    st.lists(numbers(63), min_size=1, max_size=1),
    st.lists(numbers(32), min_size=4, max_size=4),
    st.lists(numbers(15), min_size=6, max_size=6),
    st.integers(0, 20),
    st.integers(1, 30),
)
def test_write_headers_equals_its_twin(count, offset, time, longs, shorts, place, total):
    header = np.array([*time, *longs, *shorts, shorts[0] & 1], np.int64)
    ours, theirs = np.full((9, 104), 7, np.uint8), np.full((9, 104), 7, np.uint8)
    arguments = (offset, count, header, place, total)
    assert fast.write_headers(ours, *arguments) == slow.write_headers(theirs, *arguments) == 0
    assert np.array_equal(ours, theirs)


@given(st.integers(0, 9), numbers(62), numbers(32), st.integers(8, 20))
def test_write_sequences_equals_its_twin(count, sequence, salt, width):
    ours, theirs = np.full((9, width), 7, np.uint8), np.full((9, width), 7, np.uint8)
    our_nonces, their_nonces = np.full((9, 16), 7, np.uint8), np.full((9, 16), 7, np.uint8)
    assert fast.write_sequences(ours, count, sequence, salt, our_nonces) == 0
    assert slow.write_sequences(theirs, count, sequence, salt, their_nonces) == 0
    assert np.array_equal(ours, theirs)
    assert np.array_equal(our_nonces, their_nonces)


@given(st.integers(0, 5), st.integers(0, 30), st.integers(1, 70), st.integers(0, 3))
def test_copy_shards_equals_its_twin(count, offset, shard_bytes, first):
    shards = np.random.default_rng(shard_bytes).integers(0, 256, (8, shard_bytes), np.uint8)
    ours, theirs = np.full((5, 100), 7, np.uint8), np.full((5, 100), 7, np.uint8)
    assert fast.copy_shards(ours, offset, count, shards, first) == 0
    assert slow.copy_shards(theirs, offset, count, shards, first) == 0
    assert np.array_equal(ours, theirs)


def test_wrong_sizes_touch_nothing():
    packets, nonces, shards = (
        np.full((4, 60), 7, np.uint8),
        np.full((3, 16), 7, np.uint8),
        np.zeros((6, 50), np.uint8),
    )
    header = np.zeros(12, np.int64)
    for arguments in (
        (0, 5, shards, 0),
        (0, -1, shards, 0),
        (11, 4, shards, 0),
        (-1, 4, shards, 0),
        (0, 4, shards, 3),
        (0, 4, shards, -1),
    ):
        assert fast.copy_shards(packets, *arguments) == BAD_SIZE
    for offset, count, fields in (
        (0, 5, header),
        (0, -1, header),
        (21, 4, header),
        (-1, 4, header),
        (0, 4, header[:11]),
    ):
        assert fast.write_headers(packets, offset, count, fields, 0, 4) == BAD_SIZE
    for count, sequence, place in (
        (4, 0, nonces),
        (-1, 0, nonces),
        (3, -1, nonces),
        (3, 0, nonces[:, :12].copy()),
    ):
        assert fast.write_sequences(packets, count, sequence, 0, place) == BAD_SIZE
    assert fast.write_sequences(packets[:, :7].copy(), 3, 0, 0, nonces) == BAD_SIZE
    assert (packets == 7).all()
    assert (nonces == 7).all()


@pytest.mark.parametrize("argument", [np.zeros((4, 60), np.int8), None])
def test_other_types_are_refused(argument):
    with pytest.raises(TypeError):
        fast.write_headers(argument, 0, 1, np.zeros(12, np.int64), 0, 1)
