"""Vector instructions for kernels: an emitter of LLVM code for one SIMD mode (``cache.MODES``).

What all modes share is multiplication in GF(2^8) by a constant. Its table row has ``TABLE_BYTES`` bytes:

    offset  size  what
    ------  ----  ---------------------------------------------------------------------------
         0    16  constant times 0..15: products of the low nibble
        16    16  constant times 0, 16, 32 .. 240: products of the high nibble
        32     8  the same as an 8x8 bit matrix, as vgf2p8affineqb reads it
        40     8  zeros

Multiplication distributes over xor, so a product is two 16-entry look-ups, which is what a byte shuffle does.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils

from punktfunk.realtime.kernels.cache import simd_mode

TABLE_BYTES = 48
MODE = simd_mode()
VECTOR_BYTES = {"gfni512": 64, "avx512": 64, "avx2": 32}.get(MODE, 16)

I8, I32, I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_SHUFFLES = {
    "avx512": "llvm.x86.avx512.pshuf.b.512",
    "avx2": "llvm.x86.avx2.pshuf.b",
    "ssse3": "llvm.x86.ssse3.pshuf.b.128",
    "neon": "llvm.aarch64.neon.tbl1.v16i8",
}
# bit of the source byte, and where in a table row the constant times that bit stands
_BITS = tuple((1 << bit, 1 << bit if bit < 4 else 16 + (1 << (bit - 4))) for bit in range(8))
VECTOR = ir.VectorType(I8, VECTOR_BYTES)
ZERO = ir.Constant(VECTOR, [0] * VECTOR_BYTES)


class Emitter:
    """Appends instructions for one mode to an LLVM builder. Addresses are int64 values."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def load(self, address: Any) -> Any:
        """One vector from any address."""
        return self.builder.load(self.builder.inttoptr(address, VECTOR.as_pointer()), align=1)

    def store(self, address: Any, vector: Any) -> None:
        """One vector to any address."""
        self.builder.store(vector, self.builder.inttoptr(address, VECTOR.as_pointer()), align=1)

    def load_byte(self, address: Any) -> Any:
        """One byte, widened to int64."""
        return self.builder.zext(self.builder.load(self.builder.inttoptr(address, I8.as_pointer())), I64)

    def add(self, address: Any, offset: int) -> Any:
        """Address plus a constant."""
        return self.builder.add(address, I64(offset)) if offset else address

    def split(self, vector: Any) -> tuple[Any, ...]:
        """Prepare a source vector for ``multiply``: its nibbles, or itself. All rows share it."""
        if MODE in ("gfni512", "generic"):
            return (vector,)
        mask = ir.Constant(VECTOR, [15] * VECTOR_BYTES)
        wide = ir.VectorType(I64, VECTOR_BYTES // 8)
        high = self.builder.lshr(self.builder.bitcast(vector, wide), ir.Constant(wide, [4] * wide.count))
        return self.builder.and_(vector, mask), self.builder.and_(self.builder.bitcast(high, VECTOR), mask)

    def table(self, address: Any) -> tuple[Any, ...]:
        """Load one table row in the form that ``multiply`` wants."""
        if MODE == "gfni512":
            matrix = self.builder.inttoptr(self.add(address, 32), I64.as_pointer())
            return (self._splat(self.builder.load(matrix, align=1)),)
        if MODE == "generic":
            places = (self.add(address, offset) for _, offset in _BITS)
            bytes_ = (self.builder.load(self.builder.inttoptr(p, I8.as_pointer())) for p in places)
            return tuple(self._splat(byte) for byte in bytes_)
        return self._broadcast(address), self._broadcast(self.add(address, 16))

    def multiply(self, source: tuple[Any, ...], table: tuple[Any, ...]) -> Any:
        """Source vector (as ``split`` made it) times the table's constant."""
        if MODE == "gfni512":
            name = "llvm.x86.vgf2p8affineqb.512"
            return self.builder.call(self._function(name, VECTOR, VECTOR, I8), [source[0], table[0], I8(0)])
        if MODE == "generic":
            product = ZERO
            for (bit, _), column in zip(_BITS, table, strict=True):
                mask = ir.Constant(VECTOR, [bit] * VECTOR_BYTES)
                present = self.builder.icmp_unsigned("!=", self.builder.and_(source[0], mask), ZERO)
                product = self.builder.xor(product, self.builder.select(present, column, ZERO))
            return product
        shuffle = self._function(_SHUFFLES[MODE], VECTOR, VECTOR)
        low, high = (self.builder.call(shuffle, [t, s]) for t, s in zip(table, source, strict=True))
        return self.builder.xor(low, high)

    def _function(self, name: str, *arguments: Any) -> Any:
        return cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(VECTOR, arguments), name)

    def _splat(self, value: Any) -> Any:
        """Repeat a scalar over a whole vector of bytes."""
        lanes = ir.VectorType(value.type, VECTOR_BYTES * 8 // value.type.width)
        undefined = ir.Constant(lanes, ir.Undefined)
        first = self.builder.insert_element(undefined, value, I32(0))
        everywhere = ir.Constant(ir.VectorType(I32, lanes.count), [0] * lanes.count)
        return self.builder.bitcast(self.builder.shuffle_vector(first, undefined, everywhere), VECTOR)

    def _broadcast(self, address: Any) -> Any:
        """Repeat 16 bytes over a whole vector: byte shuffles look up inside 128-bit lanes."""
        narrow = ir.VectorType(I8, 16)
        value = self.builder.load(self.builder.inttoptr(address, narrow.as_pointer()), align=1)
        lanes = ir.Constant(ir.VectorType(I32, VECTOR_BYTES), [i % 16 for i in range(VECTOR_BYTES)])
        return self.builder.shuffle_vector(value, ir.Constant(narrow, ir.Undefined), lanes)
