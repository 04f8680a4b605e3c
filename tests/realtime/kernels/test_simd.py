"""The loops of the erasure codes compiled for CPUs that this one is not: accepted by LLVM, and made of the wanted instruction."""

import os
import subprocess
import sys

import pytest

# The kernels of a foreign mode cannot be compiled for this CPU, so their decorators do nothing here.
COMPILE = """
import sys
import llvmlite.binding as llvm
from llvmlite import ir
from punktfunk.realtime.kernels import jit
jit.kernel = jit.entry = lambda signature: lambda function: function
from punktfunk.realtime.kernels import butterfly, gf16, rows16, simd
triple, cpu, features = sys.argv[1:]
SMALL, FULL = ("small",) * 3, ("full",) * 3
read = butterfly.Butterfly(SMALL, inverse=True, source="shards")
write = butterfly.Butterfly(FULL, inverse=False, target="shards")
loops = {
    "read": (8, lambda b, a: butterfly.generate_butterfly(b, a, read)),
    "write": (8, lambda b, a: butterfly.generate_butterfly(b, a, write)),
    "product": (9, lambda b, a: gf16._generate(b, a, 4, wide=True, shards=False)),
    "read_row": (6, lambda b, a: rows16._generate_read(b, a, "full")),
    "write_row": (5, lambda b, a: rows16._generate_write(b, a, "full")),
}
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
machine = llvm.Target.from_triple(triple).create_target_machine(cpu, features, opt=3)
print(simd.VECTOR_BYTES)
for name, (count, generate) in loops.items():
    module = ir.Module(name)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [simd.I64] * count), name)
    builder = ir.IRBuilder(function.append_basic_block())
    generate(builder, function.args)
    builder.ret_void()
    module.triple = triple
    print("\f", machine.emit_assembly(llvm.parse_assembly(str(module))))
"""
X86, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"


@pytest.mark.parametrize(
    ("mode", "triple", "cpu", "instruction", "register", "vector_bytes"),
    [
        ("gfni512", X86, "icelake-server", "vgf2p8affineqb", "zmm", 64),
        ("avx512", X86, "skylake-avx512", "vpshufb", "zmm", 64),
        ("avx2", X86, "haswell", "vpshufb", "ymm", 32),
        ("ssse3", X86, "core2", "pshufb", "xmm", 16),
        ("neon", ARM, "cortex-a72", "tbl", ".16b", 16),
        ("generic", X86, "x86-64", "pxor", "xmm", 16),
    ],
)
def test_the_loops_compile_for(
    mode: str, triple: str, cpu: str, instruction: str, register: str, vector_bytes: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, triple, cpu, ""],
        env=os.environ | {"PUNKTFUNK_SIMD": mode},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    width, *loops = done.stdout.split("\f")
    assert int(width) == vector_bytes
    assert len(loops) == 5
    for assembly in loops:
        lines = [line for line in assembly.splitlines() if instruction in line]
        assert any(register in line for line in lines), assembly[:2000]
