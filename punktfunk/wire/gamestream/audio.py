"""GameStream audio (UDP 48000): Opus layouts, RTP packets, 4+2 parity, AES-128-CBC. Big-endian.

Data packet, one per Opus frame:

    offset  size  field             meaning
    ------  ----  ----------------  -----------------------------------------------------------
         0     1  version           0x80
         1     1  payload_type      97
         2     2  sequence          from 0, one more per data packet, wraps
         4     4  timestamp_ms      0, 5, 10 ... in milliseconds of packet duration, not 48 kHz
         8     4  ssrc              0
        12     n  payload           one Opus packet, perhaps encrypted

Parity packet, two after every fourth data packet:

    offset  size  field             meaning
    ------  ----  ----------------  -----------------------------------------------------------
         0     1  version           0x80
         1     1  payload_type      127
         2     2  sequence          base_sequence + 4 + shard_index: overlaps the next data, meant so
         4     4  timestamp_ms      0
         8     4  ssrc              0
        12     1  shard_index       0 or 1
        13     1  data_type         97
        14     2  base_sequence     of the block's first data packet, a multiple of 4
        16     4  base_timestamp_ms of the same packet
        20     4  ssrc              0
        24     n  parity            over the four payloads as sent, that is after encryption

All payloads must have one size for the whole session (constant bitrate): at the first difference the client
switches parity off for good (moonlight-common-c, RtpAudioQueue.c, getFecBlockForRtpPacket). The client skips
the first block it sees, wants blocks to start at multiples of 4, and reads at most 1400 bytes per datagram.
Spec: gamestream.md section 5; peers: moonlight-common-c RtpAudioQueue.c and AudioStream.c, Sunshine
src/stream.cpp, audioBroadcastThread, and src/audio.cpp, stream_configs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from punktfunk.errors import LocalProtocolError, RemoteProtocolError

SAMPLE_RATE_HZ: Final = 48_000
RTP_VERSION: Final = 0x80
PAYLOAD_TYPE_OPUS: Final = 97
PAYLOAD_TYPE_PARITY: Final = 127
DATA_SHARD_COUNT: Final = 4
PARITY_SHARD_COUNT: Final = 2
MAX_DATAGRAM_BYTES: Final = 1400
"""What the client's receive buffer holds (moonlight-common-c, AudioStream.c, MAX_PACKET_SIZE)."""

PARITY_MATRIX: Final = ((0x77, 0x40, 0x38, 0x0E), (0xC7, 0xA7, 0x0D, 0x6C))
"""parity[x] = sum of PARITY_MATRIX[x][i] * data[i] over GF(2^8) modulo 0x11D. Not the video matrix: this one
is OpenFEC's (Sunshine, src/stream.cpp, audioBroadcastThread)."""

RTP_HEADER: Final = Struct(">BBHII")
PARITY_HEADER: Final = Struct(">BBHIIBBHII")
MAX_OPUS_BYTES: Final = (MAX_DATAGRAM_BYTES - PARITY_HEADER.size) // 16 * 16 - 1
"""Largest Opus packet whose padded, encrypted parity packet still fits the client's buffer: 1375 bytes."""


