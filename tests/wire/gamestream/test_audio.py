"""Audio packets: golden bytes, round trips, parity that repairs, garbage that is refused."""

import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.gamestream.audio import (
    MAX_DATAGRAM_BYTES,
    MAX_OPUS_BYTES,
    PARITY_MATRIX,
    AudioData,
    AudioPacketizer,
    AudioParity,
    build_data_packet,
    build_parity_packets,
    decrypt_payload,
    encrypt_payload,
    opus_layout,
    parity_of,
    parse_audio,
    surround_params,
)

KEY = bytes(range(16))


def multiply(left: int, right: int) -> int:
    """Shift-and-add over 0x11D, written once more so that the product cannot agree with itself."""
    product = 0
    for bit in range(8):
        if right >> bit & 1:
            product ^= left << bit
    for bit in range(14, 7, -1):
        if product >> bit & 1:
            product ^= 0x11D << (bit - 8)
    return product


INVERSE = {value: other for value in range(1, 256) for other in range(1, 256) if multiply(value, other) == 1}


def solve(rows: list[list[int]], values: list[bytes]) -> list[bytes]:
    """Gaussian elimination: what a client does to recover four payloads from any four shards."""
    size = len(rows)
    rows = [list(row) for row in rows]
    columns = [bytearray(value) for value in values]
    for pivot in range(size):
        other = next(row for row in range(pivot, size) if rows[row][pivot])
        rows[pivot], rows[other] = rows[other], rows[pivot]
        columns[pivot], columns[other] = columns[other], columns[pivot]
        factor = INVERSE[rows[pivot][pivot]]
        rows[pivot] = [multiply(value, factor) for value in rows[pivot]]
        columns[pivot] = bytearray(multiply(value, factor) for value in columns[pivot])
        for row in range(size):
            if row != pivot and (factor := rows[row][pivot]):
                rows[row] = [a ^ multiply(b, factor) for a, b in zip(rows[row], rows[pivot], strict=True)]
                columns[row] = bytearray(
                    a ^ multiply(b, factor) for a, b in zip(columns[row], columns[pivot], strict=True)
                )
    return [bytes(column) for column in columns]


@pytest.mark.parametrize(
    ("channel_count", "high_quality", "announced", "bitrate_bps"),
    [
        (2, False, "21101", 96_000),
        (2, True, "21101", 512_000),
        (6, False, "642012453", 256_000),
        (6, True, "660012345", 1_536_000),
        (8, False, "85301245673", 450_000),
        (8, True, "88001234567", 2_048_000),
    ],
)
def test_layouts_are_announced_as_clients_expect(channel_count, high_quality, announced, bitrate_bps):
    layout = opus_layout(channel_count, high_quality)
    assert surround_params(layout) == announced
    assert layout.bitrate_bps == bitrate_bps
    assert layout.mapping == tuple(range(channel_count))
    assert layout.stream_count + layout.coupled_count == channel_count


@pytest.mark.parametrize("channel_count", [6, 8])
def test_client_ends_at_the_identity_mapping(channel_count):
    digits = [int(digit) for digit in surround_params(opus_layout(channel_count, high_quality=False))[3:]]
    moved = [*digits[:3], digits[-1], *digits[3:-1]]  # RtspConnection.c, parseOpusConfigurations
    assert moved == list(range(channel_count))


def test_layout_of_an_odd_count_is_refused():
    with pytest.raises(LocalProtocolError, match="4 channels"):
        opus_layout(4, high_quality=False)


@pytest.mark.parametrize(
    ("channel_count", "high_quality", "duration_ms", "packet_bytes"),
    [
        (2, False, 5, 60),
        (2, True, 5, 320),
        (8, True, 5, 1280),
        (8, True, 10, MAX_OPUS_BYTES),
        (6, False, 10, 320),
    ],
)
def test_packet_sizes_fit_the_client(channel_count, high_quality, duration_ms, packet_bytes):
    assert opus_layout(channel_count, high_quality).packet_bytes(duration_ms) == packet_bytes
    packetizer = AudioPacketizer(duration_ms, KEY, 1)
    sizes = [len(packet) for _ in range(4) for packet in packetizer.datagrams(bytes(packet_bytes))]
    assert max(sizes) <= MAX_DATAGRAM_BYTES


def test_golden_packets():
    assert build_data_packet(0x10203, 5, b"\xaa\xbb").hex() == "80610203000000050000000" + "0aabb"
    first, second = build_parity_packets(8, 40, [b"\x01", b"\0", b"\0", b"\0"])
    assert first.hex() == "807f000c000000000000000000610008000000280000000077"
    assert second.hex() == "807f000d0000000000000000016100080000002800000000c7"
    unit = [b"\0"] * 4
    for index, column in enumerate(zip(*PARITY_MATRIX, strict=True)):
        assert parity_of([*unit[:index], b"\x01", *unit[index + 1 :]]) == tuple(bytes((c,)) for c in column)


