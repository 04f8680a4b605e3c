"""Vectors of 64 bytes, run on any CPU.

Modes with 512-bit registers keep two chunks of a shard in one vector. Plain LLVM vectors of that width show
that the loops read and write the right bytes, whichever instructions multiply them.
"""

import os
import subprocess
import sys

SCRIPT = """
import ctypes
import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from punktfunk.realtime.kernels import jit, simd
jit.kernel = jit.entry = lambda signature: lambda function: function
simd.VECTOR_BYTES, simd.VECTOR = 64, ir.VectorType(simd.I8, 64)
simd.ZERO = ir.Constant(simd.VECTOR, [0] * 64)
from punktfunk.realtime.kernels import butterfly, gf16
from punktfunk.realtime.reference import gf16 as field
from punktfunk.realtime.reference import leopard
assert butterfly.PAIR_BYTES == butterfly.STRIP_BYTES == 128
llvm.initialize_native_target()
llvm.initialize_native_asmprinter()
machine = llvm.Target.from_default_triple().create_target_machine(opt=1)
kept = []

def compiled(generate, count):
    module = ir.Module("loop")
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [simd.I64] * count), "loop")
    builder = ir.IRBuilder(function.append_basic_block())
    generate(builder, function.args)
    builder.ret_void()
    kept.append(llvm.create_mcjit_compiler(llvm.parse_assembly(str(module)), machine))
    kept[-1].finalize_object()
    address = kept[-1].get_function_address("loop")
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * count)(address)

def transform(**shape):
    made = butterfly.Butterfly(**shape)
    return compiled(lambda b, a: butterfly.generate_butterfly(b, a, made), 8)

tables, random = field.tables().ctypes.data, np.random.default_rng(2)
size = 3 * 128
for kind, position in (("small", 64), ("full", 4096)):
    shards = random.integers(0, 256, (8, size), dtype=np.uint8)
    rows, work = shards.ctypes.data + size * np.arange(8), np.zeros((4, size), np.uint8)
    read = transform(kinds=(kind,) * 3, inverse=True, source="shards")
    write = transform(kinds=(kind,) * 3, inverse=False, target="shards")
    place = work.ctypes.data
    read(size, rows.ctypes.data, 0, place, size, 0, position, tables)
    write(size, place, size, rows[4:].ctypes.data, 0, 0, position, tables)
    assert np.array_equal(shards[4:], shards[:4])
    write(size, place, size, rows[4:].ctypes.data, 0, 0, position + 4 - position % 4 + 4, tables)
    want = leopard.inverse_transform(leopard.symbols(shards[:4]), position)
    want = leopard.transform(want, position + 8)
    assert np.array_equal(shards[4:], leopard.shards(want))

product = compiled(lambda b, a: gf16._generate(b, a, 2, wide=True, shards=True), 9)
matrix, coefficients = random.integers(0, 65536, (2, 4), dtype=np.uint16), np.zeros((2, 4, 3), np.int32)
gf16.bytes_at = gf16.elements_at = gf16.counts_at = lambda array: array
gf16.write_coefficients(field.tables(), matrix.ravel(), 8, coefficients.ravel())
args = size, rows.ctypes.data, 4, 0, coefficients.ctypes.data, 48, rows[4:].ctypes.data, 0, tables
product(*args)
want = [leopard.multiply_sum(row, leopard.symbols(shards[:4])) for row in matrix]
assert np.array_equal(shards[4:6], leopard.shards(np.array(want)))
"""


def test_loops_over_vectors_of_64_bytes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=os.environ | {"PUNKTFUNK_SIMD": "generic"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
