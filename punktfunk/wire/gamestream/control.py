"""GameStream control messages from the client, and the envelope that both directions use. Little-endian.

Every ENet packet of the control stream is one envelope; plain packets are refused:

    offset  size  field      meaning
    ------  ----  ---------  ---------------------------------------------------------------
         0     2  type       0x0001
         2     2  length     bytes that follow: 4 + 16 + n
         4     4  sequence   own counter of each direction, from 0
         8    16  tag        AES-128-GCM, key rikey, no additional data
        24     n  sealed     the message: LE16 type, LE16 payload length, payload

Version 2 (agreed by bit 0 of encryptionEnabled): 12-byte IV = LE32 sequence, zeros, byte 10 = origin ("C" or
"H"), byte 11 = "C". The old version: 16-byte IV, byte 0 = sequence & 0xFF, rest zero; there only the low byte
of the sequence is authentic and both directions share their IVs, which is the protocol's own weakness.

Messages from the client (ENet channel and delivery do not matter to their meaning):

    type    payload                                      message
    ------  -------------------------------------------  -------------------------
    0x0302  2 zero                                       RequestIdr
    0x0307  1 zero                                       StartB
    0x0301  LE32 first, LE32 0, LE32 last, 12 zero       InvalidateReferences
    0x0200  LE16 4, LE32 0, 2 pad; every 100 ms          PeriodicPing
    0x0206  an input packet, see ``input``               InputPacket
    0x5502  21 bytes, big-endian                         FecStatus
    0x0350  LE32 frame, LE32 0                           LongTermReferenceAck
    other   0x0201 and 0x0204 are statistics of old      UnknownMessage

Spec: gamestream.md section 6. Peers: moonlight-common-c ControlStream.c, sendMessageEnet,
encryptControlMessage and lossStatsThreadFunc, Video.h; Sunshine src/stream.cpp, controlBroadcastThread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from struct import Struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from punktfunk.errors import LocalProtocolError, RemoteProtocolError

ENVELOPE_TYPE: Final = 0x0001
TAG_BYTES: Final = 16
REPLAY_WINDOW: Final = 16_384
"""Sequences remembered. A reliable message may come ENet's whole 10 s late, behind 1000 motion messages each
second on other channels; refusing it would leave a key pressed."""
MAX_ADVANCE: Final = 4_096
"""Old version only: furthest jump forward, as a forged high part of the sequence must not end the session."""

ENVELOPE: Final = Struct("<HHI")
MESSAGE_HEADER: Final = Struct("<HH")
_ENVELOPE_BYTES: Final = ENVELOPE.size + TAG_BYTES
_LENGTH_COUNTED_FROM: Final = 4
_RFI: Final = Struct("<III")
_FEC_STATUS: Final = Struct(">IHHHHHHHBBB")
_FRAME_INDEX: Final = Struct("<I")


class Origin(Enum):
    """Who sealed an envelope; the value is byte 10 of the IV of version 2."""

    HOST = ord("H")
    CLIENT = ord("C")


class ControlCipher:
    """Seals one direction and opens the other; refuses what was opened before.

    ``key`` is rikey, 16 bytes. ``origin`` says which end this is. A failed ``open`` changes nothing.
    """

    def __init__(self, key: bytes, version2: bool, *, origin: Origin = Origin.HOST) -> None:  # noqa: FBT001
        self._cipher = AESGCM(key)
        self._version2 = version2
        self._origin = origin
        self._peer = Origin.CLIENT if origin is Origin.HOST else Origin.HOST
        self._next_sequence = 0
        self._highest = -1
        self._seen = 0  # bit n: sequence _highest - n was opened

    def seal(self, message: bytes) -> bytes:
        """Envelope for ``message`` (type, length, payload) under the next sequence number."""
        sequence = self._next_sequence
        if sequence > 0xFFFFFFFF or len(message) > 0xFFFF - 4 - TAG_BYTES:
            raise LocalProtocolError(f"cannot seal message {sequence} of {len(message)} bytes")
        self._next_sequence += 1
        sealed = self._cipher.encrypt(self._initial_vector(sequence, self._origin), message, None)
        header = ENVELOPE.pack(ENVELOPE_TYPE, 4 + len(sealed), sequence)
        return header + sealed[-TAG_BYTES:] + sealed[:-TAG_BYTES]

    def open(self, packet: bytes) -> tuple[int, bytes]:
        """Sequence and message of the peer's envelope; RemoteProtocolError if forged, damaged or replayed."""
        if len(packet) < _ENVELOPE_BYTES + MESSAGE_HEADER.size:
            raise RemoteProtocolError(f"control packet of {len(packet)} bytes is too short")
        kind, length, sequence = ENVELOPE.unpack_from(packet)
        if kind != ENVELOPE_TYPE or length != len(packet) - _LENGTH_COUNTED_FROM:
            raise RemoteProtocolError(f"control packet of type {kind:#06x}, length {length} of {len(packet)}")
        self._refuse_replay(sequence)
        tag, sealed = packet[ENVELOPE.size : _ENVELOPE_BYTES], packet[_ENVELOPE_BYTES:]
        try:
            message = self._cipher.decrypt(self._initial_vector(sequence, self._peer), sealed + tag, None)
        except InvalidTag as error:
            raise RemoteProtocolError(f"control packet {sequence} has a wrong tag") from error
        self._remember(sequence)
        return sequence, message

    def _initial_vector(self, sequence: int, origin: Origin) -> bytes:
        if self._version2:
            return sequence.to_bytes(4, "little") + bytes(6) + bytes((origin.value, ord("C")))
        return bytes((sequence & 0xFF,)) + bytes(15)

    def _refuse_replay(self, sequence: int) -> None:
        age = self._highest - sequence
        if age >= REPLAY_WINDOW or (age >= 0 and self._seen >> age & 1):
            raise RemoteProtocolError(f"control packet {sequence} is old or was seen, newest {self._highest}")
        if not self._version2 and -age > MAX_ADVANCE:
            raise RemoteProtocolError(f"control packet {sequence} is too far ahead of {self._highest}")

    def _remember(self, sequence: int) -> None:
        ahead = sequence - self._highest
        if ahead > 0:
            # Shifting by more than the window would build a huge integer out of one forged-looking jump.
            kept = self._seen << ahead if ahead < REPLAY_WINDOW else 0
            self._seen = kept & ((1 << REPLAY_WINDOW) - 1) | 1
            self._highest = sequence
        else:
            self._seen |= 1 << -ahead


