"""aioquic's connection with what it lacks for us. Its private parts are used here and in `packets`.

- A server asks for the client's certificate and accepts any, or none. aioquic checks the signature of
  CertificateVerify in either case; who is trusted is decided later, by fingerprint.
- Flow control follows what the application has read. aioquic's own doubles the windows by what *arrived*,
  so that a peer could fill our memory.

Pinned to aioquic 1.7, as none of this is its public interface. Source: punktfunk-1 §2.2.
"""

# ruff: noqa: SLF001 -- see above

import logging
import math
from typing import TYPE_CHECKING, Final

from aioquic._buffer import Buffer
from aioquic.quic import connection as aioquic_connection
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import (
    NetworkAddress,
    QuicConnectionError,
    QuicConnectionState,
    QuicReceiveContext,
)
from aioquic.quic.packet import (
    QuicErrorCode,
    QuicHeader,
    pull_quic_header,
)
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.tls import Epoch, Group
from cryptography.hazmat.primitives.serialization import Encoding

from punktfunk.control.quic.config import CONNECTION_ID_BYTES, QuicConfig
from punktfunk.control.quic.packets import PacketCore

if TYPE_CHECKING:
    from aioquic.quic.recovery import QuicPacketSpace
    from aioquic.quic.stream import QuicStream

logger = logging.getLogger(__name__)

_LATE_CRYPTO_BYTES: Final = 256
# aioquic keeps half a megabyte for each of three levels, reserved by one packet of a stranger. A ClientHello
# and a certificate are far below this; quinn has 16 KiB.
aioquic_connection.MAX_PENDING_CRYPTO = 32 << 10
_ENDED: Final = frozenset(
    {QuicConnectionState.CLOSING, QuicConnectionState.DRAINING, QuicConnectionState.TERMINATED}
)


