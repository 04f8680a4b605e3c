"""What a client says on the control stream while its session runs, and what the host does about it.

    asks for a key frame, lost frames    host_recovery decides     -> the next frame is an IDR
    LossReport                           AdaptiveFec decides       -> parity, and what it leaves the encoder
    SetBitrate                           clamped, held while the encoder is behind
    Reconfigure                          modes answers             -> ``wishes`` for whoever changes displays
    ShardPayloadAck, DeliveryReport      shards decides            -> another sender
    SetDelivery                          another sender, unless the operator chose
    CursorRender                         who draws the pointer
    clipboard                            refused politely: there is no such device here yet

Spec: punktfunk-1 sections 2.5, 2.9 and 2.17.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from errno import EMSGSIZE
from typing import TYPE_CHECKING, Final

import trio

from punktfunk.control.adapt.asks import KeyframeAsk, RfiAsk
from punktfunk.control.adapt.budget import clamp_kbps, encoder_bitrate, wire_bitrate
from punktfunk.control.adapt.fec import AdaptiveFec, FrameShape
from punktfunk.control.adapt.host_recovery import HostRecovery
from punktfunk.control.native.access import Access
from punktfunk.control.native.hands import Hands
from punktfunk.control.native.modes import ModeDesk
from punktfunk.control.native.negotiate import Agreement
from punktfunk.control.native.probes import Probes
from punktfunk.control.native.shards import ShardSize
from punktfunk.control.native.video import Video
from punktfunk.plan import Mode, Pacing
from punktfunk.wire.native import control as wire
from punktfunk.wire.native.capabilities import DeliveryProfile, Grant

if TYPE_CHECKING:
    from punktfunk.control.native.pointer import PointerVoice
    from punktfunk.realtime import SentFrame

logger = logging.getLogger(__name__)

PROFILES: Final = {
    DeliveryProfile.BURST: Pacing.BURST,
    DeliveryProfile.CAPPED: Pacing.CAPPED,
    DeliveryProfile.SMOOTH: Pacing.FRAME,
}
BEHIND_FRAMES: Final = 30
"""The encoder is behind cadence where its last so many frames took longer than their interval, on average."""

Say = Callable[[wire.ControlMessage], Awaitable[None]]


class Steering:
    """Acts on the control messages of one session; ``say`` sends an answer."""

    def __init__(
        self,
        agreement: Agreement,
        access: Access,
        video: Video,
        hands: Hands,
        probes: Probes,
        shards: ShardSize,
        say: Say,
        *,
        reads_reason: bool,
        reads_delivery: bool,
        forced_pacing: bool,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.modes = ModeDesk(agreement.mode)
        self.loss_ppm = 0
        self.packets_received = 0
        self.proven_kbps = 0
        self.reported = False
        self.mode_wished = trio.Event()
        self.send_otherwise: Callable[[int | None, Pacing | None], None] = lambda _shard, _pacing: None
        """Asks the session to change the sender; set by it."""
        self._agreement = agreement
        self._access = access
        self._video = video
        self._hands = hands
        self._probes = probes
        self._shards = shards
        self._say = say
        self._reads_reason = reads_reason
        self._reads_delivery = reads_delivery
        self._forced_pacing = forced_pacing
        self._clock_ns = clock_ns
        self._wished: Mode | None = None
        self.pointer: PointerVoice | None = None  # once there is a display that tells of it
        self._recovery = HostRecovery(can_invalidate=False)
        self._fec = AdaptiveFec(agreement.fec_percent, fixed=agreement.fec_fixed, shape=_shape(agreement))
        self._encode_ns: deque[int] = deque(maxlen=BEHIND_FRAMES)

    async def take(self, message: wire.ControlMessage) -> None:
        """Act on one message; what a host has no use for is counted."""
        self.counts[type(message).__name__] += 1
        match message:
            case wire.InputEdge():
                self._hands.take(message.event)
            case wire.RequestKeyframe():
                self._recover(KeyframeAsk())
            case wire.RfiRequest():
                self._recover(RfiAsk(message.first_frame, message.last_frame))
            case wire.LossReport():
                self._take_loss(message.loss_ppm)
            case wire.DeliveryReport():
                self._take_delivery(message.packets_received)
            case wire.SetBitrate():
                await self._set_bitrate(message.bitrate_kbps)
            case wire.Reconfigure():
                await self._reconfigure(message)
            case wire.ProbeRequest() | wire.ProbeShaped():
                self._probes.request(message)
            case wire.LinkReport():
                self.proven_kbps = message.proven_kbps
            case _:
                await self._take_rest(message)

    async def _take_rest(self, message: wire.ControlMessage) -> None:
        match message:
            case wire.ShardPayloadAck():
                if (size := self._shards.on_ack(message.shard_bytes)) is not None:
                    self.send_otherwise(size, None)
            case wire.SetDelivery():
                await self._set_delivery(message.profile)
            case wire.ClipControl():
                granted = self._access.allows_grant(Grant.CLIPBOARD)
                reason = wire.ClipReason.NO_BACKEND if granted else wire.ClipReason.NOT_GRANTED
                await self._say(wire.ClipState(enabled=False, policy=0, reason=reason))
            case wire.CursorRender():
                if self.pointer is not None:
                    self.pointer.render(client_draws=message.client_draws)
                await trio.lowlevel.checkpoint()
            case _:  # PhaseReport and ClipOffer say what nothing here depends on
                await trio.lowlevel.checkpoint()

    # -- pictures

    def started(self) -> None:
        """Note that a pipeline begins, by an IDR."""
        self._recovery.on_idr(self._clock_ns())
        self._encode_ns.clear()

    def frames_sent(self, frames: "list[SentFrame]") -> None:
        """Look at how long the encoder took."""
        self._encode_ns.extend(frame.encoded_ns - frame.begun_ns for frame in frames)
        if frames:
            self._shards.on_streaming(self._clock_ns())

    def _recover(self, ask: KeyframeAsk | RfiAsk) -> None:
        now_ns = self._clock_ns()
        self._recovery.on_ask(ask, now_ns)
        if self._recovery.decide(now_ns) is not None:
            self.counts["idr"] += 1
            self._video.request_idr()

    # -- rate and loss

    def _take_loss(self, loss_ppm: int) -> None:
        self.loss_ppm = loss_ppm
        before = self._fec.percent
        percent = self._fec.on_loss_report(loss_ppm, keyframe_asked=self._recovery.take_asked())
        if percent != before:
            self._video.set_fec_percent(percent)
            self._video.set_rate(self._video.budget_kbps, self._encoder_bps(), asked=False)
        if (size := self._shards.on_loss(loss_ppm)) is not None:
            self.send_otherwise(size, None)

    def _take_delivery(self, packets_received: int) -> None:
        self.reported = True
        self.packets_received = packets_received
        if (size := self._shards.on_delivery(packets_received)) is not None:
            self.send_otherwise(size, None)

    async def _set_bitrate(self, asked_kbps: int) -> None:
        budget_kbps, reason = clamp_kbps(asked_kbps), wire.BitrateReason.GRANTED
        video = self._video
        if budget_kbps > video.budget_kbps and self.is_behind:
            budget_kbps, reason = video.budget_kbps, wire.BitrateReason.CADENCE
        if budget_kbps != video.budget_kbps:
            video.budget_kbps = budget_kbps
            video.set_rate(budget_kbps, self._encoder_bps(), asked=True)
        await self._say(wire.BitrateChanged(budget_kbps, int(reason) if self._reads_reason else None))

    @property
    def is_behind(self) -> bool:
        """Whether encoding takes longer than frames may."""
        enough = len(self._encode_ns) == BEHIND_FRAMES
        return enough and sum(self._encode_ns) // BEHIND_FRAMES > self._video.mode.frame_interval_ns

    @property
    def wire_kbps(self) -> int:
        """What the encoder's rate amounts to on the wire."""
        audio_kbps = self._agreement.audio.bitrate_kbps
        video = self._video
        return wire_bitrate(video.encoder_bps // 1000, audio_kbps, video.fec_percent, video.shard_bytes)

    def _encoder_bps(self) -> int:
        video = self._video
        audio_kbps = self._agreement.audio.bitrate_kbps
        kbps = encoder_bitrate(video.budget_kbps, audio_kbps, video.fec_percent, video.shard_bytes)
        return 1000 * kbps

    # -- mode, shards, delivery

    async def _reconfigure(self, wish: wire.Reconfigure) -> None:
        verdict = self.modes.ask(wish, self._clock_ns())
        await self._say(verdict.answer)
        if verdict.mode is not None:
            self._wished = verdict.mode
            self.mode_wished.set()

    @property
    def mode_pending(self) -> bool:
        """Whether a mode was wished for that nobody has begun to build."""
        return self._wished is not None

    async def next_mode(self) -> Mode:
        """Wait for a mode that was promised; the newest."""
        await self.mode_wished.wait()
        self.mode_wished = trio.Event()
        mode, self._wished = self._wished, None
        assert mode is not None
        return mode

    async def tend(self) -> None:
        """Ask for larger packets where there is room, take back what is too large; call it now and then."""
        if self._video.counters().get("last_errno") == EMSGSIZE and (size := self._shards.on_too_long()):
            self.send_otherwise(size, None)
        if (size := self._shards.wanted(self._clock_ns())) is not None:
            await self._say(wire.ShardPayloadChanged(size))

    def pacing_for(self, profile: int) -> Pacing:
        """Return how packets are spread for a client that wants ``profile``."""
        known = not self._forced_pacing and profile in tuple(DeliveryProfile)
        return PROFILES[DeliveryProfile(profile)] if known else self._video.pacing

    async def _set_delivery(self, profile: int) -> None:
        pacing = self.pacing_for(profile)
        if pacing is not self._video.pacing:
            self.send_otherwise(None, pacing)
        if self._reads_delivery:
            await self._say(wire.DeliveryChanged(int(profile_of(pacing)), self._forced_pacing))


def profile_of(pacing: Pacing) -> DeliveryProfile:
    """Name a way of spreading packets as the wire does."""
    return next(profile for profile, known in PROFILES.items() if known is pacing)


def _shape(agreement: Agreement) -> FrameShape:
    frames_per_s = agreement.mode.refresh_millihertz / 1000
    frame_bytes = agreement.encoder_bps / 8 / frames_per_s
    data_count = max(1, round(frame_bytes / agreement.welcome.shard_bytes))
    return FrameShape(data_count, min(data_count, agreement.welcome.data_max), frames_per_s)
