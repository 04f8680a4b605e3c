"""Video shards: golden bytes, blocks against the client's arithmetic, round trips, garbage."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.plan import FrameType
from punktfunk.wire.gamestream import video
from punktfunk.wire.gamestream.video import (
    Block,
    BlockPlan,
    FrameInfo,
    OversizeFrame,
    build_datagrams,
    latency_tenths_ms,
    max_data_count,
    parse_datagram,
    parse_frame_header,
    plan_blocks,
)
from punktfunk.wire.gamestream.video_encryption import build_encrypted, parse_encrypted

KEY = bytes(range(16))


def xor_parity(data, parity_count):
    """Not Reed-Solomon, but column-wise like it: enough to see which header bytes parity decides."""
    total = bytes(len(data[0]))
    for shard in data:
        total = bytes(a ^ b for a, b in zip(total, shard, strict=True))
    return [total] * parity_count


def shards_bytes(count, packet_bytes):
    return count * (packet_bytes - 16) - 8


def test_table_of_the_specification():
    for packet_bytes, percent, data_count, frame_bytes in [
        (1392, 0, 1023, 5_630_584),
        (1392, 5, 242, 1_331_960),
        (1392, 10, 231, 1_271_416),
        (1392, 20, 212, 1_166_840),
        (1392, 50, 170, 935_672),
        (1360, 20, 212, 1_139_704),
        (1024, 20, 212, 854_776),
        (992, 20, 212, 827_640),
    ]:
        assert max_data_count(percent) == data_count
        plan = plan_blocks(frame_bytes, packet_bytes, percent, 2)
        assert [block.data_count for block in plan.blocks] == [data_count] * 4
        assert plan.bare_count == (0 if percent else 4)
        fuller = plan_blocks(frame_bytes + 1, packet_bytes, percent, 2)
        assert isinstance(fuller, OversizeFrame) if percent == 0 else fuller.bare_count == 1


@pytest.mark.parametrize(
    ("data_count", "expected"),
    [
        (1, [Block(1, 2, 200)]),
        (2, [Block(2, 2, 100)]),
        (3, [Block(3, 2, 66)]),
        (5, [Block(5, 2, 40)]),
        (6, [Block(6, 2, 20)]),
        (11, [Block(11, 3, 20)]),
        (212, [Block(212, 43, 20)]),
        (213, [Block(107, 22, 20), Block(106, 22, 20)]),
        (848, [Block(212, 43, 20)] * 4),
        (849, [*[Block(212, 43, 20)] * 3, Block(213, 0, 0)]),
        (1659, [*[Block(212, 43, 20)] * 3, Block(1023, 0, 0)]),
        (1660, [*[Block(212, 43, 20)] * 2, *[Block(618, 0, 0)] * 2]),
        (3281, [Block(212, 43, 20), *[Block(1023, 0, 0)] * 3]),
        (3283, [Block(821, 0, 0), Block(821, 0, 0), Block(821, 0, 0), Block(820, 0, 0)]),
        (4092, [Block(1023, 0, 0)] * 4),
    ],
)
def test_blocks_at_twenty_percent(data_count, expected):
    plan = plan_blocks(shards_bytes(data_count, 1392), 1392, 20, 2)
    assert list(plan.blocks) == expected
    assert plan.data_count == data_count


def test_oversize_frame():
    assert plan_blocks(shards_bytes(4093, 1392), 1392, 20, 2) == OversizeFrame(4093)


def test_no_parity_at_zero_percent():
    assert plan_blocks(100, 1392, 0, 2) == BlockPlan((Block(1, 0, 0),))
    assert plan_blocks(shards_bytes(1024, 1024), 1024, 0, 2).blocks == (Block(512, 0, 0), Block(512, 0, 0))


@pytest.mark.parametrize(("packet_bytes", "percent"), [(24, 20), (0, 20), (1392, -1), (1392, 256)])
def test_nonsense_is_refused(packet_bytes, percent):
    with pytest.raises(LocalProtocolError):
        plan_blocks(10, packet_bytes, percent, 2)


@given(
    st.integers(0, 4_200_000),
    st.sampled_from([1392, 1360, 1024, 992]),
    st.integers(0, 255),
    st.integers(0, 300),
)
@settings(max_examples=200)
def test_every_plan_is_decodable(frame_bytes, packet_bytes, percent, minimum_parity):
    plan = plan_blocks(frame_bytes, packet_bytes, percent, minimum_parity)
    needed = (frame_bytes + 8 + packet_bytes - 17) // (packet_bytes - 16)
    if isinstance(plan, OversizeFrame):
        assert plan.data_count == needed > 4092
        return
    assert plan.data_count == needed
    assert 1 <= len(plan.blocks) <= 4
    for block in plan.blocks:
        assert block.data_count >= 1
        assert block.parity_count == (block.data_count * block.percent + 99) // 100
        assert block.percent <= 255
        assert block.data_count + block.parity_count <= (255 if block.percent else 1023)
        if block.percent:
            assert block.percent >= percent
            reachable = min(minimum_parity, 255 - block.data_count)
            # a whole percent is rounded down: short of the minimum by one for each hundred shards, or at 255
            assert block.parity_count >= reachable - block.data_count // 100 or block.percent == 255
    kinds = [block.percent > 0 for block in plan.blocks]
    assert kinds == sorted(kinds, reverse=True)
    if percent and not all(kinds):
        assert needed > 4 * max_data_count(percent)


def test_golden_single_shard():
    info = FrameInfo(1, FrameType.IDR, 0, 90_000, latency_tenths_ms=0x1234)
    plan = plan_blocks(4, 48, 0, 2)
    (datagram,) = build_datagrams(b"\0\0\1\x65", 48, plan, info, xor_parity)
    assert datagram.hex(" ", 4) == (
        "90000000 00015f90 00000000 00000000 "
        "00000000 01000000 07001000 00004000 "
        "01341202 0c000000 00000165 " + " ".join(["00000000"] * 5)
    )


def test_golden_second_block():
    info = FrameInfo(7, FrameType.PREDICTED, 0x01FFFF02, 1, long_term_reference=True)
    plan = BlockPlan((Block(2, 1, 50), Block(2, 1, 50)))
    datagrams = build_datagrams(bytes(70), 48, plan, info, xor_parity)
    shards = [parse_datagram(datagram) for datagram in datagrams]
    assert [shard.sequence for shard in shards] == list(range(0xFF02, 0xFF08))
    assert [shard.stream_packet_index for shard in shards if not shard.is_parity] == [
        0xFFFF02, 0xFFFF03, 0xFFFF05, 0xFFFF06,
    ]  # fmt: skip
    assert [shard.flags for shard in shards if not shard.is_parity] == [5, 3, 5, 3]
    assert {shard.extra_flags for shard in shards if not shard.is_parity} == {1}
    assert [(shard.block_index, shard.last_block_index) for shard in shards] == [(0, 1)] * 3 + [(1, 1)] * 3
    assert datagrams[4][27] == 0x50
    # Parity keeps bytes 16-19, 24-26 and the payload as computed.
    for block in (datagrams[:3], datagrams[3:]):
        computed = xor_parity(block[:2], 1)[0]
        for start, end in [(16, 20), (24, 27), (32, 64)]:
            assert block[2][start:end] == computed[start:end]


@given(
    st.binary(max_size=3000),
    st.sampled_from([48, 64, 992]),
    st.sampled_from([0, 20, 100]),
    st.integers(0, 2**34),
    st.sampled_from(list(FrameType)),
)
@settings(max_examples=100)
def test_round_trip(access_unit, packet_bytes, percent, first_sequence, frame_type):
    plan = plan_blocks(len(access_unit), packet_bytes, percent, 2)
    info = FrameInfo(9, frame_type, first_sequence, 77, 5)
    datagrams = build_datagrams(access_unit, packet_bytes, plan, info, xor_parity)
    assert {len(datagram) for datagram in datagrams} == {packet_bytes + 16}
    assert len(datagrams) == plan.shard_count
    shards = [parse_datagram(datagram) for datagram in datagrams]
    assert [s.sequence for s in shards] == [(first_sequence + n) & 0xFFFF for n in range(len(shards))]
    payload = b"".join(shard.payload for shard in shards if not shard.is_parity)
    header = parse_frame_header(payload)
    assert header[:2] == (5, frame_type)
    data_count = sum(not shard.is_parity for shard in shards)
    used = (data_count - 1) * (packet_bytes - 16) + header.last_payload_bytes
    assert payload[8:used] == access_unit
    assert not any(payload[used:])
    for block_index, block in enumerate(plan.blocks):
        members = [shard for shard in shards if shard.block_index == block_index]
        assert [m.shard_index for m in members] == list(range(block.data_count + block.parity_count))
        assert {(m.data_count, m.parity_count, m.percent) for m in members} == {block}
        starts = [m.shard_index for m in members if not m.is_parity and m.flags & video.FLAG_START]
        ends = [m.shard_index for m in members if not m.is_parity and m.flags & video.FLAG_END]
        assert (starts, ends) == ([0], [block.data_count - 1])


def sample_datagram():
    info = FrameInfo(1, FrameType.IDR, 0, 0)
    return build_datagrams(b"x", 48, plan_blocks(1, 48, 0, 2), info, xor_parity)[0]


@given(st.binary(max_size=80) | st.binary(max_size=70).map(lambda tail: b"\x90\0" + tail))
def test_garbage_only_raises_remote_protocol_error(datagram):
    for parse in (parse_datagram, parse_frame_header, lambda data: parse_encrypted(KEY, data)):
        with contextlib.suppress(RemoteProtocolError):
            parse(datagram)


@given(st.integers(0, 63), st.integers(0, 255))
def test_a_damaged_byte_never_escapes(position, value):
    datagram = bytearray(sample_datagram())
    datagram[position] = value
    try:
        shard = parse_datagram(bytes(datagram))
    except RemoteProtocolError:
        return
    assert shard.shard_index < shard.data_count + shard.parity_count
    assert len(shard.payload) == 32


def test_truncation_at_every_byte():
    datagram = sample_datagram()
    for length in range(33):
        with pytest.raises(RemoteProtocolError):
            parse_datagram(datagram[:length])
    for length in range(8):
        with pytest.raises(RemoteProtocolError):
            parse_frame_header(datagram[32:][:length])
    sealed = build_encrypted(KEY, 5, 1, datagram)
    for length in range(len(sealed)):
        with pytest.raises(RemoteProtocolError):
            parse_encrypted(KEY, sealed[:length])


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=100))
def test_encryption_round_trip(counter, frame_index, shard):
    sealed = build_encrypted(KEY, counter, frame_index, shard)
    assert len(sealed) == len(shard) + 32
    assert sealed[:12] == counter.to_bytes(8, "little") + b"\0\0\0V"
    assert sealed[12:16] == frame_index.to_bytes(4, "little")
    assert parse_encrypted(KEY, sealed) == (counter, frame_index, shard)


@pytest.mark.parametrize(
    ("elapsed_ns", "tenths"), [(-5, 0), (0, 0), (49_999, 0), (50_000, 1), (12_340_000, 123), (10**12, 65535)]
)
def test_latency_field(elapsed_ns, tenths):
    assert latency_tenths_ms(elapsed_ns) == tenths
