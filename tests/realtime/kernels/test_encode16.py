import hashlib
import json
from pathlib import Path

import galois
import numpy as np
import pytest
import reed_solomon_leopard as peer
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError, UnsupportedShape
from punktfunk.realtime.code16 import Code16, entry_at
from punktfunk.realtime.kernels import encode16, layout16
from punktfunk.realtime.kernels.butterfly import STRIP_BYTES
from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.kernels.layout import BAD_SIZE, CODE_WORK_BYTES, CODE_ZEROS_BYTES, UNSUPPORTED_SHAPE
from punktfunk.realtime.reference import gf16
from punktfunk.realtime.reference import leopard as slow

pytestmark = pytest.mark.simd

CASES = json.loads((Path(__file__).parents[2] / "golden" / "gf16_vectors.json").read_text())["cases"]
FIELD = galois.GF(2**16, irreducible_poly=gf16.POLYNOMIAL, compile="python-calculate")
CODE = Code16(4096, 600, 8908)
encode = entry_at(address_of_entry(encode16.encode), 8)
read_ends = entry_at(address_of_entry(encode16.read_ends), 6)
write_ends = entry_at(address_of_entry(encode16.write_ends), 6)
list_rows = entry_at(address_of_entry(encode16.list_rows), 5)
power_of_two = entry_at(address_of_entry(encode16.power_of_two), 1)
strip_width = entry_at(address_of_entry(encode16.strip_width), 3)
counts = st.one_of(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 400), st.integers(1, 9)),
    st.tuples(st.integers(1, 9), st.integers(1, 400)),
    st.tuples(st.integers(200, 600), st.integers(40, 140)),
)
sizes = st.one_of(st.integers(1, 200).map(lambda n: 2 * n), st.sampled_from([64, 128, 512, 1344, 1388, 1408]))


def encoded(data: np.ndarray, parity_count: int, code: Code16 = CODE) -> np.ndarray:
    parity = np.full((parity_count, data.shape[1]), 0xEE, np.uint8)
    code.encode(data, parity)
    return parity


def peers_parity(data: np.ndarray, parity_count: int) -> np.ndarray:
    parity = peer.encode([bytes(row) for row in data], parity_count)
    return np.frombuffer(b"".join(parity), np.uint8).reshape(parity_count, -1)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['k']}-{c['m']}-{c['size']}")
def test_golden_vectors(case: dict) -> None:
    shard, byte = np.arange(case["k"])[:, None], np.arange(case["size"])[None, :]
    data = ((shard * 131 + byte * 7 + (shard * byte) % 251 + 13) & 255).astype(np.uint8)
    parity = encoded(data, case["m"])
    assert hashlib.sha256(parity.tobytes()).hexdigest() == case["sha256"]


@settings(max_examples=80)
@given(shape=counts, size=sizes, seed=st.integers(0, 1 << 32))
def test_parity_is_that_of_reed_solomon_leopard(shape: tuple[int, int], size: int, seed: int) -> None:
    data = np.random.default_rng(seed).integers(0, 256, (shape[0], size), dtype=np.uint8)
    assert np.array_equal(encoded(data, shape[1]), peers_parity(data, shape[1]))


