"""Media packets of punktfunk/1: golden bytes, round trips, garbage; blocks and the order of sending."""

import contextlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.native.blocks import (
    Block,
    FrameInfo,
    Geometry,
    build_packets,
    check_percent,
    emission_order,
    wanted_parity,
)
from punktfunk.wire.native.packet import (
    OFFSET_PAYLOAD,
    TAG_BYTES,
    FecScheme,
    Header,
    build_header,
    build_nonce,
    build_packet,
    build_sequence,
    parse_packet,
    parse_sequence,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "punktfunk_1.json"
VECTORS = {v["name"]: bytes.fromhex(v["hex"]) for v in json.loads(GOLDEN.read_text("utf-8"))["vectors"]}
PLAIN = Header(10**9, 0, 0, 10, 5, 0, 1, 1, 0, 0, 16, FecScheme.GF16, 7)
SALT = bytes.fromhex("03010401")
AES_KEY, CHACHA_KEY = b"\7" * 16, bytes(range(1, 33))


def test_golden_packet():
    packet = build_packet(PLAIN, bytes(range(10)).ljust(16, b"\0"))
    assert packet == VECTORS["plain packet (encrypt 0)"]
    assert parse_packet(packet) == (PLAIN, packet[40:])


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("probe packet header", (0, 0, 9, 1200, 8, 0, 1, 1, 0, 0, 1408, 1, 7)),
        ("streamed sentinel header, slice mode", (5, 7, 40, 22528, 0x85, 1, 0, 20, 2, 0, 1408, 1, 1)),
        ("streamed final header, slice mode", (5, 7, 64, 51000, 0x85, 2, 3, 1, 2, 2, 1408, 1, 3)),
        ("streamed sentinel header, full-block mode", (6, 8, 65, 0, 5, 0, 0, 4096, 410, 0, 1408, 1, 5)),
    ],
)
def test_golden_headers(name, fields):
    header = Header(*fields)
    assert build_header(header) == VECTORS[name]
    assert parse_packet(VECTORS[name] + bytes(1408))[0] == header


@pytest.mark.parametrize(
    ("name", "cipher", "sequence"),
    [
        ("sealed packet AES, host to client", AESGCM(AES_KEY), 0),
        ("sealed packet AES, sequence 258", AESGCM(AES_KEY), 258),
        ("sealed packet ChaCha20", ChaCha20Poly1305(CHACHA_KEY), 0),
    ],
)
def test_golden_seals(name, cipher, sequence):
    sealed = VECTORS[name]
    assert len(sealed) == OFFSET_PAYLOAD + 16 + TAG_BYTES
    assert parse_sequence(sealed) == sequence
    opened = cipher.decrypt(build_nonce(SALT, sequence), sealed[8:], sealed[:8])
    assert opened == VECTORS["plain packet (encrypt 0)"]


def test_the_client_has_nonces_of_its_own():
    sealed = VECTORS["sealed AES, client to host direction"]
    assert AESGCM(AES_KEY).decrypt(build_nonce(SALT, 0, from_client=True), sealed[8:], sealed[:8])
    assert build_nonce(b"\xff" * 4, 1)[0] == 0x7F
    with pytest.raises(LocalProtocolError):
        build_nonce(bytes(3), 0)


def numbers(bits):
    return st.integers(0, (1 << bits) - 1)


headers = st.builds(
    Header,
    *(numbers(bits) for bits in (64, 32, 32, 32, 32, 16, 16, 16, 15, 16)),
    st.integers(0, 40),
    numbers(1),
    numbers(8),
)


@given(headers, st.binary(max_size=3))
def test_parsing_gives_back_what_was_built(header, more):
    payload = bytes(range(header.shard_bytes))
    packet = build_packet(header, payload) + more
    if (
        not header.data_count
        or header.shard_index >= header.data_count + header.parity_count
        or 0 < header.block_count <= header.block_index
    ):
        with pytest.raises(RemoteProtocolError):
            parse_packet(packet)
    else:
        assert parse_packet(packet) == (header, payload)
        assert header.is_parity == (header.shard_index >= header.data_count)
        for short in range(0, 40 + header.shard_bytes, 7):
            with pytest.raises(RemoteProtocolError):
                parse_packet(packet[:short])


@given(st.binary(max_size=100), st.binary(max_size=16))
def test_garbage_is_refused_by_name_only(data, patch):
    for packet in (data, VECTORS["plain packet (encrypt 0)"][: 40 - len(patch)] + patch + data):
        for parse in (parse_packet, parse_sequence):
            with contextlib.suppress(RemoteProtocolError):
                parse(packet)


