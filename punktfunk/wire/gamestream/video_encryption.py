"""The prefix of encrypted video datagrams, and slow textbook sealing and opening.

Every shard of P + 16 bytes becomes AES-128-GCM ciphertext (key rikey, no additional data) behind:

    offset  size  field        meaning
    ------  ----  -----------  -------------------------------------------------------
         0    12  iv           LE64 packet counter from 0, zeros, byte 11 = "V"
        12     4  frame_index  in clear, so that a client can drop late shards unopened
        16    16  tag
        32  P+16  ciphertext

The client takes the IV from the packet (moonlight-common-c, VideoStream.c, VideoReceiveThreadProc); the host
must never use a counter twice under one key (Sunshine src/stream.cpp, videoBroadcastThread). The negotiated P
is 32 smaller then, so that datagrams keep their size.
"""

from struct import Struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from punktfunk.errors import RemoteProtocolError

ENCRYPTED_PREFIX_BYTES: Final = 32
OFFSET_PREFIX_COUNTER: Final = 0
OFFSET_PREFIX_FIXED: Final = 11
OFFSET_PREFIX_FRAME_INDEX: Final = 12
OFFSET_PREFIX_TAG: Final = 16
PREFIX_FIXED_BYTE: Final = ord("V")
IV_BYTES: Final = 12
TAG_BYTES: Final = 16

_IV: Final = Struct("<Q3xB")
_FRAME_INDEX: Final = Struct("<I")


def build_encrypted(key: bytes, counter: int, frame_index: int, shard: bytes) -> bytes:
    """Seal one shard; ``counter`` is the 64-bit number of packets sealed before under ``key``."""
    iv = _IV.pack(counter, PREFIX_FIXED_BYTE)
    sealed = AESGCM(key).encrypt(iv, shard, None)
    return iv + _FRAME_INDEX.pack(frame_index) + sealed[-TAG_BYTES:] + sealed[:-TAG_BYTES]


def parse_encrypted(key: bytes, datagram: bytes) -> tuple[int, int, bytes]:
    """Open one datagram into (counter, frame_index, shard); RemoteProtocolError if it is not genuine."""
    if len(datagram) <= ENCRYPTED_PREFIX_BYTES:
        raise RemoteProtocolError(f"encrypted video of {len(datagram)} bytes is shorter than its prefix")
    iv, tag = datagram[:IV_BYTES], datagram[OFFSET_PREFIX_TAG:ENCRYPTED_PREFIX_BYTES]
    try:
        shard = AESGCM(key).decrypt(iv, datagram[ENCRYPTED_PREFIX_BYTES:] + tag, None)
    except InvalidTag as error:
        raise RemoteProtocolError("encrypted video with a wrong tag") from error
    (frame_index,) = _FRAME_INDEX.unpack_from(datagram, OFFSET_PREFIX_FRAME_INDEX)
    return int.from_bytes(iv[:8], "little"), frame_index, shard
