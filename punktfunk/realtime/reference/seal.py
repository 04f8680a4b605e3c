"""AES-128-GCM by ``cryptography``: the judge of ``kernels.seal``.

A cipher here is a number that stands for a key.
"""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.wire.gamestream.video_encryption import ENCRYPTED_PREFIX_BYTES, build_encrypted

U8 = NDArray[np.uint8]

_keys: dict[int, bytes] = {}


def open_cipher(key: U8) -> int:
    """Remember a key under a new number."""
    if key.size != 16:
        return BAD_SIZE
    cipher = max(_keys, default=0) + 1
    _keys[cipher] = key.tobytes()
    return cipher


def close_cipher(cipher: int) -> None:
    """Forget a key."""
    _keys.pop(cipher, None)


def seal_rows(
    packets: U8,
    row_count: int,
    shard_bytes: int,
    cipher: int,
    counter: int,
    frame_index: int,
    _scratch: NDArray[np.int64],
) -> int:
    """Seal one row after the other."""
    for row in range(row_count):
        shard = packets[row, ENCRYPTED_PREFIX_BYTES : ENCRYPTED_PREFIX_BYTES + shard_bytes].tobytes()
        sealed = build_encrypted(_keys[cipher], counter + row, frame_index & 0xFFFFFFFF, shard)
        packets[row, : len(sealed)] = np.frombuffer(sealed, np.uint8)
    return 0
