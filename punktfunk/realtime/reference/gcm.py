"""AES-128-GCM as FIPS 197 and NIST SP 800-38D write it, over Python's integers: the judge of sealing.

Slow, and not safe against who can time it: for tests and self-checks only.
"""

from functools import cache
from typing import Final

BLOCK_BYTES: Final = 16
_ROUND_COUNT: Final = 10
_WORD_MASK: Final = 0xFFFFFFFF
_REDUCTION: Final = 0xE1 << 120  # x^128 + x^7 + x^2 + x + 1, the lowest power in the highest bit


def _times(left: int, right: int) -> int:
    """Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1."""
    product = 0
    while right:
        product ^= left * (right & 1)
        left = left << 1 ^ 0x11B * (left >> 7)
        right >>= 1
    return product


@cache
def _substitution() -> tuple[int, ...]:
    """Inverse, then an affine map over bits (FIPS 197, 5.1.1)."""
    table = []
    for value in range(256):
        inverse = next((x for x in range(256) if _times(value, x) == 1), 0)
        rotated = inverse
        for shift in range(1, 5):
            rotated ^= (inverse << shift | inverse >> (8 - shift)) & 0xFF
        table.append(rotated ^ 0x63)
    return tuple(table)


@cache
def _doubled() -> tuple[int, ...]:
    return tuple(_times(value, 2) for value in range(256))


def round_keys(key: bytes) -> list[bytes]:
    """Eleven round keys (FIPS 197, 5.2)."""
    table, constant = _substitution(), 1
    words = [list(key[i : i + 4]) for i in range(0, 16, 4)]
    for index in range(4, 4 * (_ROUND_COUNT + 1)):
        word = words[-1]
        if index % 4 == 0:
            word = [table[value] for value in word[1:] + word[:1]]
            word[0] ^= constant
            constant = _times(constant, 2)
        words.append([a ^ b for a, b in zip(words[-4], word, strict=True)])
    return [bytes(value for word in words[i : i + 4] for value in word) for i in range(0, len(words), 4)]


def encrypt_block(keys: list[bytes], block: bytes) -> bytes:
    """Encrypt one block with AES-128."""
    table, double = _substitution(), _doubled()
    state = bytes(a ^ b for a, b in zip(block, keys[0], strict=True))
    for index in range(1, _ROUND_COUNT + 1):
        shifted = [table[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if index < _ROUND_COUNT:
            mixed = []
            for column in (shifted[i : i + 4] for i in range(0, 16, 4)):
                total = column[0] ^ column[1] ^ column[2] ^ column[3]
                mixed += [column[i] ^ total ^ double[column[i] ^ column[(i + 1) % 4]] for i in range(4)]
            shifted = mixed
        state = bytes(a ^ b for a, b in zip(shifted, keys[index], strict=True))
    return state


def multiply(left: int, right: int) -> int:
    """Product of two blocks as GHASH has it: bit 0 is the highest (SP 800-38D, 6.3)."""
    product = 0
    for bit in range(127, -1, -1):
        if left >> bit & 1:
            product ^= right
        right = right >> 1 ^ _REDUCTION * (right & 1)
    return product


def hash_blocks(hash_key: int, data: bytes) -> int:
    """GHASH of whole blocks."""
    state = 0
    for i in range(0, len(data), BLOCK_BYTES):
        state = multiply(state ^ int.from_bytes(data[i : i + BLOCK_BYTES], "big"), hash_key)
    return state


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK_BYTES)


def _crypt(keys: list[bytes], nonce: bytes, text: bytes, counter: int) -> bytes:
    """Counter mode from one counter on."""
    count = -(-len(text) // BLOCK_BYTES)
    blocks = (nonce + (counter + i & _WORD_MASK).to_bytes(4, "big") for i in range(count))
    stream = b"".join(encrypt_block(keys, block) for block in blocks)
    return bytes(a ^ b for a, b in zip(text, stream, strict=False))


def _tag(keys: list[bytes], nonce: bytes, sealed: bytes, additional: bytes) -> bytes:
    hash_key = int.from_bytes(encrypt_block(keys, bytes(BLOCK_BYTES)), "big")
    lengths = (8 * len(additional)).to_bytes(8, "big") + (8 * len(sealed)).to_bytes(8, "big")
    hashed = hash_blocks(hash_key, _padded(additional) + _padded(sealed) + lengths)
    return _crypt(keys, nonce, hashed.to_bytes(BLOCK_BYTES, "big"), 1)


def seal_text(key: bytes, nonce: bytes, text: bytes, additional: bytes) -> tuple[bytes, bytes]:
    """Encrypt: (ciphertext, tag). The nonce has 12 bytes."""
    keys = round_keys(key)
    sealed = _crypt(keys, nonce, text, 2)
    return sealed, _tag(keys, nonce, sealed, additional)


def open_text(key: bytes, nonce: bytes, sealed: bytes, tag: bytes, additional: bytes) -> bytes | None:
    """Decrypt; None where the tag is wrong."""
    keys = round_keys(key)
    return _crypt(keys, nonce, sealed, 2) if _tag(keys, nonce, sealed, additional) == tag else None
