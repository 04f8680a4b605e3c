"""Sealing and opening rows with the system's libcrypto, called from inside the kernel: any AEAD that EVP has.

The algorithm is that of the EVP contexts in the cipher (``cipher_words``): AES-128-GCM, ChaCha20-Poly1305.
The library is opened when this module is imported, before any cached kernel that needs its symbols is loaded.
libcrypto chooses code without secret-dependent branches and tables where the CPU has AES instructions, and
compares tags in constant time.
"""

import ctypes.util
from typing import Final

import llvmlite.binding
import numpy as np
from numba import types

from punktfunk.errors import EnvironmentProblem
from punktfunk.realtime.kernels.atomics import copy_bytes
from punktfunk.realtime.kernels.cipher_words import (
    CIPHER_OPEN_CONTEXT,
    CIPHER_SEAL_CONTEXT,
    OPEN_ROOM,
    SEAL_ROOM,
    TAG_BYTES,
    TEXT_BYTES_MAX,
    UNPROVED_TEXT,
)
from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.layout import BAD_SIZE, NONCE_BYTES, SEAL_FAILED
from punktfunk.realtime.kernels.views import bytes_at, words_at

_CTRL_GET_TAG: Final = 0x10  # EVP_CTRL_AEAD_GET_TAG
_CTRL_SET_TAG: Final = 0x11


def _load_libcrypto() -> str:
    names = ("libcrypto.so.3", ctypes.util.find_library("crypto"), "libcrypto.so.1.1")
    for name in names:
        try:
            llvmlite.binding.load_library_permanently(name or "")
        except RuntimeError:
            continue
        return name or ""
    raise EnvironmentProblem(
        "libcrypto was not found, so nothing can be encrypted",
        hint="Install OpenSSL's library: libssl3 (Debian, Ubuntu), openssl-libs (Fedora), openssl (Arch).",
    )


LIBCRYPTO: Final = _load_libcrypto()
_p, _i = types.int64, types.int32
_encrypt_init = types.ExternalFunction("EVP_EncryptInit_ex", _i(_p, _p, _p, _p, _p))
_encrypt_update = types.ExternalFunction("EVP_EncryptUpdate", _i(_p, _p, _p, _p, _i))
_encrypt_final = types.ExternalFunction("EVP_EncryptFinal_ex", _i(_p, _p, _p))
_decrypt_init = types.ExternalFunction("EVP_DecryptInit_ex", _i(_p, _p, _p, _p, _p))
_decrypt_update = types.ExternalFunction("EVP_DecryptUpdate", _i(_p, _p, _p, _p, _i))
_decrypt_final = types.ExternalFunction("EVP_DecryptFinal_ex", _i(_p, _p, _p))
_ctrl = types.ExternalFunction("EVP_CIPHER_CTX_ctrl", _i(_p, _i, _i, _p))


@entry("int64(int64, int64, int64, int64, int64)")
def row_fits(stride: int, text_offset: int, text_bytes: int, tag_offset: int, aad_bytes: int) -> int:
    """Tell whether a row has room for all its parts, and none lies over another: 1 or 0.

    stride       bytes of the row
    text_offset  where the text begins, behind the associated data
    text_bytes   0 .. TEXT_BYTES_MAX
    tag_offset   of 16 bytes before or behind the text, behind the associated data
    aad_bytes    of associated data, from the row's first byte on
    """
    if text_bytes < 0 or text_bytes > TEXT_BYTES_MAX or text_bytes > stride or stride < TAG_BYTES:
        return 0
    if aad_bytes < 0 or text_offset < aad_bytes or text_offset > stride - text_bytes:
        return 0
    if tag_offset < aad_bytes or tag_offset > stride - TAG_BYTES:
        return 0
    apart = tag_offset >= text_offset + text_bytes or tag_offset + TAG_BYTES <= text_offset
    return int64(apart)


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
    """Encrypt rows where they stand and write their tags: 0, BAD_SIZE (nothing done) or SEAL_FAILED.

    cipher       address of a cipher with an EVP context to seal
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
    context, length = words_at(cipher)[CIPHER_SEAL_CONTEXT], cipher + SEAL_ROOM
    for index in range(count):
        row, nonce = rows + index * stride, nonces + index * NONCE_BYTES
        text = row + text_offset
        good = _encrypt_init(context, 0, 0, 0, nonce) == 1
        if aad_bytes:
            good &= _encrypt_update(context, 0, length, row, np.int32(aad_bytes)) == 1
        if text_bytes:
            good &= _encrypt_update(context, text, length, text, np.int32(text_bytes)) == 1
        good &= _encrypt_final(context, text + text_bytes, length) == 1
        good &= _ctrl(context, np.int32(_CTRL_GET_TAG), np.int32(TAG_BYTES), row + tag_offset) == 1
        if not good:
            return SEAL_FAILED
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

    cipher       address of a cipher with an EVP context to open
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
    context, length = words_at(cipher)[CIPHER_OPEN_CONTEXT], cipher + OPEN_ROOM
    unproved = cipher + UNPROVED_TEXT
    opened = int64(0)
    for index in range(count):
        row, nonce, size = rows + index * stride, nonces + index * NONCE_BYTES, words_at(text_bytes)[index]
        tag = tag_offset if tag_offset >= 0 else text_offset + size
        bytes_at(results)[index] = 0
        if not row_fits(stride, text_offset, size, tag, aad_bytes):
            continue
        good = _decrypt_init(context, 0, 0, 0, nonce) == 1
        if aad_bytes:
            good &= _decrypt_update(context, 0, length, row, np.int32(aad_bytes)) == 1
        if size:
            good &= _decrypt_update(context, unproved, length, row + text_offset, np.int32(size)) == 1
        good &= _ctrl(context, np.int32(_CTRL_SET_TAG), np.int32(TAG_BYTES), row + tag) == 1
        if good and _decrypt_final(context, unproved + size, length) == 1:
            copy_bytes(row + text_offset, unproved, size)
            bytes_at(results)[index] = 1
            opened += 1
    return opened
