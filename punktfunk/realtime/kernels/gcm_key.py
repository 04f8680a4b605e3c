"""The round keys of AES-128 and the powers of the hash key, made by the CPU's own instructions.

In this way no part of a key ever becomes a Python number, and no table is read. ``gcm`` says what the powers
are for; FIPS 197 section 5.2 has the key schedule, RFC 8452 appendix A the hash key times x.
"""

from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils

from punktfunk.realtime.kernels.cipher_words import (
    BLOCK_BYTES,
    HASH_FOLDED,
    HASH_POWER_COUNT,
    HASH_POWERS,
    ROUND_KEY_STRIDE,
    ROUND_KEYS,
)
from punktfunk.realtime.kernels.gcm import BLOCK, I8, I32, I64, Emitter, zeros
from punktfunk.realtime.kernels.gcm_rows import entry_for
from punktfunk.realtime.kernels.jit import int64, intrinsic

entry = entry_for("aesni")

_ROUND_CONSTANTS: Final = (0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1B, 0x36)
_TOP: Final = 0xC2 << 56  # POLYVAL's polynomial: this in the upper half, 1 in the lower


def _emit_round_keys(emit: Emitter, key: Any) -> None:
    """Expand a key: every word is the xor of those before it, the first also of a substituted one."""
    builder, words = emit.builder, ir.VectorType(I32, 4)
    name = "llvm.x86.aesni.aeskeygenassist"
    assist = cgutils.get_or_insert_function(builder.module, ir.FunctionType(BLOCK, [BLOCK, I8]), name)
    block = emit.load(key, BLOCK)
    for index, constant in enumerate((*_ROUND_CONSTANTS, 0)):
        for half in range(0, ROUND_KEY_STRIDE, BLOCK_BYTES):
            emit.store(emit.after(emit.cipher, ROUND_KEYS + ROUND_KEY_STRIDE * index + half), block)
        if not constant:
            return
        substituted = builder.bitcast(builder.call(assist, [block, I8(constant)]), words)
        value = builder.bitcast(block, words)
        for _ in range(3):
            # a word and its neighbours below it: after three rounds all four
            value = builder.xor(
                builder.bitcast(block, words), emit.shuffle(value, [4, 0, 1, 2], zeros(words))
            )
        block = builder.bitcast(builder.xor(value, emit.shuffle(substituted, [3] * 4)), BLOCK)


def _emit_powers(emit: Emitter) -> None:
    """Encrypt the zero block, multiply it by x, and store its powers."""
    builder = emit.builder
    (encrypted,) = emit.encrypted([ir.Constant(ir.VectorType(I32, 4), [0] * 4)], [zeros(BLOCK)])
    first = emit.reverse(encrypted)
    carries = builder.lshr(first, ir.Constant(BLOCK, [63] * 2))
    doubled = builder.or_(
        builder.shl(first, ir.Constant(BLOCK, [1] * 2)), emit.shuffle(carries, [2, 0], zeros(BLOCK))
    )
    overflow = builder.sub(zeros(BLOCK), emit.shuffle(carries, [1, 1]))  # all ones where x^128 came out
    first = builder.xor(doubled, builder.and_(overflow, ir.Constant(BLOCK, [1, _TOP])))
    folded_first = builder.xor(first, emit.swap(first))

    def step(index: Any, carried: list[Any]) -> list[Any]:
        (power,) = carried
        place = builder.sub(
            emit.after(emit.cipher, HASH_POWERS + BLOCK_BYTES * (HASH_POWER_COUNT - 1)),
            builder.shl(index, I64(4)),
        )
        emit.store(place, power)
        emit.store(emit.after(place, HASH_FOLDED - HASH_POWERS), builder.xor(power, emit.swap(power)))
        return [emit.reduced(emit.product(power, first, folded_first))]

    emit.repeat(I64(HASH_POWER_COUNT), [first], step)


def _emit_prepare(builder: Any, cipher: Any, key: Any) -> Any:
    """Write round keys and powers of the key at an address; int64 0."""
    emit = Emitter(builder, cipher, 1)
    _emit_round_keys(emit, key)
    _emit_powers(emit)
    return I64(0)


@intrinsic
def _prepare(_typing: Any, _cipher: Any, _key: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _emit_prepare(builder, *arguments)

    return types.int64(types.int64, types.int64), generate


@entry("int64(int64, int64)")
def prepare(cipher: int, key: int) -> int:
    """Write round keys and hash key powers into a cipher; 0.

    cipher   address of CIPHER_BYTES
    key      address of 16 bytes, AES-128
    """
    return int64(_prepare(cipher, key))
