"""Passes and whole transforms of Leopard's code against butterflies written out over plain integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_gf16 import TABLES, to_work

from punktfunk.realtime.code16 import aligned, entry_at
from punktfunk.realtime.kernels import leopard as fast
from punktfunk.realtime.kernels.butterfly import STRIP_BYTES
from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.reference import leopard as slow

pytestmark = pytest.mark.simd

inverse_read = entry_at(address_of_entry(fast.inverse_read), 7)
inverse_pass = entry_at(address_of_entry(fast.inverse_pass), 6)
inverse_last = entry_at(address_of_entry(fast.inverse_last), 7)
inverse_shards = entry_at(address_of_entry(fast.inverse_shards), 9)
forward_halves = entry_at(address_of_entry(fast.forward_halves), 6)
forward_pass = entry_at(address_of_entry(fast.forward_pass), 8)
forward_write = entry_at(address_of_entry(fast.forward_write), 7)
forward_shards = entry_at(address_of_entry(fast.forward_shards), 9)


def position_for(size: int, seed: int, bits: int) -> int:
    return (seed % (1 << bits)) // size * size % (65536 - size)


class Memory:
    """Shards of two strips with something before, and rows of a work area."""

    def __init__(self, size: int, seed: int, strips: int = 2) -> None:
        self.width, self.column = strips * STRIP_BYTES, 64
        self.random = np.random.default_rng(seed)
        self.shards = self.random.integers(0, 256, (size, self.column + self.width), dtype=np.uint8)
        self.zeros = aligned(self.column + self.width)
        self.work, self.other = (aligned(size * self.width).reshape(size, self.width) for _ in range(2))
        for area in (self.work, self.other):
            area[:] = self.random.integers(0, 256, area.shape, dtype=np.uint8)

    def list_of(self, rows: np.ndarray, count: int) -> np.ndarray:
        places = [rows.ctypes.data + i * rows.strides[0] for i in range(count)]
        return np.array(places + [self.zeros.ctypes.data] * (-count % 4), np.int64)

    def elements(self, count: int, size: int) -> np.ndarray:
        """What the shards hold, with rows of zeros behind them."""
        found = np.zeros((size, self.width // 2), np.uint16)
        found[:count] = slow.symbols(self.shards[:count, self.column :])
        return found


shapes = st.tuples(st.integers(2, 8), st.integers(0, 1 << 32), st.integers(8, 16)).map(
    lambda t: (1 << t[0], position_for(1 << t[0], t[1], t[2]), t[1])
)


@settings(max_examples=40)
@given(shape=shapes, part=st.integers(1, 100), add=st.booleans())
def test_inverse_shards_is_the_inverse_transform(
    shape: tuple[int, int, int], part: int, *, add: bool
) -> None:
    size, position, seed = shape
    count = max(1, size * part // 100)
    memory = Memory(size, seed)
    before = memory.other.copy()
    list_ = memory.list_of(memory.shards, count)
    total = memory.other.ctypes.data if add else 0
    args = (count, memory.column, position, size, memory.work.ctypes.data, memory.width, total)
    assert inverse_shards(TABLES, list_.ctypes.data, *args) == 0
    want = to_work(slow.shards(slow.inverse_transform(memory.elements(count, size), position)))
    assert np.array_equal(memory.other ^ before if add else memory.work, want)


@settings(max_examples=40)
@given(shape=shapes, part=st.integers(1, 100), same=st.booleans())
def test_forward_shards_is_the_transform(shape: tuple[int, int, int], part: int, *, same: bool) -> None:
    size, position, seed = shape
    count = max(1, size * part // 100)
    memory = Memory(size, seed)
    source = memory.random.integers(0, 256, memory.work.shape, dtype=np.uint8)
    memory.work[:] = to_work(source)
    spare = np.zeros_like(memory.zeros)
    list_ = memory.list_of(memory.shards, count)
    list_[count:] = spare.ctypes.data
    work = memory.work if same else memory.other
    args = (memory.width, size, position, count, list_.ctypes.data, memory.column)
    untouched = memory.work.copy()
    assert forward_shards(TABLES, memory.work.ctypes.data, work.ctypes.data, *args) == 0
    want = slow.shards(slow.transform(slow.symbols(source), position)[:count])
    assert np.array_equal(memory.shards[:count, memory.column :], want)
    assert same or np.array_equal(memory.work, untouched)


@pytest.mark.parametrize("position", [0, 32, 256, 480, 512, 4096])
def test_passes_add_up_to_a_transform_and_back(position: int) -> None:
    size, memory = 32, Memory(32, position)
    list_ = memory.list_of(memory.shards, size)
    work, width = memory.work.ctypes.data, memory.width
    assert inverse_read(TABLES, list_.ctypes.data, size, memory.column, position, work, width) == 0
    assert inverse_pass(TABLES, work, width, size, position, 2) == 0
    assert inverse_last(TABLES, work, width, position, 4, 0, 0) == 0
    want = slow.inverse_transform(memory.elements(size, size), position)
    assert np.array_equal(memory.work, to_work(slow.shards(want)))
    assert forward_halves(TABLES, work, work, width, position, 4) == 0
    assert forward_pass(TABLES, work, work, width, size, position, 2, 0) == 0
    before = memory.shards.copy()
    memory.shards[:, memory.column :] = 0
    assert forward_write(TABLES, work, width, size, position, list_.ctypes.data, memory.column) == 0
    assert np.array_equal(memory.shards, before)


@pytest.mark.parametrize("layer", [0, 2])
def test_groups_without_a_wanted_row_are_left_alone(layer: int) -> None:
    size, memory = 32, Memory(32, 5)
    before, wanted = memory.work.copy(), np.zeros(size, bool)
    wanted[[17, 18]] = True
    prefix = np.concatenate([[0], np.cumsum(wanted)]).astype(np.int64)
    work = memory.work.ctypes.data
    assert forward_pass(TABLES, work, work, memory.width, size, 64, layer, prefix.ctypes.data) == 0
    changed = (memory.work != before).any(axis=1)
    group = 4 << layer
    first = 17 // group * group
    assert changed[first : first + group].any()
    assert not changed[:first].any()
    assert not changed[first + group :].any()


def test_fours_are_summed_at_once() -> None:
    """The transform of four rows xors any number of groups into one."""
    memory = Memory(12, 7)
    list_ = memory.list_of(memory.shards, 10)
    total = memory.other[:4]
    total[:] = 0
    args = (10, memory.column, 248, 4, memory.work.ctypes.data, memory.width, total.ctypes.data)
    assert inverse_shards(TABLES, list_.ctypes.data, *args) == 0
    elements = memory.elements(10, 12)
    want = np.bitwise_xor.reduce([slow.inverse_transform(elements[i : i + 4], 248 + i) for i in (0, 4, 8)])
    assert np.array_equal(total, to_work(slow.shards(want)))
