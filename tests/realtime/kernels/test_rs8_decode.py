"""Decoding over GF(2^8): whatever came back, the data is what was sent, or nothing was touched."""

import ctypes
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError, TooFewShards, UnsupportedShape
from punktfunk.realtime.code8 import Code8
from punktfunk.realtime.kernels import layout, rs8_decode
from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.reference import gf8
from punktfunk.realtime.reference import rs8_decode as slow
from punktfunk.wire.gamestream.audio import PARITY_MATRIX, parity_of

pytestmark = pytest.mark.simd

AUDIO = np.array(PARITY_MATRIX, np.uint8)


def call(entry, *arguments: int) -> int:
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(arguments))
    return kind(address_of_entry(entry))(*arguments)


shapes = st.integers(1, 30) | st.integers(1, 254)


@settings(max_examples=70)
@given(st.data(), st.integers(1, 200) | st.just(1408), st.integers(0, 1 << 32))
def test_what_is_lost_within_the_parity_comes_back(drawn, shard_bytes: int, seed: int) -> None:
    data_count = drawn.draw(shapes)
    parity_count = drawn.draw(st.integers(0, min(255 - data_count, 60)))
    random = np.random.default_rng(seed)
    lost = random.choice(data_count + parity_count, random.integers(parity_count + 1), replace=False)
    rows = random.integers(0, 256, (data_count + parity_count, shard_bytes + 3), dtype=np.uint8)
    data, parity = rows[:data_count, 1:-2], rows[data_count:, 1:-2]
    code = Code8(data_count, parity_count, shard_bytes)
    code.encode(data, parity)
    want, present = rows.copy(), np.ones(data_count + parity_count, np.uint8)
    present[lost] = 0
    rows[lost, 1:-2] = 77
    assert code.decode(data, parity, present) == (lost < data_count).sum()
    assert np.array_equal(data, want[:data_count, 1:-2])
    assert (parity[present[data_count:] == 0] == 77).all()
    assert np.array_equal(rows[:, [0, -2, -1]], want[:, [0, -2, -1]])


def test_every_loss_of_a_small_code() -> None:
    code, random = Code8(5, 3, 40), np.random.default_rng(1)
    data, parity = random.integers(0, 256, (5, 40), dtype=np.uint8), np.zeros((3, 40), np.uint8)
    code.encode(data, parity)
    for count in range(9):
        for lost in combinations(range(8), count):
            got, present = data.copy(), np.ones(8, bool)
            present[list(lost)] = False
            got[present[:5] == 0] = 3
            missing_count = sum(index < 5 for index in lost)
            if count <= 3:
                assert code.decode(got, parity, present.view(np.uint8)) == missing_count
                assert np.array_equal(got, data)
            else:
                before = got.copy()
                with pytest.raises(TooFewShards):
                    code.decode(got, parity, present.view(np.uint8))
                assert np.array_equal(got, before)


def test_every_loss_of_the_audio_code() -> None:
    code, random = Code8(4, 2, 240, matrix=AUDIO), np.random.default_rng(2)
    data, parity = random.integers(0, 256, (4, 240), dtype=np.uint8), np.zeros((2, 240), np.uint8)
    code.encode(data, parity)
    assert parity_of([row.tobytes() for row in data]) == tuple(row.tobytes() for row in parity)
    for count in range(7):
        for lost in combinations(range(6), count):
            got, present = data.copy(), np.ones(6, np.uint8)
            present[list(lost)] = 0
            got[present[:4] == 0] = 3
            if count <= 2:
                assert code.decode(got, parity, present) == sum(index < 4 for index in lost)
                assert np.array_equal(got, data)
            else:
                with pytest.raises(TooFewShards):
                    code.decode(got, parity, present)


