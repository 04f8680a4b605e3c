"""A client under a virtual clock: a receiver and the product's own decisions, and no decoder.

What receives is an engine: it counts shards, or has the product's kernels put them together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from punktfunk.control.adapt.asks import Ask, KeyframeAsk
from punktfunk.control.adapt.bitrate import AutomaticBitrate
from punktfunk.control.adapt.client_loss import ClientLoss
from punktfunk.control.adapt.report_window import Report, ReportWindows, Totals
from punktfunk.measure.network.engines import Completed, Engine, Packet
from punktfunk.measure.network.host_model import StreamSettings
from punktfunk.wire.native.replay import ReplayWindow

PACKET_OVERHEAD_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Says:
    """What the client sends to the host now."""

    asks: tuple[Ask, ...] = ()
    loss_ppm: int | None = None
    bitrate_kbps: int | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """A frame that came whole: when, how long after its capture, and whether it was shown."""

    frame_index: int
    complete_ns: int
    latency_ns: int
    recovered_count: int
    shown: bool


@dataclass(slots=True)
class ClientCounts:
    """What the client saw."""

    packets: int = 0
    delivered: int = 0
    shown: int = 0
    recovered_frames: int = 0
    freezes: int = 0
    frozen_ns: int = 0
    duplicates: int = 0


@dataclass
class ModelClient:
    """Give it every packet that arrives, and ``tick`` it at ``deadline_ns``."""

    settings: StreamSettings
    engine: Engine
    now_ns: int = 0
    counts: ClientCounts = field(default_factory=ClientCounts)
    frames: list[Delivered] = field(default_factory=list)
    windows_seen: list[Report] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = self.settings
        self._replay = ReplayWindow()
        self._loss = ClientLoss(self.now_ns)
        self._windows = ReportWindows(self.now_ns, audio_kbps=settings.audio_kbps)
        self._bitrate: AutomaticBitrate | None = None
        if settings.automatic:
            self._bitrate = AutomaticBitrate(
                settings.bitrate_kbps, settings.refresh_hz, ceiling_kbps=settings.ceiling_kbps
            )
        self._frozen_since_ns: int | None = None

    @property
    def bitrate(self) -> AutomaticBitrate | None:
        """The automatic bitrate, where it runs."""
        return self._bitrate

    def on_packet(self, packet: Packet, now_ns: int) -> Says | None:
        """Take a packet; what follows from it for the host."""
        if not self._replay.accept(packet.header.stream_sequence):
            self.counts.duplicates += 1
            return None
        self.counts.packets += 1
        unit = self.engine.take(packet, now_ns)
        return self._on_unit(unit, now_ns) if unit is not None else None

    def on_bitrate_changed(self, kbps: int, now_ns: int) -> None:
        """Take the host's answer."""
        if self._bitrate is not None:
            self._bitrate.on_bitrate_changed(kbps, None, now_ns)

    def deadline_ns(self) -> int:
        """When ``tick`` has something to do."""
        return min(self._loss.deadline_ns(), self._windows.deadline_ns())

    def tick(self, now_ns: int) -> Says | None:
        """Ask again, close windows."""
        asks = [
            self._loss.tick(now_ns),
            self._loss.on_dropped_total(self.engine.counts()["dropped_frames"], now_ns),
        ]
        self._note_freeze(now_ns)
        report = self._windows.poll(self._totals(), now_ns)
        wanted = None
        if report is not None:
            self.windows_seen.append(report)
            if report.sample is not None and self._bitrate is not None:
                wanted = self._bitrate.on_window(report.sample)
        return self._say(asks, report.loss_ppm if report else None, wanted)

    def _on_unit(self, unit: Completed, now_ns: int) -> Says | None:
        latency_ns = now_ns - unit.pts_ns
        self._windows.on_frame(unit.first_ns - unit.pts_ns)
        verdict = self._loss.on_frame(unit.frame_index, unit.user_flags, now_ns)
        dropped = self._loss.on_dropped_total(self.engine.counts()["dropped_frames"], now_ns)
        self._note_freeze(now_ns)
        counts = self.counts
        counts.delivered += 1
        counts.shown += verdict.present
        counts.recovered_frames += unit.recovered_count > 0
        self.frames.append(
            Delivered(unit.frame_index, now_ns, latency_ns, unit.recovered_count, shown=verdict.present)
        )
        return self._say([verdict.ask, dropped])

    def _say(
        self, asks: Sequence[Ask | None], loss_ppm: int | None = None, bitrate_kbps: int | None = None
    ) -> Says | None:
        said = tuple(ask for ask in asks if ask is not None)
        for ask in said:
            if isinstance(ask, KeyframeAsk):
                self._windows.on_keyframe_ask()
        if not said and loss_ppm is None and bitrate_kbps is None:
            return None
        return Says(said, loss_ppm, bitrate_kbps)

    def _note_freeze(self, now_ns: int) -> None:
        if self._loss.frozen and self._frozen_since_ns is None:
            self._frozen_since_ns = now_ns
            self.counts.freezes += 1
        elif not self._loss.frozen and self._frozen_since_ns is not None:
            self.counts.frozen_ns += now_ns - self._frozen_since_ns
            self._frozen_since_ns = None

    def _totals(self) -> Totals:
        counts = self.engine.counts()
        return Totals(
            counts["recovered_shards"],
            counts["late_shards"],
            self.counts.packets,
            counts["dropped_frames"],
            self.counts.packets * (self.settings.shard_bytes + PACKET_OVERHEAD_BYTES),
        )
