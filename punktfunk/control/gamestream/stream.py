"""One stream as its client sees it: the RTSP conversation, the agreement of it, and the control messages.

A stream begins with a launch or resume, which brings its key, and ends for good; a resume makes a new one.
This file decides nothing about threads and displays: ``streaming`` runs what was agreed here.
"""

import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from punktfunk.control.gamestream.media import new_ping_payload
from punktfunk.control.gamestream.negotiate import Agreement, HostOffer, describe, negotiate
from punktfunk.control.input.queue import InputQueue
from punktfunk.control.native.access import Access
from punktfunk.errors import RemoteProtocolError
from punktfunk.plan import AudioSource
from punktfunk.wire.gamestream.control import (
    ControlCipher,
    FecStatus,
    InputPacket,
    InvalidateReferences,
    RequestIdr,
    parse_message,
)
from punktfunk.wire.gamestream.input import parse_input
from punktfunk.wire.gamestream.launch import LaunchRequest
from punktfunk.wire.gamestream.rtsp import (
    RtspCipher,
    RtspMachine,
    RtspRequest,
    RtspStep,
    build_response,
    setup_headers,
)
from punktfunk.wire.gamestream.sdp import Encryption, build_describe, parse_announce
from punktfunk.wire.input import InputEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from punktfunk.control.gamestream.enet_driver import EnetEndpoint
    from punktfunk.realtime import Pipeline
    from punktfunk.wire.enet.events import PeerId

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MediaPorts:
    """UDP ports of the three planes."""

    video: int
    control: int
    audio: int


@dataclass(frozen=True, slots=True)
class Peer:
    """Who streams: a paired client, its address, and the address of ours that it reached."""

    name: str
    fingerprint: str
    address: str
    local_address: str
    access: Access | None = None  # None, in tests: everything is allowed

    def allows(self, event: InputEvent) -> bool:
        """Tell whether the owner lets this client do that."""
        return self.access is None or self.access.allows(event)


@dataclass(slots=True)
class StreamCounts:
    """What the client reported and sent; shown when the stream ends."""

    control_messages: int = 0
    bad_messages: int = 0
    idr_requests: int = 0
    damaged_blocks: int = 0


class Stream:
    """State of one stream. Events: ``played`` (RTSP is through), ``connected`` (ENet stands), ``ended``."""

    def __init__(
        self,
        number: int,
        peer: Peer,
        launch: LaunchRequest,
        offer: HostOffer,
        sound: AudioSource,
        ports: MediaPorts,
    ) -> None:
        self.number = number
        self.peer = peer
        self.launch = launch
        self.rtsp_cipher = RtspCipher(launch.key) if launch.can_encrypt_rtsp else None
        self.video_ping = new_ping_payload()
        self.audio_ping = new_ping_payload()
        self.connect_data = secrets.randbits(32)
        self.agreement: Agreement | None = None
        self.control_peer: PeerId | None = None
        self.endpoint: EnetEndpoint | None = None
        self.cipher: ControlCipher | None = None
        self.input = InputQueue()
        self.counts = StreamCounts()
        self.played = trio.Event()
        self.connected = trio.Event()
        self.ended = trio.Event()
        self.end_reason = ""
        self.end_message: int | None = None
        self.failed = False
        self.dropped = False  # it ended because its client fell silent
        self.request_idr: Callable[[], None] = do_nothing
        self.video: Pipeline | None = None
        self._offer = offer
        self._sound = sound
        self._ports = ports
        self._token = secrets.token_hex(8).upper()
        self._machine = RtspMachine(self._token)

    def end(self, reason: str, *, termination_code: int | None = None, dropped: bool = False) -> None:
        """End the stream; the first reason counts. ``termination_code`` is what the client is told."""
        if not self.ended.is_set():
            self.end_reason = reason
            self.dropped = dropped
            self.end_message = termination_code
            self.ended.set()

    # -- RTSP

    def answer(self, request: RtspRequest) -> bytes:
        """Return the reply to a request; RtspRefused or RemoteProtocolError where there is no good one."""
        if self.ended.is_set():
            raise RemoteProtocolError(f"stream {self.number} has ended: {self.end_reason}")
        step = self._machine.receive(request)
        headers: Sequence[tuple[str, str]] = ()
        body = ""
        match step:
            case RtspStep.DESCRIBE:
                body = build_describe(describe(self._offer, self.peer.address))
            case RtspStep.SETUP_AUDIO:
                headers = setup_headers(self._token, self._ports.audio, ping_payload=self.audio_ping)
            case RtspStep.SETUP_VIDEO:
                headers = setup_headers(self._token, self._ports.video, ping_payload=self.video_ping)
            case RtspStep.SETUP_CONTROL:
                headers = setup_headers(self._token, self._ports.control, connect_data=self.connect_data)
            case RtspStep.ANNOUNCE:
                self._agree(request)
            case RtspStep.PLAY:
                self.played.set()
            case RtspStep.OPTIONS:
                pass
        return build_response(request.cseq, headers=headers, body=body)

    def _agree(self, request: RtspRequest) -> None:
        try:
            announce = parse_announce(request.body)
            agreement = negotiate(announce, request.header("Host"), self.launch, self._offer, self._sound)
        except RemoteProtocolError as error:
            # The client gives up on any refusal; without this the stream would wait for its PLAY.
            self.end(f"no agreement: {error}")
            raise
        self.agreement = agreement
        version_2 = bool(agreement.encryption & Encryption.CONTROL_V2)
        self.cipher = ControlCipher(self.launch.key, version_2)

    # -- control

    def join_control(self, endpoint: "EnetEndpoint", peer: "PeerId") -> None:
        """Take a connection that has proved to be the client's."""
        self.endpoint, self.control_peer = endpoint, peer
        self.connected.set()

    def is_joined(self, endpoint: "EnetEndpoint | None", peer: "PeerId") -> bool:
        """Tell whether this very connection is the client's."""
        return endpoint is not None and self.endpoint is endpoint and self.control_peer == peer

    def leave_control(self) -> None:
        """Let go of the connection: nothing can be sent from now on."""
        self.endpoint = self.control_peer = None

    def take_control(self, payload: bytes) -> bool:
        """Act on one control message and tell whether it opened with the stream's key.

        Forged, replayed and garbled ones are counted and change nothing.
        """
        if self.cipher is None or self.ended.is_set():
            return False
        self.counts.control_messages += 1
        opened = False
        try:
            _sequence, plain = self.cipher.open(payload)
            opened = True
            message = parse_message(plain)
            match message:
                case RequestIdr() | InvalidateReferences():
                    self.counts.idr_requests += 1
                    self.request_idr()
                case InputPacket():
                    events = parse_input(message.packet)
                    self.input.put([event for event in events if self.peer.allows(event)])
                case FecStatus():
                    self.counts.damaged_blocks += 1
                case _:
                    pass
        except RemoteProtocolError as error:
            self.counts.bad_messages += 1
            if self.counts.bad_messages == 1:
                logger.warning("stream=%d control message refused reason=%s", self.number, error)
        return opened


def do_nothing() -> None:
    """Do nothing: what an IDR request does while there is no encoder."""
