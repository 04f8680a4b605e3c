"""Encrypted RTSP (``rtspenc://``): one AES-128-GCM frame per direction and connection.

    offset  size  field              meaning
    ------  ----  -----------------  ----------------------------------------------------
         0   4 BE type_and_length    0x80000000 | bytes of plaintext
         4   4 BE sequence           each side counts its own messages, from 1
         8    16  tag                AES-GCM tag
        24     n  ciphertext         one whole RTSP message, headers and body

Key: rikey of the launch. No additional data; the sequence number is covered as part of the IV: 12 bytes, its
four bytes in *little*-endian order, zeros, then byte 10 ``C`` or ``H`` for the sender and byte 11 ``R``. The
client wants exactly one frame and nothing behind it. Spec: gamestream.md section 3.1; peer:
moonlight-common-c RtspConnection.c, sealRtspMessage and unsealRtspMessage.
"""

from enum import Enum
from struct import Struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from punktfunk.errors import LocalProtocolError, RemoteProtocolError

HEADER: Final = Struct(">II16s")
HEADER_BYTES: Final = HEADER.size
ENCRYPTED_BIT: Final = 0x80000000
MAX_MESSAGE_BYTES: Final = 64 * 1024
"""Longest message that is read, encrypted or not; an ANNOUNCE has about 1.5 kB."""
_MAX_SEQUENCE: Final = 0xFFFFFFFF


class Origin(Enum):
    """Who sealed a frame; the value stands in its IV."""

    CLIENT = b"C"
    HOST = b"H"


def frame_is_complete(buffer: bytes | bytearray) -> int | None:
    """Length of the frame at the buffer's start once all of it is there; None while bytes are missing."""
    if len(buffer) < 4:
        return None
    type_and_length = int.from_bytes(buffer[:4], "big")
    length = type_and_length & ~ENCRYPTED_BIT
    if not type_and_length & ENCRYPTED_BIT:
        raise RemoteProtocolError("RTSP message is not encrypted, but the session's URL said rtspenc")
    if not 1 <= length <= MAX_MESSAGE_BYTES:
        raise RemoteProtocolError(f"encrypted RTSP message of {length} bytes, outside 1..{MAX_MESSAGE_BYTES}")
    total_bytes = HEADER_BYTES + length
    return total_bytes if len(buffer) >= total_bytes else None


def open_frame(key: bytes, frame: bytes, origin: Origin = Origin.CLIENT) -> tuple[int, bytes]:
    """Sequence number and plaintext of one whole frame; forged or cut ones raise RemoteProtocolError."""
    if frame_is_complete(frame) != len(frame):
        raise RemoteProtocolError(
            f"encrypted RTSP frame of {len(frame)} bytes has another length than it says"
        )
    _, sequence, tag = HEADER.unpack_from(frame)
    try:
        plaintext = AESGCM(key).decrypt(_nonce(sequence, origin), frame[HEADER_BYTES:] + tag, None)
    except InvalidTag:
        raise RemoteProtocolError(
            f"encrypted RTSP frame {sequence} does not open with the session's key"
        ) from None
    return sequence, plaintext


def seal_frame(key: bytes, sequence: int, plaintext: bytes, origin: Origin = Origin.HOST) -> bytes:
    """One whole frame. A sequence number may be used once per key and origin; ``RtspCipher`` sees to that."""
    if not 0 <= sequence <= _MAX_SEQUENCE or not 0 < len(plaintext) < ENCRYPTED_BIT:
        raise LocalProtocolError(f"RTSP frame {sequence} of {len(plaintext)} bytes cannot be expressed")
    sealed = AESGCM(key).encrypt(_nonce(sequence, origin), plaintext, None)
    return HEADER.pack(ENCRYPTED_BIT | len(plaintext), sequence, sealed[-16:]) + sealed[:-16]


class RtspCipher:
    """The host's end of one session's encrypted RTSP, over all of its connections.

    Counts the host's frames, and takes a client's frame only if its number is above all that opened before:
    a recorded conversation cannot be played again.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._last_opened = 0
        self._last_sealed = 0

    def open(self, frame: bytes) -> bytes:
        """Plaintext of the client's frame."""
        sequence, plaintext = open_frame(self._key, frame, Origin.CLIENT)
        if sequence <= self._last_opened:
            raise RemoteProtocolError(f"encrypted RTSP frame {sequence} after {self._last_opened}: a replay")
        self._last_opened = sequence
        return plaintext

    def seal(self, plaintext: bytes) -> bytes:
        """Seal the next frame of the host."""
        self._last_sealed += 1
        return seal_frame(self._key, self._last_sealed, plaintext, Origin.HOST)


def _nonce(sequence: int, origin: Origin) -> bytes:
    return sequence.to_bytes(4, "little") + bytes(6) + origin.value + b"R"