@given(st.lists(st.binary(min_size=20, max_size=20), min_size=4, max_size=4))
@settings(max_examples=25)
def test_any_four_of_six_restore_the_block(payloads):
    shards = [*payloads, *parity_of(payloads)]
    identity = [[int(row == column) for column in range(4)] for row in range(4)]
    matrix = [*identity, *map(list, PARITY_MATRIX)]
    for kept in itertools.combinations(range(6), 4):
        assert solve([matrix[k] for k in kept], [shards[k] for k in kept]) == payloads


@pytest.mark.parametrize("payloads", [[], [b"a"] * 3, [b"a", b"a", b"a", b"bb"], [b"a"] * 5])
def test_parity_refuses_uneven_blocks(payloads):
    with pytest.raises(LocalProtocolError):
        parity_of(payloads)


def test_parity_block_starts_at_a_multiple_of_four():
    with pytest.raises(LocalProtocolError):
        build_parity_packets(3, 0, [b"a"] * 4)


@given(st.integers(0, 2**32 - 1), st.integers(0, 65535), st.binary(max_size=100))
def test_encryption_round_trip(iv_id, sequence, opus):
    payload = encrypt_payload(KEY, iv_id, sequence, opus)
    assert len(payload) == len(opus) // 16 * 16 + 16
    assert decrypt_payload(KEY, iv_id, sequence, payload) == opus


def test_encryption_golden():
    # IV BE32(0xFFFFFFFF + 2) = 00000001: the sum wraps at 32 bits.
    assert encrypt_payload(KEY, 0xFFFFFFFF, 2, b"opus") == encrypt_payload(KEY, 0, 1, b"opus")
    assert encrypt_payload(KEY, 0, 65536 + 1, b"opus") == encrypt_payload(KEY, 0, 1, b"opus")


@given(st.binary(max_size=64))
def test_decrypting_garbage_only_raises_remote_protocol_error(payload):
    with contextlib.suppress(RemoteProtocolError):
        decrypt_payload(KEY, 1, 2, payload)


@given(st.binary(max_size=40) | st.binary(max_size=30).map(lambda tail: b"\x80\x7f" + tail))
def test_parsing_garbage_only_raises_remote_protocol_error(datagram):
    with contextlib.suppress(RemoteProtocolError):
        parse_audio(datagram)


@pytest.mark.parametrize("packet", [build_data_packet(1, 2, b""), *build_parity_packets(0, 0, [b""] * 4)])
def test_truncation_at_every_byte(packet):
    parse_audio(packet)
    for length in range(len(packet)):
        with pytest.raises(RemoteProtocolError):
            parse_audio(packet[:length])


@given(
    st.integers(0, 65535),
    st.integers(0, 2**32 - 1),
    st.lists(st.binary(min_size=7, max_size=7), min_size=4, max_size=4),
)
def test_round_trip(sequence, timestamp_ms, payloads):
    packet = build_data_packet(sequence, timestamp_ms, payloads[0])
    assert parse_audio(packet) == AudioData(sequence, timestamp_ms, payloads[0])
    base = sequence & ~3
    for index, packet in enumerate(build_parity_packets(base, timestamp_ms, payloads)):
        assert parse_audio(packet) == AudioParity(index, base, timestamp_ms, parity_of(payloads)[index])


@pytest.mark.parametrize("key", [None, KEY])
def test_packetizer_speaks_whole_blocks(key):
    packetizer = AudioPacketizer(5, key, 77)
    sent = [packetizer.datagrams(bytes((n,)) * 10) for n in range(9)]
    assert [len(packets) for packets in sent] == [1, 1, 1, 3, 1, 1, 1, 3, 1]
    data = [parse_audio(packets[0]) for packets in sent]
    assert [(packet.sequence, packet.timestamp_ms) for packet in data] == [(n, 5 * n) for n in range(9)]
    if key:
        data = [p._replace(payload=decrypt_payload(key, 77, p.sequence, p.payload)) for p in data]
    assert [packet.payload for packet in data] == [bytes((n,)) * 10 for n in range(9)]
    payloads = [packets[0][12:] for packets in sent[4:8]]
    for index, packet in enumerate(sent[7][1:]):
        assert parse_audio(packet) == AudioParity(index, 4, 20, parity_of(payloads)[index])


def test_packetizer_wraps_at_65536():
    packetizer = AudioPacketizer(10, None, 0)
    packetizer._sequence, packetizer._timestamp_ms = 65532, 2**32 - 20
    sent = [packetizer.datagrams(b"x") for _ in range(5)]
    parity = parse_audio(sent[3][1])
    assert (parity.base_sequence, parity.base_timestamp_ms) == (65532, 2**32 - 20)
    assert int.from_bytes(sent[3][1][2:4], "big") == 0
    assert parse_audio(sent[4][0])[:2] == (0, 20)


def test_packetizer_refuses_changing_sizes():
    packetizer = AudioPacketizer(5, None, 0)
    packetizer.datagrams(b"abc")
    with pytest.raises(LocalProtocolError, match="constant"):
        packetizer.datagrams(b"abcd")
