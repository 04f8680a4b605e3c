"""One row sealed or opened, as LLVM code: what ``gcm_aesni`` and ``gcm_vaes`` make their loops of.

A text is walked in groups of eight registers, then in single registers; the bytes that are left, if any, go
through a little room in the cipher, so that nothing outside the text is touched. To seal is one walk that
encrypts and hashes. To open is a walk that hashes and, when the tag is right, another that decrypts.
"""

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

from llvmlite import ir
from numba import types

from punktfunk.realtime.kernels.cipher_words import BLOCK_BYTES, OPEN_ROOM, SEAL_ROOM
from punktfunk.realtime.kernels.gcm import BLOCK, GROUP_REGISTERS, I64, Emitter, zeros
from punktfunk.realtime.kernels.jit import entry, intrinsic
from punktfunk.realtime.kernels.seal_choice import runnable_seals

P = ParamSpec("P")

_I128 = ir.IntType(128)
_BYTE_SHIFT, _BLOCK_MASK = 3, BLOCK_BYTES - 1


def _parts(emit: Emitter, count: Any, unit: int) -> tuple[Any, Any]:
    """Split a count into whole units (a power of two) and what is left."""
    builder = emit.builder
    return builder.lshr(count, I64(unit.bit_length() - 1)), builder.and_(count, I64(unit - 1))


def _once_if(emit: Emitter, count: Any) -> Any:
    """Return 1 where a count is not 0, as a count for ``repeat``."""
    return emit.builder.zext(emit.builder.icmp_signed("!=", count, I64(0)), I64)


def _hash_additional(emit: Emitter, data: Any, count: Any, room: Any) -> Any:
    """Hash additional data, padded to blocks: the state that the text's first block is added to."""
    whole, rest = _parts(emit, count, BLOCK_BYTES)

    def step(place: Any, state: Any) -> list[Any]:
        block = emit.builder.xor(state, emit.reverse(emit.load(place, BLOCK)))
        return [emit.reduced(emit.times_power(block, emit.power(I64(1))))]

    def one(index: Any, carried: list[Any]) -> list[Any]:
        return step(emit.builder.add(data, emit.builder.shl(index, I64(4))), carried[0])

    def last(_index: Any, carried: list[Any]) -> list[Any]:
        emit.store(room, zeros(BLOCK))
        emit.copy(room, emit.builder.add(data, emit.builder.shl(whole, I64(4))), rest)
        return step(room, carried[0])

    state = emit.repeat(whole, [zeros(BLOCK)], one)
    return emit.repeat(_once_if(emit, rest), state, last)[0]