@settings(max_examples=40)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    size=st.integers(1, 80).map(lambda n: 2 * n),
    gaps=st.tuples(st.integers(0, 70), st.integers(0, 70)),
    seed=st.integers(0, 1 << 32),
)
def test_parity_is_that_of_the_twin_wherever_rows_lie(
    shape: tuple[int, int], size: int, gaps: tuple[int, int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    data = random.integers(0, 256, (shape[0], size + gaps[0]), dtype=np.uint8)
    parity = random.integers(0, 256, (shape[1], size + gaps[1]), dtype=np.uint8)
    behind, read = parity[:, size:].copy(), data.copy()
    CODE.encode(data[:, :size], parity[:, :size])
    assert np.array_equal(parity[:, :size], slow.encode(data[:, :size], shape[1]))
    assert np.array_equal(parity[:, size:], behind)
    assert np.array_equal(data, read)


@pytest.mark.parametrize("shape", [(3, 2), (20, 4), (4, 20), (50, 10), (9, 33)])
def test_the_generator_is_that_of_another_field_library(shape: tuple[int, int]) -> None:
    number = np.vectorize(gf16.to_polynomial)
    data = np.random.default_rng(3).integers(0, 65536, (shape[0], 32), dtype=np.uint16)
    product = FIELD(number(slow.generator(*shape))) @ FIELD(number(data))
    parity = slow.symbols(encoded(slow.shards(data), shape[1]))
    assert np.array_equal(np.asarray(product), number(parity))


@pytest.mark.parametrize(
    "shape", [(32768, 32768), (65535, 1), (1, 65535), (65534, 2), (2, 65534), (61440, 4096), (4096, 61440)]
)
def test_the_largest_shapes(shape: tuple[int, int]) -> None:
    data = np.random.default_rng(4).integers(0, 256, (shape[0], 64), dtype=np.uint8)
    got = encoded(data, shape[1], Code16(*shape, 64))
    rows = np.arange(0, shape[1], max(1, shape[1] // 5))
    want = [slow.multiply_sum(slow.generator_row(*shape, j), slow.symbols(data)) for j in rows]
    assert np.array_equal(got[rows], slow.shards(np.array(want, np.uint16)))


@pytest.mark.parametrize("shape", [(32769, 32768), (65536, 1), (65533, 3), (40000, 33000), (0, 1), (1, 0)])
def test_shapes_outside_the_code_are_refused(shape: tuple[int, int]) -> None:
    assert not slow.is_supported(*shape)
    assert encode(CODE.context, 0, 0, 0, 0, *shape, 64) == UNSUPPORTED_SHAPE


@pytest.mark.parametrize("size", [0, 1, 63, -2])
def test_odd_and_empty_shards_are_refused(size: int) -> None:
    assert encode(CODE.context, 0, 0, 0, 0, 20, 4, size) == BAD_SIZE


@pytest.mark.parametrize("strip_bytes", [0, 5000, 20000, 1 << 20])
def test_strips_of_any_width_give_the_same(strip_bytes: int) -> None:
    code = Code16(300, 60, 1408)
    code._words[layout16.CODE16_STRIP_BYTES] = strip_bytes
    data = np.random.default_rng(6).integers(0, 256, (300, 1408), dtype=np.uint8)
    assert np.array_equal(encoded(data, 60, code), encoded(data, 60))


@pytest.mark.parametrize(
    ("word", "value", "shape"),
    [
        (CODE_WORK_BYTES, 128 * STRIP_BYTES - 1, (300, 60)),
        (CODE_ZEROS_BYTES, 1000, (300, 60)),
        (layout16.CODE16_SPARE_BYTES, 1000, (300, 60)),
        (layout16.CODE16_LIST_COUNT, 302, (300, 60)),
        (layout16.CODE16_ENDS_BYTES, 360 * STRIP_BYTES - 1, (300, 60)),
        (layout16.CODE16_COEFFICIENTS_BYTES, 600 * 14 - 1, (300, 2)),
        (layout16.CODE16_COEFFICIENTS_BYTES, 120 * 14 - 1, (2, 60)),
    ],
)
def test_a_context_without_room_is_refused(word: int, value: int, shape: tuple[int, int]) -> None:
    code = Code16(300, 60, 1388)
    data = np.zeros((shape[0], 1388), np.uint8)
    parity = np.full((shape[1], 1388), 3, np.uint8)
    arguments = data.ctypes.data, 1388, parity.ctypes.data, 1388, *shape, 1388
    assert encode(code.context, *arguments) == 0
    assert not parity.any()
    parity[:] = 3
    code._words[layout16.CODE16_READY_DATA] = 0
    code._words[word] = value
    assert encode(code.context, *arguments) == BAD_SIZE
    assert (parity == 3).all()


def test_ends_of_shards_become_whole_chunks_and_back() -> None:
    shards = np.random.default_rng(8).integers(1, 256, (3, 64 + 64 + 10), dtype=np.uint8)
    list_, ends = np.zeros(4, np.int64), np.full((3, 128), 5, np.uint8)
    assert list_rows(shards.ctypes.data, shards.strides[0], 3, 77, list_.ctypes.data) == 4
    assert [int(a) - shards.ctypes.data for a in list_[:3]] == [0, 138, 276]
    assert list_[3] == 77
    assert read_ends(list_.ctypes.data, 3, 64, 74, ends.ctypes.data, 128) == 0
    assert np.array_equal(ends[:, :64], shards[:, 64:128])
    assert np.array_equal(ends[:, 64:69], shards[:, 128:133])
    assert np.array_equal(ends[:, 96:101], shards[:, 133:])
    assert not ends[:, 69:96].any()
    assert not ends[:, 101:].any()
    before = shards.copy()
    shards[:, 64:] = 0
    assert write_ends(list_.ctypes.data, 3, 64, 74, ends.ctypes.data, 128) == 0
    assert np.array_equal(shards, before)


def test_powers_and_strip_widths() -> None:
    for count in (1, 2, 3, 4, 5, 63, 64, 65, 32767, 32768, 32769, 65535):
        assert power_of_two(count) == slow.power_of_two(count)
    code = Code16(300, 60, 1408)
    assert strip_width(code.context, 128, 22 * STRIP_BYTES) % STRIP_BYTES == 0
    code._words[CODE_WORK_BYTES] = 127 * STRIP_BYTES
    assert strip_width(code.context, 128, 22 * STRIP_BYTES) == BAD_SIZE


def test_python_callers_are_told_what_is_wrong() -> None:
    code = Code16(8, 4, 128)
    good, parity = np.zeros((8, 128), np.uint8), np.zeros((4, 128), np.uint8)
    for data, out in [
        (good.astype(np.uint16), parity),
        (good[0], parity),
        (good, parity[:, :64]),
        (good.T.copy().T, parity),
        (good, memoryview(parity)),
    ]:
        with pytest.raises(LocalProtocolError):
            code.encode(data, out)
    parity.flags.writeable = False
    with pytest.raises(LocalProtocolError):
        code.encode(good, parity)
    for rows, parity_rows, size in [(9, 4, 128), (8, 5, 128), (8, 4, 130), (8, 4, 127)]:
        with pytest.raises(UnsupportedShape):
            code.encode(np.zeros((rows, size), np.uint8), np.zeros((parity_rows, size), np.uint8))
    for shape in [(0, 1, 64), (1, 0, 64), (65536, 1, 64), (8, 4, 63), (8, 4, 0)]:
        with pytest.raises(UnsupportedShape):
            Code16(*shape)


def test_a_variant_takes_the_place_of_the_encoder() -> None:
    code = Code16(8, 4, 128, encode=CODE.encode_address)
    assert code.encode_address == address_of_entry(encode16.encode)
    data = np.random.default_rng(9).integers(0, 256, (8, 128), dtype=np.uint8)
    assert np.array_equal(encoded(data, 4, code), slow.encode(data, 4))
