"""Where everything of a cipher stands, and how large its texts may be. No code, no Numba.

A cipher is one block of memory that starts a cache line; entries get its address:

    offset     size  what                                       written by
    ------  -------  -----------------------------------------  -----------------------------
         0       64  words below                                Python, once
        64       64  room for the last bytes of a text          the thread that seals
       128       64  the same                                   the thread that opens
       192      352  11 round keys of AES-128, each twice       ``gcm_key.prepare``, once
       576      288  powers of the hash key, 17 down to 1       ``gcm_key.prepare``, once
       896      288  the same, folded for Karatsuba             ``gcm_key.prepare``, once
      1216    65536  a text that is not yet known as authentic  the thread that opens by EVP

So one thread may seal while another opens. A round key stands twice, so that one load fills a register of two
blocks. Power n of the hash key stands at ``16 * (HASH_POWER_COUNT - n)`` of its table, as blocks come first
that are multiplied by the highest power.
"""

from typing import Final

CIPHER_ALGORITHM: Final = 0  # AES_128_GCM with round keys, or CHACHA20_POLY1305
CIPHER_SEAL_CONTEXT: Final = 1  # address of an EVP context
CIPHER_OPEN_CONTEXT: Final = 2

AES_128_GCM: Final = 1
CHACHA20_POLY1305: Final = 2

SEAL_ROOM: Final = 64
OPEN_ROOM: Final = 128
ROUND_KEYS: Final = 192
ROUND_KEY_COUNT: Final = 11
ROUND_KEY_STRIDE: Final = 32
HASH_POWERS: Final = 576
HASH_FOLDED: Final = 896
HASH_POWER_COUNT: Final = 17  # a group of 16 blocks but one, one that is not full, and the lengths
UNPROVED_TEXT: Final = 1216
TEXT_BYTES_MAX: Final = 65536  # no datagram is larger
CIPHER_BYTES: Final = UNPROVED_TEXT + TEXT_BYTES_MAX

TAG_BYTES: Final = 16
BLOCK_BYTES: Final = 16
