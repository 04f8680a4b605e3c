"""Captured media packets: opened with a session's key, and told frame by frame."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.native.capabilities import Cipher
from punktfunk.wire.native.packet import (
    HEADER_BYTES,
    MIN_DATAGRAM_BYTES,
    SALT_BYTES,
    SEQUENCE_BYTES,
    USER_KEY_FRAME,
    USER_PROBE,
    Header,
    build_nonce,
    parse_packet,
    parse_sequence,
)
from punktfunk.wire.native.replay import ReplayWindow

SEGMENTS_MAX: Final = 64
OPEN_FRAMES: Final = 8
"""A frame is told when so many newer ones have begun."""


@dataclass(frozen=True, slots=True)
class MediaPacket:
    """One packet that could be read; ``sequence`` is None without encryption."""

    sequence: int | None
    header: Header
    is_repeated: bool


@dataclass(slots=True)
class MediaFrame:
    """What came of one frame."""

    frame_index: int
    is_probe: bool
    is_key_frame: bool
    pts_ns: int
    frame_bytes: int
    first_ns: int
    last_ns: int
    blocks: dict[int, tuple[int, int]] = field(default_factory=dict)
    seen: set[tuple[int, int]] = field(default_factory=set)

    @property
    def expected_count(self) -> int:
        """Packets of the blocks that are known."""
        return sum(data + parity for data, parity in self.blocks.values())

    @property
    def lost_count(self) -> int:
        """Packets of those that did not come."""
        return self.expected_count - len(self.seen)

    @property
    def is_lost(self) -> bool:
        """Whether some block has fewer shards than data: no receiver could show the frame."""
        came = dict.fromkeys(self.blocks, 0)
        for block, _ in self.seen:
            came[block] += 1
        return any(came[block] < data for block, (data, _) in self.blocks.items())


class MediaKey:
    """Opens the host's packets of one session. ``key`` None: they are not sealed."""

    def __init__(
        self, key: bytes | None, salt: bytes = bytes(SALT_BYTES), cipher: Cipher = Cipher.AES_128_GCM
    ) -> None:
        kind = AESGCM if cipher is Cipher.AES_128_GCM else ChaCha20Poly1305
        self._cipher = None if key is None else kind(key)
        self._salt = salt
        self._replay = ReplayWindow()
        self._size_bytes = 0

    def open_all(self, datagram: bytes) -> list[tuple[MediaPacket, int]]:
        """Read a captured datagram: packets and their sizes; none if it is none of this session.

        Captures on the sending or receiving machine show datagrams of one size that the kernel's offloads
        joined (UDP_SEGMENT, UDP_GRO): they are cut again, by the last size that opened or one that divides.
        """
        packet = self.open(datagram)
        if packet is not None and self._cipher is None:
            self._size_bytes = HEADER_BYTES + packet.header.shard_bytes  # says itself where it ends
            packet = packet if len(datagram) <= self._size_bytes else None
        if packet is not None:
            self._size_bytes = len(datagram)
            return [(packet, len(datagram))]
        counts = range(2, min(SEGMENTS_MAX, len(datagram) // MIN_DATAGRAM_BYTES) + 1)
        sizes = [len(datagram) // count for count in counts if len(datagram) % count == 0]
        for size in (self._size_bytes, *sizes):
            if 0 < size < len(datagram) and (first := self.open(datagram[:size])) is not None:
                self._size_bytes = size
                rest = (datagram[at : at + size] for at in range(size, len(datagram), size))
                opened = [(self.open(segment), len(segment)) for segment in rest]
                return [(first, size), *((one, count) for one, count in opened if one is not None)]
        return []

    def open(self, datagram: bytes) -> MediaPacket | None:
        """Read a single packet; None if it is none of this session."""
        try:
            if self._cipher is None:
                return MediaPacket(None, parse_packet(datagram)[0], is_repeated=False)
            sequence = parse_sequence(datagram)
            nonce, sealed = build_nonce(self._salt, sequence), datagram[SEQUENCE_BYTES:]
            plain = self._cipher.decrypt(nonce, sealed, datagram[:SEQUENCE_BYTES])
            header = parse_packet(plain)[0]
        except (RemoteProtocolError, InvalidTag):
            return None
        return MediaPacket(sequence, header, is_repeated=not self._replay.accept(sequence))


class FrameTable:
    """Packets into frames; each is given once, when newer ones have begun or at the end."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[bool, int], MediaFrame] = OrderedDict()

    def add(self, packet: MediaPacket, time_ns: int) -> Iterator[MediaFrame]:
        """Take a packet; give the frames that are over by it."""
        header = packet.header
        is_probe = bool(header.user_flags & USER_PROBE)
        key = is_probe, header.frame_index
        frame = self._open.get(key)
        if frame is None:
            is_key = bool(header.user_flags & USER_KEY_FRAME)
            frame = MediaFrame(header.frame_index, is_probe, is_key, header.pts_ns, 0, time_ns, time_ns)
            self._open[key] = frame
        frame.last_ns = time_ns
        if header.block_count:
            frame.frame_bytes = header.frame_bytes
        frame.blocks.setdefault(header.block_index, (header.data_count, header.parity_count))
        data, parity = frame.blocks[header.block_index]
        if header.shard_index < data + parity:
            frame.seen.add((header.block_index, header.shard_index))
        while len(self._open) > OPEN_FRAMES:
            yield self._open.popitem(last=False)[1]

    def finish(self) -> Iterator[MediaFrame]:
        """Give what is left."""
        while self._open:
            yield self._open.popitem(last=False)[1]
