"""One captured QUIC connection, opened as far as the secrets reach.

Initial packets need no secret: their keys come from the connection id of the client's first flight. Handshake
and 1-RTT packets need the secrets file, found by the random number in ClientHello; the suite stands in
ServerHello. Key updates are followed. Cryptography is aioquic's. RFC 9000, RFC 9001.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from aioquic._buffer import Buffer
from aioquic._crypto import CryptoError
from aioquic.quic.crypto import CryptoContext, CryptoPair, apply_key_phase, next_key_phase
from aioquic.quic.packet import QuicHeader, QuicPacketType, QuicProtocolVersion, pull_quic_header
from aioquic.tls import CipherSuite

from punktfunk.errors import RemoteProtocolError
from punktfunk.measure.dissect import secrets as log
from punktfunk.measure.dissect.assembly import Assembly
from punktfunk.measure.dissect.frames import CryptoData, Frame, parse_frames

SUITES: Final = (
    CipherSuite.AES_128_GCM_SHA256,
    CipherSuite.AES_256_GCM_SHA384,
    CipherSuite.CHACHA20_POLY1305_SHA256,
)
_VERSION: Final = int(QuicProtocolVersion.VERSION_1)
_NAMES: Final = {
    QuicPacketType.INITIAL: "Initial",
    QuicPacketType.ZERO_RTT: "0-RTT",
    QuicPacketType.HANDSHAKE: "Handshake",
    QuicPacketType.RETRY: "Retry",
    QuicPacketType.VERSION_NEGOTIATION: "Version Negotiation",
    QuicPacketType.ONE_RTT: "1-RTT",
}


def is_initial(datagram: bytes) -> bool:
    """Whether a datagram begins with an Initial packet of QUIC v1: then its sender is a client."""
    return len(datagram) >= 7 and datagram[0] & 0xF0 == 0xC0 and datagram[1:5] == b"\0\0\0\1"


def first_flight_id(datagram: bytes) -> bytes | None:
    """Give the connection id by which a client's first flight is sealed; None for every other datagram.

    Later Initials name an id of the host's and are still sealed by the first one, so they do not open here:
    what opens begins a connection, be it after a Retry, or on addresses that another one had before.
    """
    if not is_initial(datagram):
        return None
    buffer = Buffer(data=datagram)
    try:
        header = pull_quic_header(buffer)
        pair = CryptoPair()
        pair.setup_initial(cid=header.destination_cid, is_client=False, version=_VERSION)
        pair.recv.decrypt_packet(datagram[: header.packet_length], buffer.tell(), 0)
    except (ValueError, CryptoError):
        return None
    return bytes(header.destination_cid)


@dataclass(slots=True)
class Opened:
    """A packet: its kind, and its frames if it could be opened."""

    kind: str
    size_bytes: int
    frames: list[Frame] | None


@dataclass(slots=True)
class _Side:
    """What one end sends."""

    contexts: dict[QuicPacketType, CryptoContext] = field(default_factory=dict)
    next_numbers: dict[QuicPacketType, int] = field(default_factory=dict)
    hello: Assembly = field(default_factory=Assembly)
    hello_bytes: bytes = b""
    id_bytes: int = 0
    """Length of this end's own connection ids: what the other end's short headers name."""


class QuicConversation:
    """Both directions of the connection whose first flight named ``first_id``."""

    def __init__(self, first_id: bytes, secrets: log.Secrets) -> None:
        self.first_id = first_id
        self._secrets = secrets
        self._client, self._host = _Side(), _Side()
        pair = CryptoPair()
        pair.setup_initial(cid=first_id, is_client=False, version=_VERSION)
        self._client.contexts[QuicPacketType.INITIAL] = pair.recv
        self._host.contexts[QuicPacketType.INITIAL] = pair.send
        self._suite: CipherSuite | None = None
        self._random: bytes | None = None

    @property
    def is_open(self) -> bool:
        """Whether application packets of both directions can be opened."""
        sides = self._client, self._host
        return all(QuicPacketType.ONE_RTT in side.contexts for side in sides)

    def feed(self, datagram: bytes, *, from_client: bool) -> Iterator[Opened]:
        """Give the packets of a datagram, in order."""
        sender, receiver = (self._client, self._host) if from_client else (self._host, self._client)
        buffer = Buffer(data=datagram)
        while not buffer.eof():
            start = buffer.tell()
            try:
                header = pull_quic_header(buffer, host_cid_length=receiver.id_bytes)
            except ValueError:
                return  # padding behind the last packet, or no QUIC
            end = start + header.packet_length
            if not start < end <= len(datagram):
                return
            packet = datagram[start:end]
            frames = self._open(header, packet, buffer.tell() - start, sender, from_client=from_client)
            yield Opened(_NAMES[header.packet_type], len(packet), frames)
            buffer.seek(end)

    def _open(
        self, header: QuicHeader, packet: bytes, offset: int, sender: _Side, *, from_client: bool
    ) -> list[Frame] | None:
        kind = header.packet_type
        if kind == QuicPacketType.INITIAL:
            sender.id_bytes = len(header.source_cid)
        context = sender.contexts.get(kind)
        if context is None:
            return None
        expected = sender.next_numbers.get(kind, 0)
        try:
            _, payload, number, is_updated = context.decrypt_packet(packet, offset, expected)
        except CryptoError:
            return None
        if is_updated:
            apply_key_phase(context, next_key_phase(context), trigger="remote_update")
        sender.next_numbers[kind] = max(expected, number + 1)
        try:
            frames = list(parse_frames(payload))
        except RemoteProtocolError:
            return None
        if kind == QuicPacketType.INITIAL:
            self._read_hellos(sender, frames, from_client=from_client)
        return frames

    def _read_hellos(self, sender: _Side, frames: list[Frame], *, from_client: bool) -> None:
        for frame in frames:
            if isinstance(frame, CryptoData) and len(sender.hello_bytes) < 1 << 16:
                sender.hello_bytes += sender.hello.feed(frame.offset, frame.data)
        hello = sender.hello_bytes
        if from_client and self._random is None and len(hello) >= 38:
            self._random = hello[6:38]
        if not from_client and self._suite is None and len(hello) >= 41:
            at = 39 + hello[38]
            number = int.from_bytes(hello[at : at + 2], "big")
            self._suite = next((suite for suite in SUITES if suite == number), None)
            self._derive_secrets()

    def _derive_secrets(self) -> None:
        known = self._secrets.get(self._random or b"", {})
        places = (
            (log.CLIENT_HANDSHAKE, self._client, QuicPacketType.HANDSHAKE),
            (log.HOST_HANDSHAKE, self._host, QuicPacketType.HANDSHAKE),
            (log.CLIENT, self._client, QuicPacketType.ONE_RTT),
            (log.HOST, self._host, QuicPacketType.ONE_RTT),
        )
        for label, side, kind in places:
            if label in known and self._suite is not None:
                context = CryptoContext()
                context.setup(cipher_suite=self._suite, secret=known[label], version=_VERSION)
                side.contexts[kind] = context
