"""A media datagram of punktfunk/1 (host to client, by UDP). Little-endian but for the sequence.

    offset  size   field     meaning
    ------  -----  --------  -----------------------------------------------------------------
         0      8  sequence  big-endian; from 0, one more per datagram, never twice under one key
         8     40  header    encrypted, the table below
        48      P  payload   encrypted, one shard
      48+P     16  tag       of AES-128-GCM or ChaCha20-Poly1305

The eight bytes of the sequence are the associated data, and with the session's salt in front the nonce; the
top bit of the salt's first byte says who sends: 0 the host, 1 the client. Without encryption, which exists
for tests only, a datagram is header and payload alone.

    offset  size  field            meaning
    ------  ----  ---------------  -----------------------------------------------------------------
         0     8  pts_ns           CLOCK_REALTIME of the capture, the same in all packets of a frame
         8     4  frame_index      from 0, one more per frame, wraps
        12     4  stream_sequence  one more per packet in the order of sending, wraps
        16     4  frame_bytes      the whole access unit; see ``blocks`` for units sent in pieces
        20     4  user_flags       USER_*
        24     2  block_index      which block of the frame
        26     2  block_count      0 while the unit's length is not known
        28     2  data_count       K, shards of this block that carry the frame
        30     2  parity_count     m, shards that repair it
        32     2  shard_index      0 .. K-1 data, K .. K+m-1 parity
        34     2  shard_bytes      P, even
        36     1  magic            0xC9
        37     1  version          1; clients do not look at it
        38     1  fec_scheme       0 GF(2^8), 1 GF(2^16); clients do not look at it
        39     1  flags            FLAG_*

Parity covers payloads only. How a frame is cut: ``blocks``. Spec: punktfunk-1.md sections 2.6 and 2.7.
"""

from enum import IntEnum
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import Final, NamedTuple

from punktfunk.errors import LocalProtocolError, RemoteProtocolError

SEQUENCE_BYTES: Final = 8
HEADER_BYTES: Final = 40
TAG_BYTES: Final = 16
SALT_BYTES: Final = 4
OFFSET_HEADER: Final = SEQUENCE_BYTES
OFFSET_PAYLOAD: Final = OFFSET_HEADER + HEADER_BYTES

MAGIC: Final = 0xC9
VERSION: Final = 1

FLAG_PICTURE: Final = 1
FLAG_LAST_PACKET: Final = 2
FLAG_FIRST_PACKET: Final = 4

USER_PICTURE: Final = 0x01
USER_KEY_FRAME: Final = 0x04
USER_PROBE: Final = 0x08
USER_RECOVERY_POINT: Final = 0x10
USER_RECOVERY_ANCHOR: Final = 0x20
USER_CHUNK_ALIGNED: Final = 0x40
USER_SLICES: Final = 0x80
USER_REPEATED: Final = 0x100
USER_RECOVERY_CLOSE: Final = 0x200

MIN_DATAGRAM_BYTES: Final = 24
MAX_DATAGRAM_BYTES: Final = 9216
MIN_SHARD_BYTES: Final = 512
MAX_SHARD_BYTES: Final = MAX_DATAGRAM_BYTES - OFFSET_PAYLOAD - TAG_BYTES

SENDER_BIT: Final = 0x80

_HEADER: Final = Struct("<QIIIIHHHHHHBBBB")
_SEQUENCE: Final = Struct(">Q")


class FecScheme(IntEnum):
    """Which field the parity is made over."""

    GF8 = 0
    GF16 = 1


class Header(NamedTuple):
    """The second table, top to bottom, without magic and version: field order is wire order."""

    pts_ns: int
    frame_index: int
    stream_sequence: int
    frame_bytes: int
    user_flags: int
    block_index: int
    block_count: int
    data_count: int
    parity_count: int
    shard_index: int
    shard_bytes: int
    fec_scheme: int
    flags: int

    @property
    def is_parity(self) -> bool:
        """Whether the payload repairs others instead of carrying the frame."""
        return self.shard_index >= self.data_count


def build_header(header: Header) -> bytes:
    """Write the 40 bytes; counters that wrap are cut to their width, other fields must fit."""
    fields = header._replace(
        frame_index=header.frame_index & 0xFFFFFFFF, stream_sequence=header.stream_sequence & 0xFFFFFFFF
    )
    try:
        return _HEADER.pack(*fields[:11], MAGIC, VERSION, *fields[11:])
    except StructError as error:
        raise LocalProtocolError(f"no media header can say {header}") from error


def build_packet(header: Header, payload: bytes) -> bytes:
    """Header and shard: a datagram without encryption, or the plain text of one with it."""
    if len(payload) != header.shard_bytes:
        raise LocalProtocolError(f"a shard of {len(payload)} bytes goes out as {header.shard_bytes}")
    return build_header(header) + payload


def parse_packet(packet: bytes) -> tuple[Header, bytes]:
    """Read header and payload of a decrypted packet; RemoteProtocolError where a client would drop it.

    What needs the session's numbers (K max, the frame's ceiling) is the receiver's to check.
    """
    if len(packet) < HEADER_BYTES:
        raise RemoteProtocolError(f"media packet of {len(packet)} bytes is shorter than its header")
    fields = _HEADER.unpack_from(packet)
    header = Header(*fields[:11], *fields[13:])
    if fields[11] != MAGIC:
        raise RemoteProtocolError(f"media packet with magic {fields[11]:#04x}")
    if header.data_count == 0 or header.shard_index >= header.data_count + header.parity_count:
        raise RemoteProtocolError(
            f"media shard {header.shard_index} of {header.data_count}+{header.parity_count}"
        )
    if header.block_count and header.block_index >= header.block_count:
        raise RemoteProtocolError(f"media block {header.block_index} of {header.block_count}")
    payload = packet[HEADER_BYTES : HEADER_BYTES + header.shard_bytes]
    if len(payload) != header.shard_bytes:
        raise RemoteProtocolError(f"media shard of {len(payload)} bytes says {header.shard_bytes}")
    return header, payload


def build_sequence(sequence: int) -> bytes:
    """Write the eight bytes in front of a sealed datagram: also its associated data."""
    return _SEQUENCE.pack(sequence)


def parse_sequence(datagram: bytes) -> int:
    """Read the sequence of a sealed datagram; RemoteProtocolError for a length that no datagram has."""
    if not MIN_DATAGRAM_BYTES <= len(datagram) <= MAX_DATAGRAM_BYTES:
        raise RemoteProtocolError(f"media datagram of {len(datagram)} bytes")
    (sequence,) = _SEQUENCE.unpack_from(datagram)
    return int(sequence)


def build_nonce(salt: bytes, sequence: int, *, from_client: bool = False) -> bytes:
    """Twelve bytes: the salt, its top bit saying who sends, and the sequence."""
    if len(salt) != SALT_BYTES:
        raise LocalProtocolError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    first = salt[0] & ~SENDER_BIT & 0xFF | (SENDER_BIT if from_client else 0)
    return bytes((first,)) + salt[1:] + build_sequence(sequence)