@dataclass(frozen=True, slots=True)
class RequestIdr:
    """The client needs an IDR frame; also its first message ("start A")."""


@dataclass(frozen=True, slots=True)
class StartB:
    """Begin streaming."""


@dataclass(frozen=True, slots=True)
class InvalidateReferences:
    """Frames ``first`` to ``last`` were lost: later frames may not refer to them. The range may grow."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class PeriodicPing:
    """Sign of life, every 100 ms."""


@dataclass(frozen=True, slots=True)
class InputPacket:
    """Input for ``input.parse_input``."""

    packet: bytes


@dataclass(frozen=True, slots=True)
class FecStatus:
    """What arrived of a damaged block, fields in wire order (moonlight-common-c, SS_FRAME_FEC_STATUS)."""

    frame_index: int
    highest_sequence: int
    next_contiguous_sequence: int
    missing_count: int
    data_count: int
    parity_count: int
    received_data_count: int
    received_parity_count: int
    percent: int
    block_index: int
    block_count: int


@dataclass(frozen=True, slots=True)
class LongTermReferenceAck:
    """A frame that was marked as a long-term reference arrived whole."""

    frame_index: int


@dataclass(frozen=True, slots=True)
class UnknownMessage:
    """A type that means nothing to this host; to be counted and ignored."""

    message_type: int


ControlMessage = (
    RequestIdr
    | StartB
    | InvalidateReferences
    | PeriodicPing
    | InputPacket
    | FecStatus
    | LongTermReferenceAck
    | UnknownMessage
)


def parse_message(message: bytes) -> ControlMessage:
    """Read a decrypted message; RemoteProtocolError if it is shorter than its type needs or says."""
    if len(message) < MESSAGE_HEADER.size:
        raise RemoteProtocolError(f"control message of {len(message)} bytes has no header")
    kind, length = MESSAGE_HEADER.unpack_from(message)
    payload = message[MESSAGE_HEADER.size : MESSAGE_HEADER.size + length]
    if kind not in _KINDS:
        return UnknownMessage(kind)
    least_bytes, parse = _KINDS[kind]
    if len(payload) < max(length, least_bytes):
        raise RemoteProtocolError(f"control message {kind:#06x} of {len(payload)} bytes, {length} announced")
    return parse(payload)


def _parse_invalidation(payload: bytes) -> InvalidateReferences:
    first, _, last = _RFI.unpack_from(payload)
    if first > last:
        raise RemoteProtocolError(f"invalidation of frames {first} to {last}")
    return InvalidateReferences(first, last)


def _refuse_nesting(_: bytes) -> ControlMessage:
    raise RemoteProtocolError("envelope inside an envelope")


_KINDS: Final[dict[int, tuple[int, Callable[[bytes], ControlMessage]]]] = {
    ENVELOPE_TYPE: (0, _refuse_nesting),
    0x0200: (0, lambda _: PeriodicPing()),
    0x0206: (0, InputPacket),
    0x0301: (_RFI.size, _parse_invalidation),
    0x0302: (0, lambda _: RequestIdr()),
    0x0307: (0, lambda _: StartB()),
    0x0350: (_FRAME_INDEX.size, lambda payload: LongTermReferenceAck(*_FRAME_INDEX.unpack_from(payload))),
    0x5502: (_FEC_STATUS.size, lambda payload: FecStatus(*_FEC_STATUS.unpack_from(payload))),
}
