"""Packets of aioquic's connection: how large they are, what paces them, which datagrams wait for them.

- Datagrams waiting to be sent are bounded, oldest dropped, and none is larger than a packet: aioquic would
  keep an oversize one at the head of its queue for ever.
- Pacing spares what is small: aioquic starts with an empty bucket, so that the first messages after the
  handshake waited for a timer, and with a small window it delays the third of three packets.
- An acknowledgement travels with whatever else is sent, or after 5 ms, or after eight packets. aioquic sends
  one by itself after 1 ms: a packet more for each of a mouse's thousand events a second.
- The size of packets can be asked of the path (`path_size`), which aioquic does not do.

Uses private parts of aioquic, as `core` does, and is pinned with it. Source: punktfunk-1 §2.2.
"""

# ruff: noqa: SLF001 -- see above

from collections import deque
from collections.abc import Callable
from typing import Final

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import NetworkAddress, QuicConnection, QuicNetworkPath
from aioquic.quic.packet import QuicFrameType, QuicPacketType, QuicProtocolVersion
from aioquic.quic.packet_builder import QuicDeliveryState, QuicPacketBuilder
from aioquic.quic.recovery import QuicPacketPacer, QuicPacketSpace
from aioquic.tls import Epoch

from punktfunk.control.quic.config import QuicConfig

_SEALED_OVERHEAD_BYTES: Final = 1 + 2 + 16  # first byte, packet number, tag; the connection id comes on top
_FRAME_OVERHEAD_BYTES: Final = 1 + 2  # a DATAGRAM frame's type and length
_BURST_PACKETS: Final = 32
"""Packets that may leave at once. Building them holds the event loop for about 2 ms."""
_ACK_DELAY_S: Final = 0.005
_UNACKNOWLEDGED_PACKETS: Final = 8


class _Pacer(QuicPacketPacer):
    """Lets a burst pass and spreads what is longer."""

    def update_rate(self, congestion_window: int, smoothed_rtt: float) -> None:
        is_first = self.packet_time is None
        super().update_rate(congestion_window, smoothed_rtt)
        assert self.packet_time is not None
        self.bucket_max = max(self.bucket_max, _BURST_PACKETS * self.packet_time)
        if is_first:
            self.bucket_time = self.bucket_max