class Core(PacketCore):
    """One connection's state machine: bytes and times in, bytes and events out. Times are Trio's seconds."""

    def __init__(
        self,
        config: QuicConfig,
        configuration: QuicConfiguration,
        *,
        original_destination_id: bytes | None = None,
        retry_source_id: bytes | None = None,
    ) -> None:
        super().__init__(
            config,
            configuration,
            original_destination_id=original_destination_id,
            retry_source_id=retry_source_id,
        )
        self._released_bytes = 0
        self._released_of: dict[int, int] = {}
        self._local_max_streams_bidi.value = self._local_max_streams_bidi.sent = config.streams_max
        self._local_max_streams_uni.value = self._local_max_streams_uni.sent = 0  # the protocol has none

    # What the driver asks.

    @property
    def has_begun(self) -> bool:
        """Whether an authentic packet has come in yet."""
        return self._state is not QuicConnectionState.FIRSTFLIGHT

    @property
    def has_ended(self) -> bool:
        """Whether nothing but a close is on the wire any more."""
        return self._state in _ENDED

    @property
    def is_draining(self) -> bool:
        """Whether the peer has closed."""
        return self._state is QuicConnectionState.DRAINING

    @property
    def is_terminated(self) -> bool:
        """Whether the closing period is over."""
        return self._state is QuicConnectionState.TERMINATED

    @property
    def is_confirmed(self) -> bool:
        """Whether both sides know that the handshake is over."""
        return self._handshake_confirmed

    def close_details(self) -> tuple[int, str, bool] | None:
        """Return code, text and whether the application's layer closed; None if nobody has closed."""
        event = self._close_event
        return None if event is None else (event.error_code, event.reason_phrase, event.frame_type is None)

    def deadline_s(self) -> float:
        """Return when `handle_timer` wants to be called."""
        if self._close_at is None:  # aioquic's get_timer() raises TypeError before the first packet
            return math.inf
        timer = self.get_timer()
        return math.inf if timer is None else timer

    def idle_deadline_s(self) -> float:
        """Return when the connection ends unless something is heard."""
        return math.inf if self._close_at is None or self.has_ended else self._close_at

    def idle_timeout_s(self) -> float:
        """Return the idle timeout that both sides agreed on."""
        return self._idle_timeout()

    def closing_period_s(self) -> float:
        """Return one probe timeout; a closing connection answers for three of them."""
        return self._loss.get_probe_timeout()

    def round_trip_s(self) -> float | None:
        """Return the smoothed round trip time, None before the first sample."""
        return self._loss._rtt_smoothed if self._loss._rtt_initialized else None

    def peer_certificate_der(self) -> bytes | None:
        """Return the leaf that the peer proved to hold the key of."""
        certificate = self.tls._peer_certificate
        return None if certificate is None else certificate.public_bytes(Encoding.DER)

    # Streams.

    def open_stream(self) -> int:
        """Reserve a stream of our own and return its id."""
        stream_id = self.get_next_available_stream_id()
        self.send_stream_data(stream_id, b"")
        return stream_id

    def is_ours(self, stream_id: int) -> bool:
        """Tell whether this side opened the stream."""
        return (stream_id & 1 == 0) == self._is_client

    def unacknowledged_bytes(self, stream_id: int) -> int:
        """Return how much of a stream's data the peer has not acknowledged, sent or not."""
        stream = self._streams.get(stream_id)
        return 0 if stream is None else len(stream.sender._buffer)

    def is_delivered(self, stream_id: int) -> bool:
        """Tell whether the peer has acknowledged all of a stream's data and, if it ended, its end."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.sender.is_finished:
            return True
        return not stream.sender._buffer and stream.sender._buffer_fin is None

    def release(self, stream_id: int, count: int) -> bool:
        """Let the peer send ``count`` more bytes, as many have been read; True if it should be told now."""
        self._released_bytes += count
        self._released_of[stream_id] = self._released_of.get(stream_id, 0) + count
        stream = self._streams.get(stream_id)
        return self._connection_is_due() or (stream is not None and self._stream_is_due(stream))

    def release_rest(self, stream_id: int) -> None:
        """Forget a stream that was reset: what it sent counts as read."""
        stream = self._streams.get(stream_id)
        already = self._released_of.pop(stream_id, 0)
        if stream is not None:
            self._released_bytes += max(0, stream.receiver.highest_offset - already)

    # aioquic's own, changed.

    def receive_datagram(self, data: bytes, addr: NetworkAddress, now: float) -> None:
        """Take a datagram. Once established, the idle timeout counts from the last authentic packet.

        RFC 9000 §10.1 also restarts it with the first packet sent after that. But we ask after half of it
        whether the peer is there: a dead one would be kept for half as long again.
        """
        super().receive_datagram(data, addr, now)
        if self._handshake_complete:
            self._ack_eliciting_sent_since_receipt = True
            self._drop_handshake_buffers()
            self.acknowledge_later(now)

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        if self._is_client:
            # One key share each; aioquic would make and send four, and P-384 and X448 are slow.
            self.tls._supported_groups = [Group.X25519, Group.SECP256R1]
        else:
            self.tls._request_client_certificate = self._config.request_client_certificate

    def _payload_received(
        self,
        context: QuicReceiveContext,
        plain: bytes,
        crypto_frame_required: bool = False,  # noqa: FBT001, FBT002 -- aioquic's signature
    ) -> tuple[bool, bool]:
        try:
            return super()._payload_received(context, plain, crypto_frame_required)
        except QuicConnectionError:
            raise
        except Exception as bug:
            # An authentic packet that aioquic fails on: only the peer it came from may suffer. What fails
            # outside of here may be forged, and must not end anything.
            logger.warning("aioquic failed on a packet error=%r", bug)
            text = "cannot process a packet"
            raise QuicConnectionError(QuicErrorCode.INTERNAL_ERROR, 0, text) from bug

    def _drop_handshake_buffers(self) -> None:
        # Half of what an idle connection weighs. aioquic empties them after each message and keeps them for
        # ever; none is longer than this after the handshake, as we neither issue nor use session tickets.
        if self._handshake_confirmed and len(self._crypto_buffers) > 1:
            self._crypto_buffers = {Epoch.ONE_RTT: Buffer(capacity=_LATE_CRYPTO_BYTES)}

    def _connection_is_due(self) -> bool:
        window = self._config.connection_window_bytes
        return self._released_bytes + window - self._local_max_data.value >= window // 2

    def _stream_is_due(self, stream: "QuicStream") -> bool:
        window = self._config.stream_window_bytes
        released = self._released_of.get(stream.stream_id or 0, 0)
        return (
            not stream.receiver.is_finished
            and stream.max_stream_data_local > 0
            and released + window - stream.max_stream_data_local >= window // 2
        )

    def _write_connection_limits(self, builder: QuicPacketBuilder, space: "QuicPacketSpace") -> None:
        limit = self._local_max_data
        if self._connection_is_due():
            limit.value = self._released_bytes + self._config.connection_window_bytes
        used, limit.used = limit.used, 0  # aioquic doubles the limit by what was used
        try:
            super()._write_connection_limits(builder, space)
        finally:
            limit.used = used

    def _write_stream_limits(
        self, builder: QuicPacketBuilder, space: "QuicPacketSpace", stream: "QuicStream"
    ) -> None:
        if self._stream_is_due(stream):
            released = self._released_of.get(stream.stream_id or 0, 0)
            stream.max_stream_data_local = released + self._config.stream_window_bytes
        highest, stream.receiver.highest_offset = stream.receiver.highest_offset, 0  # as above
        try:
            super()._write_stream_limits(builder, space, stream)
        finally:
            stream.receiver.highest_offset = highest


def parse_header(data: bytes) -> QuicHeader | None:
    """Read the header of a datagram's first packet; None if it is none."""
    try:
        return pull_quic_header(Buffer(data=data), host_cid_length=CONNECTION_ID_BYTES)
    except ValueError:
        return None
