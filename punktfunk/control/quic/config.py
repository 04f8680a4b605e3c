"""What a QUIC endpoint may do: identity, protocols, limits. One frozen value for servers and clients."""

import ssl
from dataclasses import dataclass
from typing import Final

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicProtocolVersion
from aioquic.tls import CipherSuite
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

IDLE_TIMEOUT_S: Final = 8.0
KEEP_ALIVE_S: Final = 4.0
CONNECTION_ID_BYTES: Final = 8
_SHORTEST_IDLE_S: Final = 1.0
_LONGEST_IDLE_S: Final = 3600.0
# We take whatever datagram fits into a packet: a smaller number would make aioquic close on larger ones.
_DATAGRAM_FRAME_BYTES_MAX: Final = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class QuicConfig:
    """Settings of one endpoint. Sizes are bytes, times seconds; punktfunk-1 §2.2 has the numbers.

    ``alpn``: own protocols, best first; a peer that offers none of them is refused.
    ``certificate`` and ``private_key``: a server needs them; a client without them is anonymous.
    ``server_name``: SNI of a client. ``pin``: SHA-256 of the host's DER certificate that a client insists on.
    ``packet_bytes``: largest UDP payload we send (1200 is safe everywhere; aioquic does not probe the path).
    ``stream_window_bytes`` and ``connection_window_bytes``: unread bytes that a peer may make us keep.
    ``streams_max``: streams that the peer may have open at once.
    ``datagram_queue_bytes``: datagrams waiting for the network, and ``datagrams_unread_max`` for the reader;
    of both the oldest is dropped. ``retry_above``: with more unfinished handshakes than this, a new client
    must first prove its address (Retry). ``handshakes_max``: unfinished handshakes at once.
    ``handshakes_per_s`` and ``retries_per_s``: what may be computed for strangers, so that those who are
    connected do not notice a flood.
    """

    alpn: tuple[str, ...]
    certificate: x509.Certificate | None = None
    private_key: EllipticCurvePrivateKey | None = None
    request_client_certificate: bool = True
    server_name: str = "punktfunk"
    pin: str | None = None
    idle_timeout_s: float = IDLE_TIMEOUT_S
    keep_alive_s: float = KEEP_ALIVE_S
    handshake_s: float = 10.0
    packet_bytes: int = 1200
    stream_window_bytes: int = 256 << 10
    connection_window_bytes: int = 1 << 20
    stream_backlog_bytes: int = 256 << 10
    streams_max: int = 16
    datagram_queue_bytes: int = 4096
    datagrams_unread_max: int = 1024
    connections_max: int = 1024
    connections_per_address_max: int = 32
    handshakes_max: int = 128
    retry_above: int = 16
    handshakes_per_s: float = 60.0
    retries_per_s: float = 400.0

    @property
    def idle_s(self) -> float:
        """The idle timeout within the range that the protocol allows."""
        return min(max(self.idle_timeout_s, _SHORTEST_IDLE_S), _LONGEST_IDLE_S)

    @property
    def ping_after_s(self) -> float:
        """Silence after which we ask whether the peer is still there."""
        return min(self.idle_s / 2, self.keep_alive_s)


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
        server_name=config.server_name,
        supported_versions=[QuicProtocolVersion.VERSION_1],
        verify_mode=ssl.CERT_NONE,  # chains and names say nothing here; the signature is checked regardless
    )
