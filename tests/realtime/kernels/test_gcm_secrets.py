"""What the sealing kernels became: read from LLVM's code and from the machine's."""

import importlib
import re

import numba
import pytest

from punktfunk.realtime.kernels import jit
from punktfunk.realtime.kernels.seal_choice import SEAL_MODULES, runnable_seals

OPERATIONS = ("aesni.aesenc", "aesni.aesenclast", "pclmulqdq")


def compiled(module: str, function: str) -> tuple[str, list[list[str]]]:
    """LLVM's last words on an entry, and its instructions: opcode, then operands, the target last."""
    entry = jit._entries[f"punktfunk_realtime_kernels_{module}_{function}"]
    arguments = ", ".join(["int64"] * len(entry._sig.args))
    fresh = numba.cfunc(f"int64({arguments})", nopython=True, error_model="numpy")(entry._pyfunc)
    lines = fresh._library.get_asm_str().splitlines()
    bare = (line.split("#")[0].strip() for line in lines if line.startswith("\t"))
    return fresh.inspect_llvm(), [
        line.replace("\t", " ").split(None, 1) for line in bare if line and not line.startswith(".")
    ]


def leaves_vectors(opcode: str, operands: str) -> bool:
    """Whether an instruction makes a scalar or a flag from a vector register."""
    *sources, target = re.split(r",\s*(?![^(]*\))", operands)
    if opcode.removeprefix("v").startswith(("ptest", "test", "comis", "ucomis", "pcmpistr", "pcmpestr")):
        return "mm" in operands
    return any("mm" in source for source in sources) and target.startswith("%") and "mm" not in target


@pytest.mark.parametrize("name", runnable_seals()[:-1])
@pytest.mark.parametrize(("function", "verdicts", "words_read"), [("seal", 0, 2), ("open_rows", 1, 3)])
def test_no_branch_and_no_address_comes_from_a_secret(
    name: str, function: str, verdicts: int, words_read: int
) -> None:
    """Secrets are loaded into vector registers and never leave them, but for the verdict on a tag.

    The scalars that jumps and addresses are made of are the arguments, and the only words that are read: the
    algorithm, a text's size, and the code that the wrapper of an entry passes on.
    """
    importlib.import_module(f"punktfunk.realtime.kernels.{SEAL_MODULES[name]}")
    code, instructions = compiled(SEAL_MODULES[name], function)
    assert len(re.findall(r"= load (?!<)", code)) <= words_read
    assert "extractelement" not in code
    assert len(re.findall(r"bitcast <[^>]*> [^ ]+ to (?!<)", code)) <= verdicts
    assert set(re.findall(r"call [^@]*@([\w.]+)", code)) <= {
        *re.findall(r"^define [^@]*@([\w.]+)\(", code, re.MULTILINE),
        *(f"llvm.x86.{each}{width}" for each in OPERATIONS for width in ("", ".256")),
        "llvm.memcpy.p0.p0.i64",
        "llvm.memcpy.p0i8.p0i8.i64",
        "punktfunk_realtime_kernels_evp_row_fits",
    }
    opcodes = [opcode for opcode, *_ in instructions]
    assert sum("aesenc" in opcode for opcode in opcodes) > 80
    assert sum("pclmul" in opcode for opcode in opcodes) > 20
    assert not any("gather" in opcode or "scatter" in opcode for opcode in opcodes)
    left = [" ".join(each) for each in instructions if len(each) > 1 and leaves_vectors(*each)]
    assert len(left) <= verdicts, left


def test_the_assembly_reader_sees_what_it_looks_for() -> None:
    for line in (
        "vmovq %xmm0, %rax",
        "vpextrb $1, %xmm2, %ecx",
        "vptest %ymm0, %ymm0",
        "vpmovmskb %ymm1, %eax",
    ):
        assert leaves_vectors(*line.split(None, 1))
    for line in (
        "vmovq %rax, %xmm0",
        "vmovdqu %ymm0, (%rdi,%rax)",
        "vpxor %xmm0, %xmm1, %xmm2",
        "movq %rax, %rdi",
    ):
        assert not leaves_vectors(*line.split(None, 1))