class Walk:
    """One walk over a text: encrypts it if it has counters, hashes the ciphertext if it has a state."""

    def __init__(self, emit: Emitter, text: Any, count: Any, room: Any) -> None:
        self.emit, self.text, self.room = emit, text, room
        builder = emit.builder
        self.registers, self.rest_bytes = _parts(emit, count, emit.register_bytes)
        self.groups, self.singles = _parts(emit, self.registers, GROUP_REGISTERS)
        self.singles_at = builder.add(
            text, builder.mul(self.groups, I64(GROUP_REGISTERS * emit.register_bytes))
        )
        self.rest_at = builder.add(text, builder.mul(self.registers, I64(emit.register_bytes)))

    def _registers(self, place: Any, count: int, counters: Any) -> list[Any]:
        """Load registers of text, and encrypt them where they stand unless this walk only hashes."""
        emit = self.emit
        places = [emit.after(place, emit.register_bytes * index) for index in range(count)]
        texts = [emit.load(each, emit.register) for each in places]
        if counters is None:
            return texts
        blocks = [emit.later(counters, emit.lanes * index) for index in range(count)]
        texts = emit.encrypted(blocks, texts)
        for each, text in zip(places, texts, strict=True):
            emit.store(each, text)
        return texts

    def _group(self, index: Any, carried: list[Any], *, crypt: bool, hashes: bool) -> list[Any]:
        """Eight registers: one reduction."""
        emit = self.emit
        counters = carried[-1] if crypt else None
        step = I64(GROUP_REGISTERS * emit.register_bytes)
        place = emit.builder.add(self.text, emit.builder.mul(index, step))
        texts = self._registers(place, GROUP_REGISTERS, counters)
        following = []
        if hashes:
            power = emit.power(I64(GROUP_REGISTERS * emit.lanes))
            sums: Sequence[Any] = [zeros(emit.register)] * 3
            for position, text in enumerate(texts):
                blocks = emit.reverse(text)
                if position == 0:
                    blocks = emit.builder.xor(blocks, emit.widen(carried[0]))
                products = emit.times_power(blocks, emit.after(power, emit.register_bytes * position))
                sums = products if position == 0 else emit.added(sums, products)
            following.append(emit.reduced(emit.folded_sums(sums)))
        return following + ([emit.later(counters, GROUP_REGISTERS * emit.lanes)] if crypt else [])

    def _added(self, text: Any, carried: list[Any]) -> list[Any]:
        """Add one register of ciphertext to (sums, state not yet added, power)."""
        emit = self.emit
        *sums, state, power = carried
        blocks = emit.builder.xor(emit.reverse(text), emit.widen(state))
        sums = emit.added(sums, emit.times_power(blocks, power))
        return [*sums, zeros(BLOCK), emit.after(power, emit.register_bytes)]

    def _single(self, index: Any, carried: list[Any], *, crypt: bool, hashes: bool) -> list[Any]:
        """One register, not reduced."""
        emit = self.emit
        counters = carried[-1] if crypt else None
        place = emit.builder.add(self.singles_at, emit.builder.mul(index, I64(emit.register_bytes)))
        (text,) = self._registers(place, 1, counters)
        following = self._added(text, carried[:5]) if hashes else []
        return following + ([emit.later(counters, emit.lanes)] if crypt else [])

    def _rest(self, carried: list[Any], *, crypt: bool, hashes: bool) -> list[Any]:
        """Less than a register, through the room: not one byte outside the text is read or written."""
        emit = self.emit
        emit.copy(self.room, self.rest_at, self.rest_bytes)
        text = emit.load(self.room, emit.register)
        if crypt:
            (text,) = emit.encrypted([carried[-1]], [text])
            emit.store(self.room, text)
            emit.copy(self.rest_at, self.room, self.rest_bytes)
        following = self._added(emit.masked(text, self.rest_bytes), carried[:5]) if hashes else []
        return following + ([carried[-1]] if crypt else [])

    def emit_all(self, counters: Any, state: Any, lengths: Any) -> Any:
        """Emit the walk; the hash with the lengths added, or None.

        ``counters`` None: hash only. ``state`` None: encrypt only, which with these counters is to decrypt.
        """
        emit, crypt, hashes = self.emit, counters is not None, state is not None
        builder = emit.builder

        def group(index: Any, carried: list[Any]) -> list[Any]:
            return self._group(index, carried, crypt=crypt, hashes=hashes)

        def single(index: Any, carried: list[Any]) -> list[Any]:
            return self._single(index, carried, crypt=crypt, hashes=hashes)

        def rest(_index: Any, carried: list[Any]) -> list[Any]:
            return self._rest(carried, crypt=crypt, hashes=hashes)

        carried = ([state] if hashes else []) + ([counters] if crypt else [])
        carried = emit.repeat(self.groups, carried, group)
        if hashes:
            rest_blocks, _ = _parts(emit, emit.after(self.rest_bytes, _BLOCK_MASK), BLOCK_BYTES)
            blocks = builder.add(builder.mul(self.singles, I64(emit.lanes)), rest_blocks)
            power = emit.power(emit.after(blocks, 1))
            carried = [zeros(emit.register)] * 3 + [carried[0], power] + carried[1:]
        carried = emit.repeat(self.singles, carried, single)
        carried = emit.repeat(_once_if(emit, self.rest_bytes), carried, rest)
        if not hashes:
            return None
        last = emit.times_power(builder.xor(lengths, carried[3]), emit.power(I64(1)))
        return emit.reduced(emit.added(emit.folded_sums(carried[:3]), last))


