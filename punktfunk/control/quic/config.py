"""What a QUIC endpoint may do: identity, protocols, limits. One frozen value for servers and clients."""

import logging
import os
import ssl
from dataclasses import dataclass
from functools import cache
from typing import Final, TextIO

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicProtocolVersion
from aioquic.tls import CipherSuite
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

log = logging.getLogger(__name__)

IDLE_TIMEOUT_S: Final = 8.0
KEEP_ALIVE_S: Final = 4.0
CONNECTION_ID_BYTES: Final = 8
SECRETS_VARIABLE: Final = "SSLKEYLOGFILE"
_SHORTEST_IDLE_S: Final = 1.0
_LONGEST_IDLE_S: Final = 3600.0
# We take whatever datagram fits into a packet: a smaller number would make aioquic close on larger ones.
_DATAGRAM_FRAME_BYTES_MAX: Final = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class QuicConfig:
    """Settings of one endpoint; punktfunk-1 §2.2 has the protocol's numbers."""

    alpn: tuple[str, ...]
    """Own protocols, best first. A peer that offers none of them is refused."""
    certificate: x509.Certificate | None = None
    private_key: EllipticCurvePrivateKey | None = None
    """A server needs both; a client without them is anonymous."""
    request_client_certificate: bool = True
    server_name: str = "punktfunk"
    """What a client asks for by SNI."""
    pin: str | None = None
    """SHA-256 of the DER certificate, in hex, that a client insists on."""
    idle_timeout_s: float = IDLE_TIMEOUT_S
    keep_alive_s: float = KEEP_ALIVE_S
    handshake_s: float = 10.0
    """A handshake that takes longer is forgotten."""
    packet_bytes: int = 1200
    """Largest UDP payload sent before the path has proved to carry more. 1200 is safe everywhere."""
    packet_bytes_max: int = 1472
    """Largest UDP payload that the path is asked about."""
    stream_window_bytes: int = 256 << 10
    connection_window_bytes: int = 1 << 20
    """Unread bytes that a peer may make us keep, on one stream and on all."""
    stream_backlog_bytes: int = 256 << 10
    """Bytes of one stream that the peer has not acknowledged; beyond, writers wait."""
    streams_max: int = 16
    """Streams that the peer may have open at once."""
    datagram_queue_bytes: int = 4096
    """Datagrams that wait for the network; the oldest is dropped."""
    datagrams_unread_max: int = 1024
    datagrams_unread_bytes_max: int = 1 << 20
    """Datagrams that wait for the reader; the oldest is dropped."""
    connections_max: int = 1024
    connections_per_address_max: int = 32
    """Per IPv4 address or IPv6 /64."""
    handshakes_max: int = 128
    """Unfinished handshakes; beyond, the oldest is forgotten."""
    lanes_max: int = 64
    """Connections with a receive buffer of their own, which no flood fills."""
    retry_above: int = 16
    """With so many unfinished handshakes a new client must first prove its address (Retry)."""
    handshakes_per_s: float = 30.0
    """Begun in the long run; one address has half of them. Whoever is connected must not notice a flood."""
    retries_per_s: float = 100.0
    """Stateless answers to strangers."""

    @property
    def idle_s(self) -> float:
        """The idle timeout within the range that the protocol allows."""
        return min(max(self.idle_timeout_s, _SHORTEST_IDLE_S), _LONGEST_IDLE_S)


@cache
def secrets_log(path: str) -> TextIO | None:
    """Open the file for TLS secrets, once; None for no path. For ``punktfunk dissect`` and Wireshark.

    Whoever has the file can read the sessions, so it is the user's alone and the log says that it is written.
    OSError if it cannot be opened: who asks for secrets should not find none afterwards.
    """
    if not path:
        return None
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    log.warning("secrets of every QUIC connection are written: file=%s variable=%s", path, SECRETS_VARIABLE)
    return os.fdopen(handle, "a", encoding="ascii")


def build_configuration(config: QuicConfig, *, is_client: bool) -> QuicConfiguration:
    """Return aioquic's settings; one value serves all connections of an endpoint."""
    return QuicConfiguration(
        alpn_protocols=list(config.alpn),
        certificate=config.certificate,
        cipher_suites=[
            CipherSuite.AES_128_GCM_SHA256,
            CipherSuite.AES_256_GCM_SHA384,
            CipherSuite.CHACHA20_POLY1305_SHA256,
        ],
        congestion_control_algorithm="cubic",
        connection_id_length=CONNECTION_ID_BYTES,
        idle_timeout=config.idle_s,
        is_client=is_client,
        max_data=config.connection_window_bytes,
        max_datagram_frame_size=_DATAGRAM_FRAME_BYTES_MAX,
        max_datagram_size=config.packet_bytes,
        max_stream_data=config.stream_window_bytes,
        private_key=config.private_key,
        secrets_log_file=secrets_log(os.environ.get(SECRETS_VARIABLE, "")),
        server_name=config.server_name,
        supported_versions=[QuicProtocolVersion.VERSION_1],
        verify_mode=ssl.CERT_NONE,  # chains and names say nothing here; the signature is checked regardless
    )
