"""LLVM code for AES-128-GCM with the CPU's AES and carry-less multiplication, one or two blocks a register.

The mathematics is NIST SP 800-38D: counter mode from the counter 2 on, then GHASH over additional data,
ciphertext and both lengths, xored with the encrypted block of counter 1. GHASH is computed as POLYVAL (RFC
8452, appendix A): blocks reversed, the hash key times x, so that a product needs no shift. Eight registers of
text are a group: their products are added up and reduced once, block i by the power of the hash key that
Horner's rule would have given it (Jankowski and Laurent, Packed AES-GCM Algorithm Suitable for AES/PCLMULQDQ
Instructions). A product of two blocks is three carry-less ones (Karatsuba).

**Free of secret-dependent branches and tables.** Key, texts and hashes live in vector registers only, from
the load to the store. No instruction here turns a vector into a scalar, except the one that answers whether
a tag is right; so every branch and every address comes from scalar arguments: addresses, counts, lengths. The
AES and multiplication instructions take the same time for all values. ``test_gcm_secrets`` reads the
machine code for it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils

from punktfunk.realtime.kernels.cipher_words import (
    BLOCK_BYTES,
    HASH_FOLDED,
    HASH_POWER_COUNT,
    HASH_POWERS,
    ROUND_KEY_COUNT,
    ROUND_KEY_STRIDE,
    ROUND_KEYS,
)

GROUP_REGISTERS: Final = 8
I8, I32, I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
BLOCK = ir.VectorType(I64, 2)
_SUFFIXES: Final = {2: "", 4: ".256"}  # of LLVM's names, by the 64-bit lanes of a register
_POLYNOMIAL: Final = 0xC2 << 56  # x^127 + x^126 + x^121, the upper half of POLYVAL's
_FIRST_TEXT_COUNTER: Final = 2

Body = Callable[[Any, list[Any]], list[Any]]


def zeros(kind: Any) -> Any:
    """Return the vector of that type that is all zero."""
    return ir.Constant(kind, [0] * kind.count)


class Emitter:
    """Appends instructions for one cipher, ``lanes`` blocks a register.

    Addresses and counts are int64 values.
    """

    def __init__(self, builder: Any, cipher: Any, lanes: int) -> None:
        self.builder = builder
        self.cipher = cipher
        self.lanes = lanes
        self.register = ir.VectorType(I64, 2 * lanes)
        self.register_bytes = BLOCK_BYTES * lanes

    def load(self, address: Any, kind: Any) -> Any:
        """Load a vector from any address."""
        return self.builder.load(self.builder.inttoptr(address, kind.as_pointer()), align=1)

    def store(self, address: Any, vector: Any) -> None:
        """Store a vector at any address."""
        self.builder.store(vector, self.builder.inttoptr(address, vector.type.as_pointer()), align=1)

    def copy(self, target: Any, source: Any, count: Any) -> None:
        """Copy bytes between two addresses that do not overlap."""
        to, origin = (self.builder.inttoptr(address, I8.as_pointer()) for address in (target, source))
        cgutils.raw_memcpy(self.builder, to, origin, count, 1)

    def after(self, address: Any, count: int) -> Any:
        """Address plus a constant."""
        return self.builder.add(address, I64(count))

    def repeat(self, count: Any, carried: Sequence[Any], body: Body) -> list[Any]:
        """Loop ``count`` times, perhaps never; ``body(index, carried)`` returns what the next round gets."""
        builder = self.builder
        before = builder.block
        head, inside, behind = (builder.append_basic_block() for _ in range(3))
        builder.branch(head)
        builder.position_at_end(head)
        index = builder.phi(I64)
        values = [builder.phi(value.type) for value in carried]
        builder.cbranch(builder.icmp_signed("<", index, count), inside, behind)
        builder.position_at_end(inside)
        following = body(index, list(values))
        following_index = self.after(index, 1)
        for phi, first, then in zip(
            (index, *values), (I64(0), *carried), (following_index, *following), strict=True
        ):
            phi.add_incoming(first, before)
            phi.add_incoming(then, builder.block)
        builder.branch(head)
        builder.position_at_end(behind)
        return values

    def call(self, name: str, *arguments: Any) -> Any:
        """Call an LLVM intrinsic that takes vectors of one width and returns one."""
        kind = arguments[0].type
        function = ir.FunctionType(kind, [argument.type for argument in arguments])
        full_name = f"llvm.x86.{name}{_SUFFIXES[kind.count]}"
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, function, full_name), arguments
        )

    def shuffle(self, vector: Any, lanes: Sequence[int], other: Any = None) -> Any:
        """Choose lanes of one vector, or of two."""
        second = ir.Constant(vector.type, ir.Undefined) if other is None else other
        mask = ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes))
        return self.builder.shuffle_vector(vector, second, mask)

    def _shuffle_bytes(self, vector: Any, order: Sequence[int]) -> Any:
        """Put the bytes of every block in this order."""
        blocks = vector.type.count // 2
        kind = ir.VectorType(I8, BLOCK_BYTES * blocks)
        lanes = [BLOCK_BYTES * block + byte for block in range(blocks) for byte in order]
        shuffled = self.shuffle(self.builder.bitcast(vector, kind), lanes)
        return self.builder.bitcast(shuffled, vector.type)

    def reverse(self, vector: Any) -> Any:
        """Reverse the bytes of every block, which GHASH reads as big-endian polynomials."""
        return self._shuffle_bytes(vector, range(15, -1, -1))

    def swap(self, vector: Any) -> Any:
        """Exchange the halves of every block."""
        return self.shuffle(vector, [lane ^ 1 for lane in range(vector.type.count)])

    def widen(self, block: Any) -> Any:
        """Put a block in front of zeros, in a register."""
        if self.lanes == 1:
            return block
        return self.shuffle(block, [0, 1] + [2] * (2 * self.lanes - 2), zeros(BLOCK))

    def _folded(self, register: Any) -> Any:
        """Xor of a register's blocks."""
        if self.lanes == 1:
            return register
        return self.builder.xor(self.shuffle(register, [0, 1]), self.shuffle(register, [2, 3]))

    def counters(self, nonce: Any, first: int, lanes: int) -> Any:
        """Make counter blocks from a row of 16 bytes, the counters themselves still little-endian."""
        words = self.builder.bitcast(self.load(nonce, BLOCK), ir.VectorType(I32, 4))
        wide = self.shuffle(words, [0, 1, 2, 3] * lanes)
        for lane in range(lanes):
            wide = self.builder.insert_element(wide, I32(first + lane), I32(4 * lane + 3))
        return wide

    def later(self, counters: Any, blocks: int) -> Any:
        """Counter blocks that many blocks later."""
        step = ir.Constant(counters.type, [0, 0, 0, blocks] * (counters.type.count // 4))
        return self.builder.add(counters, step)

    def encrypted(self, counters: Sequence[Any], texts: Sequence[Any]) -> list[Any]:
        """Texts xored with the encrypted counter blocks; AES rounds of all of them side by side."""
        kind = texts[0].type
        places = [
            self.after(self.cipher, ROUND_KEYS + ROUND_KEY_STRIDE * index) for index in range(ROUND_KEY_COUNT)
        ]
        key = self.load(places[0], kind)
        order = (*range(12), 15, 14, 13, 12)
        states = [
            self.builder.xor(self._shuffle_bytes(self.builder.bitcast(block, kind), order), key)
            for block in counters
        ]
        for place in places[1:-1]:
            key = self.load(place, kind)
            states = [self.call("aesni.aesenc", state, key) for state in states]
        key = self.load(places[-1], kind)
        return [
            self.call("aesni.aesenclast", state, self.builder.xor(key, text))
            for state, text in zip(states, texts, strict=True)
        ]

    def product(self, left: Any, right: Any, folded: Any) -> tuple[Any, Any, Any]:
        """Return (low, middle, high) of carry-less products, block by block.

        The middle still contains the others; ``folded`` has the xor of right's halves in its lower half.
        """
        halves = self.builder.xor(left, self.swap(left))
        return (
            self.call("pclmulqdq", left, right, I8(0x00)),
            self.call("pclmulqdq", halves, folded, I8(0x00)),
            self.call("pclmulqdq", left, right, I8(0x11)),
        )

    def added(self, sums: Sequence[Any], products: Sequence[Any]) -> list[Any]:
        """Add products to sums of products."""
        return [self.builder.xor(left, right) for left, right in zip(sums, products, strict=True)]

    def power(self, remaining: Any) -> Any:
        """Address of the hash key's power for a block after which, itself included, so many remain."""
        offset = self.builder.shl(self.builder.sub(I64(HASH_POWER_COUNT), remaining), I64(4))
        return self.builder.add(self.cipher, self.builder.add(offset, I64(HASH_POWERS)))

    def times_power(self, blocks: Any, power: Any) -> tuple[Any, Any, Any]:
        """Multiply reversed blocks by the powers from an address on."""
        folded = self.after(power, HASH_FOLDED - HASH_POWERS)
        return self.product(blocks, self.load(power, blocks.type), self.load(folded, blocks.type))

    def folded_sums(self, sums: Sequence[Any]) -> list[Any]:
        """Add up the lanes of sums of products."""
        return [self._folded(value) for value in sums]

    def reduced(self, sums: Sequence[Any]) -> Any:
        """Reduce a sum of products of single blocks to a block: two steps of 64 bits (RFC 8452)."""
        builder = self.builder
        low, middle, high = sums
        middle = builder.xor(middle, builder.xor(low, high))
        low = builder.xor(low, self.shuffle(middle, [2, 0], zeros(BLOCK)))
        high = builder.xor(high, self.shuffle(middle, [1, 2], zeros(BLOCK)))
        polynomial = ir.Constant(BLOCK, [_POLYNOMIAL] * 2)
        for _ in range(2):
            low = builder.xor(self.swap(low), self.call("pclmulqdq", low, polynomial, I8(0)))
        return builder.xor(high, low)

    def masked(self, register: Any, count: Any) -> Any:
        """Keep the first ``count`` bytes of a register; the others become zero."""
        kind = ir.VectorType(I8, self.register_bytes)
        first = self.builder.insert_element(
            ir.Constant(kind, ir.Undefined), self.builder.trunc(count, I8), I32(0)
        )
        everywhere = self.shuffle(first, [0] * kind.count)
        places = ir.Constant(kind, list(range(kind.count)))
        kept = self.builder.sext(self.builder.icmp_unsigned("<", places, everywhere), kind)
        return self.builder.and_(register, self.builder.bitcast(kept, self.register))

    def text_counters(self, nonce: Any) -> Any:
        """Counter blocks of a text's first register."""
        return self.counters(nonce, _FIRST_TEXT_COUNTER, self.lanes)