class PacketCore(QuicConnection):
    """aioquic's connection with its packets under our rule."""

    def __init__(
        self,
        config: QuicConfig,
        configuration: QuicConfiguration,
        *,
        original_destination_id: bytes | None,
        retry_source_id: bytes | None,
    ) -> None:
        super().__init__(
            configuration=configuration,
            original_destination_connection_id=original_destination_id,
            retry_source_connection_id=retry_source_id,
        )
        self._config = config
        self._loss._pacer = _Pacer(max_datagram_size=config.packet_bytes)
        self._unacknowledged_count = 0
        self.large_lost_count = 0
        """Packets above `QuicConfig.packet_bytes` that were lost since one of them arrived."""

    # Datagrams.

    def datagram_bytes_max(self) -> int:
        """Return the largest datagram that fits into one packet and that the peer takes; 0: it takes none."""
        peer = self._remote_max_datagram_frame_size
        if not peer:
            return 0
        room = self._max_datagram_size - _SEALED_OVERHEAD_BYTES - len(self._peer_cid.cid)
        return max(0, min(room, peer) - _FRAME_OVERHEAD_BYTES)

    def datagrams_waiting_bytes(self) -> int:
        """Return the size of the datagrams that wait for the network."""
        return sum(map(len, self._datagrams_pending))

    def drop_oldest_datagram(self) -> None:
        """Give up the datagram that has waited longest."""
        self._datagrams_pending.popleft()

    # The size of packets.

    @property
    def packet_bytes(self) -> int:
        """The largest UDP payload sent."""
        return self._max_datagram_size

    def set_packet_bytes(self, packet_bytes: int) -> None:
        """Send packets of this size from now on; datagrams that no longer fit are dropped."""
        if packet_bytes == self._max_datagram_size:
            return
        self.large_lost_count = 0
        self._max_datagram_size = packet_bytes
        self._loss._pacer._max_datagram_size = packet_bytes
        limit = self.datagram_bytes_max()
        self._datagrams_pending = deque(data for data in self._datagrams_pending if len(data) <= limit)

    def build_probe(
        self, packet_bytes: int, on_arrival: Callable[[], None], now_s: float
    ) -> list[tuple[bytes, NetworkAddress]]:
        """Return a ping padded to ``packet_bytes``; ``on_arrival`` is called when it is acknowledged.

        It counts neither for congestion nor for timeouts: that it is lost says nothing about either.
        """
        builder = QuicPacketBuilder(
            host_cid=self.host_cid,
            is_client=self._is_client,
            max_datagram_size=packet_bytes,
            packet_number=self._packet_number,
            peer_cid=self._peer_cid.cid,
            spin_bit=self._spin_bit,
            version=self._version or QuicProtocolVersion.VERSION_1,
        )
        path = self._network_paths[0]
        if not path.can_send(packet_bytes):
            return []

        def delivered(state: QuicDeliveryState) -> None:
            if state == QuicDeliveryState.ACKED:
                on_arrival()

        builder.start_packet(QuicPacketType.ONE_RTT, self._cryptos[Epoch.ONE_RTT])
        buffer = builder.start_frame(QuicFrameType.PING, 1, delivered, ())
        buffer.push_bytes(bytes(builder.remaining_buffer_space))
        assert builder._packet is not None
        builder._packet.in_flight = builder._packet.is_ack_eliciting = False
        return self._flush_builder(builder, path, self._peer_cid.cid, now_s)

    def acknowledge_later(self, now_s: float) -> None:
        """Take note of a packet after the handshake: its acknowledgement may wait, but not for many more."""
        self._ack_delay = _ACK_DELAY_S
        space = self._spaces[Epoch.ONE_RTT]
        if space.ack_at is None:
            return
        self._unacknowledged_count += 1
        if self._unacknowledged_count >= _UNACKNOWLEDGED_PACKETS:
            space.ack_at = now_s

    # aioquic's own, changed.

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, NetworkAddress]]:
        """Return what is to be sent. What validates a new path has the size that passes everywhere.

        aioquic pads it to the full size of packets: a client that moved to a narrower network would answer
        with packets that never arrive, and be taken back to where it no longer is.
        """
        full_bytes = self._max_datagram_size
        if any(path.remote_challenges or not path.is_validated for path in self._network_paths):
            self._max_datagram_size = self._config.packet_bytes
        space = self._spaces.get(Epoch.ONE_RTT)
        if space is not None and space.ack_at is not None and self._has_something_to_say():
            space.ack_at = now
        try:
            return super().datagrams_to_send(now)
        finally:
            self._max_datagram_size = full_bytes

    def _has_something_to_say(self) -> bool:
        return bool(self._datagrams_pending) or not all(
            stream.sender.buffer_is_empty for stream in self._streams_queue
        )

    def _write_ack_frame(self, builder: QuicPacketBuilder, space: QuicPacketSpace, now: float) -> None:
        super()._write_ack_frame(builder, space, now)
        self._unacknowledged_count = 0

    def _flush_builder(
        self, builder: QuicPacketBuilder, network_path: QuicNetworkPath, peer_cid: bytes, now: float
    ) -> list[tuple[bytes, NetworkAddress]]:
        number = self._packet_number
        out = super()._flush_builder(builder, network_path, peer_cid, now)
        if self._max_datagram_size > self._config.packet_bytes:
            sent = self._spaces[Epoch.ONE_RTT].sent_packets
            for packet in filter(None, map(sent.get, range(number, self._packet_number))):
                if packet.sent_bytes > self._config.packet_bytes:
                    packet.delivery_handlers.append((self._on_large_delivery, ()))
        return out

    def _on_large_delivery(self, state: QuicDeliveryState) -> None:
        self.large_lost_count = 0 if state == QuicDeliveryState.ACKED else self.large_lost_count + 1
