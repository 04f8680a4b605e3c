"""Encoding over GF(2^8): product and transform against the sum that defines the code."""

import ctypes
import functools
import os
import subprocess
import sys

import numpy as np
import pytest
import reedsolo
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError, UnsupportedShape
from punktfunk.realtime.code8 import Code8
from punktfunk.realtime.kernels import fft8, layout, layout8, product8, rs8
from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.kernels.simd import TABLE_BYTES, VECTOR_BYTES
from punktfunk.realtime.reference import fft8 as slow_fft8
from punktfunk.realtime.reference import gf8
from punktfunk.realtime.reference import product8 as slow_product8
from punktfunk.realtime.reference import rs8 as slow
from punktfunk.realtime.reference.memory import bytes_at, words_at

pytestmark = pytest.mark.simd

PRODUCTS, INVERSES = gf8.products(), gf8.inverses()


def call(entry, *arguments: int) -> int:
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(arguments))
    return kind(address_of_entry(entry))(*arguments)


def parity_of(data: np.ndarray, parity_count: int) -> np.ndarray:
    """Do the sum that nanors defines, a whole row at a time."""
    parity = np.zeros((parity_count, data.shape[1]), np.uint8)
    for i, row in enumerate(data):
        parity ^= PRODUCTS[INVERSES[(parity_count + i) ^ np.arange(parity_count)][:, None], row[None, :]]
    return parity


shapes = st.one_of(
    st.tuples(st.integers(1, 40), st.integers(1, 12)),
    st.integers(9, 253).flatmap(lambda m: st.tuples(st.integers(1, 255 - m), st.just(m))),
    st.sampled_from(
        [(200, 40), (212, 43), (127, 128), (126, 129), (191, 64), (190, 65), (223, 32), (239, 16)]
    ),
)
sizes = st.integers(1, 300) | st.sampled_from([1008, 1040, 1376, 1391, 1408, 2100])


@settings(max_examples=70)
@given(shapes, sizes, st.integers(0, 9), st.integers(0, 9), st.integers(0, 1 << 32))
def test_parity_is_the_sum_that_defines_it(
    shape: tuple[int, int], shard_bytes: int, before: int, behind: int, seed: int
) -> None:
    data_count, parity_count = shape
    random = np.random.default_rng(seed)
    rows = random.integers(0, 256, (sum(shape), before + shard_bytes + behind), dtype=np.uint8)
    part = rows[:, before : before + shard_bytes]
    want = rows.copy()
    want[data_count:, before : before + shard_bytes] = parity_of(part[:data_count], parity_count)
    Code8(data_count, parity_count, shard_bytes).encode(part[:data_count], part[data_count:])
    assert np.array_equal(rows, want)


@pytest.mark.parametrize("parity_count", range(9, 67))
def test_the_transform_at_every_small_parity_count(parity_count: int) -> None:
    data = np.random.default_rng(parity_count).integers(0, 256, (70, 2 * VECTOR_BYTES + 5), dtype=np.uint8)
    parity = np.zeros((parity_count, data.shape[1]), np.uint8)
    Code8(70, parity_count, data.shape[1]).encode(data, parity)
    assert np.array_equal(parity, parity_of(data, parity_count))


def test_one_code_serves_every_shape_in_turn() -> None:
    code, random = Code8(100, 30, 500), np.random.default_rng(3)
    for data_count, parity_count in ((10, 2), (100, 30), (10, 2), (2, 10), (60, 12), (10, 2)):
        rows = random.integers(0, 256, (data_count + parity_count, 500), dtype=np.uint8)
        code.encode(rows[:data_count], rows[data_count:])
        assert np.array_equal(rows[data_count:], parity_of(rows[:data_count], parity_count))


@pytest.mark.parametrize(("data_count", "parity_count"), [(20, 4), (50, 10), (212, 43)])
def test_parity_is_what_another_field_library_computes(data_count: int, parity_count: int) -> None:
    reedsolo.init_tables(0x11D)
    data = np.random.default_rng(1).integers(0, 256, (data_count, VECTOR_BYTES), dtype=np.uint8)
    parity = np.zeros((parity_count, VECTOR_BYTES), np.uint8)
    Code8(data_count, parity_count, VECTOR_BYTES).encode(data, parity)
    for j in range(0, parity_count, 5):
        constants = [reedsolo.gf_inverse((parity_count + i) ^ j) for i in range(data_count)]
        for column in (0, 7, VECTOR_BYTES - 1):
            total = 0
            for constant, value in zip(constants, data[:, column], strict=True):
                total ^= reedsolo.gf_mul(constant, int(value))
            assert parity[j, column] == total


def test_the_protocol_check_vector() -> None:
    parity = np.zeros((2, 1), np.uint8)
    Code8(4, 2, 1).encode(np.array([[10], [20], [30], [40]], np.uint8), parity)
    assert parity.ravel().tolist() == [136, 0]