def test_what_cannot_be_said():
    assert build_header(PLAIN._replace(frame_index=1 << 32)) == build_header(PLAIN)
    assert parse_sequence(build_sequence(1 << 63) + bytes(16)) == 1 << 63
    for fields in ({"block_index": 1 << 16}, {"shard_index": -1}, {"pts_ns": 1 << 64}):
        with pytest.raises(LocalProtocolError):
            build_header(PLAIN._replace(**fields))
    with pytest.raises(LocalProtocolError):
        build_packet(PLAIN, bytes(15))


@pytest.mark.parametrize(
    ("data_count", "percent", "parity_count"),
    [(1, 10, 2), (15, 10, 2), (20, 10, 2), (21, 10, 3), (518, 10, 52), (4096, 10, 410), (7, 0, 0)],
)
def test_parity_counts_of_the_specification(data_count, percent, parity_count):
    assert wanted_parity(data_count, percent) == parity_count
    assert Geometry(1408, 4096, FecScheme.GF16, 10).parity_count(data_count, percent) == parity_count


def test_order_of_the_specification():
    order = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (0, 4), (0, 5), (1, 3), (1, 4)]
    assert list(emission_order([Block(4, 2), Block(3, 2)])) == order
    assert Geometry(512, 4, FecScheme.GF16, 50).blocks(7 * 512 - 1, 50) == [Block(4, 2), Block(3, 2)]


@given(
    st.integers(0, 3_000_000),
    st.sampled_from([512, 1388, 1408, 9152]),
    st.integers(1, 255),
    st.sampled_from(list(FecScheme)),
    st.integers(0, 90),
    st.integers(0, 90),
)
@settings(max_examples=60)
def test_receivers_take_what_is_cut(frame_bytes, shard_bytes, data_max, scheme, welcome, percent):
    geometry = Geometry(shard_bytes, data_max, scheme, welcome)
    blocks = geometry.blocks(frame_bytes, percent)
    count = max(1, -(-frame_bytes // shard_bytes))
    assert len(blocks) == -(-count // data_max)
    assert {block.data_count for block in blocks[:-1]} <= {data_max}
    assert sum(block.data_count for block in blocks) == count
    most = min(data_max + -(-9 * data_max // 10), 65535 if scheme is FecScheme.GF16 else 255)
    for block in blocks:
        # The floor of two goes past 90 % for one and two shards a block: no session has such a K max.
        assert sum(block) <= (most if data_max > 2 else data_max + 2)
        assert (block.parity_count > 0) <= (percent > 0)


@given(st.binary(max_size=6000), st.sampled_from([1, 3, 4, 200]), st.sampled_from([0, 10, 50]))
@settings(max_examples=30)
def test_packets_carry_the_frame(access_unit, data_max, percent):
    geometry = Geometry(512, data_max, FecScheme.GF8, 50)
    info = FrameInfo(9, 3, 70, 5)
    made = build_packets(access_unit, geometry, percent, info, lambda data, count: [data[0]] * count)
    parsed = [parse_packet(packet) for packet in made]
    data = [payload for header, payload in parsed if not header.is_parity]
    assert b"".join(data)[: len(access_unit)] == access_unit
    assert [header.stream_sequence for header, _ in parsed] == list(range(70, 70 + len(made)))
    assert [header.flags & 6 for header, _ in parsed] == [
        4 * (i == 0) | 2 * (i == len(made) - 1) for i in range(len(made))
    ]
    parity = [header.is_parity for header, _ in parsed]
    assert parity == sorted(parity)


@pytest.mark.parametrize(
    "fields",
    [(1407, 9, 1, 0), (510, 9, 1, 0), (9154, 9, 1, 0), (512, 0, 1, 0), (512, 256, 0, 0), (512, 9, 1, 91)],
)
def test_sessions_that_cannot_be(fields):
    shard_bytes, data_max, scheme, percent = fields
    with pytest.raises(LocalProtocolError):
        Geometry(shard_bytes, data_max, FecScheme(scheme), percent)


def test_frames_that_cannot_be_cut():
    geometry = Geometry(512, 1, FecScheme.GF16, 20)
    assert len(geometry.blocks(512 * 65535, 20)) == 65535
    with pytest.raises(LocalProtocolError):
        geometry.blocks(512 * 65535 + 1, 20)
    with pytest.raises(LocalProtocolError):
        check_percent(-1)
