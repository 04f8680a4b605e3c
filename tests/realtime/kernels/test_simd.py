"""The parity strip compiled for CPUs that this one is not: accepted by LLVM, and made of the wanted instruction."""

import os
import subprocess
import sys

import pytest

COMPILE = """
import sys
import llvmlite.binding as llvm
from llvmlite import ir
from punktfunk.realtime.kernels import gf8, simd
triple, cpu, features = sys.argv[1:]
module = ir.Module("strip")
function = ir.Function(module, ir.FunctionType(ir.VoidType(), [simd.I64] * 7), "strip")
builder = ir.IRBuilder(function.append_basic_block())
gf8._generate_strip(builder, function.args, 8, 1)
builder.ret_void()
module.triple = triple
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
machine = llvm.Target.from_triple(triple).create_target_machine(cpu, features, opt=3)
print(simd.VECTOR_BYTES, machine.emit_assembly(llvm.parse_assembly(str(module))))
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
def test_the_strip_compiles_for(
    mode: str, triple: str, cpu: str, instruction: str, register: str, vector_bytes: int
) -> None:
    script = COMPILE.replace("from punktfunk.realtime.kernels import gf8, simd", STUBBED)
    done = subprocess.run(
        [sys.executable, "-c", script, triple, cpu, ""],
        env=os.environ | {"PUNKTFUNK_SIMD": mode},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    width, _, assembly = done.stdout.partition(" ")
    assert int(width) == vector_bytes
    lines = [line for line in assembly.splitlines() if instruction in line]
    assert any(register in line for line in lines), assembly[:2000]


# The kernels of a foreign mode cannot be compiled for this CPU, so their decorator does nothing here.
STUBBED = """
from punktfunk.realtime.kernels import jit
jit.kernel = lambda signature: lambda function: function
from punktfunk.realtime.kernels import gf8, simd
"""