@dataclass(frozen=True, slots=True)
class OpusLayout:
    """An Opus multistream: ``stream_count`` streams, of which the first ``coupled_count`` are stereo pairs.

    ``mapping[c]`` is the decoded channel that output channel c takes, the same for encoder and decoder.
    Channels are ordered FL FR C LFE BL BR SL SR.
    """

    channel_count: int
    stream_count: int
    coupled_count: int
    mapping: tuple[int, ...]
    bitrate_bps: int

    def packet_bytes(self, packet_duration_ms: int) -> int:
        """Bytes of every Opus packet at constant bitrate, at most MAX_OPUS_BYTES."""
        return min(self.bitrate_bps * packet_duration_ms // 8000, MAX_OPUS_BYTES)


_LAYOUTS: Final = {
    (2, False): OpusLayout(2, 1, 1, (0, 1), 96_000),
    (2, True): OpusLayout(2, 1, 1, (0, 1), 512_000),
    (6, False): OpusLayout(6, 4, 2, tuple(range(6)), 256_000),
    (6, True): OpusLayout(6, 6, 0, tuple(range(6)), 1_536_000),
    (8, False): OpusLayout(8, 5, 3, tuple(range(8)), 450_000),
    (8, True): OpusLayout(8, 8, 0, tuple(range(8)), 2_048_000),
}


def opus_layout(channel_count: int, high_quality: bool) -> OpusLayout:  # noqa: FBT001  (the protocol's own flag)
    """Layout that Sunshine and every client agree on; other counts than 2, 6, 8 raise LocalProtocolError."""
    layout = _LAYOUTS.get((channel_count, high_quality))
    if layout is None:
        raise LocalProtocolError(f"no Opus layout has {channel_count} channels", hint="Use 2, 6 or 8.")
    return layout


def surround_params(layout: OpusLayout) -> str:
    """Value of a DESCRIBE line ``a=fmtp:97 surround-params=``: counts, then the mapping's digits.

    A client moves the last digit of the first such line of its channel count back to position 3, because GFE
    announces LFE last in normal quality (moonlight-common-c, RtspConnection.c, parseOpusConfigurations), so
    layouts with coupled streams are announced that way; the second line, high quality, is taken as it is.
    """
    digits = layout.mapping
    if layout.channel_count > 2 and layout.coupled_count:
        digits = (*digits[:3], *digits[4:], digits[3])
    return f"{layout.channel_count}{layout.stream_count}{layout.coupled_count}" + "".join(map(str, digits))


def build_data_packet(sequence: int, timestamp_ms: int, payload: bytes) -> bytes:
    """One data packet; ``payload`` as it goes on the wire, so encrypted already where that was agreed."""
    header = RTP_HEADER.pack(RTP_VERSION, PAYLOAD_TYPE_OPUS, sequence & 0xFFFF, timestamp_ms & 0xFFFFFFFF, 0)
    return header + payload


def build_parity_packets(
    base_sequence: int, base_timestamp_ms: int, payloads: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """Both parity packets of a block of four equally long payloads."""
    if base_sequence % DATA_SHARD_COUNT:
        raise LocalProtocolError(f"audio block starts at {base_sequence}, which is no multiple of 4")
    base = base_sequence & 0xFFFF
    first, second = (
        PARITY_HEADER.pack(
            RTP_VERSION,
            PAYLOAD_TYPE_PARITY,
            (base + DATA_SHARD_COUNT + index) & 0xFFFF,
            0,
            0,
            index,
            PAYLOAD_TYPE_OPUS,
            base,
            base_timestamp_ms & 0xFFFFFFFF,
            0,
        )
        + parity
        for index, parity in enumerate(parity_of(payloads))
    )
    return first, second


def parity_of(payloads: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Parity over four payloads of one size; LocalProtocolError if sizes or count differ."""
    size_bytes = len(payloads[0]) if payloads else 0
    if len(payloads) != DATA_SHARD_COUNT or any(len(payload) != size_bytes for payload in payloads):
        raise LocalProtocolError(
            f"audio parity needs 4 equal payloads, got sizes {[len(payload) for payload in payloads]}"
        )
    first, second = (
        _xor_of([payload.translate(table) for payload, table in zip(payloads, row, strict=True)])
        for row in _PRODUCTS
    )
    return first, second


def encrypt_payload(key: bytes, iv_id: int, sequence: int, opus: bytes) -> bytes:
    """AES-128-CBC with PKCS#7; a full block is added at multiples of 16.

    The IV is BE32(iv_id + sequence) and twelve zeros, ``sequence`` being the 16-bit one of the packet
    (moonlight-common-c, AudioStream.c, decodeInputData). ``iv_id`` is rikeyid modulo 2**32.
    """
    padder = PKCS7(128).padder()
    encryptor = Cipher(AES(key), CBC(_initial_vector(iv_id, sequence))).encryptor()
    return encryptor.update(padder.update(opus) + padder.finalize()) + encryptor.finalize()


def decrypt_payload(key: bytes, iv_id: int, sequence: int, payload: bytes) -> bytes:
    """Undo ``encrypt_payload``, for clients; RemoteProtocolError where length or padding are wrong."""
    if not payload or len(payload) % 16:
        raise RemoteProtocolError(f"encrypted audio of {len(payload)} bytes is no multiple of 16")
    decryptor = Cipher(AES(key), CBC(_initial_vector(iv_id, sequence))).decryptor()
    unpadder = PKCS7(128).unpadder()
    try:
        return unpadder.update(decryptor.update(payload) + decryptor.finalize()) + unpadder.finalize()
    except ValueError as error:
        raise RemoteProtocolError("encrypted audio has bad padding") from error


class AudioData(NamedTuple):
    """A data packet, fields in wire order."""

    sequence: int
    timestamp_ms: int
    payload: bytes


class AudioParity(NamedTuple):
    """A parity packet, fields in wire order."""

    shard_index: int
    base_sequence: int
    base_timestamp_ms: int
    parity: bytes


def parse_audio(datagram: bytes) -> AudioData | AudioParity:
    """Read either packet, as a client does; anything else raises RemoteProtocolError."""
    if len(datagram) < RTP_HEADER.size:
        raise RemoteProtocolError(f"audio datagram of {len(datagram)} bytes is shorter than its header")
    version, payload_type, sequence, timestamp_ms, _ = RTP_HEADER.unpack_from(datagram)
    if version == RTP_VERSION and payload_type == PAYLOAD_TYPE_OPUS:
        return AudioData(sequence, timestamp_ms, datagram[RTP_HEADER.size :])
    if version != RTP_VERSION or payload_type != PAYLOAD_TYPE_PARITY:
        raise RemoteProtocolError(f"audio datagram starts with {version:#04x} {payload_type}")
    if len(datagram) < PARITY_HEADER.size:
        raise RemoteProtocolError(f"audio parity of {len(datagram)} bytes is shorter than its header")
    shard_index, _, base_sequence, base_timestamp_ms, _ = PARITY_HEADER.unpack_from(datagram)[5:]
    if shard_index >= PARITY_SHARD_COUNT or base_sequence % DATA_SHARD_COUNT:
        raise RemoteProtocolError(f"audio parity shard {shard_index} of block {base_sequence}")
    return AudioParity(shard_index, base_sequence, base_timestamp_ms, datagram[PARITY_HEADER.size :])


class AudioPacketizer:
    """Opus packets in, datagrams out: counts, encrypts, and closes every block of four with its parity.

    ``key`` is the session's 16 bytes or None for clear text. One instance lives as long as the session.
    """

    def __init__(self, packet_duration_ms: int, key: bytes | None, iv_id: int) -> None:
        self._duration_ms = packet_duration_ms
        self._key = key
        self._iv_id = iv_id
        self._sequence = 0
        self._timestamp_ms = 0
        self._opus_bytes: int | None = None
        self._block: list[bytes] = []

    def datagrams(self, opus: bytes) -> list[bytes]:
        """Datagrams to send now: one, or three when ``opus`` completes a block. Sizes must never change."""
        if len(opus) != (self._opus_bytes or len(opus)):
            raise LocalProtocolError(
                f"Opus packet of {len(opus)} bytes after {self._opus_bytes}: bitrate must be constant"
            )
        self._opus_bytes = len(opus)
        payload = opus
        if self._key is not None:
            payload = encrypt_payload(self._key, self._iv_id, self._sequence, opus)
        packets = [build_data_packet(self._sequence, self._timestamp_ms, payload)]
        self._block.append(payload)
        if len(self._block) == DATA_SHARD_COUNT:
            base_sequence = (self._sequence - DATA_SHARD_COUNT + 1) & 0xFFFF
            base_timestamp_ms = self._timestamp_ms - (DATA_SHARD_COUNT - 1) * self._duration_ms
            packets += build_parity_packets(base_sequence, base_timestamp_ms, self._block)
            self._block = []
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp_ms = (self._timestamp_ms + self._duration_ms) & 0xFFFFFFFF
        return packets


def _initial_vector(iv_id: int, sequence: int) -> bytes:
    return ((iv_id + (sequence & 0xFFFF)) & 0xFFFFFFFF).to_bytes(4, "big") + bytes(12)


def _product(left: int, right: int) -> int:
    product = 0
    while right:
        product ^= left if right & 1 else 0
        left <<= 1
        left ^= 0x11D if left & 0x100 else 0
        right >>= 1
    return product


def _xor_of(columns: Sequence[bytes]) -> bytes:
    total = 0
    for column in columns:
        total ^= int.from_bytes(column, "little")
    return total.to_bytes(len(columns[0]), "little")


# One 256-byte table per matrix entry: bytes.translate multiplies a whole payload in C, and whole payloads are
# xored as integers, so a block costs microseconds without NumPy, which wire may not import.
_PRODUCTS: Final = tuple(
    tuple(bytes(_product(factor, value) for value in range(256)) for factor in row) for row in PARITY_MATRIX
)
