"""The control plane: ENet connections find their stream, and messages flow both ways.

A client names its stream by the connect data that RTSP SETUP gave it; one that does not know connect data
is found by its address. Whoever fits neither is disconnected. Spec: gamestream.md section 6.
"""

import logging
from collections.abc import Callable

from punktfunk.control.gamestream.enet_driver import EnetEndpoint
from punktfunk.control.gamestream.stream import Stream
from punktfunk.control.sockets import plain_address
from punktfunk.wire.enet.events import (
    Address,
    AddressChanged,
    Connected,
    Delivery,
    Disconnected,
    Event,
    PeerId,
    Received,
)
from punktfunk.wire.gamestream.feedback import Feedback, Termination, build_feedback
from punktfunk.wire.gamestream.sdp import ClientFeature

logger = logging.getLogger(__name__)

FEEDBACK_CHANNEL = 0
CurrentStream = Callable[[], Stream | None]


class ControlPlane:
    """Joins the ENet endpoints (one for each bind address) with the current stream."""

    def __init__(self, current: CurrentStream) -> None:
        self._current = current
        self._peers: dict[tuple[int, PeerId], Stream] = {}
        self._endpoints: list[EnetEndpoint] = []

    def add_endpoint(self, endpoint: EnetEndpoint) -> None:
        """Take an endpoint whose events will come to :meth:`handle`."""
        self._endpoints.append(endpoint)

    def admits(self, address: Address, connect_data: int) -> bool:
        """May a stranger's CONNECT cost anything? Only while a stream waits for exactly this one."""
        return self._find(plain_address(address[0]), connect_data) is not None

    def handle(self, endpoint: EnetEndpoint, event: Event) -> None:
        """Act on one ENet event."""
        key = (id(endpoint), event.peer)
        match event:
            case Connected():
                self._connected(endpoint, event)
            case Received() if (stream := self._peers.get(key)) is not None:
                stream.take_control(event.payload)
            case Disconnected() if (stream := self._peers.pop(key, None)) is not None:
                if stream.control_peer == event.peer:
                    stream.end(f"client {event.reason.value}")
            case AddressChanged():
                logger.info("control peer moved address=%s port=%d", *event.address[:2])
            case _:
                pass

    def _connected(self, endpoint: EnetEndpoint, event: Connected) -> None:
        address = plain_address(event.address[0])
        stream = self._find(address, event.connect_data)
        if stream is None:
            logger.warning("control connection refused address=%s", address)
            endpoint.disconnect(event.peer, 0)
            return
        self._peers[(id(endpoint), event.peer)] = stream
        stream.control_peer = event.peer
        stream.endpoint = endpoint
        stream.connected.set()

    def _find(self, address: str, connect_data: int) -> Stream | None:
        stream = self._current()
        if stream is None or stream.agreement is None or stream.ended.is_set() or stream.connected.is_set():
            return None
        if stream.agreement.client_features & ClientFeature.SESSION_ID:
            return stream if connect_data == stream.connect_data else None
        return stream if address == stream.peer.address else None

    def forget(self, stream: Stream) -> None:
        """Drop what is left of a stream that has ended, telling its client to leave."""
        for endpoint in self._endpoints:
            for key in [k for k, s in self._peers.items() if s is stream and k[0] == id(endpoint)]:
                if stream.end_message is not None:
                    send_feedback(stream, Termination(stream.end_message))
                endpoint.disconnect(key[1], 0)
                del self._peers[key]


def send_feedback(stream: Stream, message: Feedback) -> bool:
    """Seal and send one host message, reliably; False if the client is not connected."""
    if stream.endpoint is None or stream.control_peer is None or stream.cipher is None:
        return False
    sealed = stream.cipher.seal(build_feedback(message))
    return stream.endpoint.send(stream.control_peer, FEEDBACK_CHANNEL, sealed, Delivery.RELIABLE)
