"""AES-128-GCM by VAES and VPCLMULQDQ, two blocks in a register of 256 bits.

The code is ``gcm_rows``; the arguments are those of every way to seal (``evp``). On a CPU
without these instructions nothing is compiled, and nobody may ask for the addresses.
"""

import numpy as np

from punktfunk.realtime.kernels.cipher_words import AES_128_GCM, CIPHER_ALGORITHM
from punktfunk.realtime.kernels.evp import row_fits
from punktfunk.realtime.kernels.gcm_rows import entry_for, opening, sealing
from punktfunk.realtime.kernels.jit import int64
from punktfunk.realtime.kernels.layout import BAD_SIZE, NONCE_BYTES
from punktfunk.realtime.kernels.views import bytes_at, words_at

LANES = 2  # blocks in a register
entry = entry_for("vaes")
_seal_row, _open_row = sealing(LANES), opening(LANES)


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def seal(
    cipher: int,
    rows: int,
    stride: int,
    count: int,
    text_offset: int,
    text_bytes: int,
    tag_offset: int,
    aad_bytes: int,
    nonces: int,
) -> int:
    """Encrypt rows where they stand and write their tags: 0, or BAD_SIZE with nothing done.

    cipher       address of a cipher for AES-128-GCM that ``gcm_key.prepare`` has seen
    rows         address of the first row, which begins with its associated data
    stride       bytes from row to row; everything of a row lies within
    count        rows
    text_offset  of the text in its row
    text_bytes   of each text, 0 .. TEXT_BYTES_MAX
    tag_offset   of the 16 bytes of tag in the row
    aad_bytes    of associated data
    nonces       address of count rows of 16 bytes; the first 12 are the nonce, never twice under one key
    """
    if cipher == 0 or count < 0 or not row_fits(stride, text_offset, text_bytes, tag_offset, aad_bytes):
        return BAD_SIZE
    if words_at(cipher)[CIPHER_ALGORITHM] != AES_128_GCM:
        return BAD_SIZE
    for index in range(count):
        row, nonce = rows + index * stride, nonces + index * NONCE_BYTES
        _seal_row(cipher, nonce, row, aad_bytes, row + text_offset, text_bytes, row + tag_offset)
    return 0


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def open_rows(
    cipher: int,
    rows: int,
    stride: int,
    count: int,
    text_offset: int,
    text_bytes: int,
    tag_offset: int,
    aad_bytes: int,
    nonces: int,
    results: int,
) -> int:
    """Decrypt the rows whose tag is right, where they stand; how many these are, or BAD_SIZE.

    A row that is not authentic, or has no room for its parts, stays as it was: lengths come from the network.

    cipher       address of a cipher for AES-128-GCM that ``gcm_key.prepare`` has seen
    rows         address of the first row, which begins with its associated data
    stride       bytes from row to row; everything of a row lies within
    count        rows
    text_offset  of the text in its row
    text_bytes   address of int64[count]: bytes of each text
    tag_offset   of the tag in its row; negative: it follows the text
    aad_bytes    of associated data
    nonces       address of count rows of 16 bytes; the first 12 are the nonce
    results      address of uint8[count]: 1 opened, 0 not
    """
    if cipher == 0 or count < 0 or stride < 0 or aad_bytes < 0 or text_offset < aad_bytes:
        return BAD_SIZE
    if words_at(cipher)[CIPHER_ALGORITHM] != AES_128_GCM:
        return BAD_SIZE
    opened = int64(0)
    for index in range(count):
        row, nonce, size = rows + index * stride, nonces + index * NONCE_BYTES, words_at(text_bytes)[index]
        tag = tag_offset if tag_offset >= 0 else text_offset + size
        good = int64(0)
        if row_fits(stride, text_offset, size, tag, aad_bytes):
            good = _open_row(cipher, nonce, row, aad_bytes, row + text_offset, size, row + tag)
        bytes_at(results)[index] = np.uint8(good)
        opened += good
    return opened
