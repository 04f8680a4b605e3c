import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.realtime.kernels import pack as fast
from punktfunk.realtime.kernels.layout import BAD_SIZE, OVERSIZE
from punktfunk.realtime.reference import pack as slow

packet_sizes = st.integers(10, 90).map(lambda n: 16 * n)


@given(
    st.integers(0, 30_000) | st.integers(0, 7_000_000), packet_sizes, st.integers(0, 255), st.integers(0, 10)
)
def test_plan_blocks_equals_the_wire(frame_bytes: int, packet_bytes: int, percent: int, minimum: int) -> None:
    ours, theirs = np.zeros((4, 3), np.int64), np.zeros((4, 3), np.int64)
    arguments = (frame_bytes, packet_bytes, percent, minimum)
    assert fast.plan_blocks(ours, *arguments) == slow.plan_blocks(theirs, *arguments)
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("percent", [0, 1, 5, 20, 50, 255])
def test_plan_blocks_at_every_shard_count(percent: int) -> None:
    for shards in range(1, 4094):
        ours, theirs = np.zeros((4, 3), np.int64), np.zeros((4, 3), np.int64)
        arguments = (shards * 1008 - 8, 1024, percent, 2)
        assert fast.plan_blocks(ours, *arguments) == slow.plan_blocks(theirs, *arguments)
        assert np.array_equal(ours, theirs)
    assert fast.plan_blocks(ours, 4093 * 1008, 1024, percent, 2) == OVERSIZE


@given(st.integers(0, 3000), packet_sizes, st.sampled_from([1, 2, 4, 5]), st.integers(-(10**9), 10**12))
def test_frame_header_equals_its_twin(size: int, packet_bytes: int, frame_type: int, elapsed_ns: int) -> None:
    ours, theirs = np.full(4000, 9, np.uint8), np.full(4000, 9, np.uint8)
    arguments = (size, packet_bytes, frame_type, elapsed_ns)
    assert fast.write_frame_header(ours, *arguments) == slow.write_frame_header(theirs, *arguments) == 0
    assert np.array_equal(ours, theirs)


@given(
    offset=st.sampled_from([0, 32]),
    packet_bytes=packet_sizes,
    data_count=st.integers(1, 9),
    start=st.integers(0, 5000),
    length=st.integers(0, 8000),
    sequence=st.integers(0, 1 << 40),
    extra=st.integers(0, 3),
)
def test_cut_block_equals_its_twin(
    offset: int, packet_bytes: int, data_count: int, start: int, length: int, sequence: int, extra: int
) -> None:
    random = np.random.default_rng(start)
    frame = random.integers(0, 256, start + length + 3, dtype=np.uint8)
    ours = random.integers(0, 256, (data_count + 2, offset + packet_bytes + 16), dtype=np.uint8)
    theirs = ours.copy()
    arguments = (offset, packet_bytes, data_count, frame, start, start + length, sequence, extra)
    assert fast.cut_block(ours, *arguments) == slow.cut_block(theirs, *arguments) == 0
    assert np.array_equal(ours, theirs)


@given(
    offset=st.sampled_from([0, 32]),
    data_count=st.integers(1, 1023),
    percent=st.integers(0, 255),
    last=st.integers(0, 3),
    index=st.integers(0, 3),
    frame_index=st.integers(1, 1 << 40),
    timestamp=st.integers(0, 1 << 40),
    sequence=st.integers(0, 1 << 40),
)
def test_finish_block_equals_its_twin(
    offset: int,
    data_count: int,
    percent: int,
    last: int,
    index: int,
    frame_index: int,
    timestamp: int,
    sequence: int,
) -> None:
    ours = np.full((12, 100), 3, np.uint8)
    theirs = ours.copy()
    count = min(data_count, 12)
    arguments = (offset, count, 12, percent, index | last << 8, frame_index, timestamp, sequence)
    assert fast.finish_block(ours, *arguments) == slow.finish_block(theirs, *arguments) == 0
    assert np.array_equal(ours, theirs)


@given(st.integers(0, 9), st.integers(0, 1 << 60), st.integers(0, 1 << 40))
def test_write_prefixes_equals_its_twin(count: int, counter: int, frame_index: int) -> None:
    ours, theirs = np.full((9, 40), 3, np.uint8), np.full((9, 40), 3, np.uint8)
    our_nonces, their_nonces = np.full((9, 16), 3, np.uint8), np.full((9, 16), 3, np.uint8)
    assert fast.write_prefixes(ours, count, counter, frame_index, our_nonces) == 0
    assert slow.write_prefixes(theirs, count, counter, frame_index, their_nonces) == 0
    assert np.array_equal(ours, theirs)
    assert np.array_equal(our_nonces, their_nonces)


def test_wrong_sizes_touch_nothing() -> None:
    packets, frame, blocks = (
        np.full((4, 1040), 7, np.uint8),
        np.zeros(9000, np.uint8),
        np.zeros((4, 3), np.int64),
    )
    assert fast.cut_block(packets, 0, 1024, 5, frame, 0, 100, 0, 0) == BAD_SIZE
    assert fast.cut_block(packets, 32, 1024, 4, frame, 0, 100, 0, 0) == BAD_SIZE
    assert fast.cut_block(packets, -1, 1024, 4, frame, 0, 100, 0, 0) == BAD_SIZE
    assert fast.cut_block(packets, 0, 1024, 4, frame, 0, 9001, 0, 0) == BAD_SIZE
    assert fast.cut_block(packets, 0, 1024, 4, frame, 200, 100, 0, 0) == BAD_SIZE
    assert fast.cut_block(packets, 0, 16, 4, frame, 0, 100, 0, 0) == BAD_SIZE
    assert fast.finish_block(packets, 0, 4, 5, 20, 0, 1, 0, 0) == BAD_SIZE
    assert fast.finish_block(packets, 1020, 4, 4, 20, 0, 1, 0, 0) == BAD_SIZE
    nonces = np.zeros((3, 16), np.uint8)
    assert fast.write_prefixes(packets, 4, 0, 1, nonces) == BAD_SIZE
    assert fast.write_prefixes(packets, -1, 0, 1, nonces) == BAD_SIZE
    assert fast.write_prefixes(packets, 3, -1, 1, nonces) == BAD_SIZE
    assert fast.write_prefixes(packets, 3, 0, 1, nonces[:, :12].copy()) == BAD_SIZE
    assert fast.write_prefixes(packets[:, :15].copy(), 3, 0, 1, nonces) == BAD_SIZE
    assert (packets == 7).all()
    assert fast.write_frame_header(frame, 8993, 1024, 1, 0) == BAD_SIZE
    assert fast.write_frame_header(frame, 1, 16, 1, 0) == BAD_SIZE
    assert fast.plan_blocks(blocks, 1, 24, 20, 2) == BAD_SIZE
    assert fast.plan_blocks(blocks, 1, 1024, 256, 2) == BAD_SIZE
    assert fast.plan_blocks(blocks[:3], 1, 1024, 20, 2) == BAD_SIZE