def _lengths(emit: Emitter, text_bytes: Any, aad_bytes: Any) -> Any:
    """Last block of GHASH, reversed: lengths in bits."""
    bits = [emit.builder.shl(count, I64(_BYTE_SHIFT)) for count in (text_bytes, aad_bytes)]
    block = emit.builder.insert_element(zeros(BLOCK), bits[0], ir.IntType(32)(0))
    return emit.builder.insert_element(block, bits[1], ir.IntType(32)(1))


def _tag(emit: Emitter, state: Any, nonce: Any) -> Any:
    """Tag of a hash: xored with the encrypted block of counter 1."""
    (tag,) = emit.encrypted([emit.counters(nonce, 1, 1)], [emit.reverse(state)])
    return tag


def emit_seal(builder: Any, arguments: Sequence[Any], lanes: int) -> Any:
    """Seal a row: (cipher, nonce, row, aad_bytes, text, text_bytes, tag); int64 0."""
    cipher, nonce, row, aad_bytes, text, text_bytes, tag = arguments
    emit = Emitter(builder, cipher, lanes)
    room = emit.after(cipher, SEAL_ROOM)
    state = _hash_additional(emit, row, aad_bytes, room)
    walk = Walk(emit, text, text_bytes, room)
    state = walk.emit_all(emit.text_counters(nonce), state, _lengths(emit, text_bytes, aad_bytes))
    emit.store(tag, _tag(emit, state, nonce))
    return I64(0)


def emit_open(builder: Any, arguments: Sequence[Any], lanes: int) -> Any:
    """Open a row, same arguments; int64 1 if its tag is right, else 0 with nothing written."""
    cipher, nonce, row, aad_bytes, text, text_bytes, tag = arguments
    emit = Emitter(builder, cipher, lanes)
    room = emit.after(cipher, OPEN_ROOM)
    state = _hash_additional(emit, row, aad_bytes, room)
    walk = Walk(emit, text, text_bytes, room)
    state = walk.emit_all(None, state, _lengths(emit, text_bytes, aad_bytes))
    difference = builder.bitcast(builder.xor(_tag(emit, state, nonce), emit.load(tag, BLOCK)), _I128)
    right = builder.icmp_unsigned("==", difference, _I128(0))  # all bits at once: no time to learn from

    def decrypt(_index: Any, _carried: list[Any]) -> list[Any]:
        Walk(emit, text, text_bytes, room).emit_all(emit.text_counters(nonce), None, None)
        return []

    answer = builder.zext(right, I64)
    emit.repeat(answer, [], decrypt)
    return answer


def entry_for(implementation: str) -> Callable[[str], Callable[[Callable[P, int]], Callable[P, int]]]:
    """Return ``jit.entry`` if this CPU can run the implementation, else what leaves functions as they are."""
    if implementation in runnable_seals():
        return entry
    return lambda _signature: lambda function: function


def _row_intrinsic(emit_row: Callable[[Any, Sequence[Any], int], Any], lanes: int) -> Any:
    @intrinsic
    def row(
        _typing: Any,
        _cipher: Any,
        _nonce: Any,
        _row: Any,
        _aad_bytes: Any,
        _text: Any,
        _text_bytes: Any,
        _tag: Any,
    ) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return emit_row(builder, arguments, lanes)

        return types.int64(*[types.int64] * 7), generate

    return row


def sealing(lanes: int) -> Any:
    """Make the intrinsic that seals a row with that many blocks in a register; its result is 0."""
    return _row_intrinsic(emit_seal, lanes)


def opening(lanes: int) -> Any:
    """Make the intrinsic that opens a row with that many blocks in a register: 1 or 0."""
    return _row_intrinsic(emit_open, lanes)