@settings(max_examples=40)
@given(st.integers(1, 8), st.integers(1, 6), st.integers(0, 1 << 32))
def test_the_twins_agree_on_any_matrix_and_loss(data_count: int, parity_count: int, seed: int) -> None:
    """A matrix of small random numbers is often singular: both must refuse the same losses."""
    random = np.random.default_rng(seed)
    matrix = random.integers(0, 3, (parity_count, data_count), dtype=np.uint8)
    data = random.integers(0, 256, (data_count, 33), dtype=np.uint8)
    parity, present = np.zeros((parity_count, 33), np.uint8), np.ones(data_count + parity_count, np.uint8)
    lost = random.choice(len(present), random.integers(0, min(len(present), 4)), replace=False)
    present[lost] = 0
    for explicit in (None, matrix):
        code = Code8(data_count, parity_count, 33, matrix=explicit)
        code.encode(data, parity)
        entry, twin = (
            (rs8_decode.decode, slow.decode)
            if explicit is None
            else (rs8_decode.decode_matrix, slow.decode_matrix)
        )
        results = []
        for decode in (lambda *a, entry=entry: call(entry, *a), twin):
            got = data.copy()
            got[present[:data_count] == 0] = 9
            result = decode(
                code.context, got.ctypes.data, 33, parity.ctypes.data, 33, present.ctypes.data,
                data_count, parity_count, 33,
            )  # fmt: skip
            results.append((result, got.tobytes()))
        assert results[0] == results[1]
        if results[0][0] >= 0:
            assert results[0][1] == data.tobytes()
        else:
            assert results[0][0] == layout.TOO_FEW_SHARDS


def test_a_matrix_with_equal_rows_uses_the_row_that_helps() -> None:
    matrix = np.array([[1, 1, 0], [1, 1, 0], [0, 1, 1]], np.uint8)
    code = Code8(3, 3, 32, matrix=matrix)
    data, parity = (
        np.random.default_rng(1).integers(0, 256, (3, 32), dtype=np.uint8),
        np.zeros((3, 32), np.uint8),
    )
    code.encode(data, parity)
    got, present = data.copy(), np.array([0, 1, 0, 1, 1, 1], np.uint8)
    got[[0, 2]] = 0
    assert code.decode(got, parity, present) == 2
    assert np.array_equal(got, data)


def test_decoding_and_encoding_in_turn_share_their_scratch() -> None:
    code, random = Code8(10, 3, 50), np.random.default_rng(4)
    data, parity = random.integers(0, 256, (10, 50), dtype=np.uint8), np.zeros((3, 50), np.uint8)
    code.encode(data, parity)
    want = parity.copy()
    present = np.ones(13, np.uint8)
    present[[0, 4]] = 0
    got = data.copy()
    code.decode(got, parity, present)
    code.encode(got, parity)
    assert np.array_equal(parity, want)


def test_the_tables_of_logarithms() -> None:
    powers, logarithms = gf8.powers(), gf8.logarithms()
    for element in range(1, 256):
        assert powers[logarithms[element]] == element
    assert all(
        gf8.multiply(int(a), 2) == int(b) for a, b in zip(powers, [*powers[1:], powers[0]], strict=True)
    )


def test_wrong_presence_and_counts_are_refused() -> None:
    data, parity = np.zeros((4, 32), np.uint8), np.zeros((2, 32), np.uint8)
    code = Code8(4, 2, 32)
    for present in (np.ones(5, np.uint8), np.ones(6, np.uint16), np.ones((1, 6), np.uint8)):
        with pytest.raises(LocalProtocolError):
            code.decode(data, parity, present)
    with pytest.raises(UnsupportedShape):
        Code8(4, 2, 32, matrix=AUDIO).decode(data[:3], parity, np.ones(5, np.uint8))
    for counts in ((0, 2, 32), (254, 2, 32)):
        for decode in (lambda *a: call(rs8_decode.decode, *a), slow.decode):
            assert decode(code.context, 1, 32, 1, 32, 1, *counts) == layout.UNSUPPORTED_SHAPE