def test_the_twins_do_the_same() -> None:
    random, matrix = (
        np.random.default_rng(5),
        np.random.default_rng(6).integers(0, 256, (3, 5), dtype=np.uint8),
    )
    for explicit in (None, matrix):
        code = Code8(5, 3, 90, matrix=explicit)
        data = random.integers(0, 256, (5, 90), dtype=np.uint8)
        ours, theirs = np.zeros((2, 3, 90), np.uint8)
        code.encode(data, ours)
        twin = slow.encode if explicit is None else slow.encode_matrix
        arguments = (data.ctypes.data, 90, theirs.ctypes.data, 90, 5, 3, 90)
        assert twin(code.context, *arguments) == 0
        assert np.array_equal(ours, theirs)


@settings(max_examples=40)
@given(st.integers(0, 20), st.integers(0, 17), st.integers(0, 200), st.integers(0, 1 << 32))
def test_multiply_equals_its_twin(source_count: int, target_count: int, row_bytes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = random.integers(0, 256, (source_count + target_count, row_bytes + 1), dtype=np.uint8)
    constants = random.integers(0, 256, (target_count, source_count + 2), dtype=np.uint8)
    tables, order = gf8.tables(), random.permutation(len(rows))
    addresses = rows.ctypes.data + rows.strides[0] * order
    results = []
    for multiply in (lambda *a: call(product8.multiply, *a), slow_product8.multiply):
        rows[order[source_count:]] = 7
        code = multiply(
            addresses.ctypes.data, source_count, addresses[source_count:].ctypes.data, target_count,
            constants.ctypes.data, source_count + 2, tables.ctypes.data, row_bytes,
        )  # fmt: skip
        results.append((code, rows.copy().tobytes()))
    assert results[0] == results[1]
    assert results[0][0] == 0


@pytest.mark.parametrize(("first", "end"), [(1, 2), (3, 9), (4, 40), (17, 18), (40, 256), (250, 256)])
def test_transform_equals_its_twin_with_rows_missing(first: int, end: int) -> None:
    random, code = np.random.default_rng(end), Code8(200, 50, 300)
    words = words_at(code.context, layout8.CONTEXT_WORD_COUNT)
    rows = random.integers(0, 256, (256 + first, 300), dtype=np.uint8)
    sources = words_at(int(words[layout8.WORD_SOURCES]), layout8.LIST_COUNT)
    sources[:] = 0
    for position in range(first, end):
        if random.integers(4):
            sources[position] = rows[position].ctypes.data
    targets = words_at(int(words[layout8.WORD_TARGETS]), layout8.LIST_COUNT)
    targets[:first] = rows[256:].ctypes.data + 300 * np.arange(first)
    results = []
    for transform in (lambda *a: call(fft8.transform, *a), slow_fft8.transform):
        assert transform(code.context, first, end, 300) == 0
        results.append(rows.tobytes())
    assert results[0] == results[1]


def test_constants_are_what_their_definitions_say() -> None:
    def product_of(factors) -> int:
        return functools.reduce(lambda a, b: int(PRODUCTS[a, b]), factors, 1)

    twiddles, scales = slow_fft8.twiddles(), slow_fft8.scales()
    for layer in range(8):
        size = 1 << layer
        norm, whole = product_of(size ^ zero for zero in range(size)), product_of(range(1, size))
        for r in range(0, 256, size):
            value = product_of(r ^ zero for zero in range(size))
            assert PRODUCTS[twiddles[layer, r], norm] == value
            assert PRODUCTS[scales[layer, r], value] == (whole if r else 0)


def test_transform_refuses_what_it_cannot_do() -> None:
    code = Code8(200, 50, 300)
    words = words_at(code.context, layout8.CONTEXT_WORD_COUNT)
    for first, end in ((0, 4), (4, 4), (4, 257)):
        assert call(fft8.transform, code.context, first, end, 300) == layout.BAD_SIZE
        assert slow_fft8.transform(code.context, first, end, 300) == layout.BAD_SIZE
    assert call(fft8.transform, code.context, 4, 8, VECTOR_BYTES - 1) == layout.BAD_SIZE
    words[layout.CODE_WORK_BYTES] = 2 * 64 * VECTOR_BYTES - 1  # a vector less than two blocks of 64 need
    assert call(fft8.transform, code.context, 40, 240, 300) == layout.BAD_SIZE


def test_a_narrow_work_area_only_costs_time() -> None:
    code, random = Code8(200, 40, 300), np.random.default_rng(8)
    words = words_at(code.context, layout8.CONTEXT_WORD_COUNT)
    data, parity = random.integers(0, 256, (200, 300), dtype=np.uint8), np.zeros((40, 300), np.uint8)
    for size in (2 * 64 * VECTOR_BYTES, 2 * 64 * 3 * VECTOR_BYTES):
        words[layout.CODE_WORK_BYTES] = size
        guard = bytes_at(int(words[layout.CODE_WORK]) + size, 64)
        guard[:] = 0xA5
        code.encode(data, parity)
        assert np.array_equal(parity, parity_of(data, 40))
        assert (guard == 0xA5).all()
        parity.fill(0)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((64, 64, 0, 2, 64), layout.UNSUPPORTED_SHAPE),
        ((64, 64, 4, -1, 64), layout.UNSUPPORTED_SHAPE),
        ((64, 64, 200, 56, 64), layout.UNSUPPORTED_SHAPE),
        ((64, 64, 4, 2, 0), layout.BAD_SIZE),
        ((63, 64, 4, 2, 64), layout.BAD_SIZE),
        ((64, 63, 4, 2, 64), layout.BAD_SIZE),
        ((-64, 64, 4, 2, 64), layout.BAD_SIZE),
        ((0, 0, 1, 1, 64), 0),
        ((64, 0, 4, 0, 64), 0),
        ((64, 64, 200, 55, 64), 0),
    ],
)
def test_shapes_outside_the_code_are_refused(arguments: tuple[int, ...], code: int) -> None:
    assert call(rs8.check_shape, *arguments) == slow.check_shape(*arguments) == code


