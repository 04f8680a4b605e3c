"""A host under a virtual clock: a modelled encoder, the production geometry and adaptation.

The encoder is the only thing that is made up: its frames spend the bitrate, more for key frames, which the
next ones save again. Parity (AdaptiveFec), recovery (HostRecovery), budgets and blocks are those of the
product.
"""

from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from punktfunk.control.adapt.asks import Ask
from punktfunk.control.adapt.budget import clamp_kbps, encoder_bitrate, wire_bitrate
from punktfunk.control.adapt.fec import INITIAL_PERCENT, AdaptiveFec, FrameShape
from punktfunk.control.adapt.host_recovery import HostRecovery, Invalidate, SendIdr
from punktfunk.measure.network.engines import Engine, Packet
from punktfunk.wire.native.blocks import USUAL_DATA_MAX, FrameInfo, Geometry
from punktfunk.wire.native.packet import USER_KEY_FRAME, USER_PICTURE, USER_RECOVERY_ANCHOR, FecScheme

SECOND_NS: Final = 1_000_000_000
_KEY_FRAME_TIMES: Final = 4
_REPAY_FRAMES: Final = 30
PACE_SHARE: Final = (7, 8)
_WAVER: Final = 0.15


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """The stream that is sent. Rates are wire budgets in kbit/s.

    ``fec_percent`` of None adapts, a number is an operator's. ``automatic`` lets the client choose the
    rate, up to ``ceiling_kbps``. ``smooth`` spreads what is more than one group over the interval, else all
    leaves at once. ``encoder_kbps`` is the most that the encoder grants (0: anything).
    """

    bitrate_kbps: int = 20_000
    refresh_hz: int = 60
    fec_percent: int | None = None
    welcome_percent: int = INITIAL_PERCENT
    fec_scheme: FecScheme = FecScheme.GF16
    shard_bytes: int = 1408
    data_max: int = 0
    automatic: bool = False
    ceiling_kbps: int = 100_000
    smooth: bool = True
    can_invalidate: bool = False
    audio_kbps: int = 256
    encoder_kbps: int = 0
    still_from_ns: int = 0
    still_until_ns: int = 0

    @property
    def interval_ns(self) -> int:
        """Nanoseconds from frame to frame."""
        return SECOND_NS // self.refresh_hz

    def geometry(self) -> Geometry:
        """Give what Welcome would settle."""
        percent = self.welcome_percent if self.fec_percent is None else self.fec_percent
        data_max = self.data_max or USUAL_DATA_MAX[self.fec_scheme]
        if self.fec_scheme is FecScheme.GF8 and not self.data_max:
            data_max = min(data_max, 255 * 100 // (100 + max(percent, INITIAL_PERCENT)) - 1)
        return Geometry(self.shard_bytes, data_max, self.fec_scheme, percent)


class Told(NamedTuple):
    """A frame as it was recorded; what is None is left to the model."""

    at_ns: int
    frame_bytes: int | None = None
    user_flags: int | None = None
    percent: int | None = None


@dataclass(slots=True)
class HostCounts:
    """What was sent."""

    frames: int = 0
    key_frames: int = 0
    data_packets: int = 0
    parity_packets: int = 0
    bytes: int = 0
    asks: int = 0


class ModelHost:
    """Call ``frame`` at every tick; feed it what the client says."""

    def __init__(self, settings: StreamSettings, engine: Engine, seed: int) -> None:
        self._engine = engine
        self.settings = settings
        self.counts = HostCounts()
        self.geometry = settings.geometry()
        self.budget_kbps = clamp_kbps(settings.bitrate_kbps)
        self.fec = AdaptiveFec(self.geometry.welcome_percent, fixed=settings.fec_percent is not None)
        self.recovery = HostRecovery(can_invalidate=settings.can_invalidate)
        self._chance = Random(seed).random  # noqa: S311 - repeatable, not secret
        self._frame_index = self._sequence = 0
        self._debt_bytes = 0
        self._note_shape()

    @property
    def encoder_kbps(self) -> int:
        """What the budget leaves for the encoder now."""
        settings = self.settings
        return encoder_bitrate(self.budget_kbps, settings.audio_kbps, self.fec.percent, settings.shard_bytes)

    def on_set_bitrate(self, asked_kbps: int) -> int:
        """Clamp and apply a SetBitrate; what BitrateChanged answers."""
        self.budget_kbps = clamp_kbps(asked_kbps)
        settings = self.settings
        if settings.encoder_kbps and self.encoder_kbps > settings.encoder_kbps:
            self.budget_kbps = wire_bitrate(
                settings.encoder_kbps, settings.audio_kbps, self.fec.percent, settings.shard_bytes
            )
        self._note_shape()
        return self.budget_kbps

    def on_loss_report(self, loss_ppm: int) -> None:
        """Adapt the parity."""
        self.fec.on_loss_report(loss_ppm, keyframe_asked=self.recovery.take_asked())

    def on_ask(self, ask: Ask, now_ns: int) -> None:
        """Take a request for recovery."""
        self.counts.asks += 1
        self.recovery.on_ask(ask, now_ns)

    def frame(self, now_ns: int, told: Told | None = None) -> list[Packet]:
        """Make all packets of the next frame in the order of sending."""
        flags = told.user_flags if told is not None else None
        if flags is None:
            flags = USER_PICTURE | self._recover(now_ns)
        key = bool(flags & USER_KEY_FRAME)
        size = told.frame_bytes if told is not None else None
        if size is None:
            size = self._encode(now_ns, key=key)
        percent = told.percent if told is not None else None
        info = FrameInfo(now_ns, self._frame_index, self._sequence, flags)
        packets = self._engine.cut(size, self.fec.percent if percent is None else percent, info)
        parity_count = sum(packet.header.is_parity for packet in packets)
        counts = self.counts
        counts.frames += 1
        counts.key_frames += key
        counts.data_packets += len(packets) - parity_count
        counts.parity_packets += parity_count
        counts.bytes += size
        self._sequence += len(packets)
        self._frame_index += 1
        return packets

    def _recover(self, now_ns: int) -> int:
        """User flags of the next frame: key frame, anchor or none."""
        if not self._frame_index:
            self.recovery.on_idr(now_ns)
            return USER_KEY_FRAME
        match self.recovery.decide(now_ns):
            case SendIdr():
                return USER_KEY_FRAME
            case Invalidate():
                return USER_RECOVERY_ANCHOR
            case None:
                return 0

    def _encode(self, now_ns: int, *, key: bool) -> int:
        """Bytes that the encoder makes of this frame."""
        usual = self.encoder_kbps * 125 // self.settings.refresh_hz
        if self.settings.still_from_ns <= now_ns < self.settings.still_until_ns:
            usual //= 10
        if key:
            self._debt_bytes += usual * (_KEY_FRAME_TIMES - 1)
            return usual * _KEY_FRAME_TIMES
        repaid = min(self._debt_bytes, usual * (_KEY_FRAME_TIMES - 1) // _REPAY_FRAMES)
        self._debt_bytes -= repaid
        return max(1, int((usual - repaid) * (1 - _WAVER + 2 * _WAVER * self._chance())))

    def _note_shape(self) -> None:
        data_count = self.geometry.data_count(self.encoder_kbps * 125 // self.settings.refresh_hz)
        self.fec.shape = FrameShape(
            data_count, min(data_count, self.geometry.data_max), float(self.settings.refresh_hz)
        )
