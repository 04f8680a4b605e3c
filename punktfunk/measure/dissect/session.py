"""Captured datagrams into events: who said what, when.

Who is the client: the one that sends an Initial, or a punch. A Welcome that could be read opens the media of
its session by itself; keys given on the command line open what no Welcome did.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from punktfunk.measure.dissect.frames import Close
from punktfunk.measure.dissect.media import FrameTable, MediaFrame, MediaKey, MediaPacket
from punktfunk.measure.dissect.messages import Messages
from punktfunk.measure.dissect.quic import QuicConversation, first_flight_id
from punktfunk.measure.dissect.secrets import Secrets
from punktfunk.wire.native.capabilities import PUNCH
from punktfunk.wire.native.packet import MIN_DATAGRAM_BYTES
from punktfunk.wire.native.welcome import Welcome
from punktfunk.wire.pcap import UdpDatagram

Address = tuple[str, int]
CONVERSATIONS_MAX: Final = 1024
KEYS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a session. ``value``: a message, a MediaFrame, a MediaPacket, or text."""

    time_ns: int
    from_client: bool
    client: Address
    plane: str
    value: Any


@dataclass(slots=True)
class _Quic:
    conversation: QuicConversation
    client: Address
    host: Address
    messages: Messages = field(default_factory=Messages)
    sealed: set[tuple[str, bool]] = field(default_factory=set)
    """Kinds of packets, and whose, of which the first that could not be opened was told."""


@dataclass(slots=True)
class _Media:
    client: Address
    key: MediaKey | None = None
    frames: FrameTable = field(default_factory=FrameTable)


class Dissector:
    """Reads datagrams in the order of the capture. Memory is bounded whatever the capture holds."""

    def __init__(
        self, secrets: Secrets | None = None, keys: tuple[MediaKey, ...] = (), *, packets: bool = False
    ) -> None:
        self._secrets = secrets or {}
        self._keys: dict[Address | int, MediaKey] = dict(enumerate(keys))
        self._packets = packets
        self._quic: dict[frozenset[Address], _Quic] = {}
        self._media: dict[frozenset[Address], _Media] = {}
        self.counts: Counter[str] = Counter()
        self.start_ns: int | None = None
        """When the first datagram was captured."""

    def feed(self, time_ns: int, datagram: UdpDatagram) -> Iterator[Event]:
        """Give the events of one datagram."""
        if self.start_ns is None:
            self.start_ns = time_ns
        pair = frozenset((datagram.source, datagram.destination))
        self.counts["datagrams"] += 1
        self._begin_quic(datagram, pair)
        if pair in self._quic:
            yield from self._feed_quic(time_ns, datagram, self._quic[pair])
        elif datagram.payload == PUNCH:
            yield from self._feed_punch(time_ns, datagram, pair)
        elif len(datagram.payload) >= MIN_DATAGRAM_BYTES:
            yield from self._feed_media(time_ns, datagram, pair)
        else:
            self.counts["other datagrams"] += 1

    def finish(self) -> Iterator[Event]:
        """Give the frames that were still open when the capture ended."""
        for media in self._media.values():
            for frame in media.frames.finish():
                yield self._note_frame(frame, media)

    def _begin_quic(self, datagram: UdpDatagram, pair: frozenset[Address]) -> None:
        first_id = first_flight_id(datagram.payload)
        known = self._quic.get(pair)
        if first_id is None or (known is not None and known.conversation.first_id == first_id):
            return
        if known is not None or len(self._quic) < CONVERSATIONS_MAX:
            conversation = QuicConversation(first_id, self._secrets)
            self._quic[pair] = _Quic(conversation, datagram.source, datagram.destination)

    def _feed_quic(self, time_ns: int, datagram: UdpDatagram, quic: _Quic) -> Iterator[Event]:
        from_client = datagram.source == quic.client
        for packet in quic.conversation.feed(datagram.payload, from_client=from_client):
            self.counts["QUIC packets"] += 1
            if packet.frames is None:
                self.counts["QUIC packets not opened"] += 1
            sealed = packet.frames is None
            is_first = sealed and (packet.kind, from_client) not in quic.sealed
            if is_first or self._packets:
                quic.sealed.add((packet.kind, from_client))
                state = ", not opened" if sealed else ""
                text = f"{packet.kind}, {packet.size_bytes} bytes{state}"
                yield Event(time_ns, from_client, quic.client, "QUIC", text)
            for frame in packet.frames or ():
                for value in quic.messages.read(frame, from_client=from_client):
                    self.counts[type(value).__name__] += 1
                    if isinstance(value, Welcome):
                        self._learn(value, quic)
                    plane = "QUIC" if isinstance(value, Close) else "message"
                    yield Event(time_ns, from_client, quic.client, plane, value)

    def _learn(self, welcome: Welcome, quic: _Quic) -> None:
        key = welcome.chacha_key or welcome.key
        place = quic.host[0], welcome.media_port
        if len(self._keys) < KEYS_MAX:
            self._keys[place] = MediaKey(key if welcome.encrypt else None, welcome.salt, welcome.cipher)
            for pair, media in self._media.items():
                if place in pair:
                    media.key = self._keys[place]  # the port was used before, by another session

    def _feed_punch(self, time_ns: int, datagram: UdpDatagram, pair: frozenset[Address]) -> Iterator[Event]:
        self.counts["punches"] += 1
        if pair not in self._media and len(self._media) < CONVERSATIONS_MAX:
            self._media[pair] = _Media(datagram.source, self._keys.get(datagram.destination))
            yield Event(time_ns, from_client=True, client=datagram.source, plane="media", value="first punch")

    def _feed_media(self, time_ns: int, datagram: UdpDatagram, pair: frozenset[Address]) -> Iterator[Event]:
        media = self._media.get(pair)
        known = media.key if media else None
        first = known or self._keys.get(datagram.source)
        for key in (first,) if first else tuple(self._keys.values()):
            packets = key.open_all(datagram.payload)
            if not packets:
                continue
            if media is None:
                if len(self._media) >= CONVERSATIONS_MAX:
                    return
                media = self._media[pair] = _Media(datagram.destination)
            media.key = key
            for packet, size in packets:
                yield from self._note_packet(time_ns, packet, media, size)
            return
        self.counts["media packets not opened" if media else "other datagrams"] += 1

    def _note_packet(self, time_ns: int, packet: MediaPacket, media: _Media, size: int) -> Iterator[Event]:
        self.counts["media packets"] += 1
        self.counts["media bytes"] += size
        if packet.is_repeated:
            self.counts["media packets repeated"] += 1
            return
        if self._packets:
            yield Event(time_ns, from_client=False, client=media.client, plane="media", value=packet)
        for frame in media.frames.add(packet, time_ns):
            yield self._note_frame(frame, media)

    def _note_frame(self, frame: MediaFrame, media: _Media) -> Event:
        self.counts["probe units" if frame.is_probe else "frames"] += 1
        self.counts["media packets lost"] += frame.lost_count
        if frame.is_lost and not frame.is_probe:
            self.counts["frames lost"] += 1
        return Event(frame.first_ns, from_client=False, client=media.client, plane="media", value=frame)