def test_wrong_arrays_and_counts_raise() -> None:
    data, parity = np.zeros((4, 64), np.uint8), np.zeros((2, 64), np.uint8)
    for counts in ((0, 1, 64), (1, -1, 64), (200, 56, 64), (4, 2, 0)):
        with pytest.raises(UnsupportedShape):
            Code8(*counts)
    with pytest.raises(LocalProtocolError):
        Code8(4, 2, 64, matrix=np.zeros((4, 2), np.uint8))
    code = Code8(4, 2, 64)
    for wrong in (np.zeros((5, 64), np.uint8), np.zeros((4, 65), np.uint8)):
        with pytest.raises(UnsupportedShape):
            code.encode(wrong, np.zeros((2, wrong.shape[1]), np.uint8))
    read_only = parity.copy()
    read_only.flags.writeable = False
    for bad in (parity.astype(np.int8), parity[:, :63], parity[0], parity.T.copy().T, read_only):
        with pytest.raises(LocalProtocolError):
            code.encode(data, bad)
    overlapping = np.lib.stride_tricks.as_strided(data, (4, 64), (32, 1))
    with pytest.raises(LocalProtocolError):
        code.encode(overlapping, parity)
    with pytest.raises(UnsupportedShape):
        Code8(4, 2, 64, matrix=np.ones((2, 4), np.uint8)).encode(data[:3], parity)
    data.flags.writeable = False
    code.encode(data, parity)
    code.encode(data, parity[:0])
    with pytest.raises(LocalProtocolError):
        code.decode(data, parity, np.ones(6, np.uint8))


# Compiled for CPUs that this one may not be: accepted by LLVM, and made of the wanted instruction.
COMPILE = """
import sys
import llvmlite.binding as llvm
from llvmlite import ir
from punktfunk.realtime.kernels import simd, strips8
triple, cpu, features = sys.argv[1:]
module = ir.Module("strips")
def function(name, count, generate):
    made = ir.Function(module, ir.FunctionType(ir.VoidType(), [simd.I64] * count), name)
    builder = ir.IRBuilder(made.append_basic_block())
    generate(builder, made.args)
    builder.ret_void()
function("product", 7, lambda b, a: strips8.generate_product(b, a, 8, strips8.WIDE_COUNT))
four = strips8.generate_butterfly
function("inverse", 13, lambda b, a: four(b, a, 4, strips8.inverse_of_four, adds=True))
function("forward", 12, lambda b, a: four(b, a, 4, strips8.forward_of_four))
module.triple = triple
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
machine = llvm.Target.from_triple(triple).create_target_machine(cpu, features, opt=3)
print(machine.emit_assembly(llvm.parse_assembly(str(module))))
"""
X86, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"


@pytest.mark.parametrize(
    ("mode", "triple", "cpu", "instruction", "register"),
    [
        ("gfni512", X86, "icelake-server", "vgf2p8affineqb", "zmm"),
        ("avx512", X86, "skylake-avx512", "vpshufb", "zmm"),
        ("neon", ARM, "cortex-a72", "tbl", ".16b"),
    ],
)
def test_the_strips_compile_for(mode: str, triple: str, cpu: str, instruction: str, register: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, triple, cpu, ""],
        env=os.environ | {"PUNKTFUNK_SIMD": mode},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    parts = done.stdout.split(".globl")[1:]
    assert len(parts) == 3
    for part in parts:
        lines = [line for line in part.splitlines() if instruction in line]
        assert any(register in line for line in lines), part[:2000]
    assert TABLE_BYTES >= 40
