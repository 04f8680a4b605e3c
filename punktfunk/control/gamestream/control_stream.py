"""The control plane: ENet connections find their stream, and messages flow both ways.

A client names its stream by the connect data that RTSP SETUP gave it; one that does not know connect data
is found by its address. Whoever fits neither is turned away. A connection is only a candidate until its
first message opens with the stream's key: what an address or a number in clear can claim, a stranger can
claim too. Spec: gamestream.md section 6.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import trio

from punktfunk.control.complaints import Complaints
from punktfunk.control.gamestream.enet_driver import EnetEndpoint, HasFileno, run_enet
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
    Reason,
    Received,
)
from punktfunk.wire.enet.host import Host as EnetHost
from punktfunk.wire.gamestream.feedback import Feedback, Termination, TerminationCode, build_feedback
from punktfunk.wire.gamestream.sdp import ClientFeature

logger = logging.getLogger(__name__)

FEEDBACK_CHANNEL: Final = 0
_FAREWELLS: Final = {
    Reason.REMOTE: "the client left",
    Reason.TIMEOUT: "the client fell silent",
}


class _Link:
    """One bound socket. ``endpoint`` is None before its driver runs and after."""

    endpoint: EnetEndpoint | None = None


class ControlPlane:
    """Joins the ENet drivers (one for each bind address) with the streams that expect a client."""

    def __init__(self) -> None:
        self._streams: list[Stream] = []
        self._peers: dict[tuple[_Link, PeerId], Stream] = {}
        self._complaints = Complaints(logger)

    async def serve(
        self,
        machine: EnetHost,
        sock: HasFileno,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run one socket's machine until cancelled; then tell the clients first, and end the driver after."""
        link = _Link()
        driver = trio.CancelScope(shield=True)  # ended below, by us, and within the driver's own bound
        async with trio.open_nursery() as nursery:
            try:
                link.endpoint = await nursery.start(self._drive, machine, sock, link, driver)
                task_status.started()
                await trio.sleep_forever()
            finally:
                for stream in list(self._streams):
                    stream.end("the host stopped", termination_code=TerminationCode.GRACEFUL)
                    self.forget(stream)
                driver.cancel()

    async def _drive(
        self,
        machine: EnetHost,
        sock: HasFileno,
        link: _Link,
        scope: trio.CancelScope,
        *,
        task_status: trio.TaskStatus[EnetEndpoint],
    ) -> None:
        try:
            with scope:
                await run_enet(machine, sock, partial(self._handle, link), task_status=task_status)
        finally:
            link.endpoint = None

    @contextmanager
    def route(self, stream: Stream) -> Iterator[None]:
        """Expect the stream's client for the length of the block; at the end tell it why, and turn it out."""
        self._streams.append(stream)
        try:
            yield
        finally:
            self._streams.remove(stream)
            self.forget(stream)

    def forget(self, stream: Stream) -> None:
        """Tell the stream's client to leave and drop every connection that claimed to be it."""
        if stream.end_message is not None:
            send_feedback(stream, Termination(stream.end_message))
        for link, peer in [key for key, owner in self._peers.items() if owner is stream]:
            self._drop(link, peer)
        stream.leave_control()

    def admits(self, address: Address, connect_data: int) -> bool:
        """May a stranger's CONNECT cost anything? Only while a stream waits for exactly this one."""
        return self._find(plain_address(address[0]), connect_data) is not None

    def _handle(self, link: _Link, event: Event) -> None:
        """Act on one ENet event."""
        match event:
            case Connected():
                self._connected(link, event)
            case Received():
                self._received(link, event)
            case Disconnected():
                self._disconnected(link, event)
            case AddressChanged():
                logger.info("control peer moved address=%s port=%d", *event.address[:2])

    def _connected(self, link: _Link, event: Connected) -> None:
        address = plain_address(event.address[0])
        stream = self._find(address, event.connect_data)
        if stream is not None:
            self._peers[link, event.peer] = stream
            return
        self._complaints.note("control-stranger", peer=address)
        if link.endpoint is not None:
            link.endpoint.disconnect(event.peer, 0)

    def _find(self, address: str, connect_data: int) -> Stream | None:
        for stream in self._streams:
            if stream.agreement is None or stream.ended.is_set() or stream.connected.is_set():
                continue
            if stream.agreement.client_features & ClientFeature.SESSION_ID:
                if connect_data == stream.connect_data:
                    return stream
            elif address == stream.peer.address:
                return stream
        return None

    def _received(self, link: _Link, event: Received) -> None:
        stream = self._peers.get((link, event.peer))
        if stream is None or not stream.take_control(event.payload) or stream.connected.is_set():
            return
        assert link.endpoint is not None
        stream.join_control(link.endpoint, event.peer)
        for rival in [key for key, owner in self._peers.items() if owner is stream]:
            if rival != (link, event.peer):
                self._drop(*rival)

    def _disconnected(self, link: _Link, event: Disconnected) -> None:
        stream = self._peers.pop((link, event.peer), None)
        if stream is not None and stream.is_joined(link.endpoint, event.peer):
            dropped = event.reason is Reason.TIMEOUT
            stream.end(_FAREWELLS.get(event.reason, "the control connection ended"), dropped=dropped)

    def _drop(self, link: _Link, peer: PeerId) -> None:
        del self._peers[link, peer]
        if link.endpoint is not None:
            link.endpoint.disconnect(peer, 0)


def send_feedback(stream: Stream, message: Feedback) -> bool:
    """Seal and send one host message, reliably; False if the client is not connected."""
    if stream.endpoint is None or stream.control_peer is None or stream.cipher is None:
        return False
    sealed = stream.cipher.seal(build_feedback(message))
    return stream.endpoint.send(stream.control_peer, FEEDBACK_CHANNEL, sealed, Delivery.RELIABLE)
