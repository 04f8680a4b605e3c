"""AES-128-GCM over whole video shards, by the system's libcrypto called from inside the kernel.

Layout of the prefix: ``wire.gamestream.video_encryption``. Twin of ``realtime.reference.seal``.
The library is opened when this module is imported, before any cached kernel that needs its symbols is loaded.
"""

import ctypes.util

import llvmlite.binding
import numpy as np
from numba import types
from numpy.typing import NDArray

from punktfunk.errors import EnvironmentProblem
from punktfunk.realtime.kernels.atomics import address_of
from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import BAD_SIZE, SEAL_FAILED
from punktfunk.wire.gamestream.video_encryption import (
    ENCRYPTED_PREFIX_BYTES,
    OFFSET_PREFIX_FIXED,
    OFFSET_PREFIX_FRAME_INDEX,
    OFFSET_PREFIX_TAG,
    PREFIX_FIXED_BYTE,
    TAG_BYTES,
)

U8 = NDArray[np.uint8]

_KEY_BYTES = 16
_CTRL_GET_TAG = 0x10  # EVP_CTRL_AEAD_GET_TAG


def _load_libcrypto() -> None:
    names = ("libcrypto.so.3", ctypes.util.find_library("crypto"), "libcrypto.so.1.1")
    for name in names:
        try:
            llvmlite.binding.load_library_permanently(name or "")
        except RuntimeError:
            continue
        return
    raise EnvironmentProblem(
        "libcrypto was not found, so video cannot be encrypted",
        hint="Install OpenSSL's library: libssl3 (Debian, Ubuntu), openssl-libs (Fedora), openssl (Arch).",
    )


_load_libcrypto()
_p, _i = types.int64, types.int32
_new = types.ExternalFunction("EVP_CIPHER_CTX_new", _p())
_free = types.ExternalFunction("EVP_CIPHER_CTX_free", types.void(_p))
_aes_128_gcm = types.ExternalFunction("EVP_aes_128_gcm", _p())
_init = types.ExternalFunction("EVP_EncryptInit_ex", _i(_p, _p, _p, _p, _p))
_update = types.ExternalFunction("EVP_EncryptUpdate", _i(_p, _p, _p, _p, _i))
_final = types.ExternalFunction("EVP_EncryptFinal_ex", _i(_p, _p, _p))
_ctrl = types.ExternalFunction("EVP_CIPHER_CTX_ctrl", _i(_p, _i, _i, _p))


@kernel("int64(uint8[::1])")
def open_cipher(key: U8) -> int:
    """Make an EVP context for one key: its address, 0 when libcrypto refused, BAD_SIZE for another key size.

    key   (16,)   AES-128
    """
    if key.size != _KEY_BYTES:
        return BAD_SIZE
    cipher = _new()
    if cipher != 0 and _init(cipher, _aes_128_gcm(), 0, address_of(key), 0) != 1:
        _free(cipher)
        return 0
    return int64(cipher)


@kernel("void(int64)")
def close_cipher(cipher: int) -> None:
    """Free a context and the key in it.

    cipher   address from ``open_cipher``, or 0
    """
    _free(cipher)


@kernel("int64(uint8[:, ::1], int64, int64, int64, int64, int64, int64[::1])")
def seal_rows(
    packets: U8,
    row_count: int,
    shard_bytes: int,
    cipher: int,
    counter: int,
    frame_index: int,
    scratch: NDArray[np.int64],
) -> int:
    """Encrypt shards where they stand and write their prefixes; 0, BAD_SIZE or SEAL_FAILED.

    packets      (>= row_count, >= 32 + shard_bytes)   shard at 32, encrypted in place
    row_count    how many rows
    shard_bytes  P + 16
    cipher       address from ``open_cipher``
    counter      of the first row; never twice under one key
    frame_index  goes into the prefix in clear
    scratch      (>= 1,)   EVP writes a length here
    """
    if row_count < 0 or row_count > packets.shape[0] or shard_bytes < 1 or cipher == 0 or scratch.size < 1:
        return BAD_SIZE
    if ENCRYPTED_PREFIX_BYTES + shard_bytes > packets.shape[1]:
        return BAD_SIZE
    length = address_of(scratch)
    for row in range(row_count):
        for i in range(OFFSET_PREFIX_FIXED):
            packets[row, i] = (counter + row) >> 8 * i & 255 if i < 8 else 0
        packets[row, OFFSET_PREFIX_FIXED] = PREFIX_FIXED_BYTE
        for i in range(4):
            packets[row, OFFSET_PREFIX_FRAME_INDEX + i] = frame_index >> 8 * i & 255
        place = address_of(packets) + row * int64(packets.shape[1])
        shard = place + ENCRYPTED_PREFIX_BYTES
        good = _init(cipher, 0, 0, 0, place) == 1
        good &= _update(cipher, shard, length, shard, np.int32(shard_bytes)) == 1
        good &= _final(cipher, shard + shard_bytes, length) == 1
        good &= _ctrl(cipher, np.int32(_CTRL_GET_TAG), np.int32(TAG_BYTES), place + OFFSET_PREFIX_TAG) == 1
        if not good:
            return SEAL_FAILED
    return 0
