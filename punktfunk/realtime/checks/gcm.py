"""AES-128-GCM by every way that a stream may seal here: the chosen one, and libcrypto."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.ciphers import Cipher
from punktfunk.realtime.kernels.seal_choice import seal_choice
from punktfunk.realtime.reference.gcm import seal_text

U8 = NDArray[np.uint8]

_AAD_BYTES: Final = 8
_TEXT_BYTES: Final = 331  # a group of registers, single ones, blocks, bytes


def agrees(random: np.random.Generator) -> bool:
    """Compare them with the textbook."""
    key, *nonces = (random.bytes(16) for _ in range(3))
    rows = random.integers(0, 256, (2, _AAD_BYTES + _TEXT_BYTES + 16), dtype=np.uint8)
    sealed = rows.copy()
    for row, nonce in zip(sealed, nonces, strict=True):
        text, tag = seal_text(key, nonce[:12], row[_AAD_BYTES:-16].tobytes(), row[:_AAD_BYTES].tobytes())
        row[_AAD_BYTES:] = np.frombuffer(text + tag, np.uint8)
    salts = np.frombuffer(b"".join(nonces), np.uint8).reshape(2, 16)
    return all(_agrees(key, rows.copy(), sealed, salts, name) for name in {seal_choice(), "evp"})


def _agrees(
    key: bytes,
    rows: U8,
    sealed: U8,
    nonces: U8,
    name: str,
) -> bool:
    """Seal, spoil one row, open both: the spoilt one stays as it is."""
    plain = rows.copy()
    results = np.zeros(2, np.uint8)
    with Cipher(key, implementation=name) as cipher:
        code = cipher.seal(
            rows,
            nonces,
            text_offset=_AAD_BYTES,
            text_bytes=_TEXT_BYTES,
            tag_offset=_AAD_BYTES + _TEXT_BYTES,
            aad_bytes=_AAD_BYTES,
        )
        right = code == 0 and np.array_equal(rows, sealed)
        rows[1, -1] ^= 1
        spoilt = rows[1].copy()
        opened = cipher.open(
            rows, nonces, np.full(2, _TEXT_BYTES), results, text_offset=_AAD_BYTES, aad_bytes=_AAD_BYTES
        )
    right &= opened == 1 and results.tolist() == [1, 0]
    return right and np.array_equal(rows[0, :-16], plain[0, :-16]) and np.array_equal(rows[1], spoilt)
